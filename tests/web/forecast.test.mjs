import assert from "node:assert/strict";
import { test } from "node:test";

import { keyOf } from "../../web/stores/missing.mjs";
import { model, parts } from "./parts.mjs";

const asked = (server, path) => server.asked.filter((request) => request.path === path);

test("what a click would send is planned, once a minute and again when something changed", async (t) => {
  const { server, missing, forecast, clock } = await parts(t);
  server.state.models = [model("a.safetensors"), model("here.safetensors", { state: "present" })];
  await missing.check();
  await forecast.look();
  await forecast.look();
  assert.deepEqual(
    asked(server, "/plan").map(({ body }) => body.downloads.map(({ filename }) => filename)),
    [["a.safetensors"]],
  );
  clock.pass(61_000);
  await forecast.look();
  await forecast.look({ force: true });
  assert.equal(asked(server, "/plan").length, 3);
});

test("nothing is asked before the list is known, and nothing planned where nothing is certain", async (t) => {
  const { server, missing, forecast } = await parts(t);
  await forecast.look();
  assert.equal(server.asked.length, 0);
  const unsure = model("a.safetensors");
  unsure.candidates[0].confidence = "likely";
  server.state.models = [unsure];
  await missing.check();
  await forecast.look();
  assert.equal(asked(server, "/plan").length, 0);
});

test("each model finds its own line of the plan, and the tightest volume is the one that counts", async (t) => {
  const { server, missing, forecast } = await parts(t);
  const [one, two] = [model("a.safetensors"), model("b.safetensors")];
  server.state.models = [one, two];
  const items = [one, two].map((_, at) => ({
    request: {},
    action: "fetch",
    reason: "",
    size_bytes: at,
    error: null,
  }));
  const volumes = [5e9, 1e9, 3e9].map((free) => ({ folders: [], free_bytes: 9e9, free_after_bytes: free, fits: true }));
  server.state.plan = { items, volumes, fetch_bytes: 1, fits: true };
  await missing.check();
  await forecast.look();
  assert.equal(forecast.itemOf(two)?.size_bytes, 1);
  assert.equal(forecast.itemOf(model("other.safetensors")), null);
  assert.equal(forecast.tightest?.free_after_bytes, 1e9);
});

test("sources are offered when all models are here, and a server that refuses leaves the line out", async (t) => {
  const { server, missing, forecast } = await parts(t);
  server.state.sources = [{ name: "a.safetensors", url: "https://x", directory: "vae", hash: null, nodes: ["1"] }];
  server.state.models = [model("a.safetensors", { state: "present" })];
  server.state.errors = { "POST /workflow/fit": { status: 503, code: "engine_unavailable", message: "away" } };
  await missing.check();
  await forecast.look();
  assert.equal(forecast.sources.length, 1);
  assert.equal(forecast.fit, null);
});

test("finds on the hubs stand among the places to choose from, surest first", async (t) => {
  const { server, missing, actions, ui } = await parts(t);
  const wanted = model("a.safetensors");
  wanted.candidates[0].confidence = "guess";
  server.state.models = [wanted];
  await missing.check();
  const find = { ...wanted.candidates[0], source: "civitai://1@2", confidence: "likely" };
  server.state.candidates = [wanted.candidates[0], find];
  await actions.find(wanted);
  const [known] = missing.models;
  assert.deepEqual(
    known.candidates.map(({ source }) => source),
    ["civitai://1@2", wanted.candidates[0].source],
  );
  assert.equal(known.looked, true);
  assert.ok(ui.isUnfolded(`choose:${keyOf(wanted)}`));
  assert.deepEqual(asked(server, "/workflow/candidates")[0].body, { name: "a.safetensors", folder_name: "vae" });
});

test("a smaller variant is fetched under its own name, and the graph names it", async (t) => {
  const { server, missing, actions, host } = await parts(t);
  const renamed = [];
  host.replaceValue = (...words) => renamed.push(words);
  const wanted = model("flux/big.safetensors", { uses: [{ node_id: "3:4" }] });
  server.state.models = [wanted];
  await missing.check();
  await actions.takeSmaller(wanted, { source: "hf://o/r/small.safetensors", name: "small.safetensors" });
  assert.deepEqual(renamed, [["3:4", "flux/big.safetensors", "flux/small.safetensors"]]);
  const body = asked(server, "/downloads")[0].body;
  assert.deepEqual([body.filename, body.subfolder, body.folder_name], ["small.safetensors", "flux", "vae"]);
});

test("links are copied, a manifest is saved, sources are written into the open graph", async (t) => {
  const { server, missing, actions, forecast, host } = await parts(t);
  const done = [];
  Object.assign(host, {
    copy: async (text) => void done.push(["copy", text]),
    save: (name, text) => void done.push(["save", name, text]),
    embedSources: (sources) => done.push(["embed", sources.length]),
    notify: () => {},
  });
  server.state.models = [model("a.safetensors")];
  await missing.check();
  await actions.copyLinks();
  await actions.saveManifest();
  forecast.sources = [/** @type {any} */ ({ name: "a.safetensors" })];
  await actions.saveSources();
  assert.deepEqual(done, [
    ["copy", "hf://o/r/a.safetensors"],
    ["save", "models.yaml", "version: 1\n"],
    ["embed", 1],
  ]);
});
