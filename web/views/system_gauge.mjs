/** One line of a gauge: what, a bar, how much. */

import { h } from "../ui/dom.mjs";

const ALMOST_FULL = 0.9;
const FULL = 0.97;
/** A longer label, such as the path of a volume, stands on a line of its own. */
const SHORT_LABEL = 10;

/** @param {number} ratio kept between 0 and 1 */
export function level(ratio) {
  return Math.min(1, Math.max(0, ratio));
}

/**
 * @param {string} label
 * @param {number | null} ratio null where it is unknown
 * @param {string} text
 * @param {{ full?: boolean, bare?: boolean }} [options] `full`: being full is trouble; `bare`: there is no bar
 */
export function gauge(label, ratio, text, { full = false, bare = false } = {}) {
  const tone = !full || ratio === null || ratio < ALMOST_FULL ? "" : ratio < FULL ? "warn" : "bad";
  // By a transform: a width that changes would have the column laid out again.
  const width = `transform:scaleX(${(ratio ?? 0).toFixed(3)})`;
  const known = ratio === null ? {} : { "aria-valuenow": Math.round(ratio * 100) };
  const bar =
    !bare &&
    h(
      "div",
      {
        class: `stow-level ${tone && `stow-level-${tone}`}`.trim(),
        role: "meter",
        "aria-label": label,
        "aria-valuemin": 0,
        "aria-valuemax": 100,
        "aria-valuetext": text,
        ...(ratio === null ? { "aria-valuenow": 0 } : known),
      },
      h("i", { style: width }),
    );
  return h(
    "div",
    {
      key: `gauge-${label}`,
      class: label.length > SHORT_LABEL ? "stow-gauge stow-gauge-long stow-num" : "stow-gauge stow-num",
    },
    h("span", { title: label }, label),
    bar || h("span"),
    h("b", { class: tone === "" ? null : `stow-${tone}` }, text),
  );
}
