/** The panel's stores on a stand-in server, without a page. */

import { Actions } from "../../web/actions.mjs";
import { Api } from "../../web/api.mjs";
import { Downloads } from "../../web/stores/downloads.mjs";
import { Change } from "../../web/stores/change.mjs";
import { Forecast } from "../../web/stores/forecast.mjs";
import { Library } from "../../web/stores/library.mjs";
import { Missing } from "../../web/stores/missing.mjs";
import { Pod } from "../../web/stores/pod.mjs";
import { Settings } from "../../web/stores/settings.mjs";
import { System } from "../../web/stores/system.mjs";
import { Ui } from "../../web/stores/ui.mjs";
import { FakeClock } from "./clock.mjs";
import { blank, FakeServer } from "./fake/server.mjs";

export const WORKFLOW = { id: "w", nodes: [{ id: 1, type: "VAELoader", widgets_values: ["a.safetensors"] }] };

/**
 * @param {import("node:test").TestContext} test
 * @returns everything a test needs; the server ends with the test
 */
export async function parts(test) {
  const server = new FakeServer();
  const address = await server.start();
  test.after(() => server.stop());
  const kept = new Map();
  const storage = {
    getItem: (key) => kept.get(key) ?? null,
    setItem: (key, value) => void kept.set(key, value),
    removeItem: (key) => void kept.delete(key),
  };
  let asking = 0;
  const ask = async (route, options) => {
    asking += 1;
    try {
      return await fetch(`${address}/api${route}`, options);
    } finally {
      asking -= 1;
    }
  };
  /** Wait until all that was asked is answered and taken in, however slow the machine is. */
  const quiet = async () => {
    for (let calm = 0; calm < 5; calm = asking ? 0 : calm + 1) await new Promise((done) => setTimeout(done, 5));
  };
  const api = new Api(ask, storage);
  const host = { workflow: () => WORKFLOW };
  const downloads = new Downloads(api);
  const missing = new Missing(api, host);
  const clock = new FakeClock();
  const sight = { visible: true };
  const system = new System(api, clock, () => sight.visible);
  const pod = new Pod(api, clock, () => sight.visible);
  const library = new Library(api, clock, () => sight.visible);
  const change = new Change(api, clock, () => sight.visible);
  const settings = new Settings(api);
  const ui = new Ui();
  const forecast = new Forecast(api, missing, clock);
  const actions = new Actions({ api, downloads, missing, library, forecast, host, ui });
  return {
    server,
    quiet,
    address,
    storage,
    api,
    host,
    downloads,
    missing,
    system,
    pod,
    library,
    change,
    forecast,
    settings,
    clock,
    sight,
    ui,
    actions,
  };
}

/** A model of the `missing` shape. */
export function model(name, more = {}) {
  const source = `hf://o/r/${name}`;
  const candidate = {
    source,
    url: null,
    folder: "vae",
    name,
    size_bytes: 100,
    sha256: null,
    confidence: "high",
    reason: "",
  };
  return { name, folder: "vae", state: "missing", active: true, uses: [], candidates: [candidate], ...more };
}

/** A Download as the server sends it. */
export function download(id, more = {}) {
  return {
    ...blank,
    id,
    request: { source: "hf://o/r/a" },
    source: "hf://o/r/a",
    filename: "a.safetensors",
    folder_name: "vae",
    ...more,
  };
}

/** Count how often a store says something. */
export function heard(store, type) {
  const seen = { times: 0 };
  store.addEventListener(type, () => {
    seen.times += 1;
  });
  return seen;
}
