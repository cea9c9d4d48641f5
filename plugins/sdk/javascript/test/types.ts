// Holds the types to what an author may write and may not: `tsc --noEmit -p test` checks it. Refuses to be run.

import { drop, fail, log, type Configure, type Plugin, type Transform, type TransformBatch } from '../index.js';
import { logged, run, runAsync, texts, type Fate } from '../testing.js';

const transform: Transform = (record) => {
  const text: string = record.text();
  record.set('key', text);
  record.set('count', record.arrivedMs);
  if (text === 'keep') return record;
  if (text === 'drop') return drop;
  if (text === 'fail') return fail('no', record.setting('code') ?? '');
  if (text === 'bytes') return record.data.subarray(1);
  if (text === 'several') return [text, new Uint8Array(1), { data: text, keys: { a: 1, b: true } }];
  return { data: text, keys: { column: record.column('a') ?? '' } };
};

const generated: Transform = function* (record) {
  yield record.text();
  yield new ArrayBuffer(1);
};

const later: Transform = async (record) => record.json().text;

const transformBatch: TransformBatch = async (batch) => {
  await batch.each(later);
  const nothing: void = batch.each((record) => record);
  batch.keepAll();
  return nothing;
};

export const configure: Configure = (context) => {
  if (context.settings['a'] === undefined) throw new Error(context.stream);
  log.info('configured');
};

// @ts-expect-error: undefined is no answer
export const forgot: Transform = () => {};
// @ts-expect-error: a number is no answer
export const numeric: Transform = () => 5;
// @ts-expect-error: a list of numbers is none either
export const list: Transform = () => [5];
// @ts-expect-error: null is no value of a key
export const key: Transform = (record) => (record.set('key', null), record);
// @ts-expect-error: a record is not to be written to
export const written: Transform = (record) => ((record.data = new Uint8Array()), record);
// @ts-expect-error: a plugin has one transform
export const both: Plugin = { transform, transformBatch };

const fates: Fate[] = run({ transform, configure }, ['a', new Uint8Array(1), { data: 'a', columns: { a: 'b' } }]);
const first: string[] = texts(fates[0]);
const promised: Promise<Fate[]> = runAsync(generated, first, { stream: 's', settings: { a: '1' } });
for (const fate of fates) if (fate.outcome === 'replaced') log.info(fate.outputs[0]?.keys['key'] ?? logged()[0]?.message ?? '');
export default promised;
