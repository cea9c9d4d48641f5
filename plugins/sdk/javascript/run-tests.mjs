// Runs a project's tests that are written in TypeScript: `node hydrant-plugin/run-tests.mjs [FILE...]`, by default all
// of test/**/*.test.ts. Refuses to check types: tsc does.

import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { BuildError, load, main } from './toolchain.mjs';

/** Inside the project, so that the tests find what the project finds. */
const OUT = 'build/tests';

await main(async (given) => {
  const folder = process.cwd();
  const files = given.length > 0 ? given : found(folder);
  if (files.length === 0) throw new BuildError(`there is no test in ${join(folder, 'test')}: name one like plugin.test.ts`);
  const { build } = await load('esbuild', folder);
  rmSync(OUT, { recursive: true, force: true });
  const built = await build({
    entryPoints: files.map((file) => resolve(folder, file)),
    bundle: true,
    outdir: OUT,
    outExtension: { '.js': '.mjs' },
    outbase: folder,
    metafile: true,
    format: 'esm',
    platform: 'node',
    packages: 'external',
    target: 'es2022',
    sourcemap: 'inline',
    logLevel: 'warning',
  }).catch(() => {
    throw new BuildError('the tests cannot be bundled');
  });
  const tests = Object.keys(built.metafile.outputs);
  const { status } = spawnSync(process.execPath, ['--enable-source-maps', '--test', ...tests], { stdio: 'inherit' });
  process.exitCode = status ?? 1;
});

function found(folder) {
  const tests = join(folder, 'test');
  if (!existsSync(tests)) return [];
  const names = readdirSync(tests, { recursive: true }).sort();
  return names.filter((name) => name.endsWith('.test.ts')).map((name) => join(tests, name));
}
