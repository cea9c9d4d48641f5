// The shim's modules of Node against Node's own.

import './desk.js';
import assert from 'node:assert/strict';
import { Buffer as Theirs } from 'node:buffer';
import theirCrypto from 'node:crypto';
import { createRequire } from 'node:module';
import theirQuerystring from 'node:querystring';
import { test } from 'node:test';
import theirUtil from 'node:util';
import theirZlib from 'node:zlib';
import { Buffer } from '../node/buffer.js';
import crypto from '../node/crypto.js';
import querystring from '../node/querystring.js';
import { StringDecoder } from '../node/string_decoder.js';
import util from '../node/util.js';
import zlib from '../node/zlib.js';

const TEXTS = ['', 'a', 'häß €', '\u{1f600}', '\ufeffa', 'half \ud800', 'aGk=', 'aGk', 'a-_b', '  aG\nk= ', '0f1', 'zz', '{"a":1}'];
const BYTES = [[], [0], [0xff, 0xfe], [0xc3, 0xa4], Array.from({ length: 256 }, (_, at) => at)];
const ENCODINGS = [undefined, 'utf8', 'UTF-8', 'base64', 'base64url', 'hex', 'ascii', 'latin1', 'binary', 'utf16le', 'ucs2'];

const same = (ours, theirs, what) => assert.deepEqual([...ours], [...theirs], what);

test('Buffer reads and writes text as Node does', () => {
  for (const encoding of ENCODINGS) {
    for (const text of TEXTS) {
      same(Buffer.from(text, encoding), Theirs.from(text, encoding), `${JSON.stringify(text)} from ${encoding}`);
      assert.equal(Buffer.byteLength(text), Theirs.byteLength(text));
    }
    for (const bytes of BYTES) {
      assert.equal(Buffer.from(bytes).toString(encoding), Theirs.from(bytes).toString(encoding), `${bytes} to ${encoding}`);
    }
    assert.equal(Buffer.isEncoding(encoding), Theirs.isEncoding(encoding));
  }
  assert.equal(Buffer.from('hello').toString('utf8', 1, 3), 'el');
  assert.throws(() => Buffer.from('a', 'nothing'), { code: 'ERR_UNKNOWN_ENCODING' });
  assert.throws(() => Buffer.from(5), { code: 'ERR_INVALID_ARG_TYPE' });
  assert.throws(() => Buffer.from(undefined), { code: 'ERR_INVALID_ARG_TYPE' });
});

test('Buffer does with bytes what Node does', () => {
  const make = (B) => {
    const buffer = B.from('hello world');
    const target = B.alloc(4, 'ab');
    return [
      buffer.slice(1, 4).toString(),
      buffer.subarray(-5).toString(),
      buffer.slice(2, 4) instanceof B,
      buffer.map((byte) => byte + 1) instanceof B,
      buffer.copy(target, 1, 6),
      target.toString(),
      buffer.indexOf('o'),
      buffer.indexOf('o', 5),
      buffer.indexOf('', 3),
      buffer.indexOf(0x77),
      buffer.indexOf(B.from('wor')),
      buffer.lastIndexOf('o'),
      buffer.includes('xyz'),
      buffer.equals(B.from('hello world')),
      B.compare(B.from('a'), B.from('b')),
      JSON.stringify(B.from('hi')),
      B.from(JSON.parse(JSON.stringify(B.from('hi')))).toString(),
      B.concat([B.from('a'), B.from('bc')]).toString(),
      B.concat([B.from('abc'), B.from('def')], 4).toString(),
      B.concat([B.from('a')], 3).toString(),
      B.alloc(3, 1).toString('hex'),
      B.allocUnsafe(2).length,
      target.write('xy', 1),
      target.write('zz', 3, 'latin1'),
      target.toString(),
      target.fill('12').toString(),
      target.fill(0).toString('hex'),
      B.from(new Uint16Array([1, 2])).toString('hex'),
      B.from(new Uint8Array([1, 2]).buffer, 1).toString('hex'),
      B.from(B.from('a')).toString(),
      B.isBuffer(buffer),
      B.isBuffer(new Uint8Array(1)),
      typeof B('a', 'utf8').length,
      new B('YQ==', 'base64').toString('ascii'),
      new B(2).length,
    ];
  };
  assert.deepEqual(make(Buffer), make(Theirs));
  const numbers = (B) => {
    const buffer = B.alloc(8);
    const read = [];
    for (const [name, value] of [['UInt8', 200], ['Int8', -5], ['UInt16LE', 5e4], ['Int16BE', -3], ['UInt32BE', 4e9]]) {
      read.push(buffer[`write${name}`](value, 0), buffer[`read${name}`](0), buffer.toString('hex'));
    }
    for (const [name, value] of [['FloatLE', 1.5], ['DoubleBE', Math.PI], ['BigUInt64LE', 2n ** 60n], ['BigInt64BE', -5n]]) {
      read.push(buffer[`write${name}`](value), buffer[`read${name}`](), buffer.toString('hex'));
    }
    return [...read, buffer.readUIntBE(1, 3), buffer.readUIntLE(2, 4)];
  };
  assert.deepEqual(numbers(Buffer), numbers(Theirs));
  assert.throws(() => Buffer.alloc(2).readUInt32BE(0), { code: 'ERR_OUT_OF_RANGE' });
});

/** Bytes that compress well, badly, and in between; the same ones every time. */
function samples() {
  let seed = 1;
  const random = () => (seed = (Math.imul(seed, 1103515245) + 12345) >>> 0) / 2 ** 32;
  const kinds = [() => random() * 256, () => 65 + random() * 4, (at, bytes) => (random() < 0.97 ? bytes[at - 17] : random() * 256)];
  return Array.from({ length: 90 }, (_, index) => {
    const bytes = new Uint8Array(Math.floor(random() * (index % 9 === 0 ? 100_000 : 400)));
    for (let at = 0; at < bytes.length; at += 1) bytes[at] = kinds[index % 3](at, bytes);
    return bytes;
  });
}

test('zlib and Node’s understand each other', () => {
  samples().forEach((bytes, index) => {
    const level = [0, 1, 6, 9][index % 4];
    for (const [pack, unpack] of [['gzipSync', 'gunzipSync'], ['deflateSync', 'inflateSync'], ['deflateRawSync', 'inflateRawSync']]) {
      same(zlib[unpack](theirZlib[pack](bytes, { level })), bytes, unpack);
      same(theirZlib[unpack](zlib[pack](bytes)), bytes, pack);
    }
    same(zlib.unzipSync(theirZlib.gzipSync(bytes)), bytes);
  });
  const [one, two] = [theirZlib.gzipSync('one, '), theirZlib.gzipSync('two')];
  assert.equal(zlib.gunzipSync(Theirs.concat([one, two])).toString(), 'one, two');
  assert.equal(zlib.crc32('hello'), 0x3610a686);
});

test('zlib refuses what is damaged, as Node does', () => {
  const good = theirZlib.gzipSync('hello hello hello hello hello, is there anybody out there?'.repeat(20));
  for (let length = 0; length < good.length; length += 1) {
    assert.throws(() => zlib.gunzipSync(good.subarray(0, length)), { code: 'Z_BUF_ERROR' }, `cut at ${length}`);
  }
  let refused = 0;
  for (let at = 0; at < good.length; at += 1) {
    const bad = Uint8Array.from(good);
    bad[at] ^= 0x55;
    const outcome = (library) => {
      try {
        return library.gunzipSync(bad).toString('hex');
      } catch (error) {
        refused += 1;
        return /^Z_/.test(error.code) ? 'refused' : error;
      }
    };
    assert.equal(outcome(zlib), outcome(theirZlib), `damaged at ${at}`);
  }
  assert.ok(refused > good.length);
  assert.throws(() => zlib.gunzipSync('plain text'), { code: 'Z_DATA_ERROR', message: 'incorrect header check' });
  assert.throws(() => zlib.gunzipSync(5), { code: 'ERR_INVALID_ARG_TYPE' });
});

test('zlib with a callback', async () => {
  const gunzip = util.promisify(zlib.gunzip);
  assert.equal((await gunzip(theirZlib.gzipSync('hello'))).toString(), 'hello');
  assert.equal((await gunzip(theirZlib.gzipSync('hello'), {})).toString(), 'hello');
  await assert.rejects(gunzip(Buffer.from('plain')), { code: 'Z_DATA_ERROR' });
});

test('hashes are Node’s', () => {
  for (const bytes of samples().filter(({ length }) => length < 400)) {
    for (const name of ['md5', 'sha1', 'sha256', 'SHA256', 'sha-256']) {
      const ours = crypto.createHash(name).update(bytes).update('ö').digest('hex');
      assert.equal(ours, theirCrypto.createHash(name).update(bytes).update('ö').digest('hex'), name);
      const key = bytes.subarray(0, 100);
      const hmac = crypto.createHmac(name, key).update(bytes).digest('base64');
      assert.equal(hmac, theirCrypto.createHmac(name, key).update(bytes).digest('base64'), name);
    }
  }
  assert.equal(crypto.randomBytes(5).length, 5);
  assert.match(crypto.randomUUID(), /^[0-9a-f-]{36}$/);
  assert.equal(crypto.timingSafeEqual(Buffer.from('a'), Buffer.from('a')), true);
});

test('format, promisify and callbackify are Node’s', async () => {
  const cases = [['a'], ['%s %d %i %f %j %%', 'x', '5', '6.7', '8.5', { a: 1 }], ['a', 'b', 5], [5, 'x'], ['%s'], ['%s', null]];
  for (const given of [...cases, [{ a: [1, { b: 'c' }] }], ['%o', 'x'], [null, undefined, true], [[1, 'a']], [{ 'a-b': 1 }]]) {
    assert.equal(util.format(...given), theirUtil.format(...given));
  }
  const circular = {};
  circular.self = circular;
  assert.match(util.inspect(circular), /Circular/);
  const add = (a, b, callback) => (a < 0 ? callback(new Error('negative')) : callback(null, a + b));
  assert.equal(await util.promisify(add)(1, 2), 3);
  await assert.rejects(util.promisify(add)(-1, 2), /negative/);
  const called = await new Promise((resolve) => util.callbackify(async (a) => a + 1)(1, (...given) => resolve(given)));
  assert.deepEqual(called, [null, 2]);
});

test('querystring, StringDecoder and EventEmitter are Node’s', () => {
  for (const text of ['a=1&b=2', 'a=1&a=2&a=3', 'a', '=b', 'a=b=c', 'x=%20+%zz', '', '&&']) {
    assert.deepEqual({ ...querystring.parse(text) }, { ...theirQuerystring.parse(text) }, text);
  }
  const values = { a: 1, b: ['x y', 'ö'], c: true, d: null };
  assert.equal(querystring.stringify(values), theirQuerystring.stringify(values));
  const decoder = new StringDecoder('utf8');
  assert.equal(decoder.write(Uint8Array.of(0xc3)) + decoder.write(Uint8Array.of(0xa4)) + decoder.end(), 'ä');
  const EventEmitter = createRequire(import.meta.url)('../node/events.cjs');
  function Old() {
    EventEmitter.call(this);
  }
  util.inherits(Old, EventEmitter);
  class New extends EventEmitter {}
  for (const emitter of [new Old(), new New()]) {
    const heard = [];
    const listener = (value) => heard.push(value);
    emitter.on('a', listener).once('a', (value) => heard.push(-value));
    assert.equal(emitter.emit('a', 1), true);
    assert.equal(emitter.emit('a', 2), true);
    emitter.off('a', listener);
    assert.equal(emitter.emit('a', 3), false);
    assert.deepEqual(heard, [1, -1, 2]);
    assert.throws(() => emitter.emit('error', new Error('unheard')), /unheard/);
  }
});
