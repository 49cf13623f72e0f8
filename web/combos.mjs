/**
 * Telling ComfyUI's loaders about files that came: once a batch, and never while something is dragged.
 *
 * `/object_info` is megabytes, and new lists under a held pointer would drop what it holds.
 */

import { isActive } from "./stores/downloads.mjs";

const SETTLE_MS = 1000;
const HELD_MS = 300;

export class Combos {
  #downloads;
  #missing;
  #refresh;
  #held;
  #clock;
  #owed = false;
  #owedToWorkflow = false;
  /** @type {unknown} */
  #timer = null;

  /**
   * @param {object} parts
   * @param {import("./stores/downloads.mjs").Downloads} parts.downloads
   * @param {import("./stores/missing.mjs").Missing} parts.missing
   * @param {() => Promise<unknown>} parts.refresh
   * @param {() => boolean} parts.held whether a pointer is down
   * @param {Pick<Stow.Clock, "after" | "cancel">} parts.clock
   */
  constructor({ downloads, missing, refresh, held, clock }) {
    this.#downloads = downloads;
    this.#missing = missing;
    this.#refresh = refresh;
    this.#held = held;
    this.#clock = clock;
    downloads.addEventListener("completed", (event) => this.#came(/** @type {CustomEvent} */ (event).detail));
    downloads.onChange(() => this.#settle(SETTLE_MS));
  }

  /** Files came into the library or left it by another way than our downloads. */
  came() {
    this.#owed = true;
    this.#settle(SETTLE_MS);
  }

  /** @param {Stow.Download} download */
  #came(download) {
    this.#owed = true;
    this.#owedToWorkflow ||= this.#missing.models.some((model) => this.#downloads.forModel(model)?.id === download.id);
  }

  /** @param {number} milliseconds */
  #settle(milliseconds) {
    if (!this.#owed || this.#timer !== null) return;
    this.#timer = this.#clock.after(milliseconds, () => {
      this.#timer = null;
      if (!this.#complete) return;
      if (this.#held()) this.#settle(HELD_MS);
      else void this.#pay();
    });
  }

  /** The batch of the open workflow is over, or the whole queue is: another one may run for hours. */
  get #complete() {
    if (this.#downloads.active.length === 0) return true;
    return (
      this.#owedToWorkflow &&
      !this.#missing.models.some((model) => {
        const download = this.#downloads.forModel(model);
        return download !== null && isActive(download);
      })
    );
  }

  async #pay() {
    this.#owed = false;
    this.#owedToWorkflow = false;
    try {
      await this.#refresh();
    } catch (error) {
      console.warn("ComfyStow: ComfyUI could not reload its lists; press R to try again", error);
    }
  }
}
