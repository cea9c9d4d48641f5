// Makes a component of an unmodified Lambda handler: `node build.mjs HANDLER_FILE OUT.wasm [EXPORT]`. Refuses surplus
// arguments.

import { dirname, resolve } from 'node:path';
import { BuildError, componentize, main } from '../../sdk/javascript/toolchain.mjs';
import { bundleHandler } from './bundle.mjs';

await main(async ([file, out, name = 'handler', ...surplus]) => {
  if (out === undefined || surplus.length > 0) throw new BuildError('usage: node build.mjs HANDLER_FILE OUT.wasm [EXPORT]');
  const text = await bundleHandler(file, out, name);
  await componentize(text, resolve(out), dirname(resolve(file)));
});
