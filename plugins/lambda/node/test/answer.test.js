// Firehose's rules for what a handler answers, each by a record of the misbehaving handler.

import './desk.js';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Output } from '../../../sdk/javascript/output.js';
import { settle } from '../answer.js';
import { eventOf, recordId } from '../event.js';
import { runHandler } from './bundled.js';

const MISBEHAVING = new URL('../handlers/misbehaving.js', import.meta.url).pathname;
const [MISSING, DUPLICATED, FAILED, INVALID] = [
  'Lambda.MissingRecordId',
  'Lambda.DuplicatedRecordId',
  'Lambda.ProcessingFailedStatus',
  'Lambda.InvalidReturnFormat',
];

test('each rule costs the record that breaks it alone', async () => {
  const expected = {
    ok: ['replaced', 'fine'],
    same: ['kept'],
    empty: ['replaced', ''],
    dropped: ['dropped'],
    failed: ['failed', FAILED, 'ProcessingFailed status set for record'],
    missing: ['failed', MISSING],
    twice: ['failed', DUPLICATED],
    unknown: ['kept'],
    'no-id': ['failed', MISSING],
    'no-data': ['failed', INVALID, 'result is Ok, but data is missing: it must be base64 text'],
    'null-data': ['failed', INVALID, 'result is Ok, but data is null: it must be base64 text'],
    'no-base64': ['failed', INVALID, 'result is Ok, but data is not base64'],
    'bytes-data': ['failed', INVALID, 'result is Ok, but data is an object: it must be base64 text'],
    result: ['failed', INVALID, 'result is another text: it must be Ok, Dropped or ProcessingFailed'],
    'no-result': ['failed', INVALID, 'result is missing: it must be Ok, Dropped or ProcessingFailed'],
    null: ['failed', MISSING],
    keys: ['replaced', 'keys'],
    'bad-keys': ['failed', INVALID, 'the value of key a is an object (Object): it must be text, a number or a boolean'],
    'list-keys': ['failed', INVALID, 'metadata.partitionKeys is no object'],
    last: ['replaced', 'fine'],
  };
  const { fates } = await runHandler(MISBEHAVING, Object.keys(expected));
  Object.entries(expected).forEach(([name, [outcome, detail, reason]], at) => {
    const fate = fates[at];
    assert.equal(fate.outcome, outcome, name);
    assert.equal(outcome === 'replaced' ? fate.text : fate.code, detail, name);
    if (reason !== undefined) assert.equal(fate.reason, reason, name);
  });
  assert.deepEqual(fates[Object.keys(expected).indexOf('keys')].keys, { a: 'x', number: '5' });
});

test('records may be answered in any order', async () => {
  const { fates } = await runHandler(MISBEHAVING, ['ok', 'reversed', 'missing', 'twice', 'same']);
  assert.deepEqual(fates.map(({ outcome, code }) => code ?? outcome), ['replaced', 'replaced', MISSING, DUPLICATED, 'kept']);
});

test('an answer without a list of records answers for none', async () => {
  for (const answer of ['answer:null', 'answer:text', 'answer:object', 'answer:map']) {
    const { fates, lines } = await runHandler(MISBEHAVING, ['ok', answer]);
    assert.deepEqual(fates.map(({ code }) => code), [MISSING, MISSING], answer);
    assert.deepEqual(lines, [['warn', 'the handler answered no object with a list `records`']]);
  }
});

test('a handler that fails, fails every record of the call with its text', async () => {
  const cases = {
    throw: 'thrown by the handler',
    'throw:text': 'thrown as text',
    timer: 'thrown by a timer',
    never: 'the promise of the handler never settles: nothing is left to wait for, neither network nor files',
  };
  for (const [name, reason] of Object.entries(cases)) {
    const { fates, lines } = await runHandler(MISBEHAVING, ['ok', name]);
    const failed = { outcome: 'failed', code: 'Lambda.FunctionError', reason };
    assert.deepEqual(fates, [failed, failed], name);
    assert.equal(lines.length, 1);
    assert.match(lines[0][1], /^the handler failed: /);
  }
});

test('the event is Firehose’s, the same for every call', () => {
  const batch = {
    payload: new TextEncoder().encode('ab'),
    ends: Uint32Array.of(1, 2),
    arrivedMs: BigUint64Array.of(5n, 6n),
    context: { stream: 'clicks' },
  };
  const event = eventOf(batch, { AWS_REGION: 'eu-west-1', AWS_ACCOUNT_ID: '123456789012' });
  assert.deepEqual(event, eventOf(batch, { AWS_REGION: 'eu-west-1', AWS_ACCOUNT_ID: '123456789012' }));
  assert.deepEqual(event, {
    invocationId: '00000000-0000-4000-8000-000000000000',
    deliveryStreamArn: 'arn:aws:firehose:eu-west-1:123456789012:deliverystream/clicks',
    region: 'eu-west-1',
    records: [
      { recordId: recordId(0), approximateArrivalTimestamp: 5, data: 'YQ==' },
      { recordId: recordId(1), approximateArrivalTimestamp: 6, data: 'Yg==' },
    ],
  });
});

test('what is kept with keys is delivered with them', () => {
  const output = new Output(1);
  const entry = { recordId: recordId(0), result: 'Ok', data: 'YQ==', metadata: { partitionKeys: { $index: 'i' } } };
  settle(output, ['YQ=='], { records: [entry] });
  const { records, outcomes } = output.finish();
  assert.deepEqual([...outcomes], [1]);
  assert.deepEqual(records.columns, [{ name: '$index', dictionary: ['i'], codes: Uint32Array.of(1) }]);
});
