/**
 * Changes of files that are here: a plan to look at, its carrying out, and taking it back.
 *
 * Plans and changes are made by the server, one after another; while it works it is asked how far it is.
 */

import { Store } from "./store.mjs";

const BUSY_MS = 700;

export class Change extends Store {
  #api;
  #clock;
  #looking = false;
  /** @type {unknown} */
  #timer = null;
  /** @type {"idle" | "planning" | "planned" | "applying"} */
  phase = "idle";
  /** @type {Stow.ChangePlan | null} the plan that is shown or being carried out */
  plan = null;
  /** @type {Stow.ChangePlan | null} the newest change; it stands there to be taken back */
  last = null;
  /** @type {import("../api.mjs").StowError | null} */
  error = null;
  /** Whether the form that asks for a folder to organise is open. */
  asking = false;

  /**
   * @param {Pick<import("../api.mjs").Api, "request">} api
   * @param {Pick<Stow.Clock, "after" | "cancel">} clock
   */
  constructor(api, clock) {
    super();
    this.#api = api;
    this.#clock = clock;
  }

  /** Somebody looks. */
  look() {
    this.#looking = true;
    if (this.phase === "planning" || this.phase === "applying") this.#later();
    else void this.#recent();
  }

  /** Nobody looks any more; the server goes on. */
  leave() {
    this.#looking = false;
    if (this.#timer !== null) this.#clock.cancel(this.#timer);
    this.#timer = null;
  }

  /** @param {boolean} asking */
  setAsking(asking) {
    this.asking = asking;
    this.changed();
  }

  /**
   * Ask for a plan; nothing is changed by it.
   *
   * @param {"organise" | "dedupe" | "prune" | "delete"} verb
   * @param {object} [wanted]
   */
  ask(verb, wanted = {}) {
    if (this.phase === "planning" || this.phase === "applying") return Promise.resolve();
    this.asking = false;
    return this.#send("planning", `/library/${verb}`, { ...wanted, apply: false });
  }

  /** Carry out the plan that is shown. */
  apply() {
    const plan = this.plan;
    if (this.phase !== "planned" || plan === null) return Promise.resolve();
    return this.#send("applying", `/library/${plan.kind}`, { apply: plan.id });
  }

  /** Take the newest change back. */
  undo() {
    const last = this.last;
    if (last === null || this.phase === "applying") return Promise.resolve();
    return this.#send("applying", "/library/undo", { id: last.id });
  }

  /** Stop what goes on, between two files. */
  async stop() {
    const plan = this.plan;
    if (plan === null) return;
    try {
      await this.#api.request("POST", `/library/changes/${encodeURIComponent(plan.id)}/cancel`);
    } catch (error) {
      this.error = /** @type {import("../api.mjs").StowError} */ (error);
      this.changed();
    }
  }

  /** Put the plan away. */
  forget() {
    this.phase = "idle";
    this.plan = null;
    this.error = null;
    this.changed();
  }

  /**
   * @param {"planning" | "applying"} phase
   * @param {string} path
   * @param {object} body
   */
  async #send(phase, path, body) {
    const before = this.phase;
    this.phase = phase;
    this.error = null;
    this.changed();
    try {
      this.#take(await this.#api.request("POST", path, body));
    } catch (error) {
      this.phase = before === "planned" ? "planned" : "idle";
      this.error = /** @type {import("../api.mjs").StowError} */ (error);
    }
    this.changed();
  }

  /** @param {Stow.ChangePlan} plan as it stands now */
  #take(plan) {
    this.plan = plan;
    if (plan.state === "planning" || plan.state === "applying") {
      this.phase = plan.state;
      this.#later();
      return;
    }
    if (plan.state === "planned") {
      this.phase = "planned";
      return;
    }
    this.phase = "idle";
    this.plan = null;
    // What was taken back is over; the change before it may be the next to be taken back.
    if (plan.kind === "undo") void this.#recent();
    else this.last = plan;
    this.dispatchEvent(new Event("applied"));
  }

  #later() {
    if (!this.#looking || this.#timer !== null) return;
    this.#timer = this.#clock.after(BUSY_MS, async () => {
      this.#timer = null;
      const plan = this.plan;
      if (plan === null) return;
      try {
        this.#take(await this.#api.request("GET", `/library/changes/${encodeURIComponent(plan.id)}`));
      } catch (error) {
        this.error = /** @type {import("../api.mjs").StowError} */ (error);
        this.phase = "idle";
      }
      this.changed();
    });
  }

  /** Read what goes on, and which change came last. */
  async #recent() {
    try {
      const answer = await this.#api.request("GET", "/library/changes?limit=20");
      const running = answer?.running?.[0];
      const changes = /** @type {Stow.ChangePlan[]} */ (answer?.changes ?? []);
      this.last = changes.find(({ id }) => id === answer?.undo) ?? null;
      if (running !== undefined && this.phase === "idle") this.#take(running);
      this.changed();
    } catch {
      // What cannot be read cannot be offered to be taken back.
    }
  }
}
