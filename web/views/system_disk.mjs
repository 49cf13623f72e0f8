/** What fills a disk: models by folder, largest first, and everything else; unfolded below its gauge. */

import { count, size } from "../format.mjs";
import { h } from "../ui/dom.mjs";

const SHOWN = 6;

/**
 * @param {Stow.Context} context
 * @param {{ path: string, total_bytes: number | null, free_bytes: number | null }} disk
 */
export function fills({ system, ui }, disk) {
  const what = `disk:${disk.path}`;
  const open = ui.isUnfolded(what);
  const toggle = () => {
    ui.unfold(what);
    if (!open) void system.weigh();
  };
  return h(
    "div",
    { key: what, class: "stow-fills" },
    h(
      "button",
      { type: "button", class: "stow-text", "aria-expanded": String(open), "data-action": "fills", onClick: toggle },
      "What fills it",
    ),
    open && h("ul", { key: "rows", class: "stow-num" }, ...rows(system.usage, disk)),
  );
}

/**
 * @param {Stow.DiskUsage | null} usage
 * @param {{ path: string, total_bytes: number | null, free_bytes: number | null }} disk
 */
function rows(usage, disk) {
  if (usage === null) return [row("Waits for the library's answer", "")];
  const volume = usage.volumes.find((entry) => entry.path === disk.path);
  if (volume === undefined) return [row("No models that the library knows of", "")];
  const names = new Set(volume.folders);
  const folders = usage.roots
    .filter((root) => names.has(root.name) && root.bytes > 0)
    .sort((a, b) => b.bytes - a.bytes);
  const rest = folders.slice(SHOWN);
  const other =
    disk.total_bytes === null || disk.free_bytes === null
      ? null
      : disk.total_bytes - disk.free_bytes - volume.models_bytes;
  return [
    ...folders
      .slice(0, SHOWN)
      .map((root) => row(`${root.name}, ${count(root.files, "file", "files")}`, size(root.bytes))),
    rest.length > 0 && row(`${rest.length} more folders`, size(rest.reduce((sum, root) => sum + root.bytes, 0))),
    other !== null && other > 0 && row("Everything else", size(other)),
  ];
}

/**
 * @param {string} label
 * @param {string} amount
 */
function row(label, amount) {
  return h("li", { key: label }, h("span", {}, label), h("b", {}, amount));
}
