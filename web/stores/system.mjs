/** What the machine does; asked for only while somebody looks, which is what keeps the server sampling. */

import { serverNow } from "../clock.mjs";
import { Store } from "./store.mjs";

const EVERY_MS = 2000;
/** Longer than one round: a page that is gone stops the sampling by itself. */
const LEASE_SECONDS = 8;
const KEEP_SECONDS = 600;
const KEEP_POINTS = 240;

export class System extends Store {
  #api;
  #clock;
  #visible;
  #holder = `panel-${Math.random().toString(36).slice(2, 10)}`;
  #looking = false;
  /** @type {unknown} */
  #timer = null;
  #round = 0;
  /** @type {Stow.SystemView | null} */
  view = null;
  /** @type {import("../api.mjs").StowError | null} */
  error = null;
  /** @type {Map<string, { at: number, value: number | null }[]>} how busy each GPU was, and the processor as `cpu` */
  #curves = new Map();
  /** @type {"idle" | "asked" | "done"} */
  freeing = "idle";
  /** @type {Stow.DiskUsage | null} what fills the disks, once somebody asked */
  usage = null;

  /**
   * @param {Pick<import("../api.mjs").Api, "request">} api
   * @param {Pick<Stow.Clock, "after" | "cancel">} clock
   * @param {() => boolean} visible whether the page can be seen
   */
  constructor(api, clock, visible) {
    super();
    this.#api = api;
    this.#clock = clock;
    this.#visible = visible;
  }

  /** Somebody looks at the machine. */
  look() {
    if (this.#looking) return;
    this.#looking = true;
    void this.#remember();
    void this.#ask();
  }

  /** Nobody looks any more. */
  leave() {
    this.#looking = false;
    this.#round += 1;
    if (this.#timer !== null) this.#clock.cancel(this.#timer);
    this.#timer = null;
  }

  /** The page came into sight again, or went out of it. */
  turned() {
    if (!this.#looking) return;
    this.leave();
    if (this.#visible()) this.look();
    else this.#looking = true;
  }

  /**
   * @param {string} name a GPU's UUID, or `cpu`
   * @returns {readonly { at: number, value: number | null }[]} shares from 0 to 1 in order of time
   */
  curve(name) {
    return this.#curves.get(name) ?? [];
  }

  /** Let ComfyUI unload its models. */
  async free() {
    if (this.freeing === "asked") return;
    this.freeing = "asked";
    this.changed();
    try {
      await this.#api.request("POST", "/system/free", {});
      this.freeing = "done";
      this.error = null;
    } catch (error) {
      this.freeing = "idle";
      this.error = /** @type {import("../api.mjs").StowError} */ (error);
    }
    this.changed();
  }

  /** Learn what fills the disks: the library knows, nothing is measured for it. */
  async weigh() {
    try {
      this.usage = await this.#api.request("GET", "/library/usage");
    } catch (error) {
      this.error = /** @type {import("../api.mjs").StowError} */ (error);
    }
    this.changed();
  }

  async #ask() {
    const round = ++this.#round;
    try {
      const lease = { seconds: LEASE_SECONDS, interval_seconds: EVERY_MS / 1000, holder: this.#holder };
      const view = await this.#api.request("POST", "/system/lease", lease);
      if (round === this.#round) this.#take(view);
    } catch (error) {
      if (round === this.#round) this.#fail(/** @type {import("../api.mjs").StowError} */ (error));
    }
    if (round !== this.#round || !this.#looking || !this.#visible()) return;
    this.#timer = this.#clock.after(EVERY_MS, () => void this.#ask());
  }

  /** @param {Stow.SystemView} view */
  #take(view) {
    const first = this.view === null || this.error !== null;
    const loaded = count(view) !== (this.view === null ? -1 : count(this.view));
    this.view = view;
    this.error = null;
    if (loaded) this.freeing = "idle";
    const sample = view.sample;
    if (sample !== null) {
      for (const gpu of sample.gpus ?? []) this.#add(gpu.uuid, sample.taken_at, gpu.utilization_ratio);
      this.#add("cpu", sample.taken_at, sample.host.cpu_utilization_ratio);
    }
    if (first || loaded) this.changed();
    else this.progressed();
  }

  /** @param {import("../api.mjs").StowError} error */
  #fail(error) {
    this.error = error;
    this.changed();
  }

  /** Draw on from where the last viewer left, where anything was kept. */
  async #remember() {
    const since = serverNow() - KEEP_SECONDS;
    try {
      const history = await this.#api.request("GET", `/system/history?since=${since}&points=${KEEP_POINTS}`);
      for (const [uuid, columns] of Object.entries(history?.gpus ?? {})) {
        this.#refill(uuid, history.times, /** @type {any} */ (columns).utilization_ratio);
      }
      this.#refill("cpu", history?.times ?? [], history?.cpu_utilization_ratio ?? []);
      this.progressed();
    } catch {
      // A curve that begins now is no trouble worth a word.
    }
  }

  /**
   * @param {string} name
   * @param {number[]} times
   * @param {(number | null)[]} values
   */
  #refill(name, times, values) {
    const own = this.#curves.get(name) ?? [];
    const before = times.map((at, index) => ({ at, value: values[index] ?? null }));
    const begins = own[0]?.at ?? Number.POSITIVE_INFINITY;
    this.#curves.set(name, [...before.filter(({ at }) => at < begins), ...own]);
  }

  /**
   * @param {string} name
   * @param {number} at
   * @param {number | null} value
   */
  #add(name, at, value) {
    const curve = this.#curves.get(name) ?? [];
    if (curve.at(-1)?.at === at) return;
    curve.push({ at, value });
    while (curve.length > 0 && (curve[0]?.at ?? at) < at - KEEP_SECONDS) curve.shift();
    this.#curves.set(name, curve);
  }
}

/** @param {Stow.SystemView} view how many models are loaded */
function count(view) {
  return view.hosts.reduce((sum, host) => sum + host.state.loaded_models.length, 0);
}
