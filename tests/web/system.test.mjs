import assert from "node:assert/strict";
import { test } from "node:test";

import { path } from "../../web/ui/spark.mjs";
import { heard, parts } from "./parts.mjs";

const leases = (server) => server.asked.filter(({ path }) => path === "/system/lease");

function view(more = {}) {
  const host = { cores: 2, cpu_utilization_ratio: 0.5, memory_used_bytes: 1, memory_limit_bytes: 2, oom_kills: 0 };
  const gpu = { uuid: "a", index: 0, name: "Test", utilization_ratio: 0.25 };
  const sample = { taken_at: 1000, gpus: [gpu], host, disks: [], network: {}, ...more };
  return { sampling: true, sample, disk_full_in_seconds: {}, hosts: [], cost_per_hour: null, alerts: [] };
}

async function until(condition) {
  for (let round = 0; round < 500 && !condition(); round += 1) await new Promise((done) => setTimeout(done, 5));
  assert.ok(condition(), "it came to pass");
}

/** Let one round of asking come to its end: its timer is planned. */
async function settled(server, count) {
  await until(() => leases(server).length >= count);
  await new Promise((done) => setTimeout(done, 30));
}

test("the machine is sampled while somebody looks, and not a moment longer", async (t) => {
  const { server, system, clock } = await parts(t);
  server.state.system = view();
  assert.equal(leases(server).length, 0);
  system.look();
  await settled(server, 1);
  clock.pass(2000);
  await settled(server, 2);
  const [first, second] = leases(server);
  assert.ok(first.body.seconds <= 10);
  assert.equal(first.body.interval_seconds, 2);
  assert.equal(first.body.holder, second.body.holder);
  system.leave();
  clock.pass(60_000);
  await new Promise((done) => setTimeout(done, 50));
  assert.equal(leases(server).length, 2);
});

test("a page that is hidden asks for nothing, and goes on when it is seen again", async (t) => {
  const { server, system, clock, sight } = await parts(t);
  server.state.system = view();
  system.look();
  await settled(server, 1);
  sight.visible = false;
  system.turned();
  clock.pass(60_000);
  await new Promise((done) => setTimeout(done, 50));
  assert.equal(leases(server).length, 1);
  sight.visible = true;
  system.turned();
  await settled(server, 2);
});

test("an answer that comes after the look is over changes nothing", async (t) => {
  const { server, system } = await parts(t);
  server.state.system = view();
  system.look();
  system.leave();
  await settled(server, 1);
  assert.equal(system.view, null);
});

test("numbers that run are progress; the first sample and what is loaded are a change", async (t) => {
  const { server, system, clock } = await parts(t);
  server.state.system = view();
  const [changes, moves] = [heard(system, "change"), heard(system, "progress")];
  system.look();
  await settled(server, 1);
  assert.equal(changes.times, 1);
  const before = moves.times;
  server.state.system = view({ taken_at: 1002 });
  clock.pass(2000);
  await settled(server, 2);
  assert.equal(changes.times, 1);
  assert.equal(moves.times, before + 1);
  const model = { name: "Flux", vram_bytes: 5, ram_bytes: 0 };
  server.state.system = { ...view(), hosts: [{ server_id: "s", state: { loaded_models: [model] } }] };
  clock.pass(2000);
  await settled(server, 3);
  assert.equal(changes.times, 2);
});

test("a server in trouble is asked again, and its words are kept until it answers", async (t) => {
  const { server, system, clock } = await parts(t);
  server.state.system = view();
  server.state.errors["POST /system/lease"] = { status: 503, code: "engine_unavailable", message: "no engine" };
  system.look();
  await settled(server, 1);
  assert.equal(system.error?.message, "no engine");
  server.state.errors = {};
  clock.pass(2000);
  await settled(server, 2);
  assert.equal(system.error, null);
  assert.equal(system.view?.sample?.taken_at, 1000);
});

test("the curve goes on from where the last viewer left", async (t) => {
  const { server, system } = await parts(t);
  server.state.system = view();
  server.state.history = { times: [990, 995, 1000], gpus: { a: { utilization_ratio: [0.1, null, 0.25] } } };
  system.look();
  await settled(server, 1);
  await until(() => system.curve("a").length === 3);
  assert.deepEqual(
    system.curve("a").map(({ at, value }) => [at, value]),
    [
      [990, 0.1],
      [995, null],
      [1000, 0.25],
    ],
  );
});

test("unloading asks ComfyUI once and waits until it is done", async (t) => {
  const { server, system } = await parts(t);
  await system.free();
  assert.equal(system.freeing, "done");
  assert.equal(server.asked.filter(({ path }) => path === "/system/free").length, 1);
  server.state.errors["POST /system/free"] = { status: 500, code: "internal", message: "no" };
  await system.free();
  assert.equal(system.freeing, "idle");
  assert.equal(system.error?.message, "no");
});

test("a curve has gaps where nothing is known, and ends at the right edge", () => {
  const drawn = path([
    { at: 0, value: 1 },
    { at: 500, value: 0 },
    { at: 502, value: 1 },
    { at: 504, value: null },
    { at: 506, value: 0.5 },
  ]);
  assert.deepEqual(
    drawn.map(([, , begins]) => begins),
    [true, true, false, true],
  );
  assert.equal(drawn.at(-1)[0], 640);
  assert.ok(drawn.every(([x, y]) => x >= 0 && x <= 640 && y >= 0 && y <= 76));
});
