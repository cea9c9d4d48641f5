// Node's crypto as far as transforms of records need it: hashes, HMAC and random values. Refuses keys and ciphers.

import { Buffer } from './buffer.js';
import { lacking } from './lacking.js';
import { md5, sha1, sha256 } from './hashes.js';

const HASHES = { md5, sha1, sha256 };
/** All three work in blocks of this many bytes. */
const BLOCK = 64;

function hashOf(name) {
  const hash = HASHES[String(name).toLowerCase().replace('-', '')];
  if (hash !== undefined) return hash;
  throw new Error(`the hash ${name} is not there inside a plugin: ${Object.keys(HASHES).join(', ')} are`);
}

class Hash {
  #hash;
  #begin;
  #end;
  #parts = [];

  constructor(hash, begin, end) {
    this.#hash = hash;
    this.#begin = begin;
    this.#end = end;
  }

  update(data, encoding) {
    this.#parts.push(Buffer.from(data, encoding));
    return this;
  }

  digest(encoding) {
    const bytes = Buffer.from(this.#end(this.#hash(Buffer.concat([...this.#begin, ...this.#parts]))));
    return encoding === undefined || encoding === 'buffer' ? bytes : bytes.toString(encoding);
  }
}

export function createHash(name) {
  return new Hash(hashOf(name), [], (digest) => digest);
}

export function createHmac(name, key) {
  const hash = hashOf(name);
  const given = Buffer.from(key);
  const padded = Buffer.alloc(BLOCK);
  padded.set(given.length > BLOCK ? hash(given) : given);
  const inner = padded.map((byte) => byte ^ 0x36);
  const outer = padded.map((byte) => byte ^ 0x5c);
  return new Hash(hash, [inner], (digest) => hash(Buffer.concat([outer, digest])));
}

export function randomBytes(size, callback) {
  const bytes = crypto.getRandomValues(Buffer.alloc(size));
  if (callback === undefined) return bytes;
  queueMicrotask(() => callback(null, bytes));
  return undefined;
}

export function timingSafeEqual(a, b) {
  if (a.byteLength !== b.byteLength) throw new RangeError('Input buffers must have the same byte length');
  return Buffer.compare(Buffer.from(a), Buffer.from(b)) === 0;
}

export const randomUUID = () => crypto.randomUUID();
export const getRandomValues = (bytes) => crypto.getRandomValues(bytes);
export const getHashes = () => Object.keys(HASHES);
export const { subtle } = crypto;
export const webcrypto = crypto;

const NO_KEYS = 'only createHash, createHmac and random values are';
export const createCipheriv = lacking('crypto.createCipheriv', NO_KEYS);
export const createDecipheriv = lacking('crypto.createDecipheriv', NO_KEYS);
export const createSign = lacking('crypto.createSign', NO_KEYS);
export const createVerify = lacking('crypto.createVerify', NO_KEYS);
export const pbkdf2Sync = lacking('crypto.pbkdf2Sync', NO_KEYS);
export const scryptSync = lacking('crypto.scryptSync', NO_KEYS);

export default {
  ...{ createHash, createHmac, randomBytes, randomUUID, getRandomValues, timingSafeEqual, getHashes, subtle, webcrypto },
  ...{ createCipheriv, createDecipheriv, createSign, createVerify, pbkdf2Sync, scryptSync },
};
