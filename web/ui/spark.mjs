/** Small curves on a canvas: no element is made or moved for them, so nothing is laid out. */

import { h } from "./dom.mjs";

const WIDTH = 640;
const HEIGHT = 76;
const SPAN_SECONDS = 600;

/**
 * @param {string} name of the curve
 * @param {string} label what it shows, for who cannot see it
 */
export function spark(name, label) {
  return h("canvas", {
    key: `spark-${name}`,
    class: "stow-spark",
    width: WIDTH,
    height: HEIGHT,
    role: "img",
    "aria-label": label,
    "data-spark": name,
  });
}

/**
 * Draw every curve that is on the page.
 *
 * @param {ParentNode} root
 * @param {(name: string) => readonly { at: number, value: number | null }[]} find shares from 0 to 1
 */
export function drawSparks(root, find) {
  for (const canvas of /** @type {NodeListOf<HTMLCanvasElement>} */ (root.querySelectorAll("canvas[data-spark]"))) {
    const points = find(canvas.dataset.spark ?? "");
    const pencil = canvas.getContext("2d");
    if (pencil === null) continue;
    pencil.clearRect(0, 0, WIDTH, HEIGHT);
    pencil.strokeStyle = getComputedStyle(canvas).color;
    pencil.lineWidth = 3;
    pencil.lineJoin = "round";
    pencil.beginPath();
    for (const [x, y, begins] of path(points)) {
      if (begins) pencil.moveTo(x, y);
      else pencil.lineTo(x, y);
    }
    pencil.stroke();
  }
}

/**
 * Where the pencil goes: the newest point stands at the right edge; what is unknown, or was not sampled for long,
 * leaves a gap.
 *
 * @param {readonly { at: number, value: number | null }[]} points
 * @returns {[x: number, y: number, begins: boolean][]}
 */
export function path(points) {
  const end = points.at(-1)?.at ?? 0;
  /** @type {[number, number, boolean][]} */
  const drawn = [];
  /** @type {number | null} */
  let last = null;
  for (const { at, value } of points) {
    if (value === null) {
      last = null;
      continue;
    }
    const x = WIDTH * (1 - (end - at) / SPAN_SECONDS);
    if (x >= 0) drawn.push([x, HEIGHT - 4 - value * (HEIGHT - 8), last === null || at - last > 65]);
    last = at;
  }
  return drawn;
}
