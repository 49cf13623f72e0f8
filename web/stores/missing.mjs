/** What the open workflow needs and lacks, as the server sees it. */

import { fingerprint } from "../graph.mjs";
import { Store } from "./store.mjs";

const CERTAIN = new Set(["exact", "high"]);

/** @param {Stow.Model} model a name that stays while the list is read again */
export function keyOf(model) {
  return `${model.folder ?? ""}/${model.name}`;
}

/**
 * The place that may be taken without asking.
 *
 * @param {Stow.Model} model
 * @returns {Stow.Candidate | null}
 */
export function certain(model) {
  const best = model.candidates[0];
  return best !== undefined && CERTAIN.has(best.confidence) ? best : null;
}

/**
 * @param {readonly Stow.Model[]} models
 * @returns {{ total: number, missing: Stow.Model[], bytes: number, unsized: number }}
 */
export function summary(models) {
  const needed = models.filter((model) => model.active);
  const missing = needed.filter((model) => model.state !== "present");
  const sizes = missing.filter((model) => model.state === "missing").map((model) => certain(model)?.size_bytes ?? null);
  return {
    total: needed.length,
    missing,
    bytes: sizes.reduce((/** @type {number} */ sum, size) => sum + (size ?? 0), 0),
    unsized: sizes.filter((size) => size === null).length,
  };
}

export class Missing extends Store {
  #api;
  #host;
  #asked = "";
  #round = 0;
  /** @type {"idle" | "checking" | "ready" | "failed"} */
  phase = "idle";
  /** @type {Stow.Model[]} */
  models = [];
  /** @type {import("../api.mjs").StowError | null} */
  error = null;
  /** @type {Stow.Workflow | null} */
  workflow = null;

  /**
   * @param {Pick<import("../api.mjs").Api, "request">} api
   * @param {Pick<Stow.Host, "workflow">} host
   */
  constructor(api, host) {
    super();
    this.#api = api;
    this.#host = host;
  }

  /** Whether what is known is of the workflow that is open now: an answer may come after another was opened. */
  get current() {
    const workflow = this.#host.workflow();
    return workflow !== null && fingerprint(workflow) === this.#asked;
  }

  /** Whether what is shown is of the open workflow, as it is or as it was before its last edits. */
  get ofOpen() {
    const workflow = this.#host.workflow();
    return workflow !== null && this.workflow !== null && workflow.id === this.workflow.id;
  }

  /**
   * Look at the open workflow again.
   *
   * @param {object} [options]
   * @param {boolean} [options.force] ask even if the workflow is as it was: the disk may have changed
   * @returns {Promise<boolean>} whether the server was asked and answered
   */
  async check({ force = false } = {}) {
    const workflow = this.#host.workflow();
    if (workflow === null) return false;
    const asked = fingerprint(workflow);
    const other = this.workflow !== null && this.workflow.id !== workflow.id;
    if (!force && asked === this.#asked && !other && this.phase !== "failed") return false;
    // Another workflow was opened: what the last one lacks is not to be taken for what this one does.
    if (other && asked !== this.#asked) this.#forget();
    const round = ++this.#round;
    this.#asked = asked;
    if (this.phase !== "ready") {
      this.phase = "checking";
      this.changed();
    }
    try {
      const answer = await this.#api.request("POST", "/workflow/missing", { workflow });
      if (round === this.#round) this.#take(answer, workflow);
    } catch (error) {
      if (round === this.#round) this.#fail(/** @type {import("../api.mjs").StowError} */ (error));
      return false;
    }
    return round === this.#round;
  }

  /**
   * Take in the places that were found for one model; more may be known of those that were known.
   *
   * @param {string} key
   * @param {readonly Stow.Candidate[]} candidates
   */
  found(key, candidates) {
    this.models = this.models.map((model) => {
      if (keyOf(model) !== key) return model;
      const fresh = new Set(candidates.map((candidate) => candidate.source));
      const kept = model.candidates.filter((candidate) => !fresh.has(candidate.source));
      const all = [...candidates, ...kept].sort((one, other) => rank(one) - rank(other));
      return { ...model, candidates: all, looked: true };
    });
    this.changed();
  }

  /**
   * @param {any} answer one report, or a list of one
   * @param {Stow.Workflow} workflow
   */
  #take(answer, workflow) {
    const report = Array.isArray(answer) ? answer[0] : answer;
    if (report?.error) {
      this.#fail(report.error);
      return;
    }
    this.models = Array.isArray(report?.models) ? report.models.map(completed) : [];
    this.workflow = workflow;
    this.phase = "ready";
    this.error = null;
    this.dispatchEvent(new Event("checked"));
    this.changed();
  }

  #forget() {
    this.phase = "checking";
    this.models = [];
    this.workflow = null;
    this.changed();
  }

  /** @param {import("../api.mjs").StowError} error */
  #fail(error) {
    this.phase = "failed";
    this.error = error;
    this.changed();
  }
}

/** @param {Stow.Candidate} candidate */
function rank(candidate) {
  return ["exact", "high", "likely", "guess"].indexOf(candidate.confidence);
}

/**
 * @param {Partial<Stow.Model> & { name: string }} model
 * @returns {Stow.Model}
 */
function completed(model) {
  return {
    ...model,
    name: model.name,
    folder: model.folder ?? null,
    state: model.state ?? "missing",
    active: model.active ?? true,
    uses: model.uses ?? [],
    candidates: model.candidates ?? [],
    near_name: model.near_name ?? null,
    near_reason: model.near_reason ?? null,
  };
}
