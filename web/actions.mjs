/** What a click does: ask the server, take its answer into the stores, keep what went wrong beside what was clicked. */

import { splitPath } from "./format.mjs";
import { requestFor } from "./request.mjs";
import { certain, keyOf, summary } from "./stores/missing.mjs";
import { providerOf } from "./words.mjs";

/** @typedef {import("./api.mjs").StowError} StowError */

export class Actions {
  #api;
  #downloads;
  #missing;
  #library;
  #forecast;
  #host;
  #ui;
  /** @type {Map<string, () => Promise<void>>} what waits for the access secret, by the key of its card */
  #waiting = new Map();

  /**
   * @param {object} parts
   * @param {import("./api.mjs").Api} parts.api
   * @param {import("./stores/downloads.mjs").Downloads} parts.downloads
   * @param {import("./stores/missing.mjs").Missing} parts.missing
   * @param {import("./stores/library.mjs").Library} parts.library
   * @param {import("./stores/forecast.mjs").Forecast} parts.forecast
   * @param {Pick<Stow.Host, "replaceValue" | "embedSources" | "notify" | "copy" | "save">} parts.host
   * @param {import("./stores/ui.mjs").Ui} parts.ui
   */
  constructor({ api, downloads, missing, library, forecast, host, ui }) {
    this.#api = api;
    this.#downloads = downloads;
    this.#missing = missing;
    this.#library = library;
    this.#forecast = forecast;
    this.#host = host;
    this.#ui = ui;
  }

  /**
   * Fetch a model from one place.
   *
   * @param {Stow.Model} model
   * @param {Stow.Candidate} candidate
   */
  download(model, candidate) {
    return this.#run(keyOf(model), () => this.#submit(requestFor(model, candidate)));
  }

  /**
   * Look for a model on the hubs; what they know stands among its places to choose from.
   *
   * @param {Stow.Model} model
   */
  find(model) {
    const key = keyOf(model);
    return this.#run(key, async () => {
      const question = { name: model.name, folder_name: model.folder };
      const answer = await this.#api.request("POST", "/workflow/candidates", question);
      this.#missing.found(key, answer?.candidates ?? []);
      this.#ui.unfold(`choose:${key}`, (answer?.candidates ?? []).length > 0);
    });
  }

  /**
   * Fetch a smaller variant of a model under its own name, and let the open graph name it.
   *
   * @param {Stow.Model} model
   * @param {Stow.Variant} variant
   */
  takeSmaller(model, variant) {
    return this.#run(keyOf(model), async () => {
      const { subfolder } = splitPath(model.name);
      await this.#submit({ source: variant.source, folder_name: model.folder, subfolder, filename: variant.name });
      this.#rename(model, subfolder === null ? variant.name : `${subfolder}/${variant.name}`);
      await this.#missing.check({ force: true });
    });
  }

  /**
   * Let the open graph name the file that is here already.
   *
   * @param {Stow.Model} model
   */
  relink(model) {
    return this.#run(keyOf(model), async () => {
      this.#rename(model, model.near_name ?? "");
      await this.#missing.check({ force: true });
    });
  }

  /** Write into the open graph where its models come from; saving the workflow is the user's. */
  saveSources() {
    return this.#run("sources", async () => {
      // Another workflow may have been opened since: its nodes have the same numbers.
      if (!this.#missing.ofOpen) return void (await this.#missing.check({ force: true }));
      const written = this.#host.embedSources(this.#forecast.sources);
      if (written > 0) this.#host.notify("success", "Sources are in the workflow", "Save it to keep them.");
      await this.#missing.check({ force: true });
      await this.#forecast.look({ force: true });
    });
  }

  /** Put the addresses of what is missing into the clipboard, one a line. */
  copyLinks() {
    return this.#run("plan", async () => {
      const places = this.fetchable().map((model) => certain(model));
      const links = places.map((candidate) => candidate?.url ?? candidate?.source ?? "");
      await this.#host.copy(links.join("\n"));
      this.#host.notify("success", `${links.length} links copied`, "");
    });
  }

  /** Give the user a manifest of what this workflow needs. */
  saveManifest() {
    return this.#run("plan", async () => {
      const answer = await this.#api.request("POST", "/manifest/write", { workflow: this.#missing.workflow });
      this.#host.save("models.yaml", answer.manifest);
    });
  }

  /**
   * Fetch a model from a link that the user gave.
   *
   * @param {Stow.Model} model
   * @param {string} link
   */
  downloadFrom(model, link) {
    const { subfolder, filename } = splitPath(model.name);
    return this.#run(keyOf(model), () =>
      this.#submit({ source: link.trim(), folder_name: model.folder, subfolder, filename }),
    );
  }

  /** Fetch every missing model whose source is certain and that is not on its way. */
  async downloadAll() {
    for (const model of this.fetchable()) {
      const candidate = certain(model);
      if (candidate !== null) await this.download(model, candidate);
    }
  }

  /** @returns {Stow.Model[]} */
  fetchable() {
    return summary(this.#missing.models).missing.filter(
      (model) => model.state === "missing" && certain(model) !== null && this.#downloads.bringing(model) === null,
    );
  }

  /**
   * Add links that were pasted; what was taken is left out of the answer.
   *
   * @param {readonly string[]} links
   * @param {string | null} folder
   * @returns {Promise<{ link: string, error: StowError }[]>}
   */
  async add(links, folder) {
    /** @type {{ link: string, error: StowError }[]} */
    const refused = [];
    for (const link of links) {
      try {
        await this.#submit({ source: link, folder_name: folder });
      } catch (reason) {
        const error = /** @type {StowError} */ (reason);
        if (error.needsSecret) this.#lock("add", async () => void (await this.add(links, folder)));
        refused.push({ link, error });
      }
    }
    return refused;
  }

  /**
   * @param {Stow.Download} download
   * @param {"pause" | "resume" | "cancel" | "retry"} verb
   */
  control(download, verb) {
    return this.#run(download.id, () => this.#control(download, verb));
  }

  /** @param {"pause" | "resume"} verb */
  controlAll(verb) {
    return this.#run("all", async () => {
      this.#take(await this.#api.request("POST", `/downloads/${verb}-all`));
      await this.#downloads.load();
    });
  }

  /** Try all again that failed. */
  retryFailed() {
    return this.#run("all", async () => {
      this.#take(await this.#api.request("POST", "/downloads/retry-failed"));
      await this.#downloads.load();
    });
  }

  /**
   * Fetch a download before all that wait.
   *
   * @param {Stow.Download} download
   */
  moveFirst(download) {
    return this.#run(download.id, async () => {
      const path = `/downloads/${encodeURIComponent(download.id)}`;
      this.#take(await this.#api.request("PATCH", path, { position: 0 }));
      await this.#downloads.load();
    });
  }

  /**
   * Let the server read the library: to prove it whole, or to find where unknown files come from; or let it stop.
   *
   * @param {"identify" | "verify" | "cancel"} what
   */
  library(what) {
    return this.#run("library", async () => {
      this.#library.told(await this.#api.request("POST", `/library/${what}`));
    });
  }

  /**
   * Put a damaged file into the trash and fetch it again. From the trash it can be taken back.
   *
   * @param {Stow.LibraryFile} file
   */
  repair(file) {
    return this.#run(`file:${file.id}`, async () => {
      const plan = await this.#api.request("POST", "/library/delete", { apply: false, ids: [file.id] });
      await this.#api.request("POST", "/library/delete", { apply: plan.id });
      const { subfolder, filename } = splitPath(file.relative_path);
      await this.#submit({ source: file.source ?? "", folder_name: file.folder, subfolder, filename });
      this.#ui.show("downloads");
    });
  }

  /**
   * Keep a token on the server and let what waits for it go on.
   *
   * @param {import("./words.mjs").Provider} provider
   * @param {string} token
   * @param {string} where the key of the card whose field it was typed into
   * @returns {Promise<boolean>} whether it was taken
   */
  setToken(provider, token, where) {
    return this.#run(where, async () => {
      await this.#api.request("PUT", `/credentials/${provider}`, { token });
      this.#ui.tokensGiven.add(provider);
      this.#ui.unfold(`token:${where}`, false);
      const blocked = this.#downloads.all.filter(
        (download) => download.state === "waiting" && providerOf(download.source) === provider,
      );
      await Promise.all(blocked.map((download) => this.#control(download, "retry")));
      void this.#forecast.look({ force: true });
    });
  }

  /**
   * Keep the access secret in this browser, if the server takes it, and do what waited for it.
   *
   * @param {string} secret
   */
  async unlock(secret) {
    this.#api.secret = secret.trim();
    await this.#downloads.load();
    if (this.#downloads.error?.needsSecret) {
      this.#api.secret = null;
      this.#ui.setLock({ wrong: true });
      return;
    }
    this.#ui.setLock(null);
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    await Promise.all(waiting.map((call) => call()));
    await this.#missing.check({ force: true });
  }

  /**
   * @param {Stow.Model} model
   * @param {string} name what its nodes are to name instead
   */
  #rename(model, name) {
    if (!this.#missing.ofOpen) return;
    for (const use of model.uses) this.#host.replaceValue(use.node_id, model.name, name);
  }

  /**
   * @param {Stow.Download} download
   * @param {string} verb
   */
  async #control(download, verb) {
    this.#take(await this.#api.request("POST", `/downloads/${encodeURIComponent(download.id)}/${verb}`));
  }

  /** @param {Stow.DownloadRequest} request */
  async #submit(request) {
    this.#take(await this.#api.request("POST", "/downloads", request));
  }

  /** @param {any} answer a Download, or a list of them, or neither */
  #take(answer) {
    const list = Array.isArray(answer) ? answer : (answer?.downloads ?? [answer?.download ?? answer]);
    this.#downloads.merge(list.filter((/** @type {any} */ item) => typeof item?.id === "string"));
  }

  /**
   * Do something once at a time for one card.
   *
   * @param {string} key
   * @param {() => Promise<void>} call
   * @returns {Promise<boolean>} whether it went well
   */
  async #run(key, call) {
    if (this.#ui.isBusy(key)) return false;
    this.#ui.setBusy(key, true);
    this.#ui.setError(key, null);
    try {
      await call();
      return true;
    } catch (reason) {
      const error = /** @type {StowError} */ (reason);
      if (error.needsSecret) this.#lock(key, async () => void (await this.#run(key, call)));
      else this.#ui.setError(key, error);
      return false;
    } finally {
      this.#ui.setBusy(key, false);
    }
  }

  /**
   * @param {string} key
   * @param {() => Promise<void>} call
   */
  #lock(key, call) {
    this.#waiting.set(key, call);
    if (this.#ui.lock === null) this.#ui.setLock({ wrong: false });
  }
}
