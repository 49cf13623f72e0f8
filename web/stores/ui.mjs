/** What the user has open in the panel; it outlives the panel's elements, which ComfyUI makes anew at will. */

import { Store } from "./store.mjs";

export class Ui extends Store {
  view = "missing";
  adding = false;
  /** @type {string[]} folders for the choice beside a pasted link */
  folders = [];
  /** @type {{ wrong: boolean } | null} set while the server wants the access secret */
  lock = null;
  /** @type {Set<string>} providers whose token was set on this page */
  tokensGiven = new Set();
  /** @type {Set<string>} what is unfolded, by `<what>:<key>` */
  #unfolded = new Set();
  /** @type {Map<string, import("../api.mjs").StowError>} what went wrong, by the key of the card it belongs to */
  #errors = new Map();
  /** @type {Set<string>} what was asked for and not answered yet */
  #busy = new Set();

  /** @param {string} view */
  show(view) {
    if (this.view === view) return;
    this.view = view;
    this.changed();
  }

  /** @param {boolean} adding */
  setAdding(adding) {
    this.adding = adding;
    this.changed();
  }

  /** @param {{ wrong: boolean } | null} lock */
  setLock(lock) {
    this.lock = lock;
    this.changed();
  }

  /** @param {string[]} folders */
  setFolders(folders) {
    this.folders = folders;
    this.changed();
  }

  /** @param {string} what */
  isUnfolded(what) {
    return this.#unfolded.has(what);
  }

  /**
   * @param {string} what
   * @param {boolean} [open] the other way round when left out
   */
  unfold(what, open = !this.#unfolded.has(what)) {
    if (open) this.#unfolded.add(what);
    else this.#unfolded.delete(what);
    this.changed();
  }

  /** @param {string} key */
  errorOf(key) {
    return this.#errors.get(key) ?? null;
  }

  /**
   * @param {string} key
   * @param {import("../api.mjs").StowError | null} error
   */
  setError(key, error) {
    if (error === null) this.#errors.delete(key);
    else this.#errors.set(key, error);
    this.changed();
  }

  /** @param {string} key */
  isBusy(key) {
    return this.#busy.has(key);
  }

  /**
   * @param {string} key
   * @param {boolean} busy
   */
  setBusy(key, busy) {
    if (busy) this.#busy.add(key);
    else this.#busy.delete(key);
    this.changed();
  }
}
