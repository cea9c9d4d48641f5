// Tests of the function by itself, without WebAssembly.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { run, texts } from '../hydrant-plugin/testing.js';
import * as plugin from '../src/plugin.ts';

test('records become lines and heartbeats go', () => {
  const [order, heartbeat] = run(plugin, ['  one order ', 'heartbeat 7']);
  assert.deepEqual(texts(order), ['one order\n']);
  assert.equal(heartbeat?.outcome, 'dropped');
});

test('what is no text fails', () => {
  const [fate] = run(plugin, [new Uint8Array([0xff, 0x00])]);
  assert.deepEqual(fate, { outcome: 'failed', reason: 'the record is not valid UTF-8', code: '' });
});
