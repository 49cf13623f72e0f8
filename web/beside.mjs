/**
 * Our one button beside ComfyUI's own list of missing models.
 *
 * Its list downloads into the browser's folder; ours puts the files where the loaders look. The list is found by class
 * (1.32.9, a dialog) or test id (1.58.1, the panel at the right), never by its words, which are translated. Its own
 * elements are left as they are; where it is not found, nothing happens.
 */

import { h } from "./ui/dom.mjs";
import { button } from "./ui/parts.mjs";
import { toneOf } from "./ui/tone.mjs";

const LISTS = [
  ".comfy-missing-models",
  "[data-testid=missing-model-actions]",
  "[data-testid=error-group-missing-model] [data-testid=missing-model-importable-rows]",
];
const MARK = "data-comfystow-beside";

/** @param {() => void} open opens our tab and begins */
export function standBeside(open) {
  /** @param {Element} list */
  const begin = (list) => {
    // 1.32.9 shows its list in a window over everything, our tab too; its own way out of it is pressed.
    /** @type {HTMLElement | null | undefined} */ (
      list.closest(".p-dialog")?.querySelector(".p-dialog-close-button")
    )?.click();
    open();
  };
  let planned = false;
  const look = () => {
    planned = false;
    for (const list of findLists()) {
      if (list.parentElement?.querySelector(`:scope > [${MARK}]`)) continue;
      const box = h(
        "div",
        { class: "comfystow stow-beside", [MARK]: "" },
        button("Download to the server with Stow", () => begin(list), { primary: true, action: "beside" }),
      );
      list.after(box);
      box.dataset.tone = toneOf(box);
    }
  };
  // The page changes many times a second while a graph is edited; one look a frame is enough.
  new MutationObserver(() => {
    if (planned) return;
    planned = true;
    requestAnimationFrame(look);
  }).observe(document.body, { childList: true, subtree: true });
  look();
}

/** @returns {Element[]} one element a list: the first of its forms that is there */
function findLists() {
  /** @type {Element[]} */
  const found = [];
  for (const selector of LISTS) {
    for (const element of document.querySelectorAll(selector)) {
      const parent = element.parentElement;
      if (parent && !found.some((other) => other.parentElement === parent)) found.push(element);
    }
  }
  return found;
}
