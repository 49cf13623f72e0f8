import assert from "node:assert/strict";
import { test } from "node:test";

import { keyOf } from "../../web/stores/missing.mjs";
import { download, model, parts, WORKFLOW } from "./parts.mjs";

test("a click asks for the file under the workflow's own name, subfolder and all", async (t) => {
  const { server, actions, downloads } = await parts(t);
  const wanted = model("flux/a.safetensors");
  wanted.candidates[0].url = "https://huggingface.co/o/r/resolve/main/other-name.safetensors";
  await actions.download(wanted, wanted.candidates[0]);
  const { body, headers } = server.asked[0];
  assert.deepEqual(body, {
    source: "https://huggingface.co/o/r/resolve/main/other-name.safetensors",
    folder_name: "vae",
    subfolder: "flux",
    filename: "a.safetensors",
    sha256: null,
  });
  assert.equal(headers["x-comfystow"], "1");
  assert.equal(headers["content-type"], "application/json");
  assert.equal(downloads.all.length, 1);
});

test("two quick clicks ask once", async (t) => {
  const { server, actions } = await parts(t);
  const wanted = model("a.safetensors");
  await Promise.all([actions.download(wanted, wanted.candidates[0]), actions.download(wanted, wanted.candidates[0])]);
  assert.equal(server.asked.length, 1);
});

test("Download all takes what is certain and not under way, and nothing else", async (t) => {
  const { server, actions, missing, downloads } = await parts(t);
  const unsure = model("unsure.safetensors");
  unsure.candidates[0].confidence = "guess";
  server.state.models = [
    model("a.safetensors"),
    model("b.safetensors"),
    unsure,
    model("near.safetensors", { state: "near" }),
    model("off.safetensors", { active: false }),
    model("here.safetensors", { state: "present" }),
  ];
  await missing.check();
  downloads.merge([download("9", { filename: "b.safetensors", state: "running" })]);
  await actions.downloadAll();
  const asked = server.asked.filter(({ path }) => path === "/downloads").map(({ body }) => body.filename);
  assert.deepEqual(asked, ["a.safetensors"]);
});

test("a refusal stands beside what was clicked, with the server's words", async (t) => {
  const { server, actions, ui } = await parts(t);
  server.state.errors = {
    "POST /downloads": { status: 403, code: "host_not_allowed", message: "no", hint: "allow it" },
  };
  const wanted = model("a.safetensors");
  await actions.download(wanted, wanted.candidates[0]);
  assert.equal(ui.errorOf(keyOf(wanted))?.hint, "allow it");
  server.state.errors = {};
  await actions.download(wanted, wanted.candidates[0]);
  assert.equal(ui.errorOf(keyOf(wanted)), null);
});

test("links that are refused come back, the others are taken", async (t) => {
  const { server, actions, downloads } = await parts(t);
  const refused = await actions.add(["https://huggingface.co/o/r/a", "https://huggingface.co/o/r/b"], "loras");
  assert.deepEqual(refused, []);
  assert.equal(server.asked[1]?.body.folder_name, "loras");
  server.state.errors = { "POST /downloads": { code: "invalid_reference", message: "not a link" } };
  const [left] = await actions.add(["nonsense"], null);
  assert.deepEqual([left?.link, left?.error.code, downloads.all.length], ["nonsense", "invalid_reference", 2]);
});

test("a token is kept on the server and in no store, and what waits for it goes on", async (t) => {
  const { server, actions, downloads, storage, ui } = await parts(t);
  const waiting = download("1", { state: "waiting", waiting_for: "token" });
  const elsewhere = download("2", { state: "waiting", waiting_for: "token", source: "civitai://1@2" });
  server.state.downloads = [waiting, elsewhere];
  await downloads.load();
  ui.unfold("token:1", true);
  assert.equal(await actions.setToken("huggingface", "hf_abc", "1"), true);
  assert.equal(server.state.token, "hf_abc");
  assert.equal(downloads.get("1")?.state, "queued");
  assert.equal(downloads.get("2")?.state, "waiting");
  assert.equal(ui.isUnfolded("token:1"), false);
  assert.equal(storage.getItem("comfystow.secret"), null);
});

test("a page from the network is asked for the secret once, and what was clicked then happens", async (t) => {
  const { server, actions, ui, storage } = await parts(t);
  server.state.secret = "open sesame";
  const wanted = model("a.safetensors");
  await actions.download(wanted, wanted.candidates[0]);
  assert.deepEqual(ui.lock, { wrong: false });
  assert.equal(server.state.downloads.length, 0);
  await actions.unlock("guess");
  assert.deepEqual(ui.lock, { wrong: true });
  assert.equal(storage.getItem("comfystow.secret"), null);
  await actions.unlock(" open sesame ");
  assert.equal(ui.lock, null);
  assert.equal(server.state.downloads.length, 1);
  assert.equal(storage.getItem("comfystow.secret"), "open sesame");
});

test("a cancelled download can be taken back", async (t) => {
  const { server, actions, downloads } = await parts(t);
  server.state.downloads = [download("1", { state: "running" })];
  await downloads.load();
  await actions.control(download("1"), "cancel");
  assert.equal(downloads.get("1")?.state, "cancelled");
  await actions.control(download("1"), "retry");
  assert.equal(downloads.get("1")?.state, "queued");
});

test("sources and names of one workflow are not written into another that was opened meanwhile", async (t) => {
  const { server, actions, missing, forecast, host } = await parts(t);
  const near = model("a.safetensors", { state: "near", near_name: "b.safetensors", uses: [{ node_id: "1" }] });
  server.state.models = [near];
  server.state.sources = [{ name: "a", url: "https://x", directory: "vae", hash: null, nodes: ["1"], adds: "address" }];
  await missing.check();
  /** @type {unknown[]} */
  const written = [];
  Object.assign(host, {
    replaceValue: (/** @type {unknown[]} */ ...asked) => void written.push(asked),
    embedSources: (/** @type {unknown[]} */ ...asked) => void written.push(asked),
    workflow: () => ({ ...WORKFLOW, id: "other" }),
  });
  forecast.sources = server.state.sources;
  await actions.relink(near);
  await missing.check({ force: true });
  Object.assign(host, { workflow: () => WORKFLOW });
  await actions.saveSources();
  assert.deepEqual(written, []);
  await missing.check({ force: true });
  await actions.relink(near);
  assert.deepEqual(written, [["1", "a.safetensors", "b.safetensors"]]);
});

test("a download is put before those that wait, and all that failed are tried again", async (t) => {
  const { server, actions, downloads } = await parts(t);
  server.state.downloads = [download("1"), download("2", { state: "failed" })];
  await downloads.load();
  await actions.moveFirst(download("1"));
  await actions.retryFailed();
  assert.deepEqual(
    server.asked.filter(({ method }) => method !== "GET").map(({ method, path, body }) => [method, path, body]),
    [
      ["PATCH", "/downloads/1", { position: 0 }],
      ["POST", "/downloads/retry-failed", {}],
    ],
  );
});
