/**
 * The list of the library. Only the rows in sight are on the page: ten thousand of them would take seconds to lay out.
 * A row is `ROW_PX` high, the stylesheet says so too; one file at a time has its details open below its row.
 */

import { serverNow } from "../clock.mjs";
import { size } from "../format.mjs";
import { h, renew } from "../ui/dom.mjs";
import { button, facts, meta, name, sentence, trouble } from "../ui/parts.mjs";
import { host, kind, kindTag } from "../words.mjs";

const ROW_PX = 51;
/** Rows beside those in sight, so that a flick of the wheel meets no gap. */
const BESIDE = 12;

/** @type {Record<string, string>} */
const VERIFIED = { digest: "whole", header: "header checked", size: "size checked" };

/** @typedef {{ file: Stow.LibraryFile, index: number, total: number, open: boolean, row: HTMLElement }} Made */

/** @type {Map<number, Made>} the rows on the page by their file: one that would be the same again is not made again */
let made = new Map();

/** Its rows are put there by `scrolled`, which knows what is in sight. */
export function list() {
  return h("ul", { key: "rows", class: "stow-list stow-rows", "aria-label": "Models", "data-own": "" });
}

/**
 * @param {Stow.Context} context
 * @param {HTMLElement} main what is scrolled
 * @param {Element} ul
 * @returns {[first: number, last: number]}
 */
export function sight({ library }, main, ul) {
  const above = Math.max(0, main.getBoundingClientRect().top - ul.getBoundingClientRect().top);
  const first = Math.floor(above / ROW_PX) - BESIDE;
  const last = Math.ceil((above + main.clientHeight) / ROW_PX) + BESIDE;
  // In steps, so that most scrolling changes nothing on the page.
  const step = BESIDE / 2;
  const total = library.total ?? 0;
  return [
    Math.max(0, Math.floor(first / step) * step),
    Math.min(Math.max(total - 1, 0), Math.ceil(last / step) * step),
  ];
}

/** @param {Stow.Context} context */
export function rows(context) {
  const { library } = context;
  const total = library.total ?? 0;
  const first = Math.min(library.window.first, Math.max(0, total - 1));
  const last = Math.min(library.window.last, total - 1);
  const before = made;
  made = new Map();
  const shown = [];
  for (let index = first; index <= last; index += 1) shown.push(row(context, index, total, before));
  return [space("above", first), ...shown, space("below", total - 1 - last)];
}

/**
 * @param {string} key
 * @param {number} count of rows that are not on the page
 */
function space(key, count) {
  return h("li", {
    key,
    class: "stow-space",
    "aria-hidden": "true",
    style: `height: ${Math.max(0, count) * ROW_PX}px`,
  });
}

/**
 * @param {Stow.Context} context
 * @param {number} index
 * @param {number} total
 * @param {Map<number, Made>} before
 * @returns {HTMLElement}
 */
function row(context, index, total, before) {
  const file = context.library.row(index);
  const place = { "aria-setsize": total, "aria-posinset": index + 1 };
  // Between two answers a file may stand on two pages.
  if (file === null || made.has(file.id))
    return h("li", { key: `unread-${index}`, class: "stow-row", ...place }, h("span", {}, "…"));
  const open = context.library.opened === file.id;
  const known = before.get(file.id);
  const same = known?.file === file && known.index === index && known.total === total && !known.open && !open;
  const shown = same ? known.row : renew(known?.row ?? null, entry(context, file, place, open));
  made.set(file.id, { file, index, total, open, row: shown });
  return shown;
}

/**
 * @param {Stow.Context} context
 * @param {Stow.LibraryFile} file
 * @param {Stow.Props} place
 * @param {boolean} open
 */
function entry(context, file, place, open) {
  const bad = file.damaged !== null;
  return h(
    "li",
    { key: file.id, ...place, "data-file": file.id },
    h(
      "button",
      {
        type: "button",
        class: "stow-row",
        "aria-expanded": String(open),
        onClick: () => context.library.open(file.id),
      },
      h(
        "span",
        { class: bad ? "stow-kind stow-bad" : "stow-kind", title: kind(file.folder) },
        bad ? "!" : kindTag(file.folder),
      ),
      h(
        "span",
        { class: "stow-what" },
        name(file.name, "span"),
        h("span", { class: bad ? "stow-fine stow-bad" : "stow-fine" }, line(file).join("")),
      ),
      h("span", { class: "stow-right stow-num" }, size(file.size_bytes)),
    ),
    open && details(context, file),
  );
}

/** @param {Stow.LibraryFile} file */
function line(file) {
  if (file.damaged !== null) return [sentence(file.damaged).replace(/\.$/, "")];
  return facts([file.base_model ?? kind(file.folder), short(file.precision), used(file.last_used_at), names(file)]);
}

/** @param {Stow.LibraryFile} file */
function names({ links }) {
  return links > 1 ? `${links} names, 1 copy` : null;
}

/** @param {string | null} precision `fp8_e4m3fn`, of which a list needs no more than `fp8` */
function short(precision) {
  return precision?.replace(/_e\dm\d\w*$/, "") ?? null;
}

/** @param {number | null} at seconds since the epoch; unknown for what no prompt has used since we look */
function used(at) {
  if (at === null) return null;
  const days = Math.floor((serverNow() - at) / 86400);
  if (days < 1) return "used today";
  return days < 60 ? `used ${days} ${days === 1 ? "day" : "days"} ago` : `used ${Math.floor(days / 30)} months ago`;
}

/**
 * @param {Stow.Context} context
 * @param {Stow.LibraryFile} file
 */
function details({ change, actions, ui }, file) {
  const wrong = ui.errorOf(`file:${file.id}`);
  const busy = ui.isBusy(`file:${file.id}`);
  return h(
    "div",
    { class: "stow-detail" },
    meta([file.relative_path], { folder: file.folder }),
    meta(
      facts([
        kind(file.folder),
        file.precision,
        file.parameters !== null && `${parameters(file.parameters)} parameters`,
        file.vram_bytes !== null && `${size(file.vram_bytes)} in VRAM`,
        file.verified !== null && VERIFIED[file.verified],
        file.source === null ? "origin unknown" : host(file.source),
        names(file),
      ]),
    ),
    wrong !== null && trouble(wrong),
    file.sha256 !== null && meta([h("code", {}, file.sha256)]),
    h(
      "div",
      { class: "stow-field" },
      file.damaged !== null &&
        file.source !== null &&
        button("Fetch again", () => void actions.repair(file), { primary: true, busy, action: "repair" }),
      button("Move to trash", () => void change.ask("delete", { ids: [file.id] }), { busy, action: "trash" }),
    ),
  );
}

/** @param {number} number */
function parameters(number) {
  if (number >= 1e9) return `${(number / 1e9).toFixed(1)} B`;
  return number >= 1e6 ? `${Math.round(number / 1e6)} M` : String(number);
}
