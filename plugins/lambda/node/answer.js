// Holds what a handler answered to Firehose's rules. Refuses to guess what was meant.

import { drop, fail } from '../../sdk/javascript/outcome.js';
import { recordId } from './event.js';

const MISSING = [
  'One or more record Ids were not returned. Ensure that the Lambda function returns all received record Ids.',
  'Lambda.MissingRecordId',
];
const DUPLICATED = [
  'Multiple records with the same record ID are returned. Ensure that the Lambda function returns unique record IDs for each record.',
  'Lambda.DuplicatedRecordId',
];
const FAILED = ['ProcessingFailed status set for record', 'Lambda.ProcessingFailedStatus'];
const INVALID = 'Lambda.InvalidReturnFormat';

/** Settles every record of an output by an answer to records that were sent as this base64. */
export function settle(output, sent, answer) {
  const count = sent.length;
  const given = entries(answer, count);
  for (let at = 0; at < count; at += 1) {
    const entry = given[at];
    if (entry === undefined) output.fail(fail(...MISSING));
    else if (entry === TWICE) output.fail(fail(...DUPLICATED));
    else settleOne(output, sent[at], entry);
  }
}

/** Fails every record of an output: the function itself failed. */
export function settleError(output, count, message) {
  const failure = fail(message, 'Lambda.FunctionError');
  for (let at = 0; at < count; at += 1) output.fail(failure);
}

const TWICE = Symbol('returned twice');

/** The entry of each record that was sent; what was never sent is passed over. */
function entries(answer, count) {
  const given = new Array(count).fill(undefined);
  const records = answer !== null && typeof answer === 'object' ? answer.records : undefined;
  if (!Array.isArray(records)) return given;
  let places;
  for (let next = 0; next < records.length; next += 1) {
    const entry = records[next];
    if (entry === null || typeof entry !== 'object') continue;
    // Nearly every handler answers in the order of the event.
    let at = next;
    if (next >= count || entry.recordId !== recordId(next)) {
      places ??= new Map(Array.from({ length: count }, (_, place) => [recordId(place), place]));
      at = places.get(entry.recordId);
      if (at === undefined) continue;
    }
    given[at] = given[at] === undefined ? entry : TWICE;
  }
  return given;
}

function settleOne(output, sent, { result, data, metadata }) {
  if (result === 'Dropped') {
    output.settle(undefined, drop);
  } else if (result === 'ProcessingFailed') {
    output.fail(fail(...FAILED));
  } else if (result !== 'Ok') {
    output.fail(fail(`result is ${named(result)}: it must be Ok, Dropped or ProcessingFailed`, INVALID));
  } else if (typeof data !== 'string') {
    output.fail(fail(`result is Ok, but data is ${named(data)}: it must be base64 text`, INVALID));
  } else {
    settleOk(output, sent, data, metadata?.partitionKeys);
  }
}

function settleOk(output, sent, data, keys) {
  let bytes;
  try {
    bytes = Uint8Array.fromBase64(data);
  } catch {
    output.fail(fail('result is Ok, but data is not base64', INVALID));
    return;
  }
  try {
    if (keys !== undefined && keys !== null) setKeys(output, keys);
  } catch (refused) {
    output.fail(fail(refused.message, INVALID));
    return;
  }
  // The same bytes need not cross the boundary again.
  if (data === sent && output.hasNoKeys()) output.keep();
  else output.replaceBy(bytes);
}

function setKeys(output, keys) {
  if (typeof keys !== 'object' || Array.isArray(keys)) throw new TypeError('metadata.partitionKeys is no object');
  for (const name of Object.keys(keys)) output.set(name, keys[name]);
}

function named(value) {
  if (value === undefined) return 'missing';
  if (value === null) return 'null';
  if (typeof value === 'object') return Array.isArray(value) ? 'a list' : 'an object';
  return typeof value === 'string' ? 'another text' : `a ${typeof value}`;
}
