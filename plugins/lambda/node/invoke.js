// Calls a handler as Lambda's runtime for Node does. Refuses to wait when nothing is left that could answer.

import { isPromise } from '../../sdk/javascript/batch.js';
import { traced, told } from '../../sdk/javascript/outcome.js';
import { log } from '../../sdk/javascript/log.js';
import { contextOf } from './event.js';

/** What a handler's failure is told as. */
export class FunctionError {
  constructor(thrown) {
    this.message = told(thrown) || 'the handler failed without a message';
    log.warn(`the handler failed: ${traced(thrown)}`);
  }
}

/**
 * The answer, or a {@link FunctionError}. `whenIdle` calls a function when nothing is left that could settle a promise;
 * `onUncaught` gives what timers throw to a function.
 */
export async function invoke(handler, event, env, { whenIdle, onUncaught }) {
  let stop = () => {};
  try {
    return await new Promise((resolve) => {
      const succeed = (answer) => resolve(answer);
      const fail = (thrown) => resolve(new FunctionError(thrown ?? 'handled'));
      const done = (error, answer) => (isError(error) ? fail(error) : succeed(answer));
      onUncaught(fail);
      // What is called back before the handler returns waits until it is known whether it returns a promise.
      let settle = (...call) => calls.push(call);
      const calls = [];
      let returned;
      try {
        returned = handler(event, contextOf(env, { done, succeed, fail }), (error, answer) => settle(error, answer));
      } catch (thrown) {
        fail(thrown);
        return;
      }
      const isAsync = isPromise(returned);
      // An async handler answers by its promise: Lambda forgets what it gave to the callback, unless that is an error.
      settle = isAsync ? (error) => isError(error) && fail(error) : done;
      for (const call of calls) settle(...call);
      if (isAsync) returned.then(succeed, fail);
      stop = whenIdle(() => (isAsync ? fail(new Error(NEVER)) : silent(succeed)));
    });
  } finally {
    stop();
  }
}

const NEVER = 'the promise of the handler never settles: nothing is left to wait for, neither network nor files';

function isError(error) {
  return error !== undefined && error !== null;
}

function silent(succeed) {
  log.warn('the handler neither returned a promise nor called its callback; Lambda takes that for an answer of null');
  succeed(null);
}
