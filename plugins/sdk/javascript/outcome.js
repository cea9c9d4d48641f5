// What becomes of a record when it is neither kept nor replaced. Refuses to carry data: that is what a transform returns.

/** Return it to deliver nothing, on purpose. */
export const drop = Symbol('hydrant.drop');

/**
 * Why a record goes to the error output. It is returned or thrown; it is no Error, because an Error collects a stack,
 * which costs more than the record.
 */
export class Failure {
  constructor(reason, code) {
    this.reason = text(reason);
    this.code = text(code);
  }

  get message() {
    return this.reason;
  }

  toString() {
    return this.reason;
  }
}

/** Fails the record. The reason is for people, the code for machines; do not put payload into either. */
export function fail(reason, code = '') {
  return new Failure(reason, code);
}

/** What anything thrown says, as text that the host can take. Never throws itself. */
export function told(thrown) {
  try {
    if (thrown instanceof Error) return text(thrown.message || thrown.name);
    return text(thrown);
  } catch {
    return 'the plugin threw something that cannot be shown';
  }
}

/** Name, message and stack of anything thrown, for the log. Never throws itself. */
export function traced(thrown) {
  try {
    if (!(thrown instanceof Error)) return text(thrown);
    const stack = text(String(thrown.stack ?? '').split('\n', STACK_LINES).join('\n')).trimEnd();
    const title = `${thrown.name}: ${thrown.message}`;
    // Some engines begin the stack with the title, some do not.
    return stack.startsWith(title) || stack === '' ? stack || title : `${title}\n${stack}`;
  } catch {
    return told(thrown);
  }
}

/** Where it happened and what called that; a recursion goes on for hundreds of lines. */
const STACK_LINES = 12;

/** The host keeps 1,024 bytes of a reason. */
const REASON_CHARACTERS = 1024;

function text(value) {
  const string = typeof value === 'string' ? value : String(value);
  return string.length > REASON_CHARACTERS ? string.slice(0, REASON_CHARACTERS) : string;
}

/** A value as the reason of a failure names it: what it is, and no more of it than that. */
export function shown(value) {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return `an object (${value.constructor?.name || Object.prototype.toString.call(value)})`;
  if (typeof value === 'undefined') return 'undefined';
  return value === '' ? 'an empty string' : `a ${typeof value}`;
}
