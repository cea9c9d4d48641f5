// A Hydrant plugin: a function of one record.
//
// This one drops heartbeats, fails what is no text, and puts every other record on one line of its own.

import { drop } from '../hydrant-plugin/index.js';

/** Called once for each record. Anything thrown sends the record to the error output, with its text as the reason. */
export function transform(record) {
  const text = record.text();
  if (text.includes('heartbeat')) return drop;
  return `${text.trim()}\n`;
}
