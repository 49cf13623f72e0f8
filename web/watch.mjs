/** When to look at the open workflow again: it was opened, changed, or the disk may have changed under it. */

const AFTER_LOAD_MS = 300;
const AFTER_CHANGE_MS = 1000;
const AFTER_FAILURE_MS = 4000;

export class Watch {
  #missing;
  #clock;
  /** @type {unknown} */
  #timer = null;
  #force = false;

  /**
   * @param {import("./stores/missing.mjs").Missing} missing
   * @param {Pick<Stow.Clock, "after" | "cancel">} clock
   */
  constructor(missing, clock) {
    this.#missing = missing;
    this.#clock = clock;
  }

  /** A workflow was opened, or the page has just loaded. */
  opened() {
    this.#plan(AFTER_LOAD_MS, false);
  }

  /** A node was added, a value chosen, anything. */
  edited() {
    this.#plan(AFTER_CHANGE_MS, false);
  }

  /** The server could not answer, and may soon: its engine was being started. */
  failed() {
    if (this.#timer === null) this.#plan(AFTER_FAILURE_MS, true);
  }

  /** Files came or went, or the connection was lost for a while. */
  disk() {
    this.#plan(AFTER_LOAD_MS, true);
  }

  /**
   * @param {number} milliseconds
   * @param {boolean} force
   */
  #plan(milliseconds, force) {
    this.#force ||= force;
    if (this.#timer !== null) this.#clock.cancel(this.#timer);
    this.#timer = this.#clock.after(milliseconds, () => {
      this.#timer = null;
      const asked = this.#force;
      this.#force = false;
      void this.#missing.check({ force: asked });
    });
  }
}
