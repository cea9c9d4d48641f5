// What a build tells an author who forgot something. Refuses to make components: that takes seconds, and the host's
// tests do. Needs esbuild: `npm ci` in this folder, or NODE_PATH.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { bundle, load, SDK } from '../toolchain.mjs';

const TEMPLATES = join(SDK, '../../../host/src/cli/plugin/templates');
const folder = mkdtempSync(join(tmpdir(), 'hydrant-build-'));
after(() => rmSync(folder, { recursive: true, force: true }));

function write(file, text) {
  mkdirSync(dirname(join(folder, file)), { recursive: true });
  writeFileSync(join(folder, file), text);
}

/** Runs a build in the folder: what it says, when it fails. */
function build(...given) {
  const run = spawnSync(process.execPath, [join(SDK, 'build.mjs'), ...given], { cwd: folder, encoding: 'utf8' });
  assert.equal(run.status, 1, run.stdout);
  assert.equal(run.stdout, '');
  return run.stderr;
}

test('a build says what is missing', () => {
  assert.match(build(), /^error: usage: node hydrant-plugin\/build\.mjs OUT\.wasm \[ENTRY\]\n$/);
  assert.match(build('a.wasm'), /^error: .*src.plugin\.ts does not exist: a plugin begins in src\/plugin\.js or src\/plugin\.ts\n$/);
  assert.match(build('a.wasm', 'b.js'), /b\.js does not exist/);
});

test('an entry exports one of the two functions', () => {
  const cases = [
    ['export const other = 1;', /exports neither of `transform` and `transformBatch`/],
    ['export const transform = 1, transformBatch = 2;', /exports both of `transform` and `transformBatch`/],
    ['module.exports = { transform() {} };', /exports neither/],
  ];
  for (const [text, told] of cases) {
    write('src/plugin.js', text);
    assert.match(build('a.wasm'), told);
  }
});

test('what a plugin cannot have is told with its place', () => {
  const cases = [
    ["import 'node:fs';", '"node:fs" is not there inside a plugin: there are no files'],
    ["import http from 'http';", '"http" is not there inside a plugin: there is no network'],
    ["import { Buffer } from 'node:buffer';", '"node:buffer" is not there inside a plugin: the engine is no Node'],
    ["import './a.node';", '"./a.node" is native code, which cannot be there inside a plugin'],
    ['await null;', 'top-level await is not there inside a plugin: await inside a function'],
    ["import 'nobody-has-this';", 'Could not resolve "nobody-has-this"'],
    ['const = 1;', 'Expected identifier but found "="'],
  ];
  for (const [line, told] of cases) {
    write('src/plugin.js', `export const transform = (record) => record;\n${line}\n`);
    const said = build('a.wasm');
    assert.ok(said.includes(told), said);
    assert.match(said, /plugin\.js:2:\d+: /);
    assert.ok(said.includes(line), said);
  }
});

test('a package of the name of one of Node’s modules goes first', async () => {
  write('node_modules/events/package.json', '{"name": "events", "main": "index.js"}');
  write('node_modules/events/index.js', 'export default "mine";');
  const { text } = await bundle({ contents: "export { default } from 'events';", folder });
  assert.match(text, /mine/);
});

test('types go away, and Intl says that it is not there', async () => {
  write('src/plugin.ts', 'export const a: string = new Intl.NumberFormat("en").format(1); export const b = typeof Intl;');
  const { text, exports } = await bundle({ contents: 'export * from "./src/plugin.ts";', folder });
  assert.deepEqual(exports, ['a', 'b']);
  assert.match(text, /new hydrantNoIntl\("en"\)/);
  assert.match(text, /typeof Intl/);
});

test('a package that is not installed is named, with the command that gets it', async () => {
  await assert.rejects(load('nobody-has-this', folder), /nobody-has-this is not installed: run `npm install` in /);
});

test('the templates pin what the SDK was tested with', () => {
  const sdk = JSON.parse(readFileSync(join(SDK, 'package.json'), 'utf8'));
  const lock = JSON.parse(readFileSync(join(SDK, 'package-lock.json'), 'utf8'));
  for (const language of ['javascript', 'typescript']) {
    const project = JSON.parse(readFileSync(join(TEMPLATES, language, 'package.json.in'), 'utf8'));
    for (const [name, version] of Object.entries(project.devDependencies)) {
      assert.equal(version, sdk.devDependencies[name], name);
      assert.equal(version, lock.packages[`node_modules/${name}`].version, name);
    }
    assert.deepEqual(project.overrides, sdk.overrides);
  }
});

test('every file says what it is for and what it refuses', () => {
  const files = readdirSync(SDK).filter((name) => /\.(js|mjs|ts)$/.test(name));
  assert.ok(files.length > 10);
  for (const name of files) {
    const [comment] = readFileSync(join(SDK, name), 'utf8').split('\n\n');
    assert.match(comment, /^\/\/ /, name);
    assert.match(comment.replaceAll('\n// ', ' '), /[Rr]efuse/, name);
  }
});
