// Node's Buffer over the engine's own base64, hex and text: no byte is touched one by one where that can be helped.
// Refuses to pool memory, and leaves out what no transform of records needs.

const LOOSE = new TextDecoder('utf-8', { ignoreBOM: true });
const STRICT = new TextDecoder('utf-8', { ignoreBOM: true, fatal: true });
const ENCODER = new TextEncoder();

/** Bytes; `new Buffer(…)` and `Buffer(…)` of old handlers work too. */
export function Buffer(value, encodingOrOffset, length) {
  return typeof value === 'number' ? Buffer.alloc(value) : Buffer.from(value, encodingOrOffset, length);
}

Object.setPrototypeOf(Buffer, Uint8Array);
Buffer.prototype = Object.create(Uint8Array.prototype, {
  constructor: { value: Buffer, writable: true, configurable: true },
});
Buffer.poolSize = 8192;

/** The bytes themselves, seen as a Buffer. */
function seen(bytes) {
  return Object.setPrototypeOf(bytes, Buffer.prototype);
}

Buffer.from = (value, encodingOrOffset, length) => {
  if (typeof value === 'string') return seen(encode(value, encodingOrOffset));
  if (value instanceof ArrayBuffer) return seen(new Uint8Array(value, encodingOrOffset, length));
  if (ArrayBuffer.isView(value) || Array.isArray(value)) return seen(new Uint8Array(value));
  if (value !== null && typeof value === 'object') {
    if (value.type === 'Buffer' && Array.isArray(value.data)) return seen(Uint8Array.from(value.data));
    if (typeof value.length === 'number') return seen(Uint8Array.from(value));
    const primitive = value.valueOf?.();
    if (primitive !== undefined && primitive !== value) return Buffer.from(primitive, encodingOrOffset, length);
  }
  const received = value === null ? 'null' : typeof value;
  throw argument(`The first argument must be of type string or an instance of Buffer, ArrayBuffer, or Array. Received ${received}`);
};

Buffer.alloc = (size, fill, encoding) => {
  const bytes = seen(new Uint8Array(size));
  return fill === undefined || fill === 0 ? bytes : bytes.fill(fill, encoding);
};
Buffer.allocUnsafe = Buffer.allocUnsafeSlow = (size) => seen(new Uint8Array(size));
Buffer.of = (...bytes) => seen(Uint8Array.from(bytes));
Buffer.isBuffer = (value) => value instanceof Buffer;
Buffer.isEncoding = (name) => typeof name === 'string' && ENCODINGS.has(name.toLowerCase());
Buffer.compare = (a, b) => Buffer.prototype.compare.call(a, b);

Buffer.byteLength = (value, encoding) => (typeof value === 'string' ? encode(value, encoding).length : value.byteLength);

Buffer.concat = (list, total = list.reduce((bytes, part) => bytes + part.length, 0)) => {
  const all = new Uint8Array(total);
  let at = 0;
  for (const part of list) {
    if (at >= total) break;
    all.set(part.length > total - at ? part.subarray(0, total - at) : part, at);
    at += part.length;
  }
  return seen(all);
};

const methods = {
  toString(encoding, start = 0, end = this.length) {
    const whole = start === 0 && end === this.length;
    return decode(whole ? this : Uint8Array.prototype.subarray.call(this, start, Math.max(start, end)), encoding);
  },

  toJSON() {
    return { type: 'Buffer', data: Array.from(this) };
  },

  equals(other) {
    return this.compare(other) === 0;
  },

  compare(other) {
    const shared = Math.min(this.length, other.length);
    for (let at = 0; at < shared; at += 1) if (this[at] !== other[at]) return this[at] < other[at] ? -1 : 1;
    return Math.sign(this.length - other.length);
  },

  /** A view, as ever in Node: unlike a typed array's, it does not copy. */
  slice(start, end) {
    return seen(Uint8Array.prototype.subarray.call(this, start, end));
  },

  subarray(start, end) {
    return seen(Uint8Array.prototype.subarray.call(this, start, end));
  },

  write(text, offset, length, encoding) {
    if (typeof offset === 'string') return this.write(text, 0, this.length, offset);
    if (typeof length === 'string') return this.write(text, offset, undefined, length);
    const from = offset ?? 0;
    const bytes = encode(text, encoding);
    const room = Math.min(length ?? Infinity, this.length - from, bytes.length);
    this.set(bytes.subarray(0, room), from);
    return room;
  },

  copy(target, targetStart = 0, start = 0, end = this.length) {
    const room = Math.max(0, Math.min(end - start, target.length - targetStart));
    target.set(Uint8Array.prototype.subarray.call(this, start, start + room), targetStart);
    return room;
  },

  fill(value, offset, end, encoding) {
    if (typeof value !== 'string') return Uint8Array.prototype.fill.call(this, value, offset, end);
    if (typeof offset === 'string') return this.fill(value, 0, this.length, offset);
    const bytes = encode(value, encoding);
    const stop = end ?? this.length;
    for (let at = offset ?? 0; at < stop && bytes.length > 0; at += bytes.length) {
      this.set(bytes.subarray(0, stop - at), at);
    }
    return this;
  },

  indexOf(value, from = 0, encoding) {
    if (typeof value === 'number') return Uint8Array.prototype.indexOf.call(this, value & 255, from);
    const wanted = typeof value === 'string' ? encode(value, encoding) : value;
    const first = from < 0 ? Math.max(0, this.length + from) : from;
    for (let at = first; at + wanted.length <= this.length; at += 1) if (startsAt(this, wanted, at)) return at;
    return -1;
  },

  lastIndexOf(value, from = this.length, encoding) {
    const wanted = typeof value === 'number' ? [value & 255] : typeof value === 'string' ? encode(value, encoding) : value;
    for (let at = Math.min(from, this.length - wanted.length); at >= 0; at -= 1) if (startsAt(this, wanted, at)) return at;
    return -1;
  },

  includes(value, from, encoding) {
    return this.indexOf(value, from, encoding) !== -1;
  },

  readUIntBE(offset, count) {
    let value = 0;
    for (let at = 0; at < count; at += 1) value = value * 256 + this[offset + at];
    return value;
  },

  readUIntLE(offset, count) {
    let value = 0;
    for (let at = count - 1; at >= 0; at -= 1) value = value * 256 + this[offset + at];
    return value;
  },
};

// readInt32BE, writeDoubleLE and so on, by the methods of a DataView.
const NUMBERS = { UInt8: 'Uint8', Int8: 'Int8', UInt16: 'Uint16', Int16: 'Int16', UInt32: 'Uint32', Int32: 'Int32' };
const LONGER = { Float: 'Float32', Double: 'Float64', BigUInt64: 'BigUint64', BigInt64: 'BigInt64' };
for (const [name, type] of Object.entries({ ...NUMBERS, ...LONGER })) {
  const bytes = Number(type.match(/\d+/)[0]) / 8;
  for (const order of bytes === 1 ? [''] : ['LE', 'BE']) {
    methods[`read${name}${order}`] = function (offset = 0) {
      return view(this, offset, bytes)[`get${type}`](offset, order === 'LE');
    };
    methods[`write${name}${order}`] = function (value, offset = 0) {
      view(this, offset, bytes)[`set${type}`](offset, value, order === 'LE');
      return offset + bytes;
    };
    const alias = name.replace('UInt', 'Uint');
    methods[`read${alias}${order}`] = methods[`read${name}${order}`];
    methods[`write${alias}${order}`] = methods[`write${name}${order}`];
  }
}

for (const [name, value] of Object.entries(methods)) {
  Object.defineProperty(Buffer.prototype, name, { value, writable: true, configurable: true });
}

function view(bytes, offset, count) {
  if (!Number.isInteger(offset) || offset < 0 || offset + count > bytes.length) {
    throw Object.assign(new RangeError('Attempt to access memory outside buffer bounds'), { code: 'ERR_OUT_OF_RANGE' });
  }
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function startsAt(bytes, wanted, at) {
  for (let next = 0; next < wanted.length; next += 1) if (bytes[at + next] !== wanted[next]) return false;
  return true;
}

/** How each encoding is read and written. */
const ENCODINGS = new Map();
const add = (names, coding) => names.forEach((name) => ENCODINGS.set(name, coding));
add(['utf8', 'utf-8'], { encode: (text) => ENCODER.encode(text), decode: (bytes) => LOOSE.decode(bytes) });
add(['base64'], { encode: fromBase64, decode: (bytes) => bytes.toBase64() });
add(['base64url'], {
  encode: fromBase64,
  decode: (bytes) => bytes.toBase64({ alphabet: 'base64url', omitPadding: true }),
});
add(['hex'], { encode: fromHex, decode: (bytes) => bytes.toHex() });
add(['ascii'], { encode: fromLatin1, decode: (bytes) => ascii(bytes) ?? latin1(bytes.map((byte) => byte & 0x7f)) });
add(['latin1', 'binary'], { encode: fromLatin1, decode: (bytes) => ascii(bytes) ?? latin1(bytes) });
add(['utf16le', 'utf-16le', 'ucs2', 'ucs-2'], { encode: fromUtf16, decode: utf16 });

function coding(name) {
  if (name === undefined || name === null || name === 'utf8') return ENCODINGS.get('utf8');
  const found = ENCODINGS.get(String(name).toLowerCase());
  if (found === undefined) throw Object.assign(new TypeError(`Unknown encoding: ${name}`), { code: 'ERR_UNKNOWN_ENCODING' });
  return found;
}

function encode(text, encoding) {
  return coding(encoding).encode(text);
}

function decode(bytes, encoding) {
  return coding(encoding).decode(bytes);
}

/** Node takes both alphabets, and passes over what is in neither. */
function fromBase64(text) {
  try {
    return Uint8Array.fromBase64(text);
  } catch {
    const [before] = text.split('=', 1);
    const clean = before.replaceAll('-', '+').replaceAll('_', '/').replace(/[^A-Za-z0-9+/]/g, '');
    return Uint8Array.fromBase64(clean.length % 4 === 1 ? clean.slice(0, -1) : clean);
  }
}

/** Node stops at the first pair that is none. */
function fromHex(text) {
  const [good] = text.match(/^(?:[0-9a-fA-F]{2})*/);
  return Uint8Array.fromHex(good);
}

function fromLatin1(text) {
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at += 1) bytes[at] = text.charCodeAt(at);
  return bytes;
}

function fromUtf16(text) {
  const units = new Uint8Array(text.length * 2);
  for (let at = 0; at < text.length; at += 1) {
    units[2 * at] = text.charCodeAt(at);
    units[2 * at + 1] = text.charCodeAt(at) >> 8;
  }
  return units;
}

/** Unit by unit: Node lets halves of characters stand. */
function utf16(bytes) {
  let text = '';
  for (let at = 0; at + 1 < bytes.length; at += 2) text += String.fromCharCode(bytes[at] | (bytes[at + 1] << 8));
  return text;
}

/** The text of bytes that are all ASCII, which nearly all are; undefined for others. */
function ascii(bytes) {
  try {
    const text = STRICT.decode(bytes);
    return text.length === bytes.length ? text : undefined;
  } catch {
    return undefined;
  }
}

function latin1(bytes) {
  let text = '';
  for (let at = 0; at < bytes.length; at += 8192) {
    text += String.fromCharCode(...Uint8Array.prototype.subarray.call(bytes, at, at + 8192));
  }
  return text;
}

function argument(message) {
  return Object.assign(new TypeError(message), { code: 'ERR_INVALID_ARG_TYPE' });
}

export const { atob, btoa, Blob } = globalThis;
export const constants = { MAX_LENGTH: 2 ** 31 - 1, MAX_STRING_LENGTH: 2 ** 29 - 24 };
export const kMaxLength = constants.MAX_LENGTH;
export default { Buffer, atob, btoa, Blob, constants, kMaxLength };
