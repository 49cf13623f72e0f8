/** The queue as the server tells it: read once, then kept by its events. */

import { splitPath } from "../format.mjs";
import { Store } from "./store.mjs";

const ACTIVE = new Set(["queued", "resolving", "running", "verifying", "placing"]);
const ENDED = new Set(["completed", "failed", "cancelled"]);
/** What moves while nothing else happens; a change in any other field is something to see at once. */
const RUNNING_FIELDS = new Set(["bytes_done", "rate_bytes_per_second", "eta_seconds", "connections"]);

/** @param {Stow.Download} download true while it goes on by itself, without anybody's help */
export function isActive(download) {
  return ACTIVE.has(download.state);
}

/** @param {Stow.Download} download */
export function hasEnded(download) {
  return ENDED.has(download.state);
}

/** @param {Stow.Download} download the name it has, or will have */
export function nameOf(download) {
  return download.filename ?? download.request.filename ?? splitPath(download.source.split(/[?#]/)[0] ?? "").filename;
}

/** @param {Stow.Download} download */
export function folderOf(download) {
  return download.folder_name ?? download.request.folder_name ?? null;
}

export class Downloads extends Store {
  /** @type {Map<string, Stow.Download>} */
  #byId = new Map();
  /** @type {readonly Stow.Download[] | null} made when it is asked for: the history may be long */
  #ordered = null;
  /** @type {Map<string, Stow.Download[]> | null} the same by the name of the file */
  #named = null;
  /** @type {Set<string>} completed, and the disk was not looked at since */
  #fresh = new Set();
  /** @type {Map<string, Stow.Download> | null} what events told while the list was being read: it may be newer */
  #meanwhile = null;
  #api;
  /** @type {import("../api.mjs").StowError | null} */
  error = null;

  /** @param {Pick<import("../api.mjs").Api, "request">} api */
  constructor(api) {
    super();
    this.#api = api;
  }

  /** @returns {readonly Stow.Download[]} in the queue's order */
  get all() {
    this.#ordered ??= [...this.#byId.values()].sort((a, b) => a.position - b.position || a.created_at - b.created_at);
    return this.#ordered;
  }

  /** @param {string} id */
  get(id) {
    return this.#byId.get(id) ?? null;
  }

  /** The ones that are not over, and those that ended badly and wait for a decision. */
  get open() {
    return this.all.filter((download) => !hasEnded(download) || download.state === "failed");
  }

  get active() {
    return this.all.filter(isActive);
  }

  /**
   * The newest download that brings this model.
   *
   * @param {Stow.Model} model
   * @returns {Stow.Download | null}
   */
  forModel(model) {
    this.#named ??= byName(this.all);
    const brings = (this.#named.get(splitPath(model.name).filename) ?? []).filter(
      (download) => (model.folder === null || folderOf(download) === model.folder) && download.state !== "cancelled",
    );
    return brings.sort((a, b) => b.created_at - a.created_at)[0] ?? null;
  }

  /**
   * The download that a missing model waits for. One that was completed long ago and whose file is missing all the
   * same is history: the file was removed since.
   *
   * @param {Stow.Model} model
   * @returns {Stow.Download | null}
   */
  bringing(model) {
    const download = this.forModel(model);
    return download?.state === "completed" && !this.#fresh.has(download.id) ? null : download;
  }

  /** The disk was looked at: what is still missing now is missing. */
  settled() {
    this.#fresh.clear();
  }

  /** Read everything again: at start, and after the connection was lost. */
  async load() {
    /** @type {Map<string, Stow.Download>} */
    const meanwhile = new Map();
    this.#meanwhile = meanwhile;
    try {
      const answer = await this.#api.request("GET", "/downloads");
      if (meanwhile !== this.#meanwhile) return; // it is being read again
      const before = this.#byId;
      // Every change is told by an event, so what an event told is never older for long.
      this.#byId = new Map([
        ...listed(answer).map((download) => /** @type {const} */ ([download.id, download])),
        ...meanwhile,
      ]);
      this.#ordered = this.#named = null;
      this.#meanwhile = null;
      this.error = null;
      for (const download of this.#byId.values()) if (before.has(download.id)) this.#tell(download, before);
    } catch (error) {
      if (meanwhile !== this.#meanwhile) return;
      this.#meanwhile = null;
      this.error = /** @type {import("../api.mjs").StowError} */ (error);
    }
    this.changed();
  }

  /**
   * Take what an event or an answer brought.
   *
   * @param {readonly Stow.Download[]} downloads
   */
  merge(downloads) {
    const before = new Map(this.#byId);
    let seen = false;
    for (const download of downloads) {
      const known = before.get(download.id);
      seen ||= known === undefined || differs(known, download);
      this.#byId.set(download.id, download);
      this.#meanwhile?.set(download.id, download);
      this.#tell(download, before);
    }
    if (downloads.length > 0) this.#ordered = this.#named = null;
    if (seen) this.changed();
    else if (downloads.length > 0) this.progressed();
  }

  /**
   * Say that a download was completed since it was last heard of.
   *
   * @param {Stow.Download} download
   * @param {Map<string, Stow.Download>} before
   */
  #tell(download, before) {
    if (download.state !== "completed" || before.get(download.id)?.state === "completed") return;
    this.#fresh.add(download.id);
    this.dispatchEvent(new CustomEvent("completed", { detail: download }));
  }
}

/** @param {readonly Stow.Download[]} downloads */
function byName(downloads) {
  /** @type {Map<string, Stow.Download[]>} */
  const named = new Map();
  for (const download of downloads) {
    const { filename } = splitPath(nameOf(download));
    const same = named.get(filename);
    if (same === undefined) named.set(filename, [download]);
    else same.push(download);
  }
  return named;
}

/**
 * @param {any} answer
 * @returns {Stow.Download[]}
 */
function listed(answer) {
  const list = Array.isArray(answer) ? answer : answer?.downloads;
  return Array.isArray(list) ? list : [];
}

/**
 * @param {Stow.Download} before
 * @param {Stow.Download} after
 */
function differs(before, after) {
  /** @type {(keyof Stow.Download)[]} */
  const fields = /** @type {any} */ (Object.keys(after));
  return fields.some((field) => {
    if (RUNNING_FIELDS.has(field)) return false;
    const [old, fresh] = [before[field], after[field]];
    return old !== fresh && JSON.stringify(old) !== JSON.stringify(fresh);
  });
}
