// The conformance guest in JavaScript: does what the record or the settings tell, so that one test holds every SDK to
// the same behaviour. Refuses to be an example; the template is one.

import { drop, fail, log } from '../../../sdk/javascript/index.js';

let mode = 'scenario';

export function configure(context) {
  const refusal = context.setting('refuse');
  if (refusal !== undefined) throw new Error(refusal);
  mode = context.setting('mode') ?? 'scenario';
}

export function transformBatch(batch) {
  if (mode === 'keep') return batch.keepAll();
  return batch.each(mode === 'edit' ? edit : scenario);
}

function edit(record) {
  let event;
  try {
    event = JSON.parse(record.text());
  } catch {
    return fail('no JSON object', 'bad-json');
  }
  if (event === null || typeof event !== 'object' || Array.isArray(event)) return fail('no JSON object', 'bad-json');
  const { level } = event;
  if (level === 'debug') return drop;
  if (typeof level === 'string') record.set('level', level);
  event.pipeline = 'hydrant';
  return JSON.stringify(event);
}

function scenario(record) {
  const { data } = record;
  if (data.length === 0) return 'empty';
  if (data[0] === 0xff) return data.toReversed();
  const text = record.text();
  if (text.startsWith('keep')) return record;
  const [name, ...rest] = text.split(':');
  const given = rest.join(':');
  switch (name) {
    case 'one':
      return given;
    case 'many':
      return given.split(',');
    case 'none':
      return [];
    case 'drop':
      return drop;
    case 'fail':
      return fail(given);
    case 'code':
      return fail(rest.slice(1).join(':'), rest[0]);
    case 'keys':
      record.set('key', given);
      record.set('$document-id', given);
      record.set('$index', 'conformance');
      return record;
    case 'spread':
      return given.split(',').map((part) => ({ data: part, keys: { part } }));
    case 'setting':
      return record.setting(given) ?? fail(`no setting ${given}`);
    case 'stream':
      return record.stream;
    case 'arrived':
      return String(record.arrivedMs);
    case 'log':
      log[rest[0]](rest.slice(1).join(':'));
      return drop;
    case 'count':
      return String([...given].length);
    case 'length':
      return String(data.length);
    case 'repeat':
      return 'x'.repeat(Number(given));
    case 'column':
      return record.column(given) ?? fail(`no column ${given}`);
    case 'half':
      return half();
    default:
      return fail('unknown');
  }
}

/** Makes an output before it fails; nothing of it may be left behind. */
function* half() {
  yield { data: 'lost', keys: { lost: 'x' } };
  throw fail('half');
}
