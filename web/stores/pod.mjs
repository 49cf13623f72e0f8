/** The rented machine: its services, who uses it, what it costs. Asked for while somebody looks, and when told to. */

import { Store } from "./store.mjs";

const EVERY_MS = 5000;
const TICK_MS = 1000;
const SOON_MS = 1000;
/** What one click on `Keep alive` gives. */
export const KEEP_SECONDS = 3600;

export class Pod extends Store {
  #api;
  #clock;
  #visible;
  #looking = false;
  #round = 0;
  #readAt = 0;
  /** @type {unknown} */
  #timer = null;
  /** @type {unknown} */
  #ticker = null;
  /** @type {Stow.PodView | null} */
  view = null;
  /** @type {import("../api.mjs").StowError | null} */
  error = null;
  /** @type {Stow.Finding[] | null} */
  findings = null;
  /** @type {Set<string>} what was clicked and not answered yet: `keep-alive`, `doctor`, a service's name */
  busy = new Set();

  /**
   * @param {Pick<import("../api.mjs").Api, "request">} api
   * @param {Pick<Stow.Clock, "now" | "after" | "cancel">} clock
   * @param {() => boolean} visible whether the page can be seen
   */
  constructor(api, clock, visible) {
    super();
    this.#api = api;
    this.#clock = clock;
    this.#visible = visible;
  }

  /** Whether this is a pod, or any machine that somebody rents out. */
  get there() {
    return this.view !== null && (this.view.present || this.view.machine !== null);
  }

  /** How old what is shown is; a countdown goes on between two answers. */
  get ageSeconds() {
    return (this.#clock.now() - this.#readAt) / 1000;
  }

  /** Ask once: what is known of it decides whether there is a tab. */
  async load() {
    const round = ++this.#round;
    try {
      const view = await this.#api.request("GET", "/pod");
      if (round === this.#round) this.#take(view);
    } catch (error) {
      if (round === this.#round) this.#fail(/** @type {import("../api.mjs").StowError} */ (error));
    }
  }

  /** Somebody looks. */
  look() {
    if (this.#looking) return;
    this.#looking = true;
    void this.#ask();
    this.#tick();
  }

  /** Nobody looks any more. */
  leave() {
    this.#looking = false;
    for (const timer of [this.#timer, this.#ticker]) if (timer !== null) this.#clock.cancel(timer);
    this.#timer = this.#ticker = null;
  }

  /** The page came into sight again, or went out of it. */
  turned() {
    if (!this.#looking) return;
    this.leave();
    if (this.#visible()) this.look();
    else this.#looking = true;
  }

  /** @param {number} seconds 0 lets go */
  keepAlive(seconds = KEEP_SECONDS) {
    return this.#run("keep-alive", async () => {
      const idle = await this.#api.request("POST", "/idle/keep-alive", { seconds });
      if (this.view !== null) this.#take({ ...this.view, idle });
    });
  }

  /**
   * @param {string} name
   * @param {"start" | "stop" | "restart"} verb
   */
  service(name, verb) {
    return this.#run(name, async () => {
      await this.#api.request("POST", `/pod/services/${encodeURIComponent(name)}/${verb}`, {});
      await this.load();
    });
  }

  /** Let the doctor look. */
  examine() {
    return this.#run("doctor", async () => {
      const answer = await this.#api.request("GET", "/pod/doctor");
      this.findings = Array.isArray(answer?.findings) ? answer.findings : [];
    });
  }

  /**
   * @param {string} what
   * @param {() => Promise<void>} act
   */
  async #run(what, act) {
    if (this.busy.has(what)) return;
    this.busy.add(what);
    this.changed();
    try {
      await act();
      this.error = null;
    } catch (error) {
      this.error = /** @type {import("../api.mjs").StowError} */ (error);
    }
    this.busy.delete(what);
    this.changed();
  }

  async #ask() {
    await this.load();
    if (!this.#looking || !this.#visible() || this.#timer !== null) return;
    this.#timer = this.#clock.after(this.#pause, () => {
      this.#timer = null;
      void this.#ask();
    });
  }

  /** In its last minutes a machine is asked more often. */
  get #pause() {
    const state = this.view?.idle?.state;
    return state === "grace" || state === "stopping" ? SOON_MS : EVERY_MS;
  }

  #tick() {
    this.#ticker = this.#clock.after(TICK_MS, () => {
      this.progressed();
      this.#tick();
    });
  }

  /** @param {Stow.PodView} view */
  #take(view) {
    this.#readAt = this.#clock.now();
    this.view = view;
    this.error = null;
    this.changed();
  }

  /** @param {import("../api.mjs").StowError} error */
  #fail(error) {
    // Where nothing is known of a pod there is no tab that could say so.
    this.error = error;
    this.changed();
  }
}
