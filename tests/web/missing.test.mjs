import assert from "node:assert/strict";
import { test } from "node:test";

import { certain, summary } from "../../web/stores/missing.mjs";
import { heard, model, parts, WORKFLOW } from "./parts.mjs";

test("the open workflow is posted, and asked about again only when it or the disk changed", async (t) => {
  const { server, missing, host } = await parts(t);
  server.state.models = [model("a.safetensors")];
  assert.equal(await missing.check(), true);
  assert.equal(await missing.check(), false);
  assert.equal(await missing.check({ force: true }), true);
  host.workflow = () => ({ ...WORKFLOW, nodes: [] });
  assert.equal(await missing.check(), true);
  assert.deepEqual(server.asked[0]?.body, { workflow: WORKFLOW });
  assert.equal(server.asked.length, 3);
});

test("an answer that was overtaken by a newer question is dropped", async (t) => {
  const { missing, host } = await parts(t);
  /** @type {((answer: unknown) => void)[]} */
  const answers = [];
  const slow = new /** @type {any} */ (missing.constructor)(
    { request: () => new Promise((done) => answers.push(done)) },
    host,
  );
  const first = slow.check();
  host.workflow = () => ({ id: "other", nodes: [{ id: 2, type: "x", widgets_values: ["b.safetensors"] }] });
  const second = slow.check();
  answers[1]?.({ models: [model("b.safetensors")] });
  answers[0]?.({ models: [model("a.safetensors")] });
  assert.deepEqual(await Promise.all([first, second]), [false, true]);
  assert.deepEqual(
    slow.models.map(({ name }) => name),
    ["b.safetensors"],
  );
});

test("a refusal is kept with its words, and asked about again at the next look", async (t) => {
  const { server, missing } = await parts(t);
  server.state.errors = {
    "POST /workflow/missing": { status: 503, code: "engine_unavailable", message: "the engine is away", hint: "wait" },
  };
  const changes = heard(missing, "change");
  await missing.check();
  assert.deepEqual(
    [missing.phase, missing.error?.message, missing.error?.hint],
    ["failed", "the engine is away", "wait"],
  );
  assert.ok(changes.times > 0);
  server.state.errors = {};
  assert.equal(await missing.check(), true);
  assert.equal(missing.phase, "ready");
});

test("a report that carries an error is a refusal", async (t) => {
  const { missing, host } = await parts(t);
  const error = { code: "bad_workflow", message: "this is no workflow", hint: null };
  const store = new /** @type {any} */ (missing.constructor)({ request: async () => ({ models: [], error }) }, host);
  await store.check();
  assert.equal(store.phase, "failed");
});

test("only what a running node needs is counted, and unknown sizes are told apart", () => {
  const unsized = model("b.safetensors");
  unsized.candidates[0].size_bytes = null;
  const off = model("c.safetensors", { active: false });
  const known = summary([
    model("a.safetensors"),
    unsized,
    off,
    model("d", { state: "present" }),
    model("e", { state: "near" }),
  ]);
  assert.equal(known.total, 4);
  assert.deepEqual(
    known.missing.map(({ name }) => name),
    ["a.safetensors", "b.safetensors", "e"],
  );
  assert.deepEqual([known.bytes, known.unsized], [100, 1]);
});

test("only an exact or high candidate is taken without asking", () => {
  const taken = ["exact", "high", "likely", "guess"].map((confidence) => {
    const wanted = model("a");
    wanted.candidates[0].confidence = confidence;
    return certain(wanted) !== null;
  });
  assert.deepEqual(taken, [true, true, false, false]);
  assert.equal(certain(model("a", { candidates: [] })), null);
});

test("another workflow does not stand there with the models of the last one", async (t) => {
  const { server, missing, host } = await parts(t);
  server.state.models = [model("a.safetensors")];
  await missing.check();
  host.workflow = () => ({ id: WORKFLOW.id, nodes: [] }); // the same one, edited: its list stays until the answer is here
  const edited = missing.check();
  assert.deepEqual([missing.phase, missing.models.length, missing.ofOpen], ["ready", 1, true]);
  await edited;
  host.workflow = () => ({ id: "other", nodes: [{ id: 1, type: "x", widgets_values: ["b.safetensors"] }] });
  assert.equal(missing.ofOpen, false);
  const opened = missing.check();
  assert.deepEqual([missing.phase, missing.models.length], ["checking", 0]);
  await opened;
  assert.deepEqual([missing.phase, missing.ofOpen], ["ready", true]);
  const copy = { ...host.workflow(), id: "its copy" };
  host.workflow = () => copy;
  const looked = missing.check();
  assert.deepEqual([missing.phase, missing.models.length], ["ready", 1]); // it needs the same
  assert.deepEqual([await looked, missing.ofOpen], [true, true]);
});

test("what is known of a workflow stays while the server is away", async (t) => {
  const { server, missing } = await parts(t);
  server.state.models = [model("a.safetensors")];
  await missing.check();
  server.state.errors = { "POST /workflow/missing": { status: 503, code: "engine_unavailable", message: "away" } };
  await missing.check({ force: true });
  assert.deepEqual([missing.phase, missing.models.length, missing.workflow?.id], ["failed", 1, WORKFLOW.id]);
});
