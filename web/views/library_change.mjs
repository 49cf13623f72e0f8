/** What changes files that are here: a plan is shown first, carried out by one click, and taken back by another. */

import { serverNow } from "../clock.mjs";
import { count, grouped, size, splitPath } from "../format.mjs";
import { h } from "../ui/dom.mjs";
import { button, meta, prose, say, sentence, trouble } from "../ui/parts.mjs";

/** As many rows of a plan as a person reads; the rest is counted. */
const MOST_ROWS = 200;
const MOST_PROBLEMS = 5;
/** What goes on, where the server has no title for it yet. */
const GOING_ON = {
  organise: "Sorting files in",
  dedupe: "Linking equal files",
  prune: "Making room",
  delete: "Moving to the trash",
  empty: "Emptying the trash",
  undo: "Taking it back",
};

/** How long the newest change stands there to be taken back. */
const UNDO_SECONDS = 24 * 3600;

const DOING = {
  organise: "Organise",
  dedupe: "Link them",
  prune: "Move to trash",
  delete: "Move to trash",
  empty: "Delete for good",
};
/** What these take away is free when the trash is emptied. */
const TO_TRASH = new Set(["prune", "delete"]);

/** @type {Record<string, string>} */
const METHODS = { hard: "linked", reflink: "linked", symlink: "linked", copy: "copied", rename: "moved" };

/**
 * The plan that waits for a click, or how far it is; else the newest change with its way back.
 *
 * @param {Stow.Context} context
 */
export function planned(context) {
  const { change } = context;
  const wrong = change.error === null ? null : trouble(change.error);
  if (change.phase === "planning") return card("Making a plan", progressOf(change), stop(context), wrong);
  if (change.phase === "applying") return card(titleOf(change.plan), progressOf(change), stop(context), wrong);
  if (change.phase === "planned" && change.plan !== null) return plan(context, change.plan, wrong);
  return wrong ?? newest(context);
}

/** @param {Stow.Context} context */
function stop({ change }) {
  return change.plan && button("Stop", () => void change.stop(), { action: "stop", busy: change.stopping });
}

/** @param {Stow.ChangePlan | null} plan */
function titleOf(plan) {
  return plan === null ? "Changing files" : (plan.title ?? GOING_ON[plan.kind] ?? "Changing files");
}

/**
 * @param {import("../stores/change.mjs").Change} change
 * @returns {string}
 */
function progressOf({ plan, phase, stopping }) {
  const known = plan !== null && plan.total > 0;
  if (stopping) return known ? `Stops after this file, ${far(plan)}` : "Stopping";
  if (phase === "planning")
    return known ? `Looked at ${far(plan)}; nothing is changed by it` : "Nothing is changed by it";
  return known ? far(plan) : "Begins";
}

/** @param {Stow.ChangePlan} plan */
function far({ done, total }) {
  return `${grouped(done)} of ${count(total, "file", "files")}`;
}

/**
 * @param {Stow.Child} title
 * @param {Stow.Child} detail
 * @param {Stow.Child} act
 * @param {...Stow.Child} rest
 */
function card(title, detail, act, ...rest) {
  return h(
    "article",
    { key: "change", class: "stow-card", "data-change": "" },
    h("h2", { class: "stow-title stow-num" }, title),
    h("div", { class: "stow-act" }, act),
    meta([detail]),
    ...rest,
  );
}

/**
 * @param {Stow.Context} context
 * @param {Stow.ChangePlan} plan
 * @param {Stow.Child} wrong
 */
function plan(context, plan, wrong) {
  const { change } = context;
  const acting = plan.actions.filter((action) => action.action !== "skip" && action.action !== "leave");
  const left = plan.actions.length - acting.length;
  // What asks for a choice comes first: a long plan would hide it.
  const rows = [...plan.actions].sort((a, b) => Number(b.conflict !== null) - Number(a.conflict !== null));
  const taken = plan.kind === "organise" && rows.some((row) => row.conflict !== null && row.to !== null);
  const verb = plan.kind in DOING ? DOING[/** @type {keyof typeof DOING} */ (plan.kind)] : "Do it";
  const detail = [
    acting.length > 0 ? count(acting.length, "file", "files") : "Nothing to do",
    plan.saved_bytes > 0 &&
      (TO_TRASH.has(plan.kind)
        ? `${size(plan.saved_bytes)}, free once the trash is emptied`
        : `frees ${size(plan.saved_bytes)}`),
    left > 0 && `${grouped(left)} left as ${left === 1 ? "it is" : "they are"}`,
  ];
  return card(
    plan.title,
    detail.filter(Boolean).join(" · "),
    [
      acting.length > 0 && button(verb, () => void change.apply(), { primary: true, action: "apply" }),
      button("Close", () => change.forget(), { action: "forget" }),
    ],
    wrong,
    taken &&
      say("Names that are taken by other files can be kept apart by a number.", {
        buttons: button("Keep both", () => void change.keepBoth(), { action: "keep-both" }),
      }),
    rows.length > 0 &&
      h(
        "ul",
        { key: "actions", class: "stow-actions", tabindex: 0, "aria-label": "Plan" },
        ...rows.slice(0, MOST_ROWS).map((row) => action(context, row, plan.kind === "organise")),
      ),
    rows.length > MOST_ROWS && meta([`and ${grouped(rows.length - MOST_ROWS)} more`]),
    troubles(plan),
  );
}

/** @param {import("../stores/change.mjs").Change} change */
export function emptyButton(change) {
  return button("Empty trash…", () => void change.ask("empty"), { action: "empty-trash" });
}

/** @param {Stow.ChangePlan} plan */
function troubles({ problems }) {
  return problems
    .slice(0, MOST_PROBLEMS)
    .map(({ path, reason }) => say(path === null ? sentence(reason) : `${path}: ${reason}`, { tone: "warn" }));
}

/**
 * @param {Stow.Context} context
 * @param {Stow.ChangeAction} row
 * @param {boolean} sorted whether the files are sorted into folders
 */
function action(context, row, sorted) {
  const how = row.method === null ? "" : (METHODS[row.method] ?? row.method);
  const where = row.to === null ? row.from : `${row.from} → ${row.to}`;
  return h(
    "li",
    { key: `${row.number}:${row.from}` }, // in a plan that was made anew a choice is not another file's
    h("p", {}, where),
    h(
      "p",
      { class: row.conflict === null ? null : "stow-warn" },
      row.conflict === null
        ? [how, row.reason, row.evidence].filter(Boolean).join(" · ")
        : prose(sentence(row.conflict)),
    ),
    sorted && row.conflict !== null && row.to === null && chooseFolder(context, row.from),
  );
}

/**
 * Where nothing tells what a file is, a person does.
 *
 * @param {Stow.Context} context
 * @param {string} path
 */
function chooseFolder({ change, library }, path) {
  const { filename } = splitPath(path);
  /** @param {Event} event */
  const onChange = (event) => {
    const folder = /** @type {HTMLSelectElement} */ (event.currentTarget).value;
    if (folder !== "") void change.choose(filename, folder);
  };
  return h(
    "div",
    { class: "stow-field" },
    h(
      "select",
      { "aria-label": `Folder of ${filename}`, onChange },
      h("option", { value: "" }, "Choose a folder…"),
      ...folders(library).map((folder) => h("option", { key: folder, value: folder }, folder)),
    ),
  );
}

/**
 * @param {import("../stores/library.mjs").Library} library
 * @returns {string[]}
 */
function folders(library) {
  return [...new Set(library.roots.flatMap((root) => root.folders))].sort();
}

/** @param {Stow.Context} context */
function newest({ change }) {
  const last = change.last;
  if (last === null || last.kind === "undo" || last.state === "undone" || last.undone_by !== null) return null;
  if (last.done === 0 && last.failed === 0) return null;
  if (serverNow() - (last.ended_at ?? last.created_at) > UNDO_SECONDS) return null;
  const stopped = last.state === "stopped";
  const trashed = TO_TRASH.has(last.kind);
  const detail = [
    stopped ? `Stopped after ${far(last)}` : `Done, ${count(last.done, "file", "files")}`,
    last.saved_bytes > 0 && !stopped && !trashed && `freed ${size(last.saved_bytes)}`,
    last.failed > 0 && `${grouped(last.failed)} could not be changed`,
  ];
  const failures = (last.actions ?? []).filter((row) => row.step === "failed").slice(0, MOST_PROBLEMS);
  const back = [
    last.undoable && button("Undo", () => void change.undo(), { action: "undo" }),
    trashed && last.done > 0 && emptyButton(change),
  ];
  return card(
    titleOf(last),
    detail.filter(Boolean).join(" · "),
    back,
    failures.map((row) => say(`${row.from}: ${row.note ?? "it could not be changed"}`, { tone: "warn" })),
  );
}

/**
 * What could be tidied, a card each.
 *
 * @param {Stow.Context} context
 * @param {Stow.LibraryTotals} totals
 */
export function tidy({ change, library }, totals) {
  const idle = change.phase === "idle";
  return [
    totals.duplicates_bytes > 0 &&
      idle &&
      h(
        "article",
        { key: "duplicates", class: "stow-card", "data-tidy": "duplicates" },
        h("h2", { class: "stow-title stow-num" }, `${size(totals.duplicates_bytes)} are held twice`),
        h(
          "div",
          { class: "stow-act" },
          button("Show plan", () => void change.ask("dedupe"), { action: "dedupe" }),
        ),
        meta(["Files with equal content. Linking keeps every name."]),
      ),
    totals.damaged > 0 &&
      library.query.flag !== "damaged" &&
      say(`${count(totals.damaged, "file is", "files are")} damaged.`, {
        tone: "bad",
        buttons: button("Show", () => library.ask({ flag: "damaged" }), { action: "show-damaged" }),
      }),
  ];
}
