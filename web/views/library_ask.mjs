/** The forms before a plan: which folder is to be sorted in, or how much room the library may take. */

import { size } from "../format.mjs";
import { h } from "../ui/dom.mjs";
import { button, say } from "../ui/parts.mjs";
import { emptyButton } from "./library_change.mjs";

const GB = 1e9;

/** @param {Stow.Context} context */
export function asks(context) {
  switch (context.change.asking) {
    case "organise":
      return organise(context);
    case "prune":
      return prune(context);
    default:
      return null;
  }
}

/**
 * The way to more room, from wherever the want of it shows.
 *
 * @param {Stow.Context} context
 */
export function roomButton({ change, ui }) {
  const show = () => {
    change.setAsking("prune");
    ui.show("library");
  };
  return button("Free space…", show, { action: "room" });
}

/** @param {Stow.Context} context */
function organise({ change }) {
  return form("organise", "Folder on the server whose models are to be sorted in", null, {
    field: { placeholder: "/workspace/downloads" },
    submit: (directory) => change.ask("organise", { directory }),
  });
}

/** @param {Stow.Context} context */
function prune({ change, library }) {
  const now = size(library.totals?.bytes);
  const told = `It takes ${now} now. What was used longest ago goes first, and only what can be downloaded again.`;
  const fields = form("prune", "Most that the library may take, in GB", told, {
    field: { type: "number", min: "0", step: "any", inputmode: "decimal" },
    submit: (text) => change.ask("prune", { to_bytes: Math.round(Number(text) * GB) }),
  });
  const trash = change.trashBytes;
  if (!trash) return fields;
  fields.append(say(`The trash holds ${size(trash)}.`, { buttons: emptyButton(change) }));
  return fields;
}

/**
 * @param {string} key
 * @param {string} label
 * @param {string | null} told
 * @param {{ field: Stow.Props, submit: (text: string) => unknown }} options
 */
function form(key, label, told, { field, submit }) {
  const id = `stow-${key}`;
  /** @param {SubmitEvent} event */
  const onSubmit = (event) => {
    event.preventDefault();
    const text = /** @type {HTMLFormElement} */ (event.currentTarget).querySelector("input")?.value.trim() ?? "";
    if (text !== "") void submit(text);
  };
  return h(
    "form",
    { key, class: "stow-card stow-add", onSubmit },
    h("label", { for: id }, label),
    told && h("p", { class: "stow-meta" }, told),
    h(
      "div",
      { class: "stow-field" },
      h("input", { id, spellcheck: "false", "data-focus": "", ...field }),
      h("button", { type: "submit", class: "stow-alt", "data-action": `${key}-plan` }, "Show plan"),
    ),
  );
}
