// The other sample handlers, the ways of answering that Lambda's runtime knows, and what the build refuses.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { createHash } from 'node:crypto';
import { bundleHandler } from '../bundle.mjs';
import { runHandler } from './bundled.js';

const HANDLERS = join(dirname(fileURLToPath(import.meta.url)), '..', 'handlers');
const folder = mkdtempSync(join(tmpdir(), 'hydrant-handlers-'));
after(() => rmSync(folder, { recursive: true, force: true }));

/** Writes a handler and runs it over one record, unless told otherwise. */
function written(text, { file = 'index.js', records = ['a'], ...options } = {}) {
  writeFileSync(join(folder, file), text);
  return runHandler(join(folder, file), records, options);
}

const OK = (data) => `({ records: event.records.map(({ recordId, data }) => ({ recordId, result: 'Ok', data: ${data} })) })`;
const TEXT = (expression) => OK(`Buffer.from(String(${expression})).toString('base64')`);

test('a JSON edit with partition keys', async () => {
  const records = ['{"level":"info","a":1}', 'x', '{"level":"debug"}'];
  const { fates, lines } = await runHandler(join(HANDLERS, 'json-edit.js'), records, { settings: { TABLE_NAME: 't' } });
  assert.deepEqual(fates, [
    {
      outcome: 'replaced',
      text: '{"level":"info","a":1,"table":"t","arrived":"2023-11-14T22:13:20.000Z"}\n',
      keys: { level: 'info', year: '2023' },
    },
    { outcome: 'failed', code: 'Lambda.ProcessingFailedStatus', reason: 'ProcessingFailed status set for record' },
    { outcome: 'dropped' },
  ]);
  assert.deepEqual(lines, [
    ['info', 'Loading function'],
    ['info', 'Processing completed. Successful records 3.'],
  ]);
});

test('an ES module that hashes, sleeps, and has a client that it may not use', async () => {
  const file = join(HANDLERS, 'async-module.mjs');
  const settings = { SALT: 's', AWS_REGION: 'eu-west-1' };
  const { fates, lines } = await runHandler(file, ['{"email":"a@b","x":1}', '{"email":"c@d"}'], { settings });
  const user = (email) => createHash('sha256').update(`s${email}`).digest('hex');
  assert.deepEqual(fates.map(({ text }) => JSON.parse(text)), [{ x: 1, user: user('a@b') }, { user: user('c@d') }]);
  assert.deepEqual(lines, [['info', '2 records of arn:aws:firehose:eu-west-1:000000000000:deliverystream/s 10000']]);
  const { fates: archived } = await runHandler(file, ['{"archive":true}']);
  assert.equal(archived[0].code, 'Lambda.FunctionError');
  assert.match(archived[0].reason, /^S3Client\.send is not there inside a plugin: the AWS SDK is a stub/);
});

test('CloudWatch Logs', async () => {
  const sent = (message) => gzipSync(JSON.stringify(message));
  const logEvents = [{ message: 'one' }, { message: 'zwei ö' }];
  const records = [
    sent({ messageType: 'DATA_MESSAGE', logGroup: 'g', logEvents }),
    sent({ messageType: 'CONTROL_MESSAGE' }),
    sent({ messageType: 'OTHER' }),
    'not compressed',
  ];
  const { fates } = await runHandler(join(HANDLERS, 'cloudwatch-logs.js'), records);
  assert.deepEqual(fates[0], { outcome: 'replaced', text: 'one\nzwei ö\n', keys: { group: 'g' } });
  assert.deepEqual(fates.map(({ outcome }) => outcome), ['replaced', 'dropped', 'failed', 'failed']);
});

test('every way of answering that Lambda knows', async () => {
  const ways = [
    `exports.handler = (event, context, callback) => callback(null, ${TEXT('1')});`,
    `exports.handler = (event, context, callback) => { setImmediate(() => callback(null, ${TEXT('1')})); };`,
    `exports.handler = (event, context) => context.succeed(${TEXT('1')});`,
    `exports.handler = (event, context) => { context.done(null, ${TEXT('1')}); };`,
    `exports.handler = (event) => Promise.resolve(${TEXT('1')});`,
    `exports.handler = async (event, context, callback) => { callback(null, {}); return ${TEXT('1')}; };`,
    `const { handler } = { handler: async (event) => ${TEXT('1')} }; module.exports = { handler };`,
    `export async function handler(event) { return ${TEXT('1')}; }`,
    `exports.handler = async (event) => { await new Promise((done) => setTimeout(done, 5e6).unref()); return ${TEXT('1')}; };`,
  ];
  for (const way of ways) {
    const { fates } = await written(way);
    assert.equal(fates[0].text, '1', way);
  }
});

test('every way of failing that Lambda knows', async () => {
  const ways = {
    "exports.handler = (event, context, callback) => callback(new Error('no'));": 'no',
    "exports.handler = (event, context, callback) => callback('no');": 'no',
    "exports.handler = (event, context) => context.fail(new Error('no'));": 'no',
    "exports.handler = () => { throw new Error('no'); };": 'no',
    "exports.handler = async (event, context, callback) => { callback(new Error('no')); };": 'no',
    'exports.handler = async (event) => event.nothing.here;': /undefined/,
    "exports.handler = () => Promise.reject(new Error('no'));": 'no',
  };
  for (const [way, reason] of Object.entries(ways)) {
    const { fates } = await written(way);
    assert.equal(fates[0].code, 'Lambda.FunctionError', way);
    assert.match(fates[0].reason, new RegExp(reason), way);
  }
});

test('a handler that forgets to answer answers null, as at Lambda', async () => {
  const ways = ['exports.handler = () => {};', `exports.handler = (event) => ${TEXT('1')};`];
  for (const way of ways) {
    const { fates, lines } = await written(way);
    assert.equal(fates[0].code, 'Lambda.MissingRecordId', way);
    assert.match(lines[0][1], /^the handler neither returned a promise nor called its callback/);
  }
});

test('settings are the environment when the module is evaluated, and every time anew', async () => {
  const text = `const { A } = process.env;
    if (A === undefined) throw new Error('A is not set');
    exports.handler = async (event) => ${TEXT('[A, process.env.AWS_REGION, process.env.AWS_LAMBDA_FUNCTION_NAME]')};`;
  const { fates } = await written(text, { settings: { A: 'x' } });
  assert.equal(fates[0].text, 'x,us-east-1,orders');
  const { refused } = await written(text);
  assert.equal(refused, 'A is not set');
});

test('another export may be the handler; one that is missing is told', async () => {
  const text = `exports.main = async (event) => ${TEXT('1')};`;
  assert.equal((await written(text, { name: 'main' })).fates[0].text, '1');
  const { refused } = await written(text);
  assert.match(refused, /^index\.js exports no function handler: it needs/);
  await assert.rejects(written('export const main = 1;', { file: 'module.mjs' }), /exports no handler, but main/);
});

test('what a plugin cannot have is refused when the handler is bundled', async () => {
  const cases = [
    ["require('fs')", '"fs" is not there inside a plugin: there are no files'],
    ["require('node:fs/promises')", '"node:fs/promises" is not there inside a plugin: there are no files'],
    ["require('net')", '"net" is not there inside a plugin: there is no network'],
    ["require('https')", '"https" is not there inside a plugin: there is no network'],
    ["require('child_process')", '"child_process" is not there inside a plugin: there are no processes'],
    ["require('worker_threads')", '"worker_threads" is not there inside a plugin: there are no threads'],
    ["require('stream')", '"stream" is not there inside a plugin: the engine is no Node'],
    ["require('./native.node')", '"./native.node" is native code, which cannot be there inside a plugin'],
    ["require('left-pad-of-nobody')", 'Could not resolve "left-pad-of-nobody"'],
    ['const {', 'Expected identifier but found end of file'],
  ];
  for (const [text, told] of cases) {
    await assert.rejects(written(text), (error) => error.message.includes(told) && error.message.includes('index.js:1:'), told);
  }
  const top = 'await null; export const handler = async () => {};';
  await assert.rejects(written(top, { file: 'top.mjs' }), /top-level await is not there inside a plugin: await inside a function/);
  await assert.rejects(bundleHandler(join(folder, 'nowhere.js'), 'a.wasm', 'handler'), /does not exist/);
});

test('what only shows when it is used says what it is', async () => {
  const cases = [
    ["fetch('http://localhost')", /^fetch is not there inside a plugin: there is no network$/],
    ["new Intl.NumberFormat('en')", /^Intl is not there inside a plugin: the engine knows no locales$/],
    ['new Date().toLocaleString()', /^toLocaleString is not there inside a plugin: the engine knows no locales$/],
    ["'a'.localeCompare('b')", /^localeCompare is not there inside a plugin/],
    ["'é'.normalize('NFC')", /^normalize\(NFC\) is not there inside a plugin: the engine has no Unicode tables$/],
    ['process.exit(1)', /^process\.exit is not there inside a plugin: an instance ends with its batch$/],
    ["require('zlib').createGunzip()", /^zlib\.createGunzip is not there inside a plugin/],
    ["require('zlib').brotliDecompressSync('')", /^zlib\.brotliDecompressSync is not there inside a plugin/],
    ["require('crypto').createCipheriv()", /^crypto\.createCipheriv is not there inside a plugin/],
    ["require('crypto').createHash('sha512')", /^the hash sha512 is not there inside a plugin: md5, sha1, sha256 are$/],
    ["require('url').parse('')", /^url\.parse is not there inside a plugin: use new URL/],
    ["new (require('aws-sdk').S3)().getObject({})", /^S3\.getObject is not there inside a plugin: the AWS SDK is a stub/],
    ["require(['f', 's'].join(''))", /^Dynamic require of "fs" is not supported$/],
  ];
  for (const [expression, reason] of cases) {
    const { fates } = await written(`exports.handler = async (event) => ${TEXT(expression)};`);
    assert.equal(fates[0].code, 'Lambda.FunctionError', expression);
    assert.match(fates[0].reason, reason);
  }
});
