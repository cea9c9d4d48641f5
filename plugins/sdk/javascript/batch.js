// A batch, as an author who wants speed sees it. Refuses to leave a record without an outcome.

import { fail } from './outcome.js';
import { Output } from './output.js';
import { Record } from './record.js';

/** Consecutive records of one stream, for a transform that shares work between them. */
export class Batch {
  constructor(input, context, output) {
    this.payload = input.records.payload;
    this.ends = input.records.ends;
    this.arrivedMs = input.arrivedMs;
    this.context = context;
    this._columns = input.records.columns;
    this._output = output;
    /** Whether `each` is under way, and what it promised. */
    this._busy = false;
    this._later = undefined;
    /** Fails the record that is waited for. */
    this._giveUp = undefined;
  }

  /** Number of records. */
  get length() {
    return this.ends.length;
  }

  /**
   * Settles each record in order by what a function of one record returns. A second call finds none left; a record that
   * was never visited fails. Returns a promise if the function did, else undefined.
   */
  each(transform) {
    this._begin('each');
    const output = this._output;
    const count = this.ends.length;
    while (output.input < count) {
      const record = new Record(this, output.input);
      try {
        const answer = transform(record);
        if (!output.settle(record, answer)) {
          this._later = this._eachLater(transform, record, answer);
          return this._later;
        }
      } catch (thrown) {
        output.fail(output.thrown(thrown));
      }
    }
    this._busy = false;
    return undefined;
  }

  /** Keeps every record that has no outcome yet: the cheapest answer. */
  keepAll() {
    this._begin('keepAll');
    this._output.input = this.ends.length;
    this._busy = false;
  }

  /** Two at the same time would mix the keys of two records. */
  _begin(method) {
    if (this._busy) throw new Error(`${method} was called inside another call of each: await that one first`);
    this._busy = true;
  }

  /** Goes on where a transform began to return promises: one record after the other, so that keys stay with theirs. */
  async _eachLater(transform, record, pending) {
    const output = this._output;
    const count = this.ends.length;
    for (;;) {
      try {
        const answer = await this._waitFor(pending);
        // A promise is never the value of a promise, so this settles.
        output.settle(record, answer);
      } catch (thrown) {
        output.fail(output.thrown(thrown));
      }
      if (output.input >= count) break;
      record = new Record(this, output.input);
      try {
        pending = transform(record);
      } catch (thrown) {
        pending = Promise.reject(thrown);
      }
    }
    this._giveUp = undefined;
    this._busy = false;
  }

  _waitFor(pending) {
    return new Promise((resolve, reject) => {
      this._giveUp = () => reject(fail(NEVER));
      Promise.resolve(pending).then(resolve, reject);
    });
  }
}

const NEVER = 'its promise never settles: nothing is left to wait for, neither network nor files';

/**
 * Runs a function of a batch over the columns of one; the output, or a promise of it. `whenIdle` calls a function when
 * nothing is left that could settle a promise, until the function that it returned is called.
 */
export function run(input, context, transformBatch, whenIdle = () => () => {}) {
  const count = input.records.ends.length;
  const output = new Output(count);
  const batch = new Batch(input, context, output);
  const end = (failure) => {
    while (output.input < count) output.fail(failure);
    return output.finish();
  };
  let pending;
  try {
    pending = transformBatch(batch);
  } catch (thrown) {
    if (batch._later === undefined) return end(output.thrown(thrown));
    pending = Promise.reject(thrown);
  }
  if (!isPromise(pending) && batch._later === undefined) return end(fail(NOT_VISITED));
  return wait(batch, pending, whenIdle).then(
    () => end(fail(NOT_VISITED)),
    (thrown) => end(output.thrown(thrown)),
  );
}

const NOT_VISITED = "the plugin's batch function did not visit this record";

/** Waits for a batch function, and for an `each` that it forgot to await. */
async function wait(batch, pending, whenIdle) {
  let giveUp;
  const hopeless = new Promise((_, reject) => {
    giveUp = () => reject(fail(NEVER));
  });
  const stop = whenIdle(() => {
    const given = batch._giveUp ?? giveUp;
    given();
  });
  try {
    try {
      await Promise.race([pending, hopeless]);
    } finally {
      await batch._later;
    }
  } finally {
    stop();
  }
}

export function isPromise(value) {
  return value !== null && typeof value === 'object' && typeof value.then === 'function';
}
