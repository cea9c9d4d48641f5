// Types of what an author imports. Refuses to describe what runs it.

/** Bytes. A view may be filled again afterwards: the SDK copies it. */
export type Bytes = ArrayBufferView | ArrayBuffer;

/** The value of a key; it becomes text. */
export type KeyValue = string | number | boolean | bigint;

/** An output with keys of its own, beside those that were set on its record. */
export interface Keyed {
  readonly data: string | Bytes;
  readonly keys?: { readonly [name: string]: KeyValue };
}

/** One output. */
export type Output = string | Bytes | Keyed;

/** Return it to deliver nothing, on purpose. */
export declare const drop: unique symbol;

/** Why a record goes to the error output; returned or thrown. */
export declare class Failure {
  private constructor(reason: string, code: string);
  readonly reason: string;
  readonly code: string;
  /** The reason. */
  get message(): string;
  toString(): string;
}

/**
 * Fails a record. The reason is for people, the code for machines (1 to 64 of `A-Z a-z 0-9 . _ -`); do not put payload
 * into either.
 */
export declare function fail(reason: string, code?: string): Failure;

/** Lines for the host's log. */
export declare const log: {
  debug(message: string): void;
  info(message: string): void;
  warn(message: string): void;
  error(message: string): void;
};

/** What a plugin works for. */
export interface Context {
  /** Name of the delivery stream; empty while the host tries a new version out. */
  readonly stream: string;
  /** The operator's setting of this name. */
  setting(name: string): string | undefined;
  /** All of the operator's settings for this plugin. */
  readonly settings: { readonly [name: string]: string };
}

/** One record. Returned from a transform, it means: keep it. */
export interface Record {
  /** Its bytes: a view, not to be written to. */
  readonly data: Uint8Array;
  /** Its bytes as text. What is no UTF-8 fails the record. */
  text(): string;
  /** Its text, parsed. What is no JSON fails the record. */
  json(): any;
  /** When it arrived, milliseconds since 1970. The only clock there is. */
  readonly arrivedMs: number;
  /** Its value in a column that an earlier processor set. */
  column(name: string): string | undefined;
  /** The stream and the operator's settings. */
  readonly context: Context;
  /** Name of the delivery stream; empty while the host tries a new version out. */
  readonly stream: string;
  /** The operator's setting of this name. */
  setting(name: string): string | undefined;
  /**
   * Sets a partition key (or `$document-id`, `$index`, `$table`, `$operation`) on every output of this record that is
   * not made yet: on all that the transform returns, and on those that a generator yields afterwards.
   */
  set(name: string, value: KeyValue): void;
}

/**
 * What becomes of a record: the record itself to keep it, one output or several to replace it (no output at all drops
 * it), {@link drop}, or {@link fail}.
 */
export type Answer = Record | Output | readonly Output[] | IterableIterator<Output> | typeof drop | Failure;

/** Called once for each record. Anything thrown fails the record. */
export type Transform = (record: Record) => Answer | PromiseLike<Answer>;

/** Consecutive records of one stream, for a transform that shares work between them. */
export interface Batch {
  /** Number of records. */
  readonly length: number;
  /** All records' bytes, laid end to end: a view, not to be written to. */
  readonly payload: Uint8Array;
  /** Where each record ends in the payload. */
  readonly ends: Uint32Array;
  /** When each record arrived, milliseconds since 1970. */
  readonly arrivedMs: BigUint64Array;
  /** The stream and the operator's settings. */
  readonly context: Context;
  /** Settles each record in order. A second call finds none left; a record that was never visited fails. */
  each<T extends Answer | PromiseLike<Answer>>(
    transform: (record: Record) => T,
  ): T extends PromiseLike<Answer> ? Promise<void> : void;
  /** Keeps every record that has no outcome yet: the cheapest answer. */
  keepAll(): void;
}

/** Called once for each batch. A record that it does not visit fails. */
export type TransformBatch = (batch: Batch) => void | PromiseLike<void>;

/** Called once before the first batch. Anything thrown keeps the previous version of the plugin running. */
export type Configure = (context: Context) => void | PromiseLike<void>;

/** What a plugin's module exports: one of the two transforms, and perhaps `configure`. */
export type Plugin = { configure?: Configure } & (
  | { transform: Transform; transformBatch?: never }
  | { transformBatch: TransformBatch; transform?: never }
);
