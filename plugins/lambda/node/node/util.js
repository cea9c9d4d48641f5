// Node's util as far as transforms of records need it. Refuses to show values exactly as Node does: inspect is for logs.

const CUSTOM = Symbol.for('nodejs.util.promisify.custom');

export function promisify(call) {
  if (typeof call !== 'function') throw new TypeError('The "original" argument must be of type function');
  if (typeof call[CUSTOM] === 'function') return call[CUSTOM];
  return function (...given) {
    return new Promise((resolve, reject) => {
      call.call(this, ...given, (error, value) => (error ? reject(error) : resolve(value)));
    });
  };
}
promisify.custom = CUSTOM;

export function callbackify(call) {
  return function (...given) {
    const callback = given.pop();
    call.apply(this, given).then(
      (value) => queueMicrotask(() => callback(null, value)),
      (error) => queueMicrotask(() => callback(error ?? new Error('rejected with nothing'))),
    );
  };
}

export function format(first, ...rest) {
  if (typeof first !== 'string') return [first, ...rest].map(shown).join(' ');
  let next = 0;
  const text = first.replace(/%[sdifjoOc%]/g, (place) => {
    if (place === '%%') return '%';
    if (next >= rest.length) return place;
    const value = rest[next];
    next += 1;
    if (place === '%s') return typeof value === 'object' && value !== null ? inspect(value) : String(value);
    if (place === '%d') return String(Number(value));
    if (place === '%i') return String(Number.parseInt(value, 10));
    if (place === '%f') return String(Number.parseFloat(value));
    if (place === '%j') return JSON.stringify(value);
    return place === '%c' ? '' : inspect(value);
  });
  return [text, ...rest.slice(next).map(shown)].join(' ');
}

function shown(value) {
  return typeof value === 'string' ? value : inspect(value);
}

/** A value as text, two levels deep. */
export function inspect(value, { depth = 2 } = {}) {
  return inspected(value, depth ?? Infinity, []);
}

const MOST = 100;

function inspected(value, depth, above) {
  if (typeof value === 'string') return above.length === 0 ? `'${value}'` : `'${value.replaceAll("'", "\\'")}'`;
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'function') return `[Function: ${value.name || '(anonymous)'}]`;
  if (typeof value !== 'object' || value === null) return String(value);
  if (above.includes(value)) return '[Circular *1]';
  if (value instanceof Error) return errorText(value);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString();
  if (value instanceof RegExp) return String(value);
  if (ArrayBuffer.isView(value)) return `<${value.constructor.name} ${new Uint8Array(value.buffer, value.byteOffset, Math.min(50, value.byteLength)).toHex()}>`;
  const inner = (part) => inspected(part, depth, [...above, value]);
  const isDeep = above.length > depth;
  if (Array.isArray(value)) return isDeep ? '[Array]' : list('[', value.map(inner), ']', value.length);
  if (value instanceof Map) {
    return list(`Map(${value.size}) {`, Array.from(value, ([key, part]) => `${inner(key)} => ${inner(part)}`), '}', value.size);
  }
  if (value instanceof Set) return list(`Set(${value.size}) {`, Array.from(value, inner), '}', value.size);
  const name = value.constructor?.name;
  const title = name === undefined ? '[Object: null prototype] ' : name === 'Object' ? '' : `${name} `;
  if (isDeep) return `[${title.trim() || 'Object'}]`;
  const keys = Object.keys(value);
  const member = (key) => `${/^[A-Za-z_$][\w$]*$/.test(key) ? key : `'${key}'`}: ${inner(value[key])}`;
  return list(`${title}{`, keys.slice(0, MOST).map(member), '}', keys.length);
}

function list(open, parts, close, count) {
  if (count === 0) return open + close;
  const more = count > MOST ? [`... ${count - MOST} more items`] : [];
  const pad = open.endsWith('{') || open.endsWith('[') ? ' ' : '';
  return `${open}${pad}${[...parts.slice(0, MOST), ...more].join(', ')}${pad}${close}`;
}

function errorText(error) {
  const title = `${error.name}: ${error.message}`;
  const stack = String(error.stack ?? '').trimEnd();
  return stack.startsWith(title) || stack === '' ? stack || title : `${title}\n${stack}`;
}

export function inherits(child, parent) {
  Object.defineProperty(child, 'super_', { value: parent, writable: true, configurable: true });
  Object.setPrototypeOf(child.prototype, parent.prototype);
}

export const deprecate = (call) => call;
export const isArray = Array.isArray;
export const types = {
  isDate: (value) => value instanceof Date,
  isPromise: (value) => value instanceof Promise,
  isRegExp: (value) => value instanceof RegExp,
  isUint8Array: (value) => value instanceof Uint8Array,
};
export const { TextDecoder, TextEncoder } = globalThis;
export default {
  ...{ promisify, callbackify, format, inspect, inherits, deprecate, isArray, types, TextDecoder, TextEncoder },
};
