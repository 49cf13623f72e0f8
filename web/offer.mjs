/** The word that a workflow was opened whose models are missing, with the button that opens the tab. */

import { count } from "./format.mjs";
import { keyOf, summary } from "./stores/missing.mjs";
import { h } from "./ui/dom.mjs";
import { ICONS } from "./ui/icons.mjs";
import { button, iconButton } from "./ui/parts.mjs";
import { toneOf } from "./ui/tone.mjs";

const SHOWN_MS = 15_000;

export class Offer {
  #open;
  #wanted;
  #said = "";
  /** @type {HTMLElement | null} */
  #box = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
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
    clearTimeout(this.#timer);
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
    this.#timer = setTimeout(() => this.close(), SHOWN_MS);
  }
}
