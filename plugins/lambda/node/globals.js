// The names that Node has everywhere. Refuses to set them anywhere but in a component.

import { log } from '../../sdk/javascript/log.js';
import { Buffer } from './node/buffer.js';
import process from './node/process.js';
import timers from './node/timers.js';
import { format } from './node/util.js';

const at = (level) => (...given) => log[level](format(...given));

/** Sets them. */
export function setGlobals() {
  const { promises: _, ...timing } = timers;
  Object.assign(globalThis, { Buffer, process, global: globalThis, ...timing });
  Object.assign(console, {
    log: at('info'),
    info: at('info'),
    dir: at('info'),
    table: at('info'),
    debug: at('debug'),
    trace: at('debug'),
    warn: at('warn'),
    error: at('error'),
  });
}
