/** The few pieces that every view is put together from. */

import { seen, splitName } from "../format.mjs";
import { h, icon } from "./dom.mjs";

/**
 * @param {string} label
 * @param {() => void} onClick
 * @param {{ primary?: boolean, busy?: boolean, title?: string, expanded?: boolean, action?: string }} [options]
 */
export function button(label, onClick, { primary = false, busy = false, title, expanded, action } = {}) {
  return h(
    "button",
    {
      type: "button",
      class: primary ? "stow-do" : "stow-alt",
      title,
      "aria-disabled": busy ? "true" : null,
      "aria-expanded": expanded === undefined ? null : String(expanded),
      "data-action": action,
      onClick: () => busy || onClick(),
    },
    label,
  );
}

/**
 * @param {string} label what a screen reader and the tooltip say
 * @param {string} path
 * @param {() => void} onClick
 * @param {{ expanded?: boolean, action?: string, busy?: boolean }} [options]
 */
export function iconButton(label, path, onClick, { expanded, action, busy = false } = {}) {
  return h(
    "button",
    {
      type: "button",
      class: "stow-icon",
      title: label,
      "aria-label": label,
      "aria-disabled": busy ? "true" : null,
      "aria-expanded": expanded === undefined ? null : String(expanded),
      "data-action": action,
      onClick: () => busy || onClick(),
    },
    icon(path),
  );
}

/**
 * @param {string} name cut in the middle where it is too long
 * @param {"h2" | "span"} [tag] a heading, unless it stands in a button
 */
export function name(name, tag = "h2") {
  const [head, tail] = splitName(name);
  return h(tag, { class: "stow-name", title: seen(name) }, h("span", {}, head), h("span", {}, tail));
}

/**
 * Join facts with a middle dot and leave out what is unknown.
 *
 * @param {readonly Stow.Child[]} facts
 * @returns {Stow.Child[]}
 */
export function facts(facts) {
  const known = facts.filter((fact) => fact !== null && fact !== undefined && fact !== false && fact !== "");
  return known.flatMap((fact, index) => (index === 0 ? [fact] : [" · ", fact]));
}

/**
 * A line of small text; a folder stands behind it in a frame.
 *
 * @param {readonly Stow.Child[]} children
 * @param {{ folder?: string | null | false, bad?: boolean }} [options]
 */
export function meta(children, { folder, bad = false } = {}) {
  const chip = folder ? h("span", { class: "stow-chip" }, folder) : null;
  return h("p", { class: bad ? "stow-meta stow-bad" : "stow-meta" }, h("span", {}, ...children), chip);
}

/**
 * A bar; what it stands at is moved by `moveBars`, so that it can move without anything else being drawn.
 *
 * @param {string} id of the download
 * @param {string} label
 * @param {"accent" | "bad" | "dim"} tone
 */
export function bar(id, label, tone) {
  return h(
    "div",
    {
      key: "bar",
      class: `stow-bar stow-bar-${tone}`,
      role: "progressbar",
      "aria-label": label,
      "aria-valuemin": 0,
      "aria-valuemax": 100,
    },
    h("i", { key: "level", "data-bar": id }),
  );
}

/**
 * Set every bar below `root` to where its download stands.
 *
 * @param {ParentNode} root
 * @param {(id: string) => Stow.Download | null} find
 */
export function moveBars(root, find) {
  for (const level of /** @type {NodeListOf<HTMLElement>} */ (root.querySelectorAll("[data-bar]"))) {
    const ratio = share(find(level.dataset.bar ?? ""));
    level.style.width = `${(ratio ?? 0) * 100}%`;
    if (ratio === null) level.parentElement?.removeAttribute("aria-valuenow");
    else level.parentElement?.setAttribute("aria-valuenow", String(Math.round(ratio * 100)));
  }
}

/**
 * @param {Stow.Download | null} download
 * @returns {number | null} 0 to 1; null when the size is unknown
 */
export function share(download) {
  return download?.bytes_total ? Math.min(1, download.bytes_done / download.bytes_total) : null;
}

/**
 * A sentence about what stands in the way, with its buttons beside it.
 *
 * @param {Stow.Child} text
 * @param {{ tone?: "warn" | "bad" | "good" | null, buttons?: Stow.Child, title?: string | null,
 *           role?: "alert" | "status" | null }} [options] `role`: a screen reader says it as soon as it stands there
 */
export function say(text, { tone = null, buttons = null, title = null, role = null } = {}) {
  return h(
    "div",
    { class: "stow-say", role },
    h("p", { class: tone ? `stow-${tone}` : null, title }, typeof text === "string" ? prose(text) : text),
    buttons,
  );
}

/**
 * @param {string} label
 * @param {string} href an address of ours or of a model's author, opened beside this page
 */
export function link(label, href) {
  return h("a", { class: "stow-alt", href, target: "_blank", rel: "noopener noreferrer" }, label);
}

/**
 * @param {import("../api.mjs").StowError | Stow.ErrorInfo} error
 * @param {Stow.Child} [buttons]
 */
export function trouble(error, buttons = null) {
  return say(words(error), { tone: "bad", buttons, role: "alert" });
}

/**
 * What went wrong and what to do, in sentences.
 *
 * @param {Pick<Stow.ErrorInfo, "message" | "hint">} error
 */
export function words({ message, hint }) {
  return hint ? `${sentence(message)} ${sentence(hint)}` : sentence(message);
}

/**
 * The server's words begin small and end bare, as on a command line; in a card they are sentences.
 *
 * @param {string} text
 */
export function sentence(text) {
  const trimmed = text.trim();
  const ended = /[.!?…]$/.test(trimmed) ? trimmed : `${trimmed}.`;
  return ended.charAt(0).toUpperCase() + ended.slice(1);
}

/**
 * Text with `commands` in it.
 *
 * @param {string} text
 * @returns {Stow.Child[]}
 */
export function prose(text) {
  return text.split("`").map((part, index) => (index % 2 === 1 ? h("code", {}, part) : part));
}

/**
 * The line on top of a view: what there is, in one sentence, and the one next step.
 *
 * @param {Stow.Child} title
 * @param {Stow.Child} detail
 * @param {Stow.Child} [step]
 */
export function head(title, detail, step = null) {
  return h(
    "div",
    { key: "head", class: "stow-head" },
    h("p", { class: "stow-num" }, h("b", {}, title), detail ? h("span", {}, detail) : null),
    step,
  );
}
