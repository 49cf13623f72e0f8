import assert from "node:assert/strict";
import { test } from "node:test";

import { count, duration, progress, rate, seen, size, splitName, splitPath } from "../../web/format.mjs";

test("sizes are decimal and need no second look", () => {
  const written = [0, 999, 1000, 335_304_388, 999_949_999, 999_950_000, 17_246_524_772, 4_000_000_000_000].map(size);
  assert.deepEqual(written, ["0 bytes", "999 bytes", "1 KB", "335 MB", "1000 MB", "1.0 GB", "17.2 GB", "4.0 TB"]);
});

test("an unknown number is written as nothing, not as zero", () => {
  assert.deepEqual(
    [size(null), rate(null), rate(0), duration(null), duration(Number.POSITIVE_INFINITY)],
    ["", "", "", "", ""],
  );
});

test("progress is told in the unit of the whole", () => {
  assert.equal(progress(10e9, 17.2e9), "10.0 of 17.2 GB");
  assert.equal(progress(500_000, 4_900_000), "0.5 of 4.9 MB");
  assert.equal(progress(82e6, 164e6), "82 of 164 MB");
  assert.equal(progress(500_000, null), "500 KB");
});

test("durations have two units at most", () => {
  const written = [0.2, 59, 60, 112, 7500, 86_400, 200_000].map(duration);
  assert.deepEqual(written, ["1 s", "59 s", "1 min", "1 min 52 s", "2 h 5 min", "1 day", "2 days"]);
});

test("a name that is cut keeps its end", () => {
  assert.deepEqual(splitName("flux1-dev-fp8.safetensors"), ["flux1-dev", "-fp8.safetensors"]);
  assert.deepEqual(splitName("🎨.sft"), ["🎨.sf", "t"]);
  assert.equal(splitName("x").join(""), "x");
});

test("letters that run from right to left are not cut apart, and what cannot be seen is shown", () => {
  const stem = "نموذج-عربي-طويل-جدا";
  assert.deepEqual(splitName(`${stem}.safetensors`), [stem, ".safetensors"]);
  assert.equal(seen("a\u202Egnp.exe\n\tb"), "a\ufffdgnp.exe\ufffd\ufffdb");
  assert.equal(seen("日本 🎨 é"), "日本 🎨 é");
});

test("huge numbers stay short", () => {
  assert.deepEqual(
    [size(2.5e15), size(7e18), duration(1e12), count(1_234_567, "file", "files")],
    ["2.5 PB", "7.0 EB", "over 99 days", "1,234,567 files"],
  );
});

test("a combo's value is split at both separators", () => {
  assert.deepEqual(splitPath("flux/sub\\x.safetensors"), { subfolder: "flux/sub", filename: "x.safetensors" });
  assert.deepEqual(splitPath("x.safetensors"), { subfolder: null, filename: "x.safetensors" });
});

test("one is not many", () => {
  assert.deepEqual([count(1, "model", "models"), count(2, "model", "models")], ["1 model", "2 models"]);
});
