// What a batch becomes, collected record by record and encoded once. Refuses to reorder or to take back a settled input.

import { Columns } from './columns.js';
import { log } from './log.js';
import { drop, fail, Failure, shown, told, traced } from './outcome.js';

// Codes of an outcome, as the world defines them.
const KEEP = 0;
const REPLACE = 1;
const DROP = 2;
const FAIL = 3;

const ENCODER = new TextEncoder();

/** Where replacements, keys, outcomes and reasons go. */
export class Output {
  constructor(count) {
    /** The input at hand: the first one without an outcome. */
    this.input = 0;
    this.outcomes = new Uint8Array(count);
    /** Outputs, as text or as bytes, and for each its input. */
    this.parts = [];
    this.inputs = [];
    /** Whether no output is bytes. */
    this.isText = true;
    /** First output of the input at hand. */
    this.first = 0;
    this.columns = new Columns();
    this.reasons = [];
    this.isTraced = false;
  }

  /** Settles the input at hand by what a transform returned; false, and nothing done, if that is a promise. */
  settle(record, answer) {
    if (answer === record) {
      // Keys belong to outputs, so a kept record with keys is delivered as a copy of itself.
      if (this.columns.at.length === 0) {
        this.input += 1;
        return true;
      }
      this.isText = false;
      this.push(record.data);
    } else if (typeof answer === 'string') {
      // Written out, because this is where most records go and the engine's calls are slow.
      const { input, first } = this;
      this.parts[first] = answer;
      this.inputs[first] = input;
      if (this.columns.at.length !== 0) {
        this.columns.put(first);
        this.columns.at.length = 0;
      }
      this.outcomes[input] = REPLACE;
      this.input = input + 1;
      this.first = first + 1;
      return true;
    } else if (answer === drop) {
      this.discard(DROP);
      return true;
    } else if (answer === null || typeof answer !== 'object') {
      throw fail(`${shown(answer)} was returned: ${WHAT_TO_RETURN}`);
    } else if (answer instanceof Failure) {
      this.fail(answer);
      return true;
    } else if (typeof answer.then === 'function') {
      return false;
    } else if (Array.isArray(answer) || (typeof answer.next === 'function' && Symbol.iterator in answer)) {
      for (const part of answer) this.add(part);
      if (this.parts.length === this.first) {
        this.discard(DROP);
        return true;
      }
    } else {
      this.add(answer);
    }
    this.close(REPLACE);
    return true;
  }

  /** Fails the input at hand. */
  fail({ reason, code }) {
    this.reasons.push({ input: this.input, code, message: reason });
    this.discard(FAIL);
  }

  /** Keeps the input at hand. */
  keep() {
    this.discard(KEEP);
  }

  /** Replaces the input at hand by bytes that nobody writes to any more. */
  replaceBy(bytes) {
    this.isText = false;
    this.push(bytes);
    this.close(REPLACE);
  }

  /** Whether no key is set for the input at hand. */
  hasNoKeys() {
    return this.columns.at.length === 0;
  }

  /** A failure of anything thrown; the first stack of a batch is logged. */
  thrown(thrown) {
    if (thrown instanceof Failure) return thrown;
    if (!this.isTraced) {
      this.isTraced = true;
      try {
        log.warn(`the plugin threw: ${traced(thrown)}`);
      } catch {
        // The record fails all the same; that is what counts.
      }
    }
    return fail(told(thrown));
  }

  /** Sets a key for the outputs of the input at hand that are not made yet. */
  set(name, value) {
    this.columns.set(name, value);
  }

  /** The answer, as the world wants it. */
  finish() {
    const { payload, ends } = laidEndToEnd(this.parts, this.isText);
    return {
      records: { payload, ends, columns: this.columns.finish(ends.length) },
      inputs: new Uint32Array(this.inputs),
      outcomes: this.outcomes,
      reasons: this.reasons,
    };
  }

  /** One output: text, bytes, or either with keys of its own. */
  add(part) {
    if (typeof part === 'string') {
      this.push(part);
    } else if (ArrayBuffer.isView(part)) {
      // A copy, because the author may fill the same buffer again for the next record.
      this.isText = false;
      this.push(new Uint8Array(part.buffer, part.byteOffset, part.byteLength).slice());
    } else if (part instanceof ArrayBuffer) {
      this.isText = false;
      this.push(new Uint8Array(part).slice());
    } else if (part !== null && typeof part === 'object' && 'data' in part) {
      this.addKeyed(part);
    } else {
      throw fail(`${shown(part)} was returned as a record: ${WHAT_TO_RETURN}`);
    }
  }

  addKeyed({ data, keys }) {
    if (typeof data !== 'string' && !ArrayBuffer.isView(data) && !(data instanceof ArrayBuffer)) {
      throw fail(`data is ${shown(data)}: it must be text or bytes`);
    }
    const { columns } = this;
    const before = columns.at;
    columns.at = before.slice();
    for (const name of Object.keys(keys ?? {})) columns.set(name, keys[name]);
    this.add(data);
    columns.at = before;
  }

  push(part) {
    const output = this.parts.length;
    this.parts[output] = part;
    this.inputs[output] = this.input;
    if (this.columns.at.length !== 0) this.columns.put(output);
  }

  discard(outcome) {
    if (this.parts.length !== this.first) {
      this.parts.length = this.first;
      this.inputs.length = this.first;
      this.columns.truncate(this.first);
    }
    this.close(outcome);
  }

  close(outcome) {
    this.outcomes[this.input] = outcome;
    this.input += 1;
    this.first = this.parts.length;
    this.columns.at.length = 0;
  }
}

const WHAT_TO_RETURN =
  'return the record to keep it, text or bytes, a list of these, {data, keys}, drop, or fail(reason)';

/** All outputs as one payload; text is encoded in one go. */
function laidEndToEnd(parts, isText) {
  const count = parts.length;
  const ends = new Uint32Array(count);
  if (isText) {
    const payload = ENCODER.encode(parts.join(''));
    // In ASCII a character is a byte.
    if (endsBy((part) => part.length) === payload.length) return { payload, ends };
    // Not equal only when one output ends with half a surrogate pair and the next one begins with the other half.
    if (endsBy((part) => ENCODER.encode(part).length) === payload.length) return { payload, ends };
  }
  const encoded = parts.map((part) => (typeof part === 'string' ? ENCODER.encode(part) : part));
  const payload = new Uint8Array(encoded.reduce((bytes, part) => bytes + part.length, 0));
  let end = 0;
  for (let at = 0; at < count; at += 1) {
    payload.set(encoded[at], end);
    ends[at] = end += encoded[at].length;
  }
  return { payload, ends };

  function endsBy(length) {
    let end = 0;
    for (let at = 0; at < count; at += 1) ends[at] = end += length(parts[at]);
    return end;
  }
}
