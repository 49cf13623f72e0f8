/** The sub-tab Library: every file that is here, found by what it is, and what could be tidied. */

import { count, grouped, size } from "../format.mjs";
import { h, icon, patch } from "../ui/dom.mjs";
import { ICONS } from "../ui/icons.mjs";
import { button, head, trouble } from "../ui/parts.mjs";
import { kind } from "../words.mjs";
import { asks } from "./library_ask.mjs";
import { planned, tidy } from "./library_change.mjs";
import { list, rows, sight } from "./library_rows.mjs";
import { working } from "./library_work.mjs";

/** What a file can be besides its kind, with the words of its chip and what stands behind them; nothing there, no chip. */
/** @type {readonly { flag: Stow.LibraryFlag, words: string, number: (totals: Stow.LibraryTotals) => string }[]} */
const FLAGS = [
  {
    flag: "duplicates",
    words: "Duplicates",
    number: (totals) => (totals.duplicates_bytes > 0 ? size(totals.duplicates_bytes) : ""),
  },
  { flag: "damaged", words: "Damaged", number: (totals) => String(totals.damaged || "") },
  { flag: "unidentified", words: "Unknown origin", number: (totals) => String(totals.unidentified || "") },
  { flag: "unreferenced", words: "In no workflow", number: (totals) => (totals.files > 0 ? " " : "") },
];
/** So many bases and kinds stand there before “More…”. */
const FEW = 2;

/** @type {Stow.View} */
export const libraryView = {
  id: "library",
  title: "Library",
  count: ({ library }) => library.totals?.damaged || null,
  shown: ({ library, change }) => {
    library.look();
    change.look();
  },
  hidden: ({ library, change }) => {
    library.leave();
    change.leave();
  },
  render: (context) => ({ body: body(context), foot: foot(context) }),
  scrolled: (context, main, drawn) => {
    const ul = main.querySelector(".stow-rows");
    if (ul === null) return;
    const moved = context.library.see(...sight(context, main, ul));
    if (moved || drawn) patch(ul, rows(context));
  },
};

/** @param {Stow.Context} context */
function body(context) {
  const { library } = context;
  if (library.totals === null) {
    if (library.error !== null)
      return [head("The library could not be read", null, again(context)), trouble(library.error)];
    return head("Looking at the library", "Waits for the server's list");
  }
  return [
    search(context, library.totals),
    chips(context, library.totals),
    library.error !== null && trouble(library.error, again(context)),
    asks(context),
    planned(context),
    working(context, library.totals),
    tidy(context, library.totals),
    library.total === 0 ? nothing(context) : list(),
  ];
}

/** @param {Stow.Context} context */
function again({ library }) {
  return button("Read again", () => library.ask({}), { action: "read-again" });
}

/** @param {Stow.Context} context */
function nothing({ library }) {
  if (library.unfiltered)
    return head("No models are here yet", "What is downloaded or dropped into a folder shows here");
  /** @param {MouseEvent} event */
  const all = (event) => {
    const panel = /** @type {Element} */ (event.currentTarget).closest(".comfystow");
    const field = /** @type {HTMLInputElement | null | undefined} */ (panel?.querySelector(".stow-search input"));
    if (field) field.value = ""; // what was typed is the field's own, no redraw takes it away
    library.ask({ text: "", base: null, folder: null, flag: null });
  };
  const step = h("button", { type: "button", class: "stow-alt", "data-action": "show-all", onClick: all }, "Show all");
  return head("Nothing like that is here", null, step);
}

/**
 * @param {Stow.Context} context
 * @param {Stow.LibraryTotals} totals
 */
function search({ library }, totals) {
  return h(
    "label",
    { key: "search", class: "stow-search" },
    icon(ICONS.search),
    h("input", {
      type: "search",
      spellcheck: "false",
      "aria-label": `Search ${count(totals.files, "model", "models")}`,
      placeholder: `Search ${count(totals.files, "model", "models")}`,
      onInput: (/** @type {InputEvent} */ event) =>
        library.ask({ text: /** @type {HTMLInputElement} */ (event.currentTarget).value }, { typing: true }),
    }),
  );
}

/**
 * @param {Stow.Context} context
 * @param {Stow.LibraryTotals} totals
 */
function chips({ library, ui }, totals) {
  const { query, usage } = library;
  const all = ui.isUnfolded("library:chips");
  const bases = facet(usage.base_models, query.base, all);
  const folders = facet(usage.folders, query.folder, all);
  const more = usage.base_models.length + usage.folders.length;
  return h(
    "div",
    { key: "chips", class: "stow-chips", role: "group", "aria-label": "Show only" },
    ...bases.map((base) =>
      chip(base, query.base === base, () => library.ask({ base: query.base === base ? null : base })),
    ),
    ...folders.map((folder) =>
      chip(kind(folder) ?? folder, query.folder === folder, () =>
        library.ask({ folder: query.folder === folder ? null : folder }),
      ),
    ),
    ...FLAGS.filter(({ flag, number }) => number(totals) !== "" || query.flag === flag).map(({ flag, words, number }) =>
      chip(
        `${words} ${number(totals)}`.trim(),
        query.flag === flag,
        () => library.ask({ flag: query.flag === flag ? null : flag }),
        { name: flag },
      ),
    ),
    more > 2 * FEW && chip(all ? "Fewer" : "More…", null, () => ui.unfold("library:chips"), { expanded: all }),
  );
}

/**
 * The commonest first, and what is chosen always among them.
 *
 * @param {readonly Stow.UsageRow[]} counts
 * @param {string | null} chosen
 * @param {boolean} all
 */
function facet(counts, chosen, all) {
  const names = [...counts]
    .sort((a, b) => b.files - a.files || (a.value ?? "").localeCompare(b.value ?? ""))
    .flatMap(({ value }) => value || []);
  const shown = all ? names : names.slice(0, FEW);
  return chosen === null || shown.includes(chosen) ? shown : [...shown.slice(0, FEW - 1), chosen];
}

/**
 * @param {string} label
 * @param {boolean | null} pressed null for what is no choice
 * @param {() => void} onClick
 * @param {{ expanded?: boolean, name?: string }} [options] `name` stays while numbers in the label change
 */
function chip(label, pressed, onClick, { expanded, name = label } = {}) {
  return h(
    "button",
    {
      key: name,
      type: "button",
      class: "stow-choice",
      "aria-pressed": pressed === null ? null : String(pressed),
      "aria-expanded": expanded === undefined ? null : String(expanded),
      onClick,
    },
    label,
  );
}

/**
 * @param {Stow.Context} context
 * @returns {[Stow.Child, Stow.Child]}
 */
function foot({ library, change }) {
  const totals = library.totals;
  if (totals === null) return ["Not read yet", null];
  const scanning = totals.scanning;
  const where =
    scanning === null
      ? `${size(totals.bytes)} in ${count(library.roots.length, "place", "places")}`
      : `Reading headers, ${scanning.total === null ? grouped(scanning.done) : `${grouped(scanning.done)} of ${grouped(scanning.total)}`}`;
  return [where, [opens(change, "prune", "Free space…"), opens(change, "organise", "Organise…")]];
}

/**
 * @param {import("../stores/change.mjs").Change} change
 * @param {"organise" | "prune"} what
 * @param {string} label
 */
function opens(change, what, label) {
  const expanded = change.asking === what;
  return button(label, () => change.setAsking(expanded ? null : what), { expanded, action: what });
}
