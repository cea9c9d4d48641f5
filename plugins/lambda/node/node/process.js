// Node's process: an environment that the operator's settings fill, and the rest as a machine that says nothing of
// itself. Refuses to end anything.

import { lacking } from './lacking.js';
import { log } from '../../../sdk/javascript/log.js';

const nothing = () => process;

const process = {
  env: {},
  argv: ['/var/lang/bin/node', '/var/runtime/index.mjs'],
  execArgv: [],
  title: 'node',
  version: 'v20.0.0',
  versions: { node: '20.0.0' },
  release: { name: 'node' },
  platform: 'linux',
  arch: 'x64',
  pid: 1,
  exitCode: undefined,
  cwd: () => '/var/task',
  exit: lacking('process.exit', 'an instance ends with its batch'),
  abort: lacking('process.abort', 'an instance ends with its batch'),
  nextTick: (call, ...given) => queueMicrotask(() => call(...given)),
  uptime: () => performance.now() / 1000,
  hrtime: Object.assign(
    ([seconds, nanoseconds] = [0, 0]) => {
      const now = performance.now();
      const rest = Math.trunc((now % 1000) * 1e6) - nanoseconds;
      return rest < 0 ? [Math.trunc(now / 1000) - seconds - 1, rest + 1e9] : [Math.trunc(now / 1000) - seconds, rest];
    },
    { bigint: () => BigInt(Math.trunc(performance.now() * 1e6)) },
  ),
  memoryUsage: () => ({ rss: 0, heapTotal: 0, heapUsed: 0, external: 0, arrayBuffers: 0 }),
  emitWarning: (warning) => log.warn(String(warning)),
  stdout: { write: (text) => (log.info(String(text).trimEnd()), true), isTTY: false },
  stderr: { write: (text) => (log.warn(String(text).trimEnd()), true), isTTY: false },
  // Handlers listen for what never comes: signals, exits, rejections that nobody handled.
  on: nothing,
  once: nothing,
  off: nothing,
  addListener: nothing,
  removeListener: nothing,
  removeAllListeners: nothing,
  emit: () => false,
  listenerCount: () => 0,
};

export const { env, nextTick, platform, version, versions, cwd, hrtime } = process;
export default process;
