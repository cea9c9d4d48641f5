// The batch form, configure, the log, and the helper for tests itself.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { run as runColumns } from '../batch.js';
import { Context } from '../context.js';
import { drop, log } from '../index.js';
import { logged, run, runAsync, texts } from '../testing.js';

const batchOf = (transformBatch) => ({ transformBatch });
const outcomes = (fates) => fates.map((fate) => fate.outcome);

test('a batch function shares work between records', () => {
  const plugin = batchOf((batch) => {
    assert.equal(batch.length, 2);
    assert.deepEqual([...batch.ends], [1, 3]);
    assert.equal(batch.payload.length, 3);
    const text = batch.context.setting('text');
    batch.each((record) => text + record.text());
    batch.each(() => assert.fail('none is left'));
  });
  assert.deepEqual(run(plugin, ['a', 'bc'], { settings: { text: '-' } }).map(texts), [['-a'], ['-bc']]);
});

test('a batch may be kept as it is', () => {
  assert.deepEqual(outcomes(run(batchOf((batch) => batch.keepAll()), ['a', 'b'])), ['kept', 'kept']);
  const columns = { payload: new Uint8Array(2), ends: new Uint32Array([1, 2]), columns: [] };
  const output = runColumns({ records: columns, arrivedMs: new BigUint64Array(2) }, new Context('', []), (batch) =>
    batch.keepAll(),
  );
  const nothing = { payload: new Uint8Array(), ends: new Uint32Array(), columns: [] };
  assert.deepEqual(output, { records: nothing, inputs: new Uint32Array(), outcomes: new Uint8Array(2), reasons: [] });
});

test('a record that a batch function does not visit fails', () => {
  const [fate] = run(batchOf(() => {}), ['a']);
  assert.match(fate.reason, /did not visit/);
});

test('an error in a batch function fails what it did not settle', async () => {
  const thrown = batchOf((batch) => {
    batch.each((record) => (record.text() === 'a' ? drop : record));
    throw new Error('after all');
  });
  assert.deepEqual(outcomes(run(thrown, ['a', 'b'])), ['dropped', 'kept']);
  const before = batchOf(() => {
    throw new Error('before any');
  });
  assert.deepEqual(run(before, ['a']), [{ outcome: 'failed', reason: 'before any', code: '' }]);
  const rejected = batchOf(async () => {
    throw new Error('before any');
  });
  assert.deepEqual(await runAsync(rejected, ['a']), [{ outcome: 'failed', reason: 'before any', code: '' }]);
  logged();
});

test('an each that is not awaited is waited for, and never runs twice at once', async () => {
  const forgot = batchOf((batch) => {
    batch.each(async (record) => record.text());
  });
  assert.deepEqual((await runAsync(forgot, ['a', 'b'])).map(texts), [['a'], ['b']]);
  const thrown = batchOf((batch) => {
    batch.each(async (record) => record.text());
    throw new Error('too late to matter');
  });
  assert.deepEqual((await runAsync(thrown, ['a', 'b'])).map(texts), [['a'], ['b']]);
  const inside = batchOf((batch) => batch.each((record) => (batch.keepAll(), record)));
  assert.match(run(inside, ['a'])[0].reason, /inside another call/);
  const twice = batchOf(async (batch) => {
    const first = batch.each(async (record) => record);
    assert.throws(() => batch.each((record) => record), /await that one first/);
    await first;
  });
  assert.deepEqual(outcomes(await runAsync(twice, ['a'])), ['kept']);
  logged();
});

test('a promise that never settles fails its record when nothing is left to wait for', async () => {
  const context = new Context('', []);
  const input = { records: { payload: new Uint8Array(2), ends: new Uint32Array([1, 2]), columns: [] } };
  // The engine of a component says so after every turn of its loop.
  const whenIdle = (idle) => {
    const timer = setInterval(idle, 1);
    return () => clearInterval(timer);
  };
  const never = new Promise(() => {});
  const each = await runColumns(input, context, (batch) => batch.each(() => never), whenIdle);
  assert.deepEqual(each.reasons.map(({ message }) => message.slice(0, 26)), Array(2).fill('its promise never settles:'));
  const whole = await runColumns(input, context, () => never, whenIdle);
  assert.equal(whole.reasons.length, 2);
});

test('an empty batch is answered', async () => {
  assert.deepEqual(run((record) => record, []), []);
  assert.deepEqual(await runAsync(async (record) => record, []), []);
});

test('what configure throws is thrown', async () => {
  const plugin = {
    configure(context) {
      if (context.setting('at') === undefined) throw new Error('at is missing');
    },
    transform: (record) => record,
  };
  assert.throws(() => run(plugin, ['a']), /at is missing/);
  assert.deepEqual(outcomes(run(plugin, ['a'], { settings: { at: '1' } })), ['kept']);
  const later = { ...plugin, configure: async (context) => plugin.configure(context) };
  await assert.rejects(runAsync(later, ['a']), /at is missing/);
  assert.throws(() => run({ ...later, configure: async () => {} }, ['a']), /use runAsync/);
});

test('a module exports one of the two functions', () => {
  const transform = (record) => record;
  assert.throws(() => run({}, ['a']), /either/);
  assert.throws(() => run({ transform, transformBatch: () => {} }, ['a']), /either/);
});

test('lines are kept for the test, and cut', () => {
  logged();
  log.debug('1');
  log.info('2');
  log.warn('3');
  log.error('x'.repeat(10_000));
  const lines = logged();
  assert.deepEqual(lines.map(({ level }) => level), ['debug', 'info', 'warn', 'error']);
  assert.equal(lines[3].message.length, 8192);
  assert.deepEqual(logged(), []);
});
