// The conformance guest in TypeScript: does what the record or the settings tell, so that one test holds every SDK to
// the same behaviour. Refuses to be an example; the template is one.

import {
  drop,
  fail,
  log,
  type Answer,
  type Configure,
  type Output,
  type Record,
  type TransformBatch,
} from '../../../sdk/javascript/index.js';

let mode = 'scenario';

export const configure: Configure = (context) => {
  const refusal = context.setting('refuse');
  if (refusal !== undefined) throw new Error(refusal);
  mode = context.setting('mode') ?? 'scenario';
};

export const transformBatch: TransformBatch = (batch) => {
  if (mode === 'keep') return batch.keepAll();
  return batch.each(mode === 'edit' ? edit : scenario);
};

function edit(record: Record): Answer {
  let event: unknown;
  try {
    event = record.json();
  } catch {
    return fail('no JSON object', 'bad-json');
  }
  if (!isObject(event)) return fail('no JSON object', 'bad-json');
  const { level } = event;
  if (level === 'debug') return drop;
  if (typeof level === 'string') record.set('level', level);
  event['pipeline'] = 'hydrant';
  return JSON.stringify(event);
}

function isObject(value: unknown): value is { [name: string]: unknown } {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}

function scenario(record: Record): Answer {
  const { data } = record;
  if (data.length === 0) return 'empty';
  if (data[0] === 0xff) return data.toReversed();
  const text = record.text();
  if (text.startsWith('keep')) return record;
  const [name = '', ...rest] = text.split(':');
  const given = rest.join(':');
  const known = Object.hasOwn(scenarios, name) ? scenarios[name] : undefined;
  return known === undefined ? fail('unknown') : known(record, given);
}

const scenarios: { readonly [name: string]: (record: Record, given: string) => Answer } = {
  one: (_, given) => given,
  many: (_, given) => given.split(','),
  none: () => [],
  drop: () => drop,
  fail: (_, given) => fail(given),
  code: (_, given) => {
    const [code, ...reason] = given.split(':');
    return fail(reason.join(':'), code);
  },
  keys: (record, given) => {
    record.set('key', given);
    record.set('$document-id', given);
    record.set('$index', 'conformance');
    return record;
  },
  spread: function* (record, given): IterableIterator<Output> {
    for (const part of given.split(',')) {
      record.set('part', part);
      yield part;
    }
  },
  setting: (record, given) => record.setting(given) ?? fail(`no setting ${given}`),
  stream: (record) => record.stream,
  arrived: (record) => String(record.arrivedMs),
  log: (_, given) => {
    const [level = '', ...text] = given.split(':');
    if (level === 'debug' || level === 'info' || level === 'warn' || level === 'error') log[level](text.join(':'));
    return drop;
  },
  count: (_, given) => String([...given].length),
  length: (record) => String(record.data.length),
  repeat: (_, given) => 'x'.repeat(Number(given)),
  column: (record, given) => record.column(given) ?? fail(`no column ${given}`),
  /** Makes an output before it fails; nothing of it may be left behind. */
  half: function* (record): IterableIterator<Output> {
    record.set('lost', 'x');
    yield 'lost';
    throw fail('half');
  },
};
