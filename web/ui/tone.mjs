/** Whether a part of ours stands on a dark or a light palette; ComfyUI has no name for it that both frontends share. */

/** @type {Map<string, boolean>} */
const known = new Map();

/**
 * @param {Element} element
 * @returns {"dark" | "light"}
 */
export function toneOf(element) {
  let here = /** @type {Element | null} */ (element);
  while (here !== null) {
    const dark = isDark(getComputedStyle(here).backgroundColor);
    if (dark !== null) return dark ? "dark" : "light";
    here = here.parentElement;
  }
  return "dark";
}

/**
 * @param {string} colour in any notation that a browser may compute it to
 * @returns {boolean | null} null where the ground shines through
 */
function isDark(colour) {
  if (colour === "transparent" || colour === "rgba(0, 0, 0, 0)") return null;
  const found = known.get(colour);
  if (found !== undefined) return found;
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 1;
  const pencil = canvas.getContext("2d");
  if (pencil === null) return null;
  pencil.fillStyle = colour;
  pencil.fillRect(0, 0, 1, 1);
  const [red = 0, green = 0, blue = 0] = pencil.getImageData(0, 0, 1, 1).data;
  // Rec. 709 luma; which side of the middle is all that is asked.
  const dark = 0.2126 * red + 0.7152 * green + 0.0722 * blue < 128;
  known.set(colour, dark);
  return dark;
}
