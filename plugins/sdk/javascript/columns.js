// Keys on outputs, dictionary-coded while they are set. Refuses names that would cost the whole batch at the host.

import { shown } from './outcome.js';

const RESERVED = ['$document-id', '$index', '$table', '$operation'];
const NAME_BYTES = 128;
const ENCODER = new TextEncoder();

/** All columns of a batch, and what is set for the input at hand. */
export class Columns {
  constructor() {
    this.byName = new Map();
    /** Column, code, column, code and so on of what is set for the input at hand. */
    this.at = [];
  }

  /** Sets a key for the outputs that are not made yet. */
  set(name, value) {
    let column = this.byName.get(name);
    if (column === undefined) {
      column = new Column(checked(name));
      this.byName.set(name, column);
    }
    const text = typeof value === 'string' && value.isWellFormed() ? value : keyText(name, value);
    let code = column.known.get(text);
    if (code === undefined) {
      code = column.dictionary.push(text);
      column.known.set(text, code);
    }
    const set = this.at;
    for (let at = 0; at < set.length; at += 2) {
      if (set[at] === column) {
        set[at + 1] = code;
        return;
      }
    }
    set.push(column, code);
  }

  /** Puts what is set on an output. */
  put(output) {
    const set = this.at;
    for (let at = 0; at < set.length; at += 2) {
      const { codes } = set[at];
      while (codes.length < output) codes.push(0);
      codes.push(set[at + 1]);
    }
  }

  /** Forgets all outputs from one on. */
  truncate(outputs) {
    for (const { codes } of this.byName.values()) if (codes.length > outputs) codes.length = outputs;
  }

  /** The columns that any output has a value in. */
  finish(outputs) {
    const used = [...this.byName.values()].filter(({ codes }) => codes.some((code) => code !== 0));
    return used.map(({ name, dictionary, codes: given }) => {
      const codes = new Uint32Array(outputs);
      codes.set(given);
      return { name, dictionary, codes };
    });
  }
}

class Column {
  constructor(name) {
    this.name = name;
    this.dictionary = [];
    this.known = new Map();
    /** Codes of the outputs up to the last one that has a value. */
    this.codes = [];
  }
}

function checked(name) {
  const isName = typeof name === 'string' && name !== '' && name.isWellFormed();
  if (!isName || ENCODER.encode(name).length > NAME_BYTES) {
    throw new TypeError(`the name of a key is 1 to ${NAME_BYTES} bytes of text, not ${shown(name)}`);
  }
  if (name.startsWith('$') && !RESERVED.includes(name)) {
    throw new TypeError(`no reserved column is named ${name}: there are ${RESERVED.join(', ')}`);
  }
  return name;
}

function keyText(name, value) {
  if (typeof value === 'string') return value.toWellFormed();
  if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint') return String(value);
  throw new TypeError(`the value of key ${name} is ${shown(value)}: it must be text, a number or a boolean`);
}
