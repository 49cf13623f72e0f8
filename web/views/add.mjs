/** Adding models by pasted links, several at once. */

import { ICONS } from "../ui/icons.mjs";
import { h } from "../ui/dom.mjs";
import { iconButton, say, words } from "../ui/parts.mjs";

const FIELD = "stow-links";

/** @type {{ link: string, error: import("../api.mjs").StowError }[]} what was refused last time */
let refused = [];
/** Whether the links are on their way to the server. */
let busy = false;

/** @param {Stow.Context} context */
export function addButton({ ui, host }) {
  const toggle = () => {
    refused = [];
    ui.setAdding(!ui.adding);
    // Folders are asked for when they are wanted; without them the file's own header decides.
    if (ui.adding)
      void host.modelFolders().then(
        (folders) => ui.setFolders(folders),
        () => {},
      );
  };
  return iconButton("Add by link", ICONS.add, toggle, { expanded: ui.adding, action: "add" });
}

/**
 * @param {Stow.Context} context
 * @returns {HTMLElement | null}
 */
export function addForm(context) {
  const { ui } = context;
  if (!ui.adding) return null;
  return h(
    "form",
    {
      key: "add",
      class: "stow-card stow-add",
      onSubmit: (/** @type {SubmitEvent} */ event) => void submit(context, event),
    },
    h("label", { for: FIELD }, "Links, one a line"),
    h("textarea", {
      id: FIELD,
      rows: 3,
      spellcheck: "false",
      "data-focus": "",
      placeholder: "https://huggingface.co/…\nhttps://civitai.com/models/…",
    }),
    refused.map(({ link, error }) =>
      say([h("b", {}, link), " ", words(error)], {
        tone: "bad",
      }),
    ),
    h(
      "div",
      { class: "stow-field" },
      h(
        "select",
        { "aria-label": "Folder" },
        h("option", { value: "" }, "Folder by what it is"),
        ...ui.folders.map((folder) => h("option", { key: folder, value: folder }, folder)),
      ),
      h(
        "button",
        { type: "submit", class: "stow-alt", "data-action": "add-links", "aria-disabled": busy ? "true" : null },
        "Download",
      ),
    ),
  );
}

/**
 * @param {Stow.Context} context
 * @param {SubmitEvent} event
 */
async function submit({ actions, ui }, event) {
  event.preventDefault();
  const form = /** @type {HTMLFormElement} */ (event.currentTarget);
  const field = form.querySelector("textarea");
  const links = (field?.value ?? "").split(/\s+/).filter(Boolean);
  if (field === null || links.length === 0 || busy) return;
  busy = true;
  ui.setAdding(true);
  try {
    refused = await actions.add(links, form.querySelector("select")?.value || null);
  } finally {
    busy = false;
  }
  field.value = refused.map(({ link }) => link).join("\n");
  if (refused.length < links.length) ui.show("downloads");
  ui.setAdding(refused.length > 0);
}
