// Node's zlib as far as transforms of records need it: gzip, zlib and raw, at once or with a callback. Refuses streams
// and brotli.

import { Buffer } from './buffer.js';
import { deflate as squeezed } from './deflate.js';
import { damaged, inflate as expanded } from './inflate.js';
import { lacking } from './lacking.js';

/** Checksums of each byte with none, one, two and three zeros after it: four bytes are done in one step. */
const CRC = [new Int32Array(256)];
for (let byte = 0; byte < 256; byte += 1) {
  let value = byte;
  for (let bit = 0; bit < 8; bit += 1) value = (value >>> 1) ^ (value & 1 ? 0xedb88320 : 0);
  CRC[0][byte] = value;
}
for (let zeros = 1; zeros < 4; zeros += 1) {
  CRC[zeros] = CRC[zeros - 1].map((value) => (value >>> 8) ^ CRC[0][value & 255]);
}

export function crc32(data, value = 0) {
  const bytes = bytesOf(data);
  const [none, one, two, three] = CRC;
  let crc = ~value;
  let at = 0;
  for (const end = bytes.length & ~3; at < end; at += 4) {
    crc ^= bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
    crc = three[crc & 255] ^ two[(crc >>> 8) & 255] ^ one[(crc >>> 16) & 255] ^ none[crc >>> 24];
  }
  for (; at < bytes.length; at += 1) crc = (crc >>> 8) ^ none[(crc ^ bytes[at]) & 255];
  return ~crc >>> 0;
}

function adler32(bytes) {
  let a = 1;
  let b = 0;
  for (let at = 0; at < bytes.length; at += 1) {
    a = (a + bytes[at]) % 65521;
    b = (b + a) % 65521;
  }
  return ((b << 16) | a) >>> 0;
}

export function gunzipSync(data) {
  const input = bytesOf(data);
  const parts = [];
  // Members follow each other; what follows them and is none is passed over, as zlib does.
  for (let at = 0; at === 0 || (input[at] === 0x1f && input[at + 1] === 0x8b); ) {
    const { bytes, end } = expanded(input, afterHeader(input, at));
    const tail = new DataView(input.buffer, input.byteOffset, input.length);
    if (end + 8 > input.length) throw damaged('unexpected end of file');
    if (tail.getUint32(end, true) !== crc32(bytes)) throw damaged('incorrect data check');
    if (tail.getUint32(end + 4, true) !== bytes.length >>> 0) throw damaged('incorrect length check');
    parts.push(bytes);
    at = end + 8;
  }
  return parts.length === 1 ? Buffer.from(parts[0]) : Buffer.concat(parts);
}

/** Where the stream of a gzip member begins (RFC 1952). */
function afterHeader(input, start) {
  const isHeader = input[start] === 0x1f && input[start + 1] === 0x8b;
  if (input.length - start < 2 && (input.length === start || input[start] === 0x1f)) throw damaged('unexpected end of file');
  if (!isHeader) throw damaged('incorrect header check');
  if (input.length - start < 10) throw damaged('unexpected end of file');
  if (input[start + 2] !== 8) throw damaged('unknown compression method');
  const flags = input[start + 3];
  let at = start + 10;
  if (flags & 4) at += 2 + (input[at] | (input[at + 1] << 8));
  for (const text of [8, 16]) {
    if ((flags & text) === 0) continue;
    while (at < input.length && input[at] !== 0) at += 1;
    at += 1;
  }
  if (flags & 2) at += 2;
  if (at >= input.length) throw damaged('unexpected end of file');
  return at;
}

export function inflateSync(data) {
  const input = bytesOf(data);
  if (input.length < 2) throw damaged('unexpected end of file');
  if ((input[0] & 15) !== 8 || ((input[0] << 8) | input[1]) % 31 !== 0) throw damaged('incorrect header check');
  if (input[1] & 32) throw damaged('need dictionary');
  const { bytes, end } = expanded(input, 2);
  if (end + 4 > input.length) throw damaged('unexpected end of file');
  const check = new DataView(input.buffer, input.byteOffset, input.length).getUint32(end);
  if (check !== adler32(bytes)) throw damaged('incorrect data check');
  return Buffer.from(bytes);
}

export function inflateRawSync(data) {
  return Buffer.from(expanded(bytesOf(data), 0).bytes);
}

export function unzipSync(data) {
  const input = bytesOf(data);
  return input[0] === 0x1f ? gunzipSync(input) : inflateSync(input);
}

export function gzipSync(data) {
  const input = bytesOf(data);
  const tail = new Uint8Array(8);
  const view = new DataView(tail.buffer);
  view.setUint32(0, crc32(input), true);
  view.setUint32(4, input.length, true);
  return Buffer.concat([Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3), squeezed(input), tail]);
}

export function deflateSync(data) {
  const input = bytesOf(data);
  const tail = new Uint8Array(4);
  new DataView(tail.buffer).setUint32(0, adler32(input));
  return Buffer.concat([Uint8Array.of(0x78, 0x9c), squeezed(input), tail]);
}

export function deflateRawSync(data) {
  return Buffer.from(squeezed(bytesOf(data)));
}

function bytesOf(data) {
  if (typeof data === 'string') return Buffer.from(data);
  if (data instanceof ArrayBuffer) return new Uint8Array(data);
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const received = data === null ? 'null' : typeof data;
  const message = `The "buffer" argument must be of type string or an instance of Buffer. Received ${received}`;
  throw Object.assign(new TypeError(message), { code: 'ERR_INVALID_ARG_TYPE' });
}

/** The form with a callback: zlib.gunzip(data, callback) or zlib.gunzip(data, options, callback). */
function later(work) {
  return (data, options, callback = options) => {
    if (typeof callback !== 'function') throw new TypeError('The "callback" argument must be of type function');
    const input = bytesOf(data);
    queueMicrotask(() => {
      let result;
      try {
        result = work(input);
      } catch (error) {
        callback(error);
        return;
      }
      callback(null, result);
    });
  };
}

export const gunzip = later(gunzipSync);
export const inflate = later(inflateSync);
export const inflateRaw = later(inflateRawSync);
export const unzip = later(unzipSync);
export const gzip = later(gzipSync);
export const deflate = later(deflateSync);
export const deflateRaw = later(deflateRawSync);

const NO_STREAMS = 'use the function that takes all bytes at once, like gunzipSync';
const NO_BROTLI = 'gzip, zlib and raw DEFLATE are';
export const createGunzip = lacking('zlib.createGunzip', NO_STREAMS);
export const createGzip = lacking('zlib.createGzip', NO_STREAMS);
export const createInflate = lacking('zlib.createInflate', NO_STREAMS);
export const createDeflate = lacking('zlib.createDeflate', NO_STREAMS);
export const createUnzip = lacking('zlib.createUnzip', NO_STREAMS);
export const brotliCompressSync = lacking('zlib.brotliCompressSync', NO_BROTLI);
export const brotliDecompressSync = lacking('zlib.brotliDecompressSync', NO_BROTLI);
export const brotliCompress = lacking('zlib.brotliCompress', NO_BROTLI);
export const brotliDecompress = lacking('zlib.brotliDecompress', NO_BROTLI);

export const constants = { Z_NO_FLUSH: 0, Z_SYNC_FLUSH: 2, Z_FINISH: 4, Z_BEST_SPEED: 1, Z_BEST_COMPRESSION: 9 };

export default {
  ...{ gunzipSync, inflateSync, inflateRawSync, unzipSync, gzipSync, deflateSync, deflateRawSync, crc32, constants },
  ...{ gunzip, inflate, inflateRaw, unzip, gzip, deflate, deflateRaw },
  ...{ createGunzip, createGzip, createInflate, createDeflate, createUnzip },
  ...{ brotliCompressSync, brotliDecompressSync, brotliCompress, brotliDecompress },
};
