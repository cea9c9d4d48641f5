// Makes what the engine lacks say so, and knows when nothing is left to wait for. Present in WebAssembly only, before
// the author's module. Refuses to answer otherwise than the author's own machine would: better an error than other data.

import { write } from './log.js';
import { traced } from './outcome.js';

/** Timers of the author's that have not fired: id and delay. */
const timers = new Map();

/** What happens to anything that a timer throws; the engine would trap. */
let uncaught = (thrown) => write('warn', `a timer threw: ${traced(thrown)}`);

/** Gives anything that a timer throws to a function from now on. */
export function onUncaught(handler) {
  uncaught = handler;
}

const { setTimeout: later, clearTimeout: never, setInterval: repeat, queueMicrotask: soon } = globalThis;

function guarded(call, given) {
  if (typeof call !== 'function') throw new TypeError('a timer needs a function');
  return () => {
    try {
      call(...given);
    } catch (thrown) {
      uncaught(thrown);
    }
  };
}

globalThis.setTimeout = (call, delay = 0, ...given) => {
  const run = guarded(call, given);
  const id = later(() => {
    timers.delete(id);
    run();
  }, delay);
  timers.set(id, Number(delay) || 0);
  return id;
};

globalThis.setInterval = (call, delay = 0, ...given) => {
  const id = repeat(guarded(call, given), delay);
  timers.set(id, Number(delay) || 0);
  return id;
};

globalThis.clearTimeout = globalThis.clearInterval = (id) => {
  timers.delete(id);
  never(id);
};

globalThis.queueMicrotask = (call) => soon(guarded(call, []));

/**
 * Calls `idle` whenever nothing is left that could settle a promise; the function that it returns ends that. Without it
 * the engine would trap.
 */
export function whenIdle(idle) {
  let id;
  const look = () => {
    if (timers.size === 0) idle();
    arm();
  };
  // After every timer of the author's: the clock may stand still, and then the earlier one goes first forever.
  const arm = () => {
    id = later(look, timers.size === 0 ? 0 : Math.max(...timers.values()) + 1);
  };
  arm();
  return () => never(id);
}

function lack(owner, name, why) {
  const told = `${name} is not there inside a plugin: ${why}`;
  const value = () => {
    throw new Error(told);
  };
  Object.defineProperty(owner, name, { value, configurable: true, writable: true });
}

lack(globalThis, 'fetch', 'there is no network');

// The engine knows no locales, and would answer these all the same.
for (const owner of [Number, BigInt, Date]) {
  for (const name of ['toLocaleString', 'toLocaleDateString', 'toLocaleTimeString']) {
    if (name in owner.prototype && (owner === Date || name === 'toLocaleString')) {
      lack(owner.prototype, name, 'the engine has no Intl');
    }
  }
}
lack(String.prototype, 'localeCompare', 'the engine has no Intl; compare with < and >');

Object.defineProperty(String.prototype, 'normalize', {
  value(form) {
    const text = String(this);
    // Every normal form of ASCII is itself.
    if (!/[^\x00-\x7f]/.test(text)) return text;
    throw new Error(`normalize(${form ?? ''}) is not there inside a plugin: the engine has no Unicode tables`);
  },
  configurable: true,
  writable: true,
});
