/** When the open workflow is looked at, and when ComfyUI is told of new files. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Combos } from "../../web/combos.mjs";
import { Again } from "../../web/again.mjs";
import { Watch } from "../../web/watch.mjs";
import { FakeClock } from "./clock.mjs";
import { download, model, parts } from "./parts.mjs";

async function batch(t) {
  const { downloads, missing } = await parts(t);
  const clock = new FakeClock();
  const page = { refreshed: 0, held: false };
  new Combos({
    downloads,
    missing,
    refresh: async () => {
      page.refreshed += 1;
    },
    held: () => page.held,
    clock,
  });
  const state = (id, name, value) => downloads.merge([download(id, { filename: name, state: value })]);
  return { clock, page, missing, state };
}

test("ComfyUI's lists are read again once a batch", async (t) => {
  const { clock, page, state } = await batch(t);
  state("1", "a", "running");
  state("2", "b", "queued");
  state("1", "a", "completed");
  clock.pass(60_000);
  assert.equal(page.refreshed, 0, "the second is still on its way");
  state("2", "b", "running");
  state("2", "b", "completed");
  clock.pass(5000);
  assert.equal(page.refreshed, 1);
  clock.pass(60_000);
  assert.equal(page.refreshed, 1);
});

test("the open workflow does not wait for other downloads", async (t) => {
  const { clock, page, missing, state } = await batch(t);
  missing.models = [model("a")];
  state("9", "long.safetensors", "running");
  state("1", "a", "running");
  state("1", "a", "completed");
  clock.pass(5000);
  assert.equal(page.refreshed, 1);
});

test("what waits for a token holds nothing up", async (t) => {
  const { clock, page, state } = await batch(t);
  state("2", "gated", "waiting");
  state("1", "a", "running");
  state("1", "a", "completed");
  clock.pass(5000);
  assert.equal(page.refreshed, 1);
});

test("nothing is exchanged under a pointer that holds something", async (t) => {
  const { clock, page, state } = await batch(t);
  page.held = true;
  state("1", "a", "running");
  state("1", "a", "completed");
  clock.pass(20_000);
  assert.equal(page.refreshed, 0);
  page.held = false;
  clock.pass(1000);
  assert.equal(page.refreshed, 1);
});

test("many changes of a workflow are one look, and news from the disk is not lost among them", () => {
  const clock = new FakeClock();
  /** @type {object[]} */
  const looks = [];
  const sight = { visible: true };
  const missing = /** @type {any} */ ({ check: async (options) => void looks.push(options) });
  const watch = new Watch(missing, clock, () => sight.visible);
  watch.opened();
  watch.disk();
  for (let change = 0; change < 20; change += 1) {
    watch.edited();
    clock.pass(100);
  }
  clock.pass(2000);
  assert.deepEqual(looks, [{ force: true }]);
  watch.edited();
  clock.pass(2000);
  assert.deepEqual(looks[1], { force: false });
});

test("a page that nobody sees looks at nothing, and at what it missed when it is seen again", () => {
  const clock = new FakeClock();
  /** @type {object[]} */
  const looks = [];
  const sight = { visible: false };
  const missing = /** @type {any} */ ({ check: async (options) => void looks.push(options) });
  const watch = new Watch(missing, clock, () => sight.visible);
  watch.disk();
  watch.edited();
  clock.pass(60_000);
  assert.deepEqual([looks, clock.planned], [[], 0]);
  sight.visible = true;
  watch.turned();
  clock.pass(1000);
  watch.turned();
  clock.pass(1000);
  assert.deepEqual(looks, [{ force: true }]);
});

test("what is not answered is asked again, later each time, and not while nobody looks", () => {
  const clock = new FakeClock();
  const sight = { visible: true };
  const asked = { times: 0 };
  const again = new Again(
    () => {
      asked.times += 1;
      again.failed();
    },
    clock,
    () => sight.visible,
  );
  again.failed();
  again.failed();
  clock.pass(4000);
  assert.equal(asked.times, 1);
  clock.pass(8000);
  assert.equal(asked.times, 2);
  clock.pass(3_600_000);
  assert.ok(asked.times > 50 && asked.times < 70, String(asked.times));
  sight.visible = false;
  again.turned();
  assert.equal(clock.planned, 0);
  const before = asked.times;
  sight.visible = true;
  again.turned();
  assert.equal(asked.times, before + 1);
  again.answered();
  assert.equal(clock.planned, 0);
});
