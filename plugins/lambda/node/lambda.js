// A plugin made of a Lambda handler. Refuses to evaluate the handler's module before the operator's settings are its
// environment, and to answer for it when it fails.

import { onUncaught, whenIdle } from '../../sdk/javascript/engine.js';
import { log } from '../../sdk/javascript/log.js';
import { settle, settleError } from './answer.js';
import { environment, eventOf } from './event.js';
import { setGlobals } from './globals.js';
import { FunctionError, invoke } from './invoke.js';
import process from './node/process.js';

/** `load` evaluates the handler's module; `name` is its export; `early` keeps what was evaluated before. */
export function lambda(load, { name, file, functionName }, early) {
  let handler;
  setGlobals();
  return {
    early,

    configure(context) {
      for (const known of Object.keys(process.env)) delete process.env[known];
      Object.assign(process.env, environment(context.settings, functionName));
      const module = load();
      handler = module[name] ?? module.default?.[name];
      if (typeof handler !== 'function') {
        throw new Error(`${file} exports no function ${name}: it needs \`exports.${name} = …\` or \`export const ${name} = …\``);
      }
    },

    async transformBatch(batch) {
      const { length } = batch;
      if (length === 0) return;
      const event = eventOf(batch, process.env);
      // The handler may change the event.
      const sent = event.records.map(({ data }) => data);
      const answer = await invoke(handler, event, process.env, { whenIdle, onUncaught });
      if (answer instanceof FunctionError) {
        settleError(batch._output, length, answer.message);
        return;
      }
      if (!Array.isArray(answer?.records)) log.warn('the handler answered no object with a list `records`');
      settle(batch._output, sent, answer);
    },
  };
}
