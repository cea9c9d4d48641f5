// Puts bytes together as DEFLATE (RFC 1951): matches found by hashing, coded with the fixed code. Refuses to look hard:
// what comes out is valid, but other bytes and some percent larger than zlib's.

import { DISTANCE_BITS, DISTANCES, LENGTH_BITS, LENGTHS } from './inflate.js';

const HASH_BITS = 13;
const WINDOW = 32_768;
const LONGEST = 258;

/** Symbol of each match length. */
const SYMBOLS = new Uint16Array(LONGEST + 1);
LENGTHS.forEach((length, symbol) => SYMBOLS.fill(symbol, length));

/** Code of each literal or length symbol, in the order in which its bits are written, and their number below that. */
const CODES = Uint16Array.from({ length: 288 }, (_, symbol) => {
  if (symbol < 144) return (reversed(0x30 + symbol, 8) << 4) | 8;
  if (symbol < 256) return (reversed(0x190 + symbol - 144, 9) << 4) | 9;
  return symbol < 280 ? (reversed(symbol - 256, 7) << 4) | 7 : (reversed(0xc0 + symbol - 280, 8) << 4) | 8;
});
const FAR_CODES = Uint8Array.from(DISTANCES, (_, symbol) => reversed(symbol, 5));

function reversed(code, bits) {
  let result = 0;
  for (let bit = 0; bit < bits; bit += 1) result |= ((code >> bit) & 1) << (bits - 1 - bit);
  return result;
}

/** Where bytes were seen last, by their hash. */
const heads = new Int32Array(1 << HASH_BITS);

/** The stream that stands for some bytes: one block, in a loop with its state in variables. */
export function deflate(input) {
  heads.fill(-1 - WINDOW);
  // Nine bits a byte at worst, and the end of the block.
  const output = new Uint8Array(input.length + (input.length >> 3) + 16);
  let written = 0;
  // The last block, with the fixed code.
  let hold = 3;
  let held = 3;
  const last = input.length - 4;
  for (let at = 0; at < input.length; ) {
    let length = 0;
    let before = 0;
    if (at <= last) {
      const word = input[at] | (input[at + 1] << 8) | (input[at + 2] << 16) | (input[at + 3] << 24);
      const hash = Math.imul(word, 0x9e3779b1) >>> (32 - HASH_BITS);
      before = heads[hash];
      heads[hash] = at;
      if (at - before <= WINDOW) {
        const most = Math.min(LONGEST, input.length - at);
        while (length < most && input[before + length] === input[at + length]) length += 1;
      }
    }
    if (length < 4) {
      const code = CODES[input[at]];
      hold |= (code >> 4) << held;
      held += code & 15;
      at += 1;
    } else {
      const symbol = SYMBOLS[length];
      const code = CODES[symbol + 257];
      hold |= ((code >> 4) | ((length - LENGTHS[symbol]) << (code & 15))) << held;
      held += (code & 15) + LENGTH_BITS[symbol];
      while (held >= 8) {
        output[written++] = hold;
        hold >>>= 8;
        held -= 8;
      }
      const distance = at - before;
      let far = DISTANCES.length - 1;
      while (DISTANCES[far] > distance) far -= 1;
      hold |= (FAR_CODES[far] | ((distance - DISTANCES[far]) << 5)) << held;
      held += 5 + DISTANCE_BITS[far];
      at += length;
    }
    while (held >= 8) {
      output[written++] = hold;
      hold >>>= 8;
      held -= 8;
    }
  }
  // The end of the block is seven zeros; then the byte is filled up.
  held += 7;
  while (held > 0) {
    output[written++] = hold;
    hold >>>= 8;
    held -= 8;
  }
  return output.subarray(0, written);
}
