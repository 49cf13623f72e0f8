/** The settings of downloads that a person changes now and then; the server keeps them, for every page alike. */

import { Store } from "./store.mjs";

export class Settings extends Store {
  #api;
  /** @type {Map<string, Stow.Setting>} */
  #byName = new Map();
  /** Whether the form that changes them is open. */
  asking = false;
  saving = false;
  /** @type {import("../api.mjs").StowError | null} */
  error = null;

  /** @param {Pick<import("../api.mjs").Api, "request">} api */
  constructor(api) {
    super();
    this.#api = api;
  }

  /** @param {string} name */
  get(name) {
    return this.#byName.get(name) ?? null;
  }

  /** @param {boolean} asking */
  setAsking(asking) {
    this.asking = asking;
    this.error = null;
    this.changed();
    if (asking) void this.load();
  }

  /** Read them. */
  load() {
    return this.#take(() => this.#api.request("GET", "/settings"));
  }

  /**
   * Keep some, and close the form if the server takes them.
   *
   * @param {Record<string, unknown>} settings null goes back to the default
   */
  async save(settings) {
    if (this.saving) return;
    this.saving = true;
    this.changed();
    const taken = await this.#take(() => this.#api.request("PUT", "/settings", { settings }));
    this.saving = false;
    if (taken) this.asking = false;
    this.changed();
  }

  /**
   * @param {() => Promise<any>} ask
   * @returns {Promise<boolean>}
   */
  async #take(ask) {
    try {
      const answer = await ask();
      /** @type {Stow.Setting[]} */
      const settings = answer?.settings ?? [];
      this.#byName = new Map(settings.map((setting) => [setting.name, setting]));
      this.error = null;
    } catch (error) {
      this.error = /** @type {import("../api.mjs").StowError} */ (error);
    }
    this.changed();
    return this.error === null;
  }
}
