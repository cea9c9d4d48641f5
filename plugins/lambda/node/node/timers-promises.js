// Node's timers/promises. Refuses signals and intervals.

import { promises } from './timers.js';

export const { setTimeout, setImmediate } = promises;
export default promises;
