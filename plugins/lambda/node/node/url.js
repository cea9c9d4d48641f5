// Node's url: the engine's own classes. Refuses the parser that Node itself calls legacy.

import { lacking } from './lacking.js';

export const { URL, URLSearchParams } = globalThis;
export const parse = lacking('url.parse', 'use new URL(…)');
export const format = (url) => String(url);
export default { URL, URLSearchParams, parse, format };
