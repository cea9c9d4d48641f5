// Keys: on which outputs they are, and what may be one.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { drop, fail } from '../index.js';
import { Output } from '../output.js';
import { logged, run } from '../testing.js';

/** Text and keys of each output, or the outcome. */
const shown = (fate) => fate.outputs?.map(({ text, keys }) => [text, keys]) ?? fate.outcome;

test('keys belong to their record, and a kept record may have some', () => {
  const transform = (record) => {
    if (record.text() !== 'plain') {
      record.set('key', 'first');
      record.set('key', record.text());
    }
    return record;
  };
  assert.deepEqual(run(transform, ['a', 'plain', 'b', 'a']).map(shown), [
    [['a', { key: 'a' }]],
    'kept',
    [['b', { key: 'b' }]],
    [['a', { key: 'a' }]],
  ]);
});

test('several outputs share the keys that were set, and may have their own', () => {
  const transform = (record) => {
    record.set('all', 1);
    return ['a', { data: 'b', keys: { all: 2, own: true } }, 'c', { data: new Uint8Array([100]) }];
  };
  assert.deepEqual(run(transform, ['x']).map(shown), [
    [
      ['a', { all: '1' }],
      ['b', { all: '2', own: 'true' }],
      ['c', { all: '1' }],
      ['d', { all: '1' }],
    ],
  ]);
});

test('a generator may set keys between its outputs', () => {
  const transform = function* (record) {
    yield 'none';
    for (const part of record.text().split(',')) {
      record.set('part', part);
      yield part;
    }
  };
  assert.deepEqual(run(transform, ['a,b']).map(shown), [
    [
      ['none', {}],
      ['a', { part: 'a' }],
      ['b', { part: 'b' }],
    ],
  ]);
});

test('a discarded output leaves nothing behind', () => {
  const transform = function (record) {
    record.set('lost', 'x');
    if (record.text() === 'drop') return drop;
    if (record.text() === 'fail') return fail('no');
    if (record.text() === 'wrong') return ['lost', 5];
    if (record.text() === 'half') {
      return (function* () {
        yield { data: 'lost', keys: { more: 'y' } };
        throw fail('half');
      })();
    }
    throw new Error('thrown');
  };
  const good = (record) => (record.text() === 'good' ? 'good' : transform(record));
  for (const name of ['drop', 'fail', 'wrong', 'half', 'throw']) {
    const fates = run(good, ['good', name, 'good']);
    assert.deepEqual(shown(fates[0]), [['good', {}]]);
    assert.deepEqual(shown(fates[2]), [['good', {}]]);
    assert.match(fates[1].outcome, /dropped|failed/);
  }
  logged();
  // Neither does a column that no output has.
  const output = new Output(1);
  output.set('lost', 'x');
  output.push('lost');
  output.fail(fail('no'));
  assert.deepEqual(output.finish().records.columns, []);
});

test('values become text, and what is none is refused', () => {
  const values = [1, 1.5, true, 10n, 'text', 'half \ud800'];
  const fates = values.map((value) => run((record) => (record.set('key', value), record), ['a'])[0]);
  const expected = ['1', '1.5', 'true', '10', 'text', 'half \ufffd'];
  assert.deepEqual(fates.map((fate) => fate.outputs[0].keys.key), expected);
  for (const value of [undefined, null, {}, [], Symbol('s')]) {
    const [fate] = run((record) => (record.set('key', value), record), ['a']);
    assert.match(fate.reason, /^the value of key key is .*: it must be text, a number or a boolean$/);
  }
  logged();
});

test('a name that the host would refuse costs its record alone', () => {
  const bad = ['', 'x'.repeat(129), 'ö'.repeat(65), '$unknown', '\ud800', 5, undefined];
  const good = ['x'.repeat(128), '$document-id', '$index', '$table', '$operation'];
  for (const name of [...bad, ...good]) {
    const transform = (record) => (record.text() === 'set' && record.set(name, 'v'), record);
    const [fate, next] = run(transform, ['set', 'next']);
    assert.equal(fate.outcome, good.includes(name) ? 'replaced' : 'failed');
    assert.equal(next.outcome, 'kept');
  }
  logged();
});

test('a record that is settled takes no more keys', () => {
  let before;
  const transform = (record) => {
    before?.set('key', 'late');
    before = record;
    return record;
  };
  const [first, second] = run(transform, ['a', 'b']);
  assert.equal(first.outcome, 'kept');
  assert.match(second.reason, /settled already/);
  logged();
});
