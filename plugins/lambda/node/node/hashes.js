// MD5 (RFC 1321), SHA-1 and SHA-256 (FIPS 180-4) of bytes at once, for handlers that hash synchronously. Refuses to be
// used for secrets: it makes no effort to take the same time for all inputs.

/** Calls `block` with each block of sixteen words of the padded message. */
function blocks(bytes, isLittle, block) {
  const length = (bytes.length + 72) & ~63;
  const padded = new Uint8Array(length);
  padded.set(bytes);
  padded[bytes.length] = 0x80;
  const view = new DataView(padded.buffer);
  const [high, low] = isLittle ? [length - 4, length - 8] : [length - 8, length - 4];
  view.setUint32(high, bytes.length / 0x2000_0000, isLittle);
  view.setUint32(low, bytes.length << 3, isLittle);
  const words = new Int32Array(64);
  for (let at = 0; at < length; at += 64) {
    for (let word = 0; word < 16; word += 1) words[word] = view.getInt32(at + 4 * word, isLittle);
    block(words);
  }
}

function digest(state, isLittle) {
  const bytes = new Uint8Array(state.length * 4);
  const view = new DataView(bytes.buffer);
  state.forEach((word, at) => view.setInt32(at * 4, word, isLittle));
  return bytes;
}

/** Bits of the fractional part of a number that stands for one of the constants. */
const fraction = (number) => Math.floor((number - Math.floor(number)) * 2 ** 32) | 0;

const PRIMES = [];
for (let number = 2; PRIMES.length < 64; number += 1) if (PRIMES.every((prime) => number % prime !== 0)) PRIMES.push(number);

const SHA256_ROUNDS = Int32Array.from(PRIMES, (prime) => fraction(Math.cbrt(prime)));
const SHA256_START = PRIMES.slice(0, 8).map((prime) => fraction(Math.sqrt(prime)));

export function sha256(bytes) {
  const state = Int32Array.from(SHA256_START);
  blocks(bytes, false, (w) => {
    for (let at = 16; at < 64; at += 1) {
      const early = w[at - 15];
      const late = w[at - 2];
      const first = ((early >>> 7) | (early << 25)) ^ ((early >>> 18) | (early << 14)) ^ (early >>> 3);
      const second = ((late >>> 17) | (late << 15)) ^ ((late >>> 19) | (late << 13)) ^ (late >>> 10);
      w[at] = w[at - 16] + first + w[at - 7] + second;
    }
    let [a, b, c, d, e, f, g, h] = state;
    for (let at = 0; at < 64; at += 1) {
      const turned = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
      const one = (h + turned + ((e & f) ^ (~e & g)) + SHA256_ROUNDS[at] + w[at]) | 0;
      const spun = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
      const two = spun + ((a & b) ^ (a & c) ^ (b & c));
      h = g;
      g = f;
      f = e;
      e = (d + one) | 0;
      d = c;
      c = b;
      b = a;
      a = (one + two) | 0;
    }
    [a, b, c, d, e, f, g, h].forEach((word, at) => (state[at] += word));
  });
  return digest(state, false);
}

export function sha1(bytes) {
  const state = Int32Array.of(0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0);
  const w = new Int32Array(80);
  blocks(bytes, false, (words) => {
    w.set(words.subarray(0, 16));
    for (let at = 16; at < 80; at += 1) {
      const mixed = w[at - 3] ^ w[at - 8] ^ w[at - 14] ^ w[at - 16];
      w[at] = (mixed << 1) | (mixed >>> 31);
    }
    let [a, b, c, d, e] = state;
    for (let at = 0; at < 80; at += 1) {
      const [f, k] =
        at < 20
          ? [(b & c) | (~b & d), 0x5a827999]
          : at < 40
            ? [b ^ c ^ d, 0x6ed9eba1]
            : at < 60
              ? [(b & c) | (b & d) | (c & d), 0x8f1bbcdc]
              : [b ^ c ^ d, 0xca62c1d6];
      const next = (((a << 5) | (a >>> 27)) + f + e + k + w[at]) | 0;
      e = d;
      d = c;
      c = (b << 30) | (b >>> 2);
      b = a;
      a = next;
    }
    [a, b, c, d, e].forEach((word, at) => (state[at] += word));
  });
  return digest(state, false);
}

const MD5_ROUNDS = Int32Array.from({ length: 64 }, (_, at) => Math.floor(Math.abs(Math.sin(at + 1)) * 2 ** 32) | 0);
const MD5_TURNS = [7, 12, 17, 22, 5, 9, 14, 20, 4, 11, 16, 23, 6, 10, 15, 21];

export function md5(bytes) {
  const state = Int32Array.of(0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476);
  blocks(bytes, true, (w) => {
    let [a, b, c, d] = state;
    for (let at = 0; at < 64; at += 1) {
      const round = at >> 4;
      const [f, word] =
        round === 0
          ? [(b & c) | (~b & d), at]
          : round === 1
            ? [(d & b) | (~d & c), 5 * at + 1]
            : round === 2
              ? [b ^ c ^ d, 3 * at + 5]
              : [c ^ (b | ~d), 7 * at];
      const sum = (a + f + MD5_ROUNDS[at] + w[word & 15]) | 0;
      const turn = MD5_TURNS[round * 4 + (at & 3)];
      a = d;
      d = c;
      c = b;
      b = (b + ((sum << turn) | (sum >>> (32 - turn)))) | 0;
    }
    [a, b, c, d].forEach((word, at) => (state[at] += word));
  });
  return digest(state, true);
}
