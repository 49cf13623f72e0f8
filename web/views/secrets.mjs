/** The two fields for secrets: a provider's token, and the access secret of the server. Neither is ever shown. */

import { h } from "../ui/dom.mjs";
import { button, link, say } from "../ui/parts.mjs";
import { providerName, tokenPage } from "../words.mjs";

/**
 * @param {Stow.Context} context
 * @param {import("../words.mjs").Provider} provider
 * @param {string} where the key of the card it stands in
 */
export function tokenField({ actions, ui }, provider, where) {
  const title = `${providerName(provider)} token`;
  return field({
    key: `token:${where}`,
    title,
    label: "Save",
    busy: ui.isBusy(where),
    extra: link("Get one", tokenPage(provider)),
    submit: (token) => actions.setToken(provider, token, where),
  });
}

/**
 * @param {Stow.Context} context
 * @returns {HTMLElement | null}
 */
export function lockCard({ actions, ui }) {
  if (ui.lock === null) return null;
  const sentence = ui.lock.wrong
    ? "That is not it. `comfystow auth secret` on the server shows it."
    : "This page came over the network. Type the secret once; `comfystow auth secret` on the server shows it.";
  return h(
    "section",
    { key: "lock", class: "stow-card", "data-card": "lock" },
    h("h2", { class: "stow-title" }, "The server asks for its access secret"),
    say(sentence, { tone: "warn" }),
    field({
      key: "secret",
      title: "Access secret",
      label: "Unlock",
      busy: false,
      extra: null,
      submit: (secret) => actions.unlock(secret),
    }),
  );
}

/**
 * @param {{ key: string, title: string, label: string, busy: boolean, extra: Stow.Child,
 *           submit: (text: string) => unknown }} options
 */
function field({ key, title, label, busy, extra, submit }) {
  /** @param {SubmitEvent} event */
  const onSubmit = (event) => {
    event.preventDefault();
    const input = /** @type {HTMLFormElement} */ (event.currentTarget).querySelector("input");
    const text = input?.value.trim() ?? "";
    if (text === "" || busy || input === null) return;
    input.value = "";
    submit(text);
  };
  return h(
    "form",
    { key, class: "stow-field", onSubmit },
    h("input", {
      type: "password",
      "aria-label": title,
      placeholder: title,
      autocomplete: "off",
      spellcheck: "false",
      "data-focus": "",
    }),
    h("button", { type: "submit", class: "stow-alt", "aria-disabled": busy ? "true" : null }, label),
    extra,
  );
}

/**
 * @param {Stow.Context} context
 * @param {string} where
 */
export function tokenButton({ ui }, where) {
  const what = `token:${where}`;
  return button("Set token", () => ui.unfold(what), { expanded: ui.isUnfolded(what), action: "token" });
}
