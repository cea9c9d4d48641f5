// Node's EventEmitter; CommonJS, because the module is the class itself. Refuses limits on listeners.

/** Listeners by emitter: `EventEmitter.call(this)` of old handlers makes none of its own. */
const all = new WeakMap();

function EventEmitter() {}

function of(emitter, name) {
  if (!all.has(emitter)) all.set(emitter, new Map());
  return all.get(emitter).get(name) ?? [];
}

const methods = {
  on(name, listener) {
    const listeners = [...of(this, name), listener];
    all.get(this).set(name, listeners);
    return this;
  },
  once(name, listener) {
    const wrapped = (...given) => {
      this.off(name, wrapped);
      listener.apply(this, given);
    };
    wrapped.listener = listener;
    return this.on(name, wrapped);
  },
  off(name, listener) {
    const left = of(this, name).filter((known) => known !== listener && known.listener !== listener);
    all.get(this).set(name, left);
    return this;
  },
  emit(name, ...given) {
    const listeners = of(this, name);
    if (listeners.length === 0 && name === 'error') throw given[0];
    for (const listener of listeners) listener.apply(this, given);
    return listeners.length > 0;
  },
  listeners(name) {
    return [...of(this, name)];
  },
  listenerCount(name) {
    return of(this, name).length;
  },
  removeAllListeners(name) {
    if (name === undefined) all.delete(this);
    else all.get(this)?.delete(name);
    return this;
  },
  setMaxListeners() {
    return this;
  },
};
methods.addListener = methods.on;
methods.removeListener = methods.off;
Object.assign(EventEmitter.prototype, methods);

module.exports = EventEmitter;
module.exports.EventEmitter = EventEmitter;
module.exports.default = EventEmitter;
