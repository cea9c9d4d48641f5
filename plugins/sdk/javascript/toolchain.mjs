// Bundles and componentizes: what every build of a JavaScript component shares. Refuses to install anything; what is
// missing is named, with the command that gets it.

import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** This folder. */
export const SDK = dirname(fileURLToPath(import.meta.url));

/** Something that the author can mend: its text is shown without a stack. */
export class BuildError extends Error {}

/** Runs a build; what goes wrong is told on standard error and ends the process with 1. */
export async function main(build) {
  try {
    const [major] = process.versions.node.split('.').map(Number);
    if (major < 20) throw new BuildError(`Node ${process.versions.node} is too old: install Node 20 or newer`);
    await build(process.argv.slice(2));
  } catch (error) {
    console.error(error instanceof BuildError ? `error: ${error.message}` : error);
    process.exitCode = 1;
  }
}

/**
 * One ES module of everything that `contents` imports: {text, exports, files}. A module of Node for which `builtins` has a
 * path is replaced by that file, any other one is an error; unless a package imports it and `stub` is the path of what
 * makes a stub of it. A package whose name matches `packages.filter` is replaced by the file `packages.path`.
 */
export async function bundle({ contents, folder, builtins = {}, packages, stub, ...options }) {
  const { build } = await load('esbuild', folder);
  const built = await build({
    stdin: { contents, resolveDir: folder, sourcefile: 'component.js' },
    // Names in stacks, and the bytes that come out, then depend on the project alone.
    absWorkingDir: resolve(folder),
    bundle: true,
    write: false,
    metafile: true,
    format: 'esm',
    target: 'es2022',
    // There is no Node inside a plugin, and no browser either; but packages made for browsers ask for the least.
    platform: 'neutral',
    mainFields: ['browser', 'module', 'main'],
    conditions: ['worker', 'browser', 'module'],
    external: ['hydrant:*'],
    // The engine ends a module before it awaited anything.
    supported: { 'top-level-await': false },
    define: NO_INTL,
    charset: 'utf8',
    legalComments: 'none',
    logLevel: 'silent',
    ...options,
    plugins: [noNode(builtins, packages, stub)],
  }).catch((failure) => {
    if (!Array.isArray(failure.errors)) throw failure;
    throw new BuildError(`the plugin cannot be bundled\n\n${failure.errors.map(shown).join('\n')}`);
  });
  const [{ exports }] = Object.values(built.metafile.outputs);
  const files = Object.keys(built.metafile.inputs).map((path) => resolve(folder, path));
  return { text: built.outputFiles[0].text, exports, files };
}

/** What uses Intl without asking whether it is there gets an error that says so; engine.js has the name. */
const INTL = ['Collator', 'DateTimeFormat', 'DisplayNames', 'DurationFormat', 'getCanonicalLocales', 'ListFormat', 'Locale'];
const MORE_INTL = ['NumberFormat', 'PluralRules', 'RelativeTimeFormat', 'Segmenter', 'supportedValuesOf'];
const NO_INTL = Object.fromEntries([...INTL, ...MORE_INTL].map((name) => [`Intl.${name}`, 'hydrantNoIntl']));

/** Makes a component of a bundled module and writes it to a file, whole or not at all. */
export async function componentize(text, out, folder) {
  const { componentize } = await load('@bytecodealliance/componentize-js', folder);
  const work = mkdtempSync(join(tmpdir(), 'hydrant-'));
  try {
    const sourcePath = join(work, 'plugin.js');
    writeFileSync(sourcePath, text);
    const { component } = await componentize({
      sourcePath,
      witPath: join(SDK, 'wit', 'hydrant.wit'),
      worldName: 'plugin',
      // No host of plugins answers http; the rest is answered by one that denies everything.
      disableFeatures: ['http', 'fetch-event'],
    }).catch((error) => {
      throw new BuildError(`the engine refuses the plugin's code; what is outside of functions runs while the component is made\n\n${error.message}`);
    });
    writeFileSync(`${out}.new`, component);
    renameSync(`${out}.new`, out);
    return component.length;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** A package of the toolchain, from the project's folder upwards, then from this one's, then from NODE_PATH. */
export async function load(name, folder) {
  const given = (process.env.NODE_PATH ?? '').split(delimiter).filter(Boolean);
  for (const modules of [...above(folder), ...above(SDK), ...given]) {
    const manifest = join(modules, name, 'package.json');
    if (!existsSync(manifest)) continue;
    const { exports, main } = JSON.parse(readFileSync(manifest, 'utf8'));
    return import(pathToFileURL(join(modules, name, exports?.import ?? main)).href);
  }
  throw new BuildError(`${name} is not installed: run \`npm install\` in ${folder}`);
}

function above(folder) {
  const found = [];
  for (let at = resolve(folder); ; at = dirname(at)) {
    found.push(join(at, 'node_modules'));
    if (at === dirname(at)) return found;
  }
}

/** Answers imports of Node's own modules. A package of the same name, like `buffer` or `events`, goes first. */
function noNode(builtins, packages, stub) {
  const names = builtinModules.filter((name) => !name.startsWith('_')).map((name) => name.replaceAll('/', '\\/'));
  return {
    name: 'no-node',
    setup(build) {
      if (packages !== undefined) build.onResolve({ filter: packages.filter }, () => ({ path: packages.path }));
      build.onResolve({ filter: /\.node$/ }, ({ path }) => ({
        errors: [{ text: `"${path}" is native code, which cannot be there inside a plugin` }],
      }));
      build.onResolve({ filter: new RegExp(`^(node:.*|${names.join('|')})$`) }, async (asked) => {
        const { path, kind, importer, resolveDir, pluginData } = asked;
        if (pluginData === LOOKED) return undefined;
        const name = path.replace(/^node:/, '');
        if (Object.hasOwn(builtins, name)) return { path: builtins[name] };
        if (!path.startsWith('node:')) {
          const found = await build.resolve(path, { kind, resolveDir, pluginData: LOOKED });
          if (found.errors.length === 0) return found;
        }
        // A package may have a use for it that a plugin never comes to.
        if (stub !== undefined && /[\\/]node_modules[\\/]/.test(importer)) {
          note(`${importer} imports ${path}, and fails when it uses it: ${lack(name)}`);
          return { path: name, namespace: 'stub' };
        }
        return { errors: [{ text: `"${path}" is not there inside a plugin: ${lack(name)}` }] };
      });
      build.onLoad({ filter: /.*/, namespace: 'stub' }, ({ path }) => ({
        contents: `module.exports = require(${JSON.stringify(stub)})(${JSON.stringify(path)}, ${JSON.stringify(lack(path))});`,
        resolveDir: dirname(stub),
      }));
    },
  };
}

/** Tells the author something, once. */
function note(text) {
  if (!noted.has(text)) console.error(`note: ${text}`);
  noted.add(text);
}

const noted = new Set();
const LOOKED = Symbol('looked for as a package');

/** What a module of Node would need. */
function lack(name) {
  const [module] = name.split('/');
  return LACKS.find(([, modules]) => modules.includes(module))?.[0] ?? 'the engine is no Node';
}

const LACKS = [
  ['there are no files', ['fs']],
  ['there is no network', ['dgram', 'dns', 'http', 'http2', 'https', 'inspector', 'net', 'tls']],
  ['there are no processes', ['child_process', 'cluster', 'process', 'repl', 'tty']],
  ['there are no threads', ['worker_threads', 'async_hooks']],
];

function shown({ text: given, location, notes }) {
  const isAwait = given.startsWith('Top-level await');
  const text = isAwait ? 'top-level await is not there inside a plugin: await inside a function' : given;
  const place = location === null ? '' : `${location.file}:${location.line}:${location.column + 1}: `;
  const line = location?.lineText === undefined ? '' : `\n    ${location.lineText.trim().slice(0, 200)}`;
  return `${place}${text}${line}${notes.map((note) => `\n  ${note.text}`).join('')}`;
}
