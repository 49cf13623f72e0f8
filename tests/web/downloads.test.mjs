import assert from "node:assert/strict";
import { test } from "node:test";

import { download, heard, model, parts } from "./parts.mjs";

test("the queue is read once and kept by events", async (t) => {
  const { server, downloads } = await parts(t);
  server.state.downloads = [download("1", { position: 2 }), download("2", { position: 1 })];
  await downloads.load();
  downloads.merge([download("3", { position: 1.5 })]);
  assert.deepEqual(
    downloads.all.map(({ id }) => id),
    ["2", "3", "1"],
  );
});

test("numbers that run are progress, everything else is a change", async (t) => {
  const { downloads } = await parts(t);
  downloads.merge([download("1", { state: "running" })]);
  const [changes, moves] = [heard(downloads, "change"), heard(downloads, "progress")];
  downloads.merge([download("1", { state: "running", bytes_done: 5, rate_bytes_per_second: 7, eta_seconds: 3 })]);
  assert.deepEqual([changes.times, moves.times], [0, 1]);
  downloads.merge([download("1", { state: "running", bytes_done: 5, note: "slowed down" })]);
  assert.deepEqual([changes.times, moves.times], [1, 1]);
});

test("a completed download is told once", async (t) => {
  const { downloads } = await parts(t);
  const done = heard(downloads, "completed");
  downloads.merge([download("1", { state: "running" })]);
  downloads.merge([download("1", { state: "completed" })]);
  downloads.merge([download("1", { state: "completed" })]);
  assert.equal(done.times, 1);
});

test("what was completed while the connection was lost is told, the history at start is not", async (t) => {
  const { server, downloads } = await parts(t);
  const done = heard(downloads, "completed");
  server.state.downloads = [download("1", { state: "running" }), download("2", { state: "completed" })];
  await downloads.load();
  assert.equal(done.times, 0);
  server.state.downloads[0].state = "completed";
  await downloads.load();
  assert.equal(done.times, 1);
});

test("a model finds its download by name and folder, also before the source has named it", async (t) => {
  const { downloads } = await parts(t);
  const early = {
    filename: null,
    folder_name: null,
    request: { source: "x", filename: "a.safetensors", folder_name: "vae" },
  };
  downloads.merge([download("1", early), download("2", { filename: "b.safetensors" })]);
  assert.equal(downloads.forModel(model("sub/a.safetensors"))?.id, "1");
  assert.equal(downloads.forModel(model("a.safetensors", { folder: "loras" })), null);
});

test("a model whose file was removed after its download can be downloaded again", async (t) => {
  const { server, downloads } = await parts(t);
  server.state.downloads = [download("1", { state: "completed" })];
  await downloads.load();
  assert.equal(downloads.bringing(model("a.safetensors")), null);
  downloads.merge([download("1", { state: "running" })]);
  downloads.merge([download("1", { state: "completed" })]);
  assert.equal(downloads.bringing(model("a.safetensors"))?.id, "1", "until the disk is looked at it counts as here");
  downloads.settled();
  assert.equal(downloads.bringing(model("a.safetensors")), null);
});

test("the newest download of a model counts, and a cancelled one is as if it never was", async (t) => {
  const { downloads } = await parts(t);
  downloads.merge([download("1", { created_at: 1, state: "failed" }), download("2", { created_at: 2 })]);
  assert.equal(downloads.forModel(model("a.safetensors"))?.id, "2");
  downloads.merge([download("2", { created_at: 2, state: "cancelled" })]);
  assert.equal(downloads.forModel(model("a.safetensors"))?.id, "1");
});

test("a server that is away leaves what is known, and says so", async (t) => {
  const { server, downloads } = await parts(t);
  server.state.downloads = [download("1")];
  await downloads.load();
  server.stop();
  await downloads.load();
  assert.equal(downloads.error?.code, "unreachable");
  assert.equal(downloads.all.length, 1);
});

test("what an event told while the list was being read is not overwritten by it", async (t) => {
  const { downloads } = await parts(t);
  /** @type {((answer: unknown) => void)[]} */
  const answers = [];
  const store = new /** @type {any} */ (downloads.constructor)({
    request: () => new Promise((done) => answers.push(done)),
  });
  const done = heard(store, "completed");
  const first = store.load();
  store.merge([download("1", { state: "running" })]);
  store.merge([download("1", { state: "completed" })]);
  answers[0]?.({ downloads: [download("1", { state: "running" }), download("2")] });
  await first;
  assert.deepEqual([store.get("1").state, store.get("2").state, done.times], ["completed", "queued", 1]);
  const [second, third] = [store.load(), store.load()];
  answers[2]?.({ downloads: [download("3")] });
  answers[1]?.({ downloads: [download("2")] });
  await Promise.all([second, third]);
  assert.deepEqual(
    store.all.map((/** @type {any} */ entry) => entry.id),
    ["3"],
  );
});

test("a long history does not make every card slow", async (t) => {
  const { downloads } = await parts(t);
  downloads.merge(Array.from({ length: 20_000 }, (_, id) => download(String(id), { filename: `${id}.safetensors` })));
  const list = downloads.all;
  assert.equal(downloads.forModel(model("19999.safetensors"))?.id, "19999");
  assert.equal(downloads.all, list);
  downloads.merge([download("new", { filename: "19999.safetensors", created_at: 5 })]);
  assert.equal(downloads.forModel(model("19999.safetensors"))?.id, "new");
});
