// Runs a handler as a component would, on the desk: bundled with the shim, in a process of its own, because the shim
// replaces Node's globals. Refuses nothing that the engine would.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { bundleHandler } from '../bundle.mjs';

const HERE = dirname(fileURLToPath(import.meta.url));

/** Fates of records, lines of the log, or what configure refused: {fates, lines, refused}. */
export async function runHandler(file, records, { stream = 's', settings = {}, name = 'handler' } = {}) {
  const text = await bundleHandler(file, 'orders.wasm', name);
  const folder = mkdtempSync(join(tmpdir(), 'hydrant-test-'));
  try {
    writeFileSync(join(folder, 'log.mjs'), 'export const log = (level, message) => globalThis.logged.push([level, message]);');
    const module = text.replace('"hydrant:transform/log@1.0.0"', '"./log.mjs"');
    writeFileSync(join(folder, 'component.mjs'), module);
    const given = { records: records.map((record) => Buffer.from(record).toString('base64')), stream, settings };
    writeFileSync(join(folder, 'given.json'), JSON.stringify(given));
    writeFileSync(
      join(folder, 'main.mjs'),
      `import ${JSON.stringify(pathToFileURL(join(HERE, 'desk.js')).href)};
       import { readFileSync } from 'node:fs';
       const { stdout } = process;
       globalThis.logged = [];
       const { records, stream, settings } = JSON.parse(readFileSync(new URL('given.json', import.meta.url)));
       const { transform } = await import('./component.mjs');
       const bytes = records.map((record) => Uint8Array.fromBase64(record));
       const ends = [];
       for (const part of bytes) ends.push((ends.at(-1) ?? 0) + part.length);
       const payload = new Uint8Array(ends.at(-1) ?? 0);
       bytes.forEach((part, at) => payload.set(part, ends[at] - part.length));
       const columns = { payload, ends: Uint32Array.from(ends), columns: [] };
       const arrivedMs = BigUint64Array.from(bytes, () => 1700000000000n);
       let answer = {};
       try {
         await transform.configure({ stream, settings: Object.entries(settings) });
         const output = await transform.apply({ records: columns, arrivedMs });
         const { payload, ends, columns: set } = output.records;
         answer.fates = Array.from(output.outcomes, (outcome) => ({ outcome: ['kept', 'replaced', 'dropped', 'failed'][outcome] }));
         output.inputs.forEach((input, at) => {
           const text = new TextDecoder().decode(payload.subarray(at === 0 ? 0 : ends[at - 1], ends[at]));
           const given = set.filter(({ codes }) => codes[at] !== 0);
           const keys = Object.fromEntries(given.map(({ name, dictionary, codes }) => [name, dictionary[codes[at] - 1]]));
           Object.assign(answer.fates[input], { text, keys });
         });
         for (const { input, code, message } of output.reasons) Object.assign(answer.fates[input], { code, reason: message });
       } catch (refused) {
         if (typeof refused !== 'string') throw refused;
         answer.refused = refused;
       }
       stdout.write(JSON.stringify({ ...answer, lines: globalThis.logged }));`,
    );
    return JSON.parse(execFileSync(process.execPath, [join(folder, 'main.mjs')], { encoding: 'utf8' }));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
