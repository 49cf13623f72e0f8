import assert from "node:assert/strict";
import { test } from "node:test";

import { heard, parts } from "./parts.mjs";

/** @param {number} id */
const file = (id, more = {}) => ({
  id,
  name: `${id}.safetensors`,
  relative_path: `${id}.safetensors`,
  folder: "loras",
  base_model: "Flux",
  size_bytes: 1,
  damaged: null,
  source: null,
  links: 1,
  ...more,
});

/** @param {import("node:test").TestContext} test */
async function shelf(test, files = 1000) {
  const made = await parts(test);
  const rows = Array.from({ length: files }, (_, id) => file(id));
  made.server.state.library = { ...made.server.state.library, files: rows };
  const lists = () => made.server.asked.filter(({ method, path }) => method === "GET" && path === "/library");
  const settled = made.quiet;
  made.library.look();
  await settled();
  return { ...made, lists, settled };
}

test("a flight over many rows asks for where it ends, not for every page", async (t) => {
  const { library, lists, settled } = await shelf(t, 10_000);
  const before = lists().length;
  for (let first = 0; first < 9900; first += 90) library.see(first, first + 60);
  await settled();
  assert.notEqual(library.row(9850), null);
  assert.ok(lists().length - before <= 4, `${lists().length - before} pages were asked for`);
});

test("rows that were read stay while they are read again", async (t) => {
  const { library, lists, settled } = await shelf(t);
  library.see(80, 140);
  await settled();
  const empty = { seen: false };
  library.onChange(() => (empty.seen ||= library.row(90) === null || library.row(120) === null));
  const before = lists().length;
  library.stale();
  await settled();
  assert.deepEqual([empty.seen, lists().length - before], [false, 2]);
});

test("a page that could not be read is read again by itself", async (t) => {
  const { library, clock, server, settled } = await shelf(t);
  const away = { status: 503, code: "engine_unavailable", message: "the engine is away", retryable: true };
  server.state.errors = { "GET /library": away };
  library.see(500, 560);
  await settled();
  assert.deepEqual([library.row(510), library.error?.code], [null, "engine_unavailable"]);
  server.state.errors = {};
  clock.pass(5000);
  await settled();
  assert.deepEqual([library.row(510)?.id, library.error], [510, null]);
});

test("nothing is asked for while nobody can see it, and what was missed is read afterwards", async (t) => {
  const { library, clock, server, sight, settled } = await shelf(t);
  server.state.library.totals = { scanning: { done: 1, total: 9 } };
  library.stale();
  await settled();
  sight.visible = false;
  library.turned();
  const before = server.asked.length;
  library.stale();
  clock.pass(60_000);
  await settled();
  assert.deepEqual([server.asked.length - before, clock.planned], [0, 0]);
  sight.visible = true;
  library.turned();
  await settled();
  assert.ok(server.asked.length > before);
  library.leave();
  clock.pass(60_000);
  assert.equal(clock.planned, 0);
});

test("typing does not count the library anew, and rows that come say no more than that", async (t) => {
  const { library, clock, server, settled } = await shelf(t);
  const counted = () => server.asked.filter(({ path }) => path === "/library/usage").length;
  const before = counted();
  for (const text of ["5", "50", "500"]) library.ask({ text }, { typing: true });
  clock.pass(300);
  await settled();
  assert.deepEqual([library.total, counted() - before], [1, 0]);
  library.ask({ text: "" });
  await settled();
  const [changes, rows] = [heard(library, "change"), heard(library, "rows")];
  library.see(700, 760);
  await settled();
  assert.deepEqual([changes.times, rows.times], [0, 1]);
});

test("files that no workflow names are asked for once, however far one scrolls", async (t) => {
  const { library, server, settled } = await shelf(t);
  library.ask({ flag: "unreferenced" });
  await settled();
  library.see(100, 160);
  await settled();
  assert.equal(server.asked.filter(({ path }) => path === "/library/unreferenced").length, 1);
});
