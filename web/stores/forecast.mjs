/**
 * What would become of the missing models: where each would go, what stands in its way, what stays free, whether it fits
 * the GPU. It is asked only while somebody looks at the list, since the sources are asked for it.
 */

import { fingerprint } from "../graph.mjs";
import { requestFor } from "../request.mjs";
import { certain, keyOf, summary } from "./missing.mjs";
import { Store } from "./store.mjs";

/** For this long an answer is good, unless something is done that changes it. */
const FRESH_MILLISECONDS = 60_000;

export class Forecast extends Store {
  #api;
  #missing;
  #clock;
  #round = 0;
  #asked = "";
  #askedAt = 0;
  /** @type {Map<string, Stow.PlanItem>} by the model's key */
  #items = new Map();
  /** @type {Stow.Plan | null} */
  plan = null;
  /** @type {Stow.Fit | null} */
  fit = null;
  /** @type {Stow.EmbeddedSource[]} what this workflow does not say yet of models that are here */
  sources = [];

  /**
   * @param {Pick<import("../api.mjs").Api, "request">} api
   * @param {import("./missing.mjs").Missing} missing
   * @param {Pick<Stow.Clock, "now">} clock
   */
  constructor(api, missing, clock) {
    super();
    this.#api = api;
    this.#missing = missing;
    this.#clock = clock;
  }

  /** @param {Stow.Model} model */
  itemOf(model) {
    return this.#items.get(keyOf(model)) ?? null;
  }

  /** Whether all of it has a place; null while that is not known. */
  get fits() {
    return this.plan === null ? null : this.plan.fits;
  }

  /** The volume on which the least stays free, null while that is not known. */
  get tightest() {
    const volumes = this.plan?.volumes ?? [];
    return volumes.reduce(
      (/** @type {Stow.PlanVolume | null} */ least, volume) =>
        least === null || volume.free_after_bytes < least.free_after_bytes ? volume : least,
      null,
    );
  }

  /**
   * Ask, unless the same was asked a moment ago. Nothing here is needed for a download: what fails leaves its line out.
   *
   * @param {object} [options]
   * @param {boolean} [options.force]
   */
  async look({ force = false } = {}) {
    const { workflow, phase, models } = this.#missing;
    if (phase !== "ready" || workflow === null) return;
    const wanted = models.filter((model) => model.active && model.state === "missing" && certain(model) !== null);
    const asked = JSON.stringify([fingerprint(workflow), models.map((model) => [keyOf(model), model.state]), wanted]);
    if (!force && asked === this.#asked && this.#clock.now() - this.#askedAt < FRESH_MILLISECONDS) return;
    if (asked !== this.#asked) this.#forget();
    this.#asked = asked;
    this.#askedAt = this.#clock.now();
    const round = ++this.#round;
    const complete = summary(models).total > 0 && summary(models).missing.length === 0;
    await Promise.all([
      this.#keep(round, this.#planned(wanted), ([plan, items]) => {
        this.plan = plan;
        this.#items = items;
      }),
      this.#keep(round, this.#weighed(workflow, models), (fit) => {
        this.fit = fit;
      }),
      this.#keep(round, complete ? this.#unsaid(workflow) : Promise.resolve([]), (sources) => {
        this.sources = sources;
      }),
    ]);
  }

  /**
   * @template T
   * @param {number} round
   * @param {Promise<T>} answer
   * @param {(answer: T) => void} take
   */
  async #keep(round, answer, take) {
    try {
      const told = await answer;
      if (round !== this.#round) return;
      take(told);
      this.changed();
    } catch {
      // A server that is away, or wants its secret first, is told of by the list itself.
    }
  }

  /**
   * @param {readonly Stow.Model[]} wanted
   * @returns {Promise<[Stow.Plan | null, Map<string, Stow.PlanItem>]>}
   */
  async #planned(wanted) {
    if (wanted.length === 0) return [null, new Map()];
    const downloads = wanted.map((model) => requestFor(model, /** @type {Stow.Candidate} */ (certain(model))));
    /** @type {Stow.Plan} */
    const plan = await this.#api.request("POST", "/plan", { downloads });
    return [plan, new Map(wanted.map((model, at) => [keyOf(model), /** @type {Stow.PlanItem} */ (plan.items[at])]))];
  }

  /**
   * @param {Stow.Workflow} workflow
   * @param {readonly Stow.Model[]} models
   * @returns {Promise<Stow.Fit | null>}
   */
  async #weighed(workflow, models) {
    if (!models.some((model) => model.active)) return null;
    return this.#api.request("POST", "/workflow/fit", { workflow });
  }

  /**
   * @param {Stow.Workflow} workflow
   * @returns {Promise<Stow.EmbeddedSource[]>}
   */
  async #unsaid(workflow) {
    const answer = await this.#api.request("POST", "/workflow/embed", { workflow });
    return Array.isArray(answer?.models) ? answer.models : [];
  }

  #forget() {
    this.plan = null;
    this.fit = null;
    this.sources = [];
    this.#items = new Map();
    this.changed();
  }
}
