// Timers by a clock of their own, and what the engine of a component lacks. In a file of its own, because it replaces
// globals.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { onUncaught, whenIdle } from '../engine.js';
import { logged } from '../testing.js';

/** Resolves when nothing is left to wait for. */
const idle = () =>
  new Promise((resolve) => {
    const stop = whenIdle(() => {
      stop();
      resolve();
    });
  });

test('timers fire in their order, without waiting for it', async () => {
  const fired = [];
  setTimeout((value) => fired.push(value), 3e7, 'last');
  setTimeout(() => fired.push('second'), 20);
  setTimeout(() => fired.push('first'), 10);
  setTimeout(() => fired.push('third'), 20);
  const cleared = setTimeout(() => fired.push('cleared'), 5);
  clearTimeout(cleared);
  clearTimeout(undefined);
  await idle();
  assert.deepEqual(fired, ['first', 'second', 'third', 'last']);
});

test('promises come between timers', async () => {
  const seen = [];
  for (const name of ['a', 'b']) {
    setTimeout(() => {
      seen.push(name);
      Promise.resolve().then(() => seen.push(`after ${name}`));
    }, 1);
  }
  await idle();
  assert.deepEqual(seen, ['a', 'after a', 'b', 'after b']);
});

test('an interval repeats until it is cleared', async () => {
  const seen = [];
  const interval = setInterval(() => {
    seen.push('interval');
    if (seen.length > 3) clearInterval(interval);
  }, 10);
  setTimeout(() => seen.push('timer'), 25);
  await idle();
  assert.deepEqual(seen, ['interval', 'interval', 'timer', 'interval']);
});

test('many timers fire in their order', async () => {
  const seen = [];
  const delays = Array.from({ length: 1000 }, (_, at) => (at * 7919) % 1009);
  for (const delay of delays) setTimeout(() => seen.push(delay), delay);
  await idle();
  assert.deepEqual(seen, [...seen].sort((a, b) => a - b));
  assert.equal(seen.length, delays.length);
});

test('an interval may go on for long', async () => {
  let left = 5000;
  const interval = setInterval(() => {
    left -= 1;
    if (left === 0) clearInterval(interval);
  }, 1);
  const last = [];
  setTimeout(() => last.push(left), 2500);
  await idle();
  assert.equal(left, 0);
  assert.deepEqual(last, [2501]);
});

test('what a timer throws goes to whoever asked for it, else to the log', async () => {
  const broken = () => {
    throw new Error('broken');
  };
  setTimeout(broken, 1);
  queueMicrotask(broken);
  await idle();
  const lines = logged();
  assert.equal(lines.length, 2);
  assert.match(lines[0].message, /^a timer threw: Error: broken/);
  const caught = [];
  onUncaught((thrown) => caught.push(thrown.message));
  setTimeout(broken, 1);
  await idle();
  assert.deepEqual(caught, ['broken']);
  assert.throws(() => setTimeout('text', 1), /a timer needs a function/);
});

test('what the engine lacks says so', () => {
  assert.throws(() => fetch('http://localhost'), /^Error: fetch is not there inside a plugin: there is no network$/);
  assert.throws(() => new globalThis.hydrantNoIntl(), /^Error: Intl is not there inside a plugin/);
  for (const value of [1, 1n, new Date(0)]) assert.throws(() => value.toLocaleString(), /the engine knows no locales/);
  assert.throws(() => new Date(0).toLocaleDateString('en'), /the engine knows no locales/);
  assert.throws(() => 'a'.localeCompare('b'), /compare with < and >/);
  assert.throws(() => 'é'.normalize('NFD'), /normalize\(NFD\) is not there/);
  assert.equal('plain'.normalize('NFC'), 'plain');
});
