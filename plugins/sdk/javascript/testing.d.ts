// Types of what an author's tests import. Refuses to describe what runs them.

import type { Plugin, Transform } from './index.js';

/** A record to put: text, bytes, or either with what comes with it. */
export type Given =
  | string
  | Uint8Array
  | {
      readonly data: string | Uint8Array;
      readonly arrivedMs?: number;
      /** Values in columns that an earlier processor set. */
      readonly columns?: { readonly [name: string]: string };
    };

/** One output record. */
export interface Delivered {
  readonly data: Uint8Array;
  /** Its bytes as text; what is no UTF-8 in it is replaced. */
  readonly text: string;
  /** Partition keys and reserved columns that are set on it. */
  readonly keys: { readonly [name: string]: string };
}

/** What became of one record. */
export type Fate =
  | { readonly outcome: 'kept' }
  | { readonly outcome: 'replaced'; readonly outputs: readonly Delivered[] }
  | { readonly outcome: 'dropped' }
  | { readonly outcome: 'failed'; readonly reason: string; readonly code: string };

/** What `configure` is told. */
export interface Options {
  readonly stream?: string;
  readonly settings?: { readonly [name: string]: string };
}

/** One line of the log. */
export interface Line {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly message: string;
}

/** Configures a plugin and runs it over one batch. What `configure` throws is thrown. */
export declare function run(plugin: Plugin | Transform, records: readonly Given[], options?: Options): Fate[];

/** Like {@link run}, for a plugin that has an async function. */
export declare function runAsync(
  plugin: Plugin | Transform,
  records: readonly Given[],
  options?: Options,
): Promise<Fate[]>;

/** The replacements of a record as text; none unless it was replaced. */
export declare function texts(fate: Fate | undefined): string[];

/** What was logged since this was last asked. */
export declare function logged(): Line[];
