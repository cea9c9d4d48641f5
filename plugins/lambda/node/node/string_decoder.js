// Node's StringDecoder for UTF-8, which holds a character back until all its bytes are there. Other encodings are
// refused.

export class StringDecoder {
  #decoder = new TextDecoder('utf-8', { ignoreBOM: true });

  constructor(encoding = 'utf8') {
    if (!/^utf-?8$/i.test(encoding)) throw new TypeError(`StringDecoder for ${encoding} is not there inside a plugin: only utf8 is`);
    this.encoding = 'utf8';
  }

  write(bytes) {
    return this.#decoder.decode(bytes, { stream: true });
  }

  end(bytes) {
    return this.#decoder.decode(bytes);
  }
}

export default { StringDecoder };
