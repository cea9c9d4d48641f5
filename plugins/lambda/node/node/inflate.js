// Takes DEFLATE (RFC 1951) apart. Refuses what is damaged or cut short; the memory limit bounds what comes out.

/** Codes up to this length are found in one step. */
const QUICK_BITS = 10;
const MASK = (1 << QUICK_BITS) - 1;

const LENGTHS = [3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258];
const LENGTH_BITS = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
const DISTANCES = [
  1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193,
  12289, 16385, 24577,
];
const DISTANCE_BITS = DISTANCES.map((_, code) => (code < 2 ? 0 : (code >> 1) - 1));
/** In which order the lengths of the code for lengths come. */
const ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

const FIXED = [
  table(Uint8Array.from({ length: 288 }, (_, symbol) => (symbol < 144 ? 8 : symbol < 256 ? 9 : symbol < 280 ? 7 : 8))),
  table(new Uint8Array(30).fill(5)),
];

export { DISTANCE_BITS, DISTANCES, LENGTH_BITS, LENGTHS };

/** The bytes that a stream at `start` stands for, and where it ends: {bytes, end}. */
export function inflate(input, start) {
  const stream = { input, at: start, hold: 0, held: 0, output: new Uint8Array(Math.max(1024, input.length * 4)), length: 0 };
  for (let last = 0; last === 0; ) {
    last = take(stream, 1);
    const kind = take(stream, 2);
    if (kind === 0) stored(stream);
    else if (kind === 1) coded(stream, ...FIXED);
    else if (kind === 2) coded(stream, ...tables(stream));
    else throw damaged('invalid block type');
  }
  // Whole bytes that were taken ahead are given back.
  return { bytes: stream.output.subarray(0, stream.length), end: stream.at - (stream.held >> 3) };
}

/** The next bits of a stream, the lowest first. */
function take(stream, bits) {
  while (stream.held < bits) {
    if (stream.at >= stream.input.length) throw damaged('unexpected end of file');
    stream.hold |= stream.input[stream.at] << stream.held;
    stream.at += 1;
    stream.held += 8;
  }
  const value = stream.hold & ((1 << bits) - 1);
  stream.hold >>>= bits;
  stream.held -= bits;
  return value;
}

/** Makes room for more bytes. */
function grown(output, length, more) {
  if (length + more <= output.length) return output;
  const larger = new Uint8Array(Math.max(output.length * 2, length + more));
  larger.set(output);
  return larger;
}

function stored(stream) {
  stream.at -= stream.held >> 3;
  stream.hold = stream.held = 0;
  const { input, at } = stream;
  if (at + 4 > input.length) throw damaged('unexpected end of file');
  const length = input[at] | (input[at + 1] << 8);
  if (length !== (~(input[at + 2] | (input[at + 3] << 8)) & 0xffff)) throw damaged('invalid stored block lengths');
  if (at + 4 + length > input.length) throw damaged('unexpected end of file');
  stream.output = grown(stream.output, stream.length, length);
  stream.output.set(input.subarray(at + 4, at + 4 + length), stream.length);
  stream.length += length;
  stream.at = at + 4 + length;
}

/** Reads the two codes of a block that brings its own. */
function tables(stream) {
  const literals = take(stream, 5) + 257;
  const distances = take(stream, 5) + 1;
  const count = take(stream, 4) + 4;
  const lengths = new Uint8Array(19);
  for (let at = 0; at < count; at += 1) lengths[ORDER[at]] = take(stream, 3);
  const code = table(lengths);
  const all = new Uint8Array(literals + distances);
  for (let at = 0; at < all.length; ) {
    const symbol = decode(stream, code);
    if (symbol < 16) {
      all[at] = symbol;
      at += 1;
      continue;
    }
    if (symbol === 16 && at === 0) throw damaged('invalid bit length repeat');
    const value = symbol === 16 ? all[at - 1] : 0;
    const times = symbol === 16 ? 3 + take(stream, 2) : symbol === 17 ? 3 + take(stream, 3) : 11 + take(stream, 7);
    if (at + times > all.length) throw damaged('invalid bit length repeat');
    all.fill(value, at, at + times);
    at += times;
  }
  return [table(all.subarray(0, literals)), table(all.subarray(literals))];
}

/** A code by the lengths of its symbols: short ones by their reversed bits, all by canonical order. */
function table(lengths) {
  const counts = new Uint16Array(16);
  for (const length of lengths) counts[length] += 1;
  counts[0] = 0;
  const next = new Uint16Array(17);
  const offsets = new Uint16Array(17);
  for (let length = 1, left = 1; length < 16; length += 1) {
    left = left * 2 - counts[length];
    if (left < 0) throw damaged('invalid code lengths set');
    next[length + 1] = (next[length] + counts[length]) << 1;
    offsets[length + 1] = offsets[length] + counts[length];
  }
  const symbols = new Uint16Array(lengths.length);
  const quick = new Uint16Array(1 << QUICK_BITS);
  for (let symbol = 0; symbol < lengths.length; symbol += 1) {
    const length = lengths[symbol];
    if (length === 0) continue;
    symbols[offsets[length]] = symbol;
    offsets[length] += 1;
    const code = next[length];
    next[length] += 1;
    if (length > QUICK_BITS) continue;
    let reversed = 0;
    for (let bit = 0; bit < length; bit += 1) reversed |= ((code >> bit) & 1) << (length - 1 - bit);
    for (; reversed < quick.length; reversed += 1 << length) quick[reversed] = (symbol << 4) | length;
  }
  return { quick, counts, symbols };
}

/** The next symbol of a code. */
function decode(stream, code) {
  while (stream.held < 15 && stream.at < stream.input.length) {
    stream.hold |= stream.input[stream.at] << stream.held;
    stream.at += 1;
    stream.held += 8;
  }
  const entry = code.quick[stream.hold & MASK] || long(code, stream.hold);
  const length = entry & 15;
  if (length > stream.held) throw damaged('unexpected end of file');
  stream.hold >>>= length;
  stream.held -= length;
  return entry >> 4;
}

/** A symbol whose code is too long for the quick way: bit by bit, in canonical order. */
function long({ counts, symbols }, hold) {
  let code = 0;
  let first = 0;
  let index = 0;
  for (let length = 1; length < 16; length += 1) {
    code |= (hold >> (length - 1)) & 1;
    const count = counts[length];
    if (code - first < count) return (symbols[index + code - first] << 4) | length;
    index += count;
    first = (first + count) << 1;
    code <<= 1;
  }
  throw damaged('invalid code');
}

/**
 * A block of literals and matches: the loop that all the time goes into, so its state is in variables, and it reads on
 * past the end of the input, where there are zeros, and looks for that before it makes room.
 */
function coded(stream, literals, distances) {
  const { input } = stream;
  const { quick: quickLiterals } = literals;
  const { quick: quickDistances } = distances;
  let { at, hold, held, output, length } = stream;
  for (;;) {
    while (held < 20) {
      hold |= input[at++] << held;
      held += 8;
    }
    let entry = quickLiterals[hold & MASK] || long(literals, hold);
    hold >>>= entry & 15;
    held -= entry & 15;
    const symbol = entry >> 4;
    if (symbol < 256) {
      if (length === output.length) output = grown(output, length, checked(1, at, held, input));
      output[length++] = symbol;
      continue;
    }
    if (symbol === 256) break;
    if (symbol > 285) throw damaged('invalid literal/length code');
    let bits = LENGTH_BITS[symbol - 257];
    const size = LENGTHS[symbol - 257] + (hold & ((1 << bits) - 1));
    hold >>>= bits;
    held -= bits;
    while (held < 15) {
      hold |= input[at++] << held;
      held += 8;
    }
    entry = quickDistances[hold & MASK] || long(distances, hold);
    hold >>>= entry & 15;
    held -= entry & 15;
    if (entry >> 4 > 29) throw damaged('invalid distance code');
    bits = DISTANCE_BITS[entry >> 4];
    while (held < bits) {
      hold |= input[at++] << held;
      held += 8;
    }
    const distance = DISTANCES[entry >> 4] + (hold & ((1 << bits) - 1));
    hold >>>= bits;
    held -= bits;
    if (distance > length) throw damaged('invalid distance too far back');
    if (length + size > output.length) output = grown(output, length, checked(size, at, held, input));
    if (distance >= size) {
      output.copyWithin(length, length - distance, length - distance + size);
      length += size;
    } else {
      for (const end = length + size; length < end; length += 1) output[length] = output[length - distance];
    }
  }
  checked(0, at, held, input);
  Object.assign(stream, { at, hold, held, output, length });
}

/** The room asked for, unless bits were used that the input does not have. */
function checked(room, at, held, input) {
  if (at - (held >> 3) > input.length) throw damaged('unexpected end of file');
  return room;
}

/** An error as zlib's. */
export function damaged(message) {
  const isShort = message === 'unexpected end of file';
  return Object.assign(new Error(message), { code: isShort ? 'Z_BUF_ERROR' : 'Z_DATA_ERROR', errno: isShort ? -5 : -3 });
}
