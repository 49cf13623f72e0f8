import assert from "node:assert/strict";
import { test } from "node:test";

import { Paint } from "../../web/ui/paint.mjs";
import { FakeClock } from "./clock.mjs";

function painted() {
  const clock = new FakeClock();
  const seen = { draws: 0, bars: 0, visible: true };
  const paint = new Paint({
    draw: () => (seen.draws += 1),
    drawBars: () => (seen.bars += 1),
    visible: () => seen.visible,
    clock,
  });
  return { clock, seen, paint };
}

test("bars move four times a second and text once, however many events come", () => {
  const { clock, seen, paint } = painted();
  for (let event = 0; event < 1000; event += 1) {
    paint.soon();
    clock.pass(10);
  }
  assert.ok(seen.bars >= 38 && seen.bars <= 41, `${seen.bars} in 10 s`);
  assert.ok(seen.draws >= 9 && seen.draws <= 11, `${seen.draws} in 10 s`);
});

test("what there is to decide is drawn in the next frame, once for many changes", () => {
  const { clock, seen, paint } = painted();
  paint.now();
  paint.now();
  clock.pass(0);
  assert.equal(seen.draws, 1);
});

test("nothing is drawn while nobody can see it, not even what was planned", () => {
  const { clock, seen, paint } = painted();
  paint.soon();
  seen.visible = false;
  paint.now();
  paint.soon();
  clock.pass(5000);
  assert.deepEqual([seen.draws, seen.bars], [0, 0]);
  seen.visible = true;
  paint.now();
  clock.pass(0);
  assert.equal(seen.draws, 1);
});
