// Runs a plugin on the desk, over records, and shows what became of each. No WebAssembly is involved, and nothing is
// refused that a host would refuse for its size.

import { run as runBatch } from './batch.js';
import { Context } from './context.js';
import { taken } from './log.js';

const ENCODER = new TextEncoder();
const DECODER = new TextDecoder('utf-8', { ignoreBOM: true });
const OUTCOMES = ['kept', 'replaced', 'dropped', 'failed'];

/**
 * Configures a plugin and runs one batch of records: text, bytes, or {data, arrivedMs, columns}. A plugin is a module
 * (`import * as plugin`), or a function of one record. What `configure` throws is thrown.
 */
export function run(plugin, records, { stream = '', settings = {} } = {}) {
  const { configure, transformBatch } = functions(plugin);
  const context = new Context(stream, Object.entries(settings));
  const configured = configure?.(context);
  if (isPromise(configured)) throw new Error('configure is async: use runAsync');
  const output = runBatch(input(records), context, transformBatch);
  if (isPromise(output)) throw new Error('the plugin is async: use runAsync');
  return fates(output);
}

/** Like {@link run}, for a plugin that has an async function. */
export async function runAsync(plugin, records, { stream = '', settings = {} } = {}) {
  const { configure, transformBatch } = functions(plugin);
  const context = new Context(stream, Object.entries(settings));
  await configure?.(context);
  return fates(await runBatch(input(records), context, transformBatch));
}

/** The replacements of a record as text; none unless it was replaced. */
export function texts(fate) {
  return fate?.outcome === 'replaced' ? fate.outputs.map((output) => output.text) : [];
}

/** What was logged since this was last asked: {level, message}. */
export function logged() {
  return taken();
}

function functions(plugin) {
  if (typeof plugin === 'function') return { transformBatch: (batch) => batch.each(plugin) };
  const { configure, transform, transformBatch } = plugin;
  if ((typeof transform === 'function') === (typeof transformBatch === 'function')) {
    throw new TypeError('a plugin exports either a function `transform` or a function `transformBatch`');
  }
  return { configure, transformBatch: transformBatch ?? ((batch) => batch.each(transform)) };
}

function isPromise(value) {
  return typeof value?.then === 'function';
}

function input(records) {
  const all = records.map(record);
  const payload = new Uint8Array(all.reduce((bytes, { data }) => bytes + data.length, 0));
  const ends = new Uint32Array(all.length);
  const columns = new Map();
  let end = 0;
  all.forEach(({ data, columns: set }, at) => {
    payload.set(data, end);
    ends[at] = end += data.length;
    for (const [name, value] of Object.entries(set)) {
      if (!columns.has(name)) columns.set(name, { name, dictionary: [], codes: new Uint32Array(all.length) });
      const column = columns.get(name);
      column.codes[at] = column.dictionary.push(value);
    }
  });
  const arrivedMs = new BigUint64Array(all.map(({ arrivedMs }) => BigInt(arrivedMs)));
  return { records: { payload, ends, columns: [...columns.values()] }, arrivedMs };
}

function record(given) {
  if (typeof given === 'string') return { data: ENCODER.encode(given), arrivedMs: 0, columns: {} };
  if (given instanceof Uint8Array) return { data: given, arrivedMs: 0, columns: {} };
  const { data, arrivedMs = 0, columns = {} } = given;
  return { data: typeof data === 'string' ? ENCODER.encode(data) : data, arrivedMs, columns };
}

function fates({ records, inputs, outcomes, reasons }) {
  const all = Array.from(outcomes, (outcome) => ({ outcome: OUTCOMES[outcome] }));
  inputs.forEach((input, at) => {
    const data = records.payload.slice(at === 0 ? 0 : records.ends[at - 1], records.ends[at]);
    const set = records.columns.filter(({ codes }) => codes[at] !== 0);
    const keys = Object.fromEntries(set.map(({ name, dictionary, codes }) => [name, dictionary[codes[at] - 1]]));
    (all[input].outputs ??= []).push({ data, text: DECODER.decode(data), keys });
  });
  for (const { input, code, message } of reasons) Object.assign(all[input], { reason: message, code });
  return all;
}
