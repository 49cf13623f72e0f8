/** When to look at the open workflow again: it was opened, changed, or the disk may have changed under it. */

const AFTER_LOAD_MS = 300;
const AFTER_CHANGE_MS = 1000;

export class Watch {
  #missing;
  #clock;
  #visible;
  /** @type {unknown} */
  #timer = null;
  #force = false;
  #owed = false;

  /**
   * @param {import("./stores/missing.mjs").Missing} missing
   * @param {Pick<Stow.Clock, "after" | "cancel">} clock
   * @param {() => boolean} visible whether the page can be seen
   */
  constructor(missing, clock, visible) {
    this.#missing = missing;
    this.#clock = clock;
    this.#visible = visible;
  }

  /** A workflow was opened, or the page has just loaded. */
  opened() {
    this.#plan(AFTER_LOAD_MS, false);
  }

  /** A node was added, a value chosen, anything. */
  edited() {
    this.#plan(AFTER_CHANGE_MS, false);
  }

  /** The page came into sight again, or went out of it: what changed meanwhile is looked at once. */
  turned() {
    if (this.#owed && this.#visible()) this.#plan(AFTER_LOAD_MS, false);
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
    this.#owed = !this.#visible();
    if (this.#owed) return;
    if (this.#timer !== null) this.#clock.cancel(this.#timer);
    this.#timer = this.#clock.after(milliseconds, () => {
      this.#timer = null;
      const asked = this.#force;
      this.#force = false;
      void this.#missing.check({ force: asked });
    });
  }
}
