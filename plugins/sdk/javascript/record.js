// One record, as an author sees it. Refuses to copy it, and to be changed once its outcome is settled.
//
// Fields with an underscore are the SDK's own. They are plain ones because the engine has no compiler: there, an object
// with private fields takes three times as long to make.

import { fail } from './outcome.js';

// A byte order mark is part of a record like any other character.
const DECODER = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** One record of a batch. Returned from a transform, it means: keep it. */
export class Record {
  constructor(batch, at) {
    this._batch = batch;
    this._at = at;
  }

  /** Its bytes: a view, not to be written to. */
  get data() {
    const { payload, ends } = this._batch;
    const at = this._at;
    return payload.subarray(at === 0 ? 0 : ends[at - 1], ends[at]);
  }

  /** Its bytes as text. What is no UTF-8 fails the record. */
  text() {
    try {
      return DECODER.decode(this.data);
    } catch {
      throw fail('the record is not valid UTF-8');
    }
  }

  /** Its text, parsed. What is no JSON fails the record, without showing any of it. */
  json() {
    const text = this.text();
    try {
      return JSON.parse(text);
    } catch {
      throw fail('the record is not valid JSON');
    }
  }

  /** When it arrived, milliseconds since 1970. The only clock there is. */
  get arrivedMs() {
    return Number(this._batch.arrivedMs[this._at]);
  }

  /** Its value in a column that an earlier processor set, or undefined. */
  column(name) {
    const column = this._batch._columns.find((column) => column.name === name);
    const code = column === undefined ? 0 : column.codes[this._at];
    return code === 0 ? undefined : column.dictionary[code - 1];
  }

  /** The stream and the operator's settings. */
  get context() {
    return this._batch.context;
  }

  /** Name of the delivery stream; empty while the host tries a new version out. */
  get stream() {
    return this._batch.context.stream;
  }

  /** The operator's setting of this name, or undefined. */
  setting(name) {
    return this._batch.context.setting(name);
  }

  /**
   * Sets a partition key (or, with a name beginning with `$`, a reserved column) on every output of this record that is
   * not made yet: on all that the transform returns, and on those that a generator yields afterwards.
   */
  set(name, value) {
    const output = this._batch._output;
    if (this._at !== output.input) throw new Error(`set('${name}') on a record that is settled already`);
    output.set(name, value);
  }
}
