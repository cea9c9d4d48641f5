// Node's timers over the engine's: the same, but what they return is an object. Refuses to let one end before it fires:
// `ref` and `unref` do nothing.

const engine = { setTimeout: globalThis.setTimeout, setInterval: globalThis.setInterval, clear: globalThis.clearTimeout };

class Timeout {
  #id;

  constructor(id) {
    this.#id = id;
  }

  ref() {
    return this;
  }

  unref() {
    return this;
  }

  hasRef() {
    return true;
  }

  [Symbol.toPrimitive]() {
    return this.#id;
  }
}

const setTimeout = (call, delay, ...given) => new Timeout(engine.setTimeout(call, delay, ...given));
const setInterval = (call, delay, ...given) => new Timeout(engine.setInterval(call, delay, ...given));
const setImmediate = (call, ...given) => new Timeout(engine.setTimeout(call, 0, ...given));
const clearTimeout = (timer) => engine.clear(timer === undefined || timer === null ? timer : Number(timer));

const waited = (set) => (delay, value) => new Promise((resolve) => set(resolve, delay, value));
const promises = { setTimeout: waited(setTimeout), setImmediate: (value) => waited(setTimeout)(0, value) };

// Node's promisify knows these two.
const CUSTOM = Symbol.for('nodejs.util.promisify.custom');
setTimeout[CUSTOM] = promises.setTimeout;
setImmediate[CUSTOM] = promises.setImmediate;

export { setTimeout, setInterval, setImmediate, clearTimeout, promises };
export { clearTimeout as clearInterval, clearTimeout as clearImmediate };
export default {
  ...{ setTimeout, setInterval, setImmediate, clearTimeout, promises },
  ...{ clearInterval: clearTimeout, clearImmediate: clearTimeout },
};
