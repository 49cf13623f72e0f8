/** The word that a workflow was opened whose models are missing, with the button that opens the tab. */

import { count } from "./format.mjs";
import { keyOf, summary } from "./stores/missing.mjs";
import { h } from "./ui/dom.mjs";
import { ICONS } from "./ui/icons.mjs";
import { button, iconButton } from "./ui/parts.mjs";
import { toneOf } from "./ui/tone.mjs";

/** How long it stays, counted while it can be seen: a window of ComfyUI's may lie over it at first. */
const SHOWN_SECONDS = 15;

export class Offer {
  #open;
  #wanted;
  #said = "";
  /** @type {HTMLElement | null} */
  #box = null;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer;

  /**
   * @param {object} parts
   * @param {() => void} parts.open opens the tab
   * @param {() => boolean} parts.wanted whether the user is not looking at it already and wants to be told
   */
  constructor({ open, wanted }) {
    this.#open = open;
    this.#wanted = wanted;
  }

  /**
   * Say it once for one set of missing models.
   *
   * @param {readonly Stow.Model[]} models
   */
  say(models) {
    const { missing } = summary(models);
    const said = missing.map(keyOf).sort().join("\n");
    if (said === this.#said) return;
    this.#said = said;
    this.close();
    if (missing.length > 0 && this.#wanted()) this.#show(missing.length);
  }

  /** Take it away. */
  close() {
    clearInterval(this.#timer);
    this.#box?.remove();
    this.#box = null;
  }

  /** @param {number} missing */
  #show(missing) {
    const verb = missing === 1 ? "is" : "are";
    const accept = () => {
      this.close();
      this.#open();
    };
    this.#box = h(
      "aside",
      { class: "comfystow stow-offer", role: "status" },
      h("p", {}, `${count(missing, "model", "models")} of this workflow ${verb} missing`),
      button("Open Stow", accept, { primary: true, action: "open-stow" }),
      iconButton("Dismiss", ICONS.cancel, () => this.close()),
    );
    document.body.append(this.#box);
    this.#box.dataset.tone = toneOf(this.#box);
    let left = SHOWN_SECONDS;
    this.#timer = setInterval(() => {
      if (this.#seen) left -= 1;
      if (left === 0) this.close();
    }, 1000);
  }

  get #seen() {
    if (this.#box === null || document.hidden) return false;
    const { left, top, width, height } = this.#box.getBoundingClientRect();
    return this.#box.contains(document.elementFromPoint(left + width / 2, top + height / 2));
  }
}
