// Makes what the engine lacks say so, and knows when nothing is left to wait for. Present in WebAssembly only, before
// the author's module. Refuses to answer otherwise than the author's own machine would: better an error than other data.

import { write } from './log.js';
import { traced } from './outcome.js';

const { setTimeout: later, queueMicrotask: soon } = globalThis;

// Timers go by a clock of their own, which moves on to the next one's time whenever the engine has nothing else to do.
// There is nothing to really wait for, the host's clock stands still during a batch anyway, and the host counts handles:
// so the engine never has more than one timer.

/** Timers that have not fired, by id; and a queue of them, from `first` on, in which cleared ones stay. */
const timers = new Map();
const queue = [];
let first = 0;
/** How many that have fired stay in the queue: an interval may never let it become empty. */
const FIRED_AT_MOST = 1024;
let clock = 0;
let nextId = 1;
/** Whether the engine will call `turn`. */
let isArmed = false;
/** What is called when no timer is left. */
const watchers = new Set();
/**
 * The engine's own streams take turns with ours, and do not tell that they are there: so many turns must pass without a
 * timer before nothing is left. Once that was so, it will be so again.
 */
let patience = 4096;
const LITTLE_PATIENCE = 512;
/** Turns without a timer. */
let idleTurns = 0;

/** What happens to anything that a timer throws; the engine would trap. */
let uncaught = (thrown) => write('warn', `a timer threw: ${traced(thrown)}`);

/** Gives anything that a timer throws to a function from now on. */
export function onUncaught(handler) {
  uncaught = handler;
}

/**
 * Calls `idle` whenever nothing is left that could settle a promise; the function that it returns ends that. Without it
 * the engine would trap.
 */
export function whenIdle(idle) {
  watchers.add(idle);
  idleTurns = 0;
  arm();
  return () => watchers.delete(idle);
}

function arm() {
  if (isArmed || (timers.size === 0 && watchers.size === 0)) return;
  isArmed = true;
  later(turn, 0);
}

/** Fires the earliest timer: one at a time, so that promises come between them as they do in Node. */
function turn() {
  isArmed = false;
  const timer = earliest();
  if (timer === undefined) {
    idleTurns += 1;
    if (idleTurns > patience) {
      idleTurns = 0;
      patience = LITTLE_PATIENCE;
      for (const idle of [...watchers]) idle();
    }
  } else {
    idleTurns = 0;
    clock = timer.due;
    if (timer.every === undefined) timers.delete(timer.id);
    else push({ ...timer, due: clock + timer.every });
    timer.run();
  }
  arm();
}

function earliest() {
  while (first < queue.length) {
    const timer = queue[first];
    first += 1;
    if (first === FIRED_AT_MOST) {
      queue.splice(0, first);
      first = 0;
    }
    if (timers.has(timer.id)) return timer;
  }
  queue.length = 0;
  first = 0;
  return undefined;
}

/** Puts a timer behind those that fire no later; nearly always that is the end. */
function push(timer) {
  timers.set(timer.id, timer);
  let low = queue.length;
  if (low > first && queue[low - 1].due > timer.due) {
    low = first;
    for (let high = queue.length; low < high; ) {
      const middle = (low + high) >> 1;
      if (queue[middle].due > timer.due) high = middle;
      else low = middle + 1;
    }
  }
  queue.splice(low, 0, timer);
}

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

/** Delays are whole milliseconds, at least one, as in Node. */
function start(call, delay, given, isRepeated) {
  const after = Math.max(1, Math.trunc(Number(delay)) || 0);
  const id = nextId;
  nextId += 1;
  push({ id, due: clock + after, every: isRepeated ? after : undefined, run: guarded(call, given) });
  arm();
  return id;
}

globalThis.setTimeout = (call, delay, ...given) => start(call, delay, given, false);
globalThis.setInterval = (call, delay, ...given) => start(call, delay, given, true);
globalThis.clearTimeout = globalThis.clearInterval = (id) => void timers.delete(id);
globalThis.queueMicrotask = (call) => soon(guarded(call, []));

function lack(owner, name, why, shown = name) {
  const told = `${shown} is not there inside a plugin: ${why}`;
  // Not an arrow function: it may be called with new.
  const value = function () {
    throw new Error(told);
  };
  Object.defineProperty(owner, name, { value, configurable: true, writable: true });
}

lack(globalThis, 'fetch', 'there is no network');

// The engine would answer most of these all the same.
const NO_LOCALES = 'the engine knows no locales';
for (const owner of [Number, BigInt, Date]) {
  for (const name of ['toLocaleString', 'toLocaleDateString', 'toLocaleTimeString']) {
    if (name in owner.prototype && (owner === Date || name === 'toLocaleString')) {
      lack(owner.prototype, name, NO_LOCALES);
    }
  }
}
lack(globalThis, 'hydrantNoIntl', NO_LOCALES, 'Intl');
lack(String.prototype, 'localeCompare', `${NO_LOCALES}; compare with < and >`);

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
