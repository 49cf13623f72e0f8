/**
 * Changes of files that are here: a plan to look at, its carrying out, and taking it back.
 *
 * Plans and changes are made by the server, one after another; while it works it is asked how far it is.
 */

import { Store } from "./store.mjs";

const BUSY_MS = 700;
/** After an answer that did not come: the engine may be starting. */
const RETRY_MS = 3000;

/** @typedef {"organise" | "dedupe" | "prune" | "delete" | "empty"} ChangeVerb */
/** @typedef {{ directory?: string, ids?: number[], to_bytes?: number, clash?: "rename", choose?: Record<string, string> }} ChangeWish */

/** @param {string} kind */
function pathOf(kind) {
  return kind === "empty" ? "/library/trash/empty" : `/library/${kind}`;
}

export class Change extends Store {
  #api;
  #clock;
  #visible;
  #looking = false;
  /** @type {{ verb: ChangeVerb, wanted: ChangeWish }} what the plan was asked for with */
  #wish = { verb: "organise", wanted: {} };
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
  /** @type {"organise" | "prune" | null} the form that is open: it asks for a folder, or for a size */
  asking = null;
  /** @type {number | null} bytes in the trash, read when somebody asks for room */
  trashBytes = null;
  /** Whether it was asked to stop, and did not yet. */
  stopping = false;

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

  /** Somebody looks. */
  look() {
    this.#looking = true;
    if (this.#busy) this.#later();
    else void this.#recent();
  }

  /** The page came into sight again, or went out of it. */
  turned() {
    if (!this.#looking) return;
    this.leave();
    if (this.#visible()) this.look();
    else this.#looking = true;
  }

  /** Nobody looks any more; the server goes on. */
  leave() {
    this.#looking = false;
    if (this.#timer !== null) this.#clock.cancel(this.#timer);
    this.#timer = null;
  }

  /** @param {"organise" | "prune" | null} asking */
  setAsking(asking) {
    this.asking = asking;
    this.changed();
    if (asking === "prune") void this.#weighTrash();
  }

  /**
   * Ask for a plan; nothing is changed by it.
   *
   * @param {ChangeVerb} verb
   * @param {ChangeWish} [wanted]
   */
  ask(verb, wanted = {}) {
    if (this.#busy) return Promise.resolve();
    this.asking = null;
    this.#wish = { verb, wanted };
    return this.#send("planning", pathOf(verb), { ...wanted, apply: false });
  }

  /**
   * Have the plan made anew with a folder for a file that nothing told the kind of.
   *
   * @param {string} file its name
   * @param {string} folder
   */
  choose(file, folder) {
    const { verb, wanted } = this.#wish;
    return this.ask(verb, { ...wanted, choose: { ...wanted.choose, [file]: folder } });
  }

  /** Have the plan made anew so that files whose names are taken get names that are free. */
  keepBoth() {
    const { verb, wanted } = this.#wish;
    return this.ask(verb, { ...wanted, clash: "rename" });
  }

  /** Carry out the plan that is shown. */
  apply() {
    const plan = this.plan;
    if (this.phase !== "planned" || plan === null) return Promise.resolve();
    return this.#send("applying", pathOf(plan.kind), { apply: plan.id });
  }

  /** Take the newest change back. */
  undo() {
    const last = this.last;
    if (last === null || this.#busy) return Promise.resolve();
    return this.#send("applying", "/library/undo", { id: last.id });
  }

  /** Stop what goes on, between two files. */
  async stop() {
    const plan = this.plan;
    if (plan === null || this.stopping) return;
    this.stopping = true;
    this.changed();
    try {
      this.#take(await this.#api.request("POST", `/library/changes/${encodeURIComponent(plan.id)}/cancel`));
    } catch (error) {
      this.#lost(/** @type {import("../api.mjs").StowError} */ (error));
    }
    this.changed();
  }

  /** Put the plan away. */
  forget() {
    this.#rest();
    this.error = null;
    this.changed();
  }

  get #busy() {
    return this.phase === "planning" || this.phase === "applying";
  }

  #rest() {
    this.phase = "idle";
    this.plan = null;
    this.stopping = false;
  }

  /**
   * @param {"planning" | "applying"} phase
   * @param {string} path
   * @param {object} body
   */
  async #send(phase, path, body) {
    const shown = this.phase === "planned" ? this.plan : null;
    this.phase = phase;
    this.error = null;
    this.stopping = false;
    if (phase === "planning") this.plan = null;
    this.changed();
    try {
      this.#take(await this.#api.request("POST", path, body));
    } catch (error) {
      this.plan = shown;
      this.phase = shown === null ? "idle" : "planned";
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
    this.stopping = false;
    if (plan.state === "planned") {
      this.phase = "planned";
      return;
    }
    this.#rest();
    // What was taken back is over; the change before it may be the next to be taken back.
    if (plan.kind === "undo") void this.#recent();
    else this.last = plan;
    this.dispatchEvent(new Event("applied"));
  }

  /** @param {number} [milliseconds] until it is asked how far it is */
  #later(milliseconds = BUSY_MS) {
    if (!this.#looking || !this.#visible() || this.#timer !== null) return;
    this.#timer = this.#clock.after(milliseconds, async () => {
      this.#timer = null;
      const plan = this.plan;
      if (plan === null) return;
      try {
        const answer = await this.#api.request("GET", `/library/changes/${encodeURIComponent(plan.id)}`);
        this.error = null;
        this.#take(answer);
      } catch (error) {
        this.#lost(/** @type {import("../api.mjs").StowError} */ (error));
      }
      this.changed();
    });
  }

  /**
   * How far it is was not told. The server goes on while its answer does not come; a plan that was stopped ends in an
   * error, and that was wanted.
   *
   * @param {import("../api.mjs").StowError} error
   */
  #lost(error) {
    if (error.retryable) {
      this.error = error;
      this.#later(RETRY_MS);
      return;
    }
    this.error = this.stopping && error.code === "conflict" ? null : error;
    this.#rest();
    void this.#recent();
  }

  async #weighTrash() {
    try {
      const trash = await this.#api.request("GET", "/library/trash");
      this.trashBytes = trash?.bytes ?? null;
      this.changed();
    } catch {
      // Then it is not offered to be emptied.
    }
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
