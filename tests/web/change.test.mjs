import assert from "node:assert/strict";
import { test } from "node:test";

import { parts } from "./parts.mjs";

const plan = {
  id: "p1",
  kind: "dedupe",
  title: "Link equal files",
  actions: [{ action: "replace", from: "/a", to: "/b", method: "hard", bytes: 1, reason: "", conflict: null }],
  saved_bytes: 5,
  total: 9,
  done: 0,
  skipped: 0,
  failed: 0,
  created_at: 1,
  ended_at: null,
  undone_by: null,
  problems: [],
};
const away = { status: 503, code: "engine_unavailable", message: "the engine is away", retryable: true };

/** @param {import("node:test").TestContext} test */
async function going(test) {
  const made = await parts(test);
  const library = { ...made.server.state.library, plan: { ...plan }, job: { done: 3, total: 9, stopped: false } };
  made.server.state.library = library;
  made.change.look();
  const next = async () => {
    await made.quiet();
    made.clock.pass(3000);
    await made.quiet();
  };
  await next();
  return { ...made, shelf: library, next };
}

test("a plan that takes its time is followed until it is there", async (t) => {
  const { change, shelf, next } = await going(t);
  await change.ask("dedupe");
  assert.deepEqual([change.phase, change.plan?.done, change.plan?.total], ["planning", 3, 9]);
  await next();
  shelf.job.done = 9;
  await next();
  assert.deepEqual([change.phase, change.plan?.title], ["planned", "Link equal files"]);
});

test("a plan that is stopped is gone without a word of trouble", async (t) => {
  const { change, server, next } = await going(t);
  await change.ask("dedupe");
  const first = change.stop();
  assert.equal(change.stopping, true);
  await Promise.all([first, change.stop()]);
  assert.equal(server.asked.filter(({ path }) => path === "/library/changes/p1/cancel").length, 1);
  await next();
  assert.deepEqual([change.phase, change.plan, change.error, change.stopping], ["idle", null, null, false]);
});

test("a change that is stopped half-way can be taken back", async (t) => {
  const { change, shelf, next } = await going(t);
  shelf.job = null;
  await change.ask("dedupe");
  shelf.job = { done: 4, total: 9, stopped: false };
  await change.apply();
  assert.equal(change.phase, "applying");
  await change.stop();
  await next();
  assert.deepEqual(
    [change.phase, change.last?.state, change.last?.done, change.last?.undoable],
    ["idle", "stopped", 4, true],
  );
});

test("an engine that is restarted meanwhile loses nothing of what is shown", async (t) => {
  const { change, server, shelf, next } = await going(t);
  await change.ask("dedupe");
  server.state.errors = { "GET /library/changes/p1": away };
  await next();
  assert.deepEqual([change.phase, change.error?.code], ["planning", "engine_unavailable"]);
  server.state.errors = {};
  shelf.job.done = 9;
  await next();
  assert.deepEqual([change.phase, change.error], ["planned", null]);
});

test("nobody looks, or nobody can see it: how far it is is not asked", async (t) => {
  const { change, clock, sight } = await going(t);
  await change.ask("dedupe");
  sight.visible = false;
  change.turned();
  assert.equal(clock.planned, 0);
  sight.visible = true;
  change.turned();
  assert.equal(clock.planned, 1);
  change.leave();
  assert.equal(clock.planned, 0);
});

test("a choice has the plan made anew with what was wished before", async (t) => {
  const { change, server, shelf } = await going(t);
  shelf.job = null;
  await change.ask("organise", { directory: "/d" });
  await change.choose("x.safetensors", "loras");
  await change.choose("y.safetensors", "vae");
  await change.keepBoth();
  assert.deepEqual(server.asked.at(-1)?.body, {
    directory: "/d",
    choose: { "x.safetensors": "loras", "y.safetensors": "vae" },
    clash: "rename",
    apply: false,
  });
  server.state.errors = { "POST /library/organise": away };
  await change.choose("z.safetensors", "vae");
  assert.deepEqual([change.phase, change.error?.code], ["planned", "engine_unavailable"]);
});
