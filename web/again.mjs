/** Asking again what was not answered: later each time, and only while the page can be seen. */

const FIRST_MS = 4000;
const LAST_MS = 60_000;

export class Again {
  #call;
  #clock;
  #visible;
  #pause = FIRST_MS;
  #owed = false;
  /** @type {unknown} */
  #timer = null;

  /**
   * @param {() => unknown} call
   * @param {Pick<Stow.Clock, "after" | "cancel">} clock
   * @param {() => boolean} visible whether the page can be seen
   */
  constructor(call, clock, visible) {
    this.#call = call;
    this.#clock = clock;
    this.#visible = visible;
  }

  /** There was no answer, and there may be one soon: the engine was being started. */
  failed() {
    this.#owed = true;
    if (this.#timer !== null || !this.#visible()) return;
    this.#timer = this.#clock.after(this.#pause, () => {
      this.#timer = null;
      this.#owed = false;
      this.#call();
    });
    this.#pause = Math.min(LAST_MS, this.#pause * 2);
  }

  /** There was one. */
  answered() {
    this.#stop();
    this.#owed = false;
    this.#pause = FIRST_MS;
  }

  /** The page came into sight again, or went out of it. */
  turned() {
    this.#stop();
    if (!this.#owed || !this.#visible()) return;
    this.#owed = false;
    this.#pause = FIRST_MS;
    this.#call();
  }

  #stop() {
    if (this.#timer !== null) this.#clock.cancel(this.#timer);
    this.#timer = null;
  }
}
