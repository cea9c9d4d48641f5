// The component's side of the boundary, present in WebAssembly only. Refuses to let anything thrown reach the host,
// where it would be a trap without a reason.

import { log as host } from 'hydrant:transform/log@1.0.0';
import { isPromise, run } from './batch.js';
import { Context } from './context.js';
import { sendTo, write } from './log.js';
import { told, traced } from './outcome.js';

/** The exports of the world, made of an author's module and of `whenIdle` in engine.js. */
export function component(plugin, whenIdle) {
  const { transform, transformBatch = (batch) => batch.each(transform), configure } = plugin;
  let context;
  return {
    configure(raw) {
      // Not before: while the component is made there is no host.
      sendTo(host);
      context = new Context(raw.stream, raw.settings);
      if (configure === undefined) return undefined;
      try {
        const pending = configure(context);
        if (isPromise(pending)) return waitFor(pending, whenIdle).catch(refuse);
      } catch (thrown) {
        refuse(thrown);
      }
      return undefined;
    },

    apply(batch) {
      try {
        const output = run(batch, context, transformBatch, whenIdle);
        return isPromise(output) ? output.catch((thrown) => allFailed(batch, thrown)) : output;
      } catch (thrown) {
        return allFailed(batch, thrown);
      }
    },
  };
}

/** Waits for configure, unless nothing is left that could settle its promise. */
async function waitFor(pending, whenIdle) {
  let stop;
  const hopeless = new Promise((_, reject) => {
    stop = whenIdle(() => reject('configure never settles: nothing is left to wait for'));
  });
  try {
    await Promise.race([pending, hopeless]);
  } finally {
    stop();
  }
}

/** The world's error of configure is a plain string; anything else would be a trap. */
function refuse(thrown) {
  if (thrown instanceof Error) write('warn', `configure threw: ${traced(thrown)}`);
  throw told(thrown) || 'configure threw something without a message';
}

/** The answer when the batch as a whole cannot be put together, for instance because memory ran out. */
function allFailed(batch, thrown) {
  const count = batch.records.ends.length;
  const message = `the answer could not be put together: ${told(thrown)}`;
  return {
    records: { payload: new Uint8Array(0), ends: new Uint32Array(0), columns: [] },
    inputs: new Uint32Array(0),
    outcomes: new Uint8Array(count).fill(3),
    reasons: Array.from({ length: count }, (_, input) => ({ input, code: '', message })),
  };
}
