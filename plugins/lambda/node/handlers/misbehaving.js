'use strict';
// Breaks each of Firehose's rules as the records tell; for tests.

const text = (record) => Buffer.from(record.data, 'base64').toString();
const ok = (record, data = record.data) => ({ recordId: record.recordId, result: 'Ok', data });

const answers = {
  ok: (record) => [ok(record, Buffer.from('fine').toString('base64'))],
  same: (record) => [ok(record)],
  empty: (record) => [ok(record, '')],
  dropped: (record) => [{ recordId: record.recordId, result: 'Dropped' }],
  failed: (record) => [{ recordId: record.recordId, result: 'ProcessingFailed', data: record.data }],
  missing: () => [],
  twice: (record) => [ok(record), ok(record)],
  unknown: (record) => [{ recordId: 'never-sent', result: 'Ok', data: '' }, ok(record)],
  'no-id': () => [{ result: 'Ok', data: '' }],
  'no-data': (record) => [{ recordId: record.recordId, result: 'Ok' }],
  'null-data': (record) => [ok(record, null)],
  'no-base64': (record) => [ok(record, 'no base64!')],
  'bytes-data': (record) => [ok(record, Buffer.from('raw'))],
  result: (record) => [{ recordId: record.recordId, result: 'ok', data: record.data }],
  'no-result': (record) => [{ recordId: record.recordId, data: record.data }],
  null: () => [null],
  keys: (record) => [{ ...ok(record), metadata: { partitionKeys: { a: 'x', number: 5 } } }],
  'bad-keys': (record) => [{ ...ok(record), metadata: { partitionKeys: { a: {} } } }],
  'list-keys': (record) => [{ ...ok(record), metadata: { partitionKeys: ['a'] } }],
};

const whole = {
  'answer:null': () => null,
  'answer:text': () => 'records',
  'answer:object': () => ({}),
  'answer:map': () => ({ records: {} }),
  throw: () => {
    throw new Error('thrown by the handler');
  },
  'throw:text': () => {
    throw 'thrown as text';
  },
  never: () => new Promise(() => {}),
  timer: () =>
    new Promise(() => {
      setTimeout(() => {
        throw new Error('thrown by a timer');
      }, 1);
    }),
};

exports.handler = async (event) => {
  for (const record of event.records) {
    const wrong = whole[text(record)];
    if (wrong !== undefined) return wrong();
  }
  const records = event.records.flatMap((record) => (answers[text(record)] ?? answers.ok)(record));
  return { records: event.records.some((record) => text(record) === 'reversed') ? records.reverse() : records };
};
