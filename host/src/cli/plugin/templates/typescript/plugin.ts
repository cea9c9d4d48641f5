// A Hydrant plugin: a function of one record.
//
// This one drops heartbeats, fails what is no text, and puts every other record on one line of its own.

import { drop, type Transform } from '../hydrant-plugin/index.js';

/** Called once for each record. Anything thrown sends the record to the error output, with its text as the reason. */
export const transform: Transform = (record) => {
  const text = record.text();
  if (text.includes('heartbeat')) return drop;
  return `${text.trim()}\n`;
};
