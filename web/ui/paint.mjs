/**
 * When the panel is drawn: bars at most four times a second, text once a second, nothing while nobody can see it.
 *
 * A change of what there is to decide is drawn in the next frame; only numbers that run wait for their turn.
 */

import { browserClock } from "../clock.mjs";

const BARS_EVERY_MS = 250;
const TEXT_EVERY_MS = 1000;

export class Paint {
  #draw;
  #drawBars;
  #visible;
  #clock;
  #lastBars = Number.NEGATIVE_INFINITY;
  #lastText = Number.NEGATIVE_INFINITY;
  /** @type {unknown} */
  #timer = null;
  #framed = false;

  /**
   * @param {object} hooks
   * @param {() => void} hooks.draw draws everything
   * @param {() => void} hooks.drawBars moves the bars only
   * @param {() => boolean} hooks.visible whether anybody can see it
   * @param {Stow.Clock} [hooks.clock]
   */
  constructor({ draw, drawBars, visible, clock = browserClock }) {
    this.#draw = draw;
    this.#drawBars = drawBars;
    this.#visible = visible;
    this.#clock = clock;
  }

  /** Something changed that a user acts on. */
  now() {
    if (this.#framed || !this.#visible()) return;
    this.#framed = true;
    this.#clock.frame(() => {
      this.#framed = false;
      if (this.#visible()) this.#everything();
    });
  }

  /** Only numbers moved. */
  soon() {
    if (this.#timer !== null || !this.#visible()) return;
    const wait = Math.max(0, this.#lastBars + BARS_EVERY_MS - this.#clock.now());
    this.#timer = this.#clock.after(wait, () => {
      this.#timer = null;
      if (!this.#visible()) return;
      if (this.#clock.now() - this.#lastText >= TEXT_EVERY_MS) this.#everything();
      else this.#bars();
    });
  }

  /** Forget what is planned. */
  stop() {
    if (this.#timer !== null) this.#clock.cancel(this.#timer);
    this.#timer = null;
  }

  #everything() {
    this.#lastText = this.#clock.now();
    this.#draw();
    this.#bars();
  }

  #bars() {
    this.#lastBars = this.#clock.now();
    this.#drawBars();
  }
}
