/** What changes files that are here: a plan is shown first, carried out by one click, and taken back by another. */

import { count, size } from "../format.mjs";
import { h } from "../ui/dom.mjs";
import { button, meta, say, sentence, trouble } from "../ui/parts.mjs";

/** As many rows of a plan as a person reads; the rest is counted. */
const MOST_ROWS = 200;
const MOST_PROBLEMS = 5;
/** How long the newest change stands there to be taken back. */
const UNDO_SECONDS = 24 * 3600;

const DOING = { organise: "Organise", dedupe: "Link them", prune: "Move to trash", delete: "Move to trash" };

/** @type {Record<string, string>} */
const METHODS = { hard: "linked", reflink: "linked", symlink: "linked", copy: "copied", rename: "moved" };

/**
 * The form that asks which folder is to be sorted into the library.
 *
 * @param {Stow.Context} context
 */
export function organise({ change }) {
  if (!change.asking) return null;
  /** @param {SubmitEvent} event */
  const onSubmit = (event) => {
    event.preventDefault();
    const folder = /** @type {HTMLFormElement} */ (event.currentTarget).querySelector("input")?.value.trim() ?? "";
    if (folder !== "") void change.ask("organise", { directory: folder });
  };
  return h(
    "form",
    { key: "organise", class: "stow-card stow-add", onSubmit },
    h("label", { for: "stow-organise" }, "Folder on the server whose models are to be sorted in"),
    h(
      "div",
      { class: "stow-field" },
      h("input", { id: "stow-organise", spellcheck: "false", "data-focus": "", placeholder: "/workspace/downloads" }),
      h("button", { type: "submit", class: "stow-alt", "data-action": "organise-plan" }, "Show plan"),
    ),
  );
}

/**
 * The plan that waits for a click, or how far it is; else the newest change with its way back.
 *
 * @param {Stow.Context} context
 */
export function planned(context) {
  const { change } = context;
  const wrong = change.error === null ? null : trouble(change.error);
  if (change.phase === "planning") return card("Making a plan", progressOf(change.plan), stop(context), wrong);
  if (change.phase === "applying")
    return card(change.plan?.title ?? "Changing files", progressOf(change.plan), stop(context), wrong);
  if (change.phase === "planned" && change.plan !== null) return plan(context, change.plan, wrong);
  return wrong ?? newest(context);
}

/** @param {Stow.Context} context */
function stop({ change }) {
  return change.plan && button("Stop", () => void change.stop(), { action: "stop" });
}

/**
 * @param {Stow.ChangePlan | null} plan
 * @returns {string}
 */
function progressOf(plan) {
  return plan === null || plan.total === 0
    ? "Nothing is changed yet"
    : `${plan.done} of ${count(plan.total, "file", "files")}`;
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
function plan({ change }, plan, wrong) {
  const acting = plan.actions.filter((action) => action.action !== "skip" && action.action !== "leave");
  const left = plan.actions.length - acting.length;
  const verb = plan.kind in DOING ? DOING[/** @type {keyof typeof DOING} */ (plan.kind)] : "Do it";
  const detail = [
    acting.length > 0 ? count(acting.length, "file", "files") : "Nothing to do",
    plan.saved_bytes > 0 && `frees ${size(plan.saved_bytes)}`,
    left > 0 && `${left} left as they are`,
  ];
  return card(
    plan.title,
    detail.filter(Boolean).join(" · "),
    [
      acting.length > 0 && button(verb, () => void change.apply(), { primary: true, action: "apply" }),
      button("Close", () => change.forget(), { action: "forget" }),
    ],
    wrong,
    h(
      "ul",
      { key: "actions", class: "stow-actions", tabindex: 0, "aria-label": "Plan" },
      ...plan.actions.slice(0, MOST_ROWS).map(action),
    ),
    plan.actions.length > MOST_ROWS && meta([`and ${plan.actions.length - MOST_ROWS} more`]),
    plan.problems.slice(0, MOST_PROBLEMS).map(({ path, reason }) => say(`${path}: ${reason}`, { tone: "warn" })),
  );
}

/** @param {Stow.ChangeAction} row */
function action(row) {
  const how = row.method === null ? "" : (METHODS[row.method] ?? row.method);
  const where = row.to === null ? row.from : `${row.from} → ${row.to}`;
  return h(
    "li",
    {},
    h("p", {}, where),
    h(
      "p",
      { class: row.conflict === null ? null : "stow-warn" },
      row.conflict === null ? [how, row.reason, row.evidence].filter(Boolean).join(" · ") : sentence(row.conflict),
    ),
  );
}

/** @param {Stow.Context} context */
function newest({ change }) {
  const last = change.last;
  if (last === null || last.kind === "undo" || last.state === "undone" || last.undone_by !== null) return null;
  if (Date.now() / 1000 - (last.ended_at ?? last.created_at) > UNDO_SECONDS) return null;
  const detail = [
    count(last.done, "file", "files"),
    last.saved_bytes > 0 && `freed ${size(last.saved_bytes)}`,
    last.failed > 0 && `${last.failed} failed`,
  ];
  const back = last.kind === "empty" ? null : button("Undo", () => void change.undo(), { action: "undo" });
  return card(last.title, detail.filter(Boolean).join(" · "), back);
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
