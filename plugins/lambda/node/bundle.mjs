// Bundles a handler with all that it imports, the shim and the SDK. Refuses what the handler imports and a plugin cannot
// have.

import { existsSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BuildError, bundle, SDK } from '../../sdk/javascript/toolchain.mjs';

const SHIM = dirname(fileURLToPath(import.meta.url));

/** Modules of Node that the shim has, and packages that it has a stub for. */
const MODULES = ['buffer', 'crypto', 'process', 'querystring', 'string_decoder', 'timers', 'url', 'util', 'zlib'];
const BUILTINS = {
  ...Object.fromEntries(MODULES.map((name) => [name, join(SHIM, 'node', `${name}.js`)])),
  events: join(SHIM, 'node', 'events.cjs'),
  'timers/promises': join(SHIM, 'node', 'timers-promises.js'),
};
const AWS = { filter: /^(aws-sdk|@aws-sdk\/.*|@smithy\/.*)(\/.*)?$/, path: join(SHIM, 'node', 'aws.cjs') };

/** The text of one ES module with the exports of the world. */
export async function bundleHandler(given, out, name) {
  const file = resolve(given);
  if (!existsSync(file)) throw new BuildError(`${file} does not exist`);
  const options = {
    folder: dirname(file),
    builtins: BUILTINS,
    packages: AWS,
    stub: join(SHIM, 'node', 'stub.cjs'),
    mainFields: ['module', 'main'],
    conditions: ['node', 'module'],
  };
  const { exports, files } = await bundle({ ...options, contents: `export * from ${JSON.stringify(file)};` });
  // Only an ES module says beforehand what it exports.
  if (exports.length > 0 && !exports.includes(name)) {
    throw new BuildError(`${file} exports no ${name}, but ${exports.join(', ')}`);
  }
  const about = { name, file: basename(file), functionName: basename(out).replace(/\.wasm$/, '') };
  // The shim's modules are evaluated while the component is made, not in every instance anew.
  const early = Object.values(BUILTINS).filter((path) => files.includes(path));
  // `require` and not `import`: the handler must see its environment, so its module waits for `configure`.
  const contents = `
    import { whenIdle } from ${JSON.stringify(join(SDK, 'engine.js'))};
    import { component } from ${JSON.stringify(join(SDK, 'component.js'))};
    import { lambda } from ${JSON.stringify(join(SHIM, 'lambda.js'))};
    ${early.map((path, at) => `import * as early${at} from ${JSON.stringify(path)};`).join('\n')}
    const early = [${early.map((_, at) => `early${at}`)}];
    const plugin = lambda(() => require(${JSON.stringify(file)}), ${JSON.stringify(about)}, early);
    export const transform = component(plugin, whenIdle);
  `;
  const { text } = await bundle({ ...options, contents });
  return text;
}
