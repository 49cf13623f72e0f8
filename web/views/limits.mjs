/** What downloads may take: bandwidth, places in the queue, space, and whether they wait while ComfyUI generates. */

import { rate } from "../format.mjs";
import { h } from "../ui/dom.mjs";
import { button, trouble } from "../ui/parts.mjs";

/** @typedef {{ name: string, label: string, unit: number, step: string, least: string, empty: string | null }} Field */

/** @type {readonly Field[]} `unit`: what the server's number is divided by; `empty`: what an empty field means */
const FIELDS = [
  {
    name: "limit_rate_bytes_per_second",
    label: "Bandwidth of all downloads, MB/s",
    unit: 1e6,
    step: "any",
    least: "0",
    empty: "No limit",
  },
  { name: "parallel_downloads", label: "Downloads at once", unit: 1, step: "1", least: "1", empty: null },
  {
    name: "free_space_floor_bytes",
    label: "Stays free on the disk, GB",
    unit: 1e9,
    step: "any",
    least: "0",
    empty: null,
  },
];
const WAITS = "pause_while_generating";

/** @param {Stow.Context} context */
export function limitsButton({ settings }) {
  const limit = settings.get("limit_rate_bytes_per_second")?.value;
  const label = typeof limit === "number" && limit > 0 ? `At most ${rate(limit)}…` : "Limits…";
  return button(label, () => settings.setAsking(!settings.asking), { expanded: settings.asking, action: "limits" });
}

/** @param {Stow.Context} context */
export function limitsForm({ settings }) {
  if (!settings.asking) return null;
  const known = FIELDS.every(({ name }) => settings.get(name) !== null);
  const wrong = settings.error !== null && trouble(settings.error);
  if (!known)
    return h("section", { key: "limits", class: "stow-card stow-add" }, wrong || "Waits for the server's answer");
  /** @param {SubmitEvent} event */
  const onSubmit = (event) => {
    event.preventDefault();
    const wanted = read(/** @type {HTMLFormElement} */ (event.currentTarget), settings);
    if (Object.keys(wanted).length > 0) void settings.save(wanted);
    else settings.setAsking(false);
  };
  return h(
    "form",
    { key: "limits", class: "stow-card stow-limits", onSubmit },
    ...FIELDS.map((field, index) => row(settings, field, index === 0)),
    waits(settings),
    wrong,
    h(
      "div",
      { class: "stow-act" },
      button("Close", () => settings.setAsking(false), { action: "limits-close" }),
      h(
        "button",
        {
          type: "submit",
          class: "stow-alt",
          "data-action": "limits-save",
          "aria-disabled": settings.saving ? "true" : null,
        },
        "Save",
      ),
    ),
  );
}

/**
 * @param {import("../stores/settings.mjs").Settings} settings
 * @param {Field} field
 * @param {boolean} first
 */
function row(settings, { name, label, unit, step, least, empty }, first) {
  const setting = /** @type {Stow.Setting} */ (settings.get(name));
  const id = `stow-${name}`;
  return [
    h("label", { for: id }, label, held(setting)),
    h("input", {
      id,
      name,
      type: "number",
      step,
      min: least,
      inputmode: "decimal",
      placeholder: empty,
      value: typeof setting.value === "number" ? String(setting.value / unit) : "",
      disabled: setting.set_by !== null,
      "data-focus": first ? "" : null,
    }),
  ];
}

/** @param {import("../stores/settings.mjs").Settings} settings */
function waits(settings) {
  const setting = settings.get(WAITS);
  return h(
    "label",
    { class: "stow-check" },
    h("input", { name: WAITS, type: "checkbox", checked: setting?.value === true, disabled: setting?.set_by !== null }),
    h("span", {}, "Wait while ComfyUI generates", held(setting)),
  );
}

/** @param {Stow.Setting | null} setting a variable's long name may break behind each underscore */
function held(setting) {
  return setting?.set_by ? h("small", {}, ` set by ${setting.set_by.replaceAll("_", "_\u200b")}`) : null;
}

/**
 * What was changed; an empty field goes back to the default.
 *
 * @param {HTMLFormElement} form
 * @param {import("../stores/settings.mjs").Settings} settings
 */
function read(form, settings) {
  /** @type {Record<string, unknown>} */
  const wanted = {};
  const field = (/** @type {string} */ name) => /** @type {HTMLInputElement} */ (form.elements.namedItem(name));
  for (const { name, unit } of FIELDS) {
    const { value, disabled } = field(name);
    const number = value.trim() === "" ? null : Math.round(Number(value) * unit);
    // No limit is none, not one of nothing.
    const told = name === "limit_rate_bytes_per_second" && number === 0 ? null : number;
    if (!disabled && told !== settings.get(name)?.value) wanted[name] = told;
  }
  const { checked, disabled } = field(WAITS);
  if (!disabled && checked !== (settings.get(WAITS)?.value === true)) wanted[WAITS] = checked;
  return wanted;
}
