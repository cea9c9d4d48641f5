// Makes a component of a plugin: `node hydrant-plugin/build.mjs OUT.wasm [ENTRY]`, run in the project's folder. Refuses
// an entry that does not export what a plugin exports.

import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { BuildError, bundle, componentize, main, SDK } from './toolchain.mjs';

const ENTRIES = ['src/plugin.ts', 'src/plugin.js', 'src/plugin.mjs'];

await main(async ([out, given, ...surplus]) => {
  if (out === undefined || surplus.length > 0) {
    throw new BuildError('usage: node hydrant-plugin/build.mjs OUT.wasm [ENTRY]');
  }
  const folder = process.cwd();
  const entry = resolve(folder, given ?? ENTRIES.find((path) => existsSync(path)) ?? ENTRIES[0]);
  if (!existsSync(entry)) {
    throw new BuildError(`${entry} does not exist: a plugin begins in src/plugin.js or src/plugin.ts`);
  }
  await checkExports(entry, folder);
  // The engine's gaps are filled before the author's module is evaluated.
  const contents = `
    import { whenIdle } from ${JSON.stringify(join(SDK, 'engine.js'))};
    import * as plugin from ${JSON.stringify(entry)};
    import { component } from ${JSON.stringify(join(SDK, 'component.js'))};
    export const transform = component(plugin, whenIdle);
  `;
  const { text } = await bundle({ contents, folder });
  await componentize(text, resolve(folder, out), folder);
});

/** A misspelt export would be found by the first batch only. */
async function checkExports(entry, folder) {
  const contents = `export * from ${JSON.stringify(entry)};`;
  const { exports } = await bundle({ contents, folder });
  if (exports.includes('transform') === exports.includes('transformBatch')) {
    const which = exports.includes('transform') ? 'both' : 'neither';
    const told = `${entry} exports ${which} of \`transform\` and \`transformBatch\``;
    throw new BuildError(`${told}: a plugin exports one of the two functions`);
  }
}
