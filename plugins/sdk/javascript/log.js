// Lines for the host's log. Refuses to format: a template literal does that.

/** Where lines go; the component puts the host's log here, and a test what it looks at. */
let sink = (level, message) => {
  kept.push({ level, message });
  if (kept.length > KEPT_LINES) kept.shift();
};

/** Lines that were written while no host was there, for tests. */
let kept = [];
const KEPT_LINES = 10_000;

/** The host cuts what a batch logs at 64 KiB. */
const LINE_CHARACTERS = 8192;

/** Writes one line at each level. */
export const log = Object.freeze({
  debug: (message) => write('debug', message),
  info: (message) => write('info', message),
  warn: (message) => write('warn', message),
  error: (message) => write('error', message),
});

export function write(level, message) {
  const line = typeof message === 'string' ? message : String(message);
  sink(level, line.length > LINE_CHARACTERS ? line.slice(0, LINE_CHARACTERS) : line);
}

/** Sends every line from now on to a function of level and message. */
export function sendTo(next) {
  sink = next;
}

/** Lines that were kept since this was last asked. */
export function taken() {
  const lines = kept;
  kept = [];
  return lines;
}
