import assert from "node:assert/strict";
import { test } from "node:test";

import { clock, money } from "../../web/format.mjs";
import { parts } from "./parts.mjs";

const asked = (server) => server.asked.filter(({ path }) => path === "/pod").length;

function rented(more = {}) {
  const idle = {
    mode: "stop",
    state: "watching",
    idle_seconds: 10,
    stops_in_seconds: 90,
    keep_alive_seconds: 0,
    ...more,
  };
  return { present: false, started_at: 0, services: [], boot: [], machine: { provider: "runpod" }, idle };
}

async function settled(server, count) {
  for (let round = 0; round < 500 && asked(server) < count; round += 1)
    await new Promise((done) => setTimeout(done, 5));
  await new Promise((done) => setTimeout(done, 30));
  assert.equal(asked(server), count);
}

test("a machine that nobody rents out is no pod", async (t) => {
  const { server, pod } = await parts(t);
  assert.equal(pod.there, false);
  await pod.load();
  assert.equal(pod.there, false);
  server.state.pod = rented();
  await pod.load();
  assert.equal(pod.there, true);
});

test("it is asked for while somebody looks, more often in the last minutes, and never after", async (t) => {
  const { server, pod, clock } = await parts(t);
  server.state.pod = rented();
  pod.look();
  await settled(server, 1);
  clock.pass(4000);
  await settled(server, 1);
  server.state.pod = rented({ state: "grace" });
  clock.pass(1000);
  await settled(server, 2);
  clock.pass(1000);
  await settled(server, 3);
  pod.leave();
  clock.pass(60_000);
  await settled(server, 3);
});

test("a countdown goes on between two answers, and only in sight", async (t) => {
  const { server, pod, clock, sight } = await parts(t);
  server.state.pod = rented();
  let ticks = 0;
  pod.onProgress(() => (ticks += 1));
  pod.look();
  await settled(server, 1);
  clock.pass(3000);
  assert.equal(pod.ageSeconds, 3);
  assert.equal(ticks, 3);
  sight.visible = false;
  pod.turned();
  clock.pass(60_000);
  assert.equal(ticks, 3);
});

test("one click keeps it alive, another lets go", async (t) => {
  const { server, pod } = await parts(t);
  server.state.pod = rented();
  await pod.load();
  await pod.keepAlive();
  assert.equal(pod.view.idle.keep_alive_seconds, 3600);
  await pod.keepAlive(0);
  const bodies = server.asked.filter(({ path }) => path === "/idle/keep-alive").map(({ body }) => body);
  assert.deepEqual(bodies, [{ seconds: 3600 }, { seconds: 0 }]);
});

test("what is refused is kept beside what is known", async (t) => {
  const { server, pod } = await parts(t);
  server.state.pod = rented();
  await pod.load();
  server.state.errors = { "POST /idle/keep-alive": { status: 409, code: "conflict", message: "stopped already" } };
  await pod.keepAlive();
  assert.equal(pod.error.message, "stopped already");
  assert.equal(pod.there, true);
  assert.equal(pod.busy.size, 0);
});

test("money and countdowns read as people write them", () => {
  assert.deepEqual([money(0.69), money(18.2), money(0)], ["$0.69", "$18.20", "$0.00"]);
  assert.deepEqual([clock(520), clock(59.6), clock(4120), clock(-3)], ["8:40", "1:00", "1:08:40", "0:00"]);
});
