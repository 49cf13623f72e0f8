/**
 * The files that are here, as the server's index tells them: pages of rows that are read when they come into sight, and
 * the plans that change files.
 */

import { Store } from "./store.mjs";

const PAGE = 100;
/** So many pages are asked for at once: a flight over ten thousand rows asks for where it ends, not for every one. */
const MOST_ASKED = 2;
/** Typing waits this long for the next letter. */
const TYPING_MS = 200;
/** While the server indexes it is asked again this often. */
const BUSY_MS = 1000;
/** What could not be read is asked for again after this time: the engine may be starting. */
const RETRY_MS = 4000;

/** @type {Stow.LibraryQuery} */
const ANYTHING = { text: "", base: null, folder: null, flag: null };

export class Library extends Store {
  #api;
  #clock;
  #visible;
  #looking = false;
  /** Whether something changed while nobody saw the list. */
  #owed = false;
  #round = 0;
  /** @type {unknown} */
  #typing = null;
  /** @type {unknown} */
  #again = null;
  /** @type {Map<number, Stow.LibraryFile[]>} */
  #pages = new Map();
  /** @type {Set<number>} pages that may be other than they were read; they stand there until they are read again */
  #old = new Set();
  /** @type {Set<number>} pages that are asked for */
  #asked = new Set();
  /** @type {{ round: number, files: Promise<Stow.LibraryFile[]> } | null} files that no workflow names */
  #nameless = null;
  query = ANYTHING;
  /** @type {number | null} how many files the query finds */
  total = null;
  /** @type {Stow.LibraryTotals | null} */
  totals = null;
  /** @type {Stow.LibraryRoot[]} */
  roots = [];
  /** @type {Stow.LibraryUsage} how many files there are of each base model and folder */
  usage = { base_models: [], folders: [] };
  /** @type {Stow.LibraryWork | null} what the server reads, proves or looks up */
  work = null;
  /** @type {import("../api.mjs").StowError | null} */
  error = null;
  /** The rows in sight, with some beside them; the view sets it as it is scrolled. */
  window = { first: 0, last: 40 };
  /** @type {number | null} the file whose details are open */
  opened = null;

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

  /** Somebody looks. What was read before is shown at once, and read again. */
  look() {
    this.#looking = true;
    this.stale();
    void this.#goesOn();
  }

  /** Nobody looks any more. */
  leave() {
    this.#looking = false;
    for (const timer of [this.#typing, this.#again]) if (timer !== null) this.#clock.cancel(timer);
    this.#typing = this.#again = null;
  }

  /** The page came into sight again, or went out of it. */
  turned() {
    if (!this.#looking) return;
    if (this.#visible()) {
      if (this.#owed) this.stale();
      return;
    }
    this.#owed ||= this.#again !== null || this.#typing !== null;
    this.leave();
    this.#looking = true;
  }

  /** Files came, went or changed. */
  stale() {
    this.#owed = this.#looking && !this.#visible();
    if (this.#looking && !this.#owed) void this.#read({ keep: true });
  }

  /** @param {Stow.LibraryWork} work what the server is at now */
  told(work) {
    const ended = isAtWork(this.work) && !isAtWork(work);
    const moved = isAtWork(this.work) === isAtWork(work);
    this.work = work;
    if (ended) this.stale();
    if (moved) this.progressed();
    else this.changed();
  }

  /**
   * @param {Partial<Stow.LibraryQuery>} part
   * @param {{ typing?: boolean }} [options] whether more may follow at once
   */
  ask(part, { typing = false } = {}) {
    this.query = { ...this.query, ...part };
    if (this.#typing !== null) this.#clock.cancel(this.#typing);
    this.#typing = null;
    if (!typing) {
      void this.#read({ keep: false });
      return;
    }
    this.#typing = this.#clock.after(TYPING_MS, () => {
      this.#typing = null;
      void this.#read({ keep: false });
    });
  }

  /** Whether nothing is left out. */
  get unfiltered() {
    return Object.entries(ANYTHING).every(([name, value]) => /** @type {any} */ (this.query)[name] === value);
  }

  /**
   * @param {number} index
   * @returns {Stow.LibraryFile | null} null while it is being read
   */
  row(index) {
    return this.#pages.get(Math.floor(index / PAGE))?.[index % PAGE] ?? null;
  }

  /**
   * @param {number} first
   * @param {number} last
   * @returns {boolean} whether other rows are in sight now
   */
  see(first, last) {
    if (first === this.window.first && last === this.window.last) return false;
    this.window = { first, last };
    this.#fill();
    return true;
  }

  /** @param {number} id */
  open(id) {
    this.opened = this.opened === id ? null : id;
    this.changed();
  }

  /** Read the rows in sight that are not read yet. */
  #fill() {
    const last = Math.min(this.window.last, (this.total ?? 0) - 1);
    for (let page = Math.floor(this.window.first / PAGE); page <= Math.floor(last / PAGE); page += 1) {
      if (this.#asked.size >= MOST_ASKED) return;
      const wanted = !this.#pages.has(page) || this.#old.has(page);
      if (wanted && !this.#asked.has(page)) void this.#readPage(page, this.#round);
    }
  }

  /** @param {{ keep: boolean }} options whether the old rows stand until the new ones are here */
  async #read({ keep }) {
    const round = ++this.#round;
    this.#asked.clear();
    const first = keep ? Math.floor(this.window.first / PAGE) : 0;
    try {
      const answer = await this.#request(first);
      if (round !== this.#round) return;
      this.#old = new Set(keep ? this.#pages.keys() : []);
      if (!keep) this.#pages = new Map();
      this.#take(answer, first);
    } catch (error) {
      if (round === this.#round) this.#fail(/** @type {import("../api.mjs").StowError} */ (error));
      return;
    }
    this.changed();
    this.#fill();
    // What is counted there hangs on the files, not on what is looked for.
    if (keep || this.usage.folders.length === 0) await this.#count(round);
  }

  /** @param {number} round */
  async #count(round) {
    try {
      const usage = await this.#api.request("GET", "/library/usage");
      if (round !== this.#round) return;
      this.usage = usage;
      this.changed();
    } catch {
      // Without these numbers there are fewer chips, and no more.
    }
  }

  /**
   * @param {number} page
   * @param {number} round
   */
  async #readPage(page, round) {
    this.#asked.add(page);
    try {
      const answer = await this.#request(page);
      if (round !== this.#round) return;
      const before = JSON.stringify(this.totals);
      this.#take(answer, page);
      if (JSON.stringify(this.totals) === before) this.dispatchEvent(new Event("rows"));
      else this.changed();
      this.#asked.delete(page);
      this.#fill();
    } catch (error) {
      if (round !== this.#round) return;
      this.#asked.delete(page);
      this.#fail(/** @type {import("../api.mjs").StowError} */ (error));
    }
  }

  /** @param {import("../api.mjs").StowError} error */
  #fail(error) {
    this.error = error;
    if (error.retryable) this.#later(RETRY_MS);
    this.changed();
  }

  /** @param {number} milliseconds until all is read again, unless that is planned */
  #later(milliseconds) {
    if (this.#again !== null || !this.#looking) return;
    this.#again = this.#clock.after(milliseconds, () => {
      this.#again = null;
      this.stale();
    });
  }

  async #goesOn() {
    try {
      this.told(await this.#api.request("GET", "/library/work"));
    } catch {
      // Its end is told by the event that changes the list.
    }
  }

  /** @param {number} page */
  async #request(page) {
    const { text, base, folder, flag } = this.query;
    if (flag === "unreferenced") return this.#unreferenced(page);
    const asked = new URLSearchParams({ offset: String(page * PAGE), limit: String(PAGE) });
    if (text.trim() !== "") asked.set("q", text.trim());
    if (base !== null) asked.set("base", base);
    if (folder !== null) asked.set("folder", folder);
    if (flag !== null) asked.set(flag, "1");
    return this.#api.request("GET", `/library?${asked}`);
  }

  /**
   * That list comes whole: to make it every workflow is read, so it is asked for once a round. The other filters are
   * applied here.
   *
   * @param {number} page
   * @returns {Promise<Stow.LibraryPage>}
   */
  async #unreferenced(page) {
    if (this.#nameless?.round !== this.#round) {
      const asked = this.#api.request("GET", "/library/unreferenced").then((answer) => answer.files);
      this.#nameless = { round: this.#round, files: asked };
    }
    const [whole, all] = await Promise.all([this.#api.request("GET", "/library?limit=1"), this.#nameless.files]);
    const { text, base, folder } = this.query;
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    const files = all.filter(
      (file) =>
        words.every((word) => file.relative_path.toLowerCase().includes(word)) &&
        (base === null || file.base_model === base) &&
        (folder === null || file.folder === folder),
    );
    return { ...whole, files: files.slice(page * PAGE, (page + 1) * PAGE), count: files.length };
  }

  /**
   * @param {Stow.LibraryPage} answer
   * @param {number} page
   */
  #take(answer, page) {
    this.#pages.set(page, answer.files);
    this.#old.delete(page);
    this.total = answer.count;
    this.totals = answer.totals;
    this.roots = answer.roots;
    this.error = null;
    if (answer.totals.scanning !== null) this.#later(BUSY_MS);
  }
}

/** @param {Stow.LibraryWork | null} work */
export function isAtWork(work) {
  return work !== null && (work.reading !== null || work.verify.running || work.identify.running);
}
