// What becomes of a record, for everything that a transform may return or throw.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { drop, fail } from '../index.js';
import { logged, run, runAsync, texts } from '../testing.js';

const kept = { outcome: 'kept' };
const dropped = { outcome: 'dropped' };
const failed = (reason, code = '') => ({ outcome: 'failed', reason, code });
const replaced = (...all) => ({
  outcome: 'replaced',
  outputs: all.map((text) => ({ data: new TextEncoder().encode(text), text, keys: {} })),
});

/** Gives each record the answer of this name. */
function answers(table) {
  return run((record) => table[record.text()](record), Object.keys(table));
}

test('each outcome is seen', () => {
  const bytes = new Uint8Array([0x62, 0x63, 0x64]);
  const fates = answers({
    keep: (record) => record,
    drop: () => drop,
    text: () => 'a',
    empty: () => '',
    bytes: () => bytes.subarray(1),
    buffer: () => bytes.buffer,
    object: () => ({ data: 'a' }),
    many: () => ['a', '', 'ö', bytes],
    none: () => [],
    yielded: function* () {
      yield 'a';
      yield 'b';
    },
    nothing: function* () {},
    fail: () => fail('no'),
    code: () => fail('no', 'not-this'),
    thrown: () => {
      throw fail('no', 'not-this');
    },
    keepToo: (record) => [record, 'a'],
  });
  assert.deepEqual(fates, [
    kept,
    dropped,
    replaced('a'),
    replaced(''),
    replaced('cd'),
    replaced('bcd'),
    replaced('a'),
    replaced('a', '', 'ö', 'bcd'),
    dropped,
    replaced('a', 'b'),
    dropped,
    failed('no'),
    failed('no', 'not-this'),
    failed('no', 'not-this'),
    replaced('keepToo', 'a'),
  ]);
});

test('what cannot be meant fails the record and says what to return', () => {
  const wrong = [undefined, null, 5, true, 5n, Symbol('s'), () => 'a', {}, new Map(), new Date(0), [5], [[]], [drop]];
  for (const answer of [...wrong, [fail('no')], ['a', undefined], { data: {} }, { data: 'a', keys: { key: null } }]) {
    const [fate, next] = run((record) => (record.text() === 'wrong' ? answer : 'next'), ['wrong', 'next']);
    assert.equal(fate.outcome, 'failed', String(fate.outcome));
    assert.match(fate.reason, /return|must be/);
    assert.deepEqual(next, replaced('next'));
  }
  logged();
});

test('an error fails its record alone, and the first one of a batch is logged with its stack', () => {
  logged();
  const transform = (record) => {
    if (record.text() === 'good') return record;
    throw new RangeError(`bad ${record.text()}`);
  };
  assert.deepEqual(run(transform, ['1', 'good', '2']), [failed('bad 1'), kept, failed('bad 2')]);
  const lines = logged();
  assert.equal(lines.length, 1);
  assert.equal(lines[0].level, 'warn');
  assert.match(lines[0].message, /^the plugin threw: RangeError: bad 1\n.*outcomes\.test\.js/s);
});

test('anything at all may be thrown', () => {
  const thrown = [
    ['text', 'text'],
    [undefined, 'undefined'],
    [{ toString: () => 'shown' }, 'shown'],
    [Object.create(null), 'the plugin threw something that cannot be shown'],
    [new Error(''), 'Error'],
    [Symbol('s'), 'Symbol(s)'],
  ];
  for (const [value, reason] of thrown) {
    const transform = () => {
      throw value;
    };
    assert.deepEqual(run(transform, ['a']), [failed(reason)]);
  }
  logged();
});

test('a reason is cut to what the host keeps', () => {
  const [fate] = run(() => fail('x'.repeat(5000)), ['a']);
  assert.equal(fate.reason.length, 1024);
});

test('text must be UTF-8 and JSON must be JSON; the reason shows no payload', () => {
  const secret = new Uint8Array([0x73, 0xff]);
  assert.deepEqual(run((record) => record.text(), [secret, 'é', '\ufeffa']), [
    failed('the record is not valid UTF-8'),
    replaced('é'),
    replaced('\ufeffa'),
  ]);
  assert.deepEqual(run((record) => String(record.json().a), ['{"a":1}', 'secret', secret]), [
    replaced('1'),
    failed('the record is not valid JSON'),
    failed('the record is not valid UTF-8'),
  ]);
  assert.deepEqual(logged(), []);
});

test('outputs are laid end to end, whatever they are made of', () => {
  const outputs = { ascii: 'a', more: 'äöü', half: '\ud83d', other: '\ude00', bytes: new Uint8Array([0xff]), last: 'z' };
  const names = Object.keys(outputs);
  for (let from = 0; from < names.length; from += 1) {
    for (let to = from; to <= names.length; to += 1) {
      const given = names.slice(from, to);
      const fates = run((record) => outputs[record.text()], given);
      const expected = given.map((name) => {
        const output = outputs[name];
        return typeof output === 'string' ? new TextEncoder().encode(output) : output;
      });
      assert.deepEqual(fates.map((fate) => fate.outputs[0].data), expected);
    }
  }
});

test('a buffer may be filled again for the next record', () => {
  const scratch = new Uint8Array(1);
  const transform = (record) => {
    scratch.set(record.data);
    return scratch;
  };
  assert.deepEqual(run(transform, ['a', 'b']).map(texts), [['a'], ['b']]);
});

test('a record knows its arrival, its columns, its stream and its settings', () => {
  const transform = (record) => [
    String(record.arrivedMs),
    record.column('country') ?? 'none',
    record.column('unknown') ?? 'none',
    record.stream,
    record.setting('a') ?? 'none',
    record.context.setting('b') ?? 'none',
    JSON.stringify(record.context.settings),
    String(record.data.length),
  ];
  const given = [{ data: 'x', arrivedMs: 7, columns: { country: 'FR' } }, 'yy'];
  const fates = run(transform, given, { stream: 's', settings: { a: '1' } });
  assert.deepEqual(fates.map(texts), [
    ['7', 'FR', 'none', 's', '1', 'none', '{"a":"1"}', '1'],
    ['0', 'none', 'none', 's', '1', 'none', '{"a":"1"}', '2'],
  ]);
});

test('an async function is waited for, record by record', async () => {
  const transform = async (record) => {
    record.set('key', record.text());
    await null;
    await new Promise((resolve) => setTimeout(resolve, record.text() === 'a' ? 5 : 0));
    if (record.text() === 'bad') throw new Error('bad');
    if (record.text() === 'none') return undefined;
    return record.text() === 'drop' ? drop : record;
  };
  const fates = await runAsync(transform, ['a', 'bad', 'b', 'drop', 'none', 'c']);
  assert.deepEqual(fates.map((fate) => fate.outputs?.[0].keys ?? fate.outcome), [
    { key: 'a' },
    'failed',
    { key: 'b' },
    'dropped',
    'failed',
    { key: 'c' },
  ]);
  assert.throws(() => run(transform, ['a']), /use runAsync/);
  logged();
});

test('a function may be async for some records only', async () => {
  const transform = (record) => (record.text() === 'later' ? Promise.resolve('now') : record.text());
  const fates = await runAsync(transform, ['a', 'later', 'b']);
  assert.deepEqual(fates.map(texts), [['a'], ['now'], ['b']]);
});
