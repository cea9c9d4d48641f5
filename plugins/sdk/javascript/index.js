// Write a Hydrant plugin in JavaScript or TypeScript: a function of one record. Refuses to be needed twice: this is all
// that an author imports; what runs it is in component.js and testing.js.
//
//   import { drop, fail } from '../hydrant-plugin/index.js';
//
//   export function transform(record) {
//     const order = record.json();              // what is no JSON fails this record
//     if (order.level === 'debug') return drop; // deliver nothing
//     if (!order.country) return fail('no country', 'no-country');
//     record.set('country', order.country);     // a partition key
//     return JSON.stringify(order) + '\n';      // replace it
//   }

export { drop, fail, Failure } from './outcome.js';
export { log } from './log.js';
