// What a plugin works for. Refuses to be changed.

/** The stream and the operator's settings. */
export class Context {
  #settings;

  constructor(stream, settings) {
    this.stream = stream;
    this.#settings = new Map(settings);
    Object.freeze(this);
  }

  /** The operator's setting of this name, or undefined. */
  setting(name) {
    return this.#settings.get(name);
  }

  /** All of the operator's settings for this plugin. */
  get settings() {
    return Object.fromEntries(this.#settings);
  }
}
