/** Before the click: what "Download all" would do, whether it fits disk and GPU, and what could be kept afterwards. */

import { count, size } from "../format.mjs";
import { keyOf } from "../stores/missing.mjs";
import { h } from "../ui/dom.mjs";
import { button, facts, meta, sentence, trouble } from "../ui/parts.mjs";
import { place } from "../words.mjs";

const WHAT = {
  fetch: "Fetch",
  resume: "Go on with",
  link: "Link what is here",
  present: "Keep what is here",
  refuse: "",
};
const TONES = /** @type {const} */ ({ fits: "good", in_turns: "warn", too_large: "warn", unknown: null });

/**
 * What stands under the title: what stays free, and the way to the plan.
 *
 * @param {Stow.Context} context
 * @returns {Stow.Child[]}
 */
export function freeAfter({ forecast, ui }) {
  const volume = forecast.tightest;
  if (forecast.plan === null || forecast.plan.items.length === 0) return [];
  const open = ui.isUnfolded("plan");
  return [
    volume === null
      ? null
      : volume.fits
        ? `${size(Math.max(0, volume.free_after_bytes))} free after`
        : h("span", { class: "stow-bad" }, `only ${size(volume.free_bytes)} free`),
    h(
      "button",
      {
        key: "plan",
        type: "button",
        class: "stow-text",
        "aria-expanded": String(open),
        "data-action": "plan",
        onClick: () => ui.unfold("plan"),
      },
      open ? "hide plan" : "show plan",
    ),
  ];
}

/**
 * What "Download all" would do, a line a file; unfolded by the words under the title.
 *
 * @param {Stow.Context} context
 * @returns {Stow.Child}
 */
export function planCard({ forecast, ui, actions }) {
  const plan = forecast.plan;
  if (plan === null || plan.items.length === 0 || !ui.isUnfolded("plan")) return null;
  const failed = ui.errorOf("plan");
  const rows = plan.items.map((item, at) => h("li", { key: String(at) }, h("p", {}, ...planRow(item))));
  return h(
    "section",
    { key: "plan", class: "stow-card", "aria-label": "Plan" },
    meta(total(plan)),
    h("ul", { key: "rows", class: "stow-choices" }, ...rows),
    failed !== null && trouble(failed),
    h(
      "div",
      { key: "exports", class: "stow-say" },
      h("p", {}, "To take elsewhere:"),
      h(
        "div",
        { class: "stow-act" },
        button("Copy links", () => void actions.copyLinks(), { action: "copy-links" }),
        button("Save models.yaml", () => void actions.saveManifest(), { action: "save-manifest" }),
      ),
    ),
  );
}

/**
 * @param {Stow.PlanItem} item
 * @returns {Stow.Child[]}
 */
function planRow(item) {
  const file = item.filename ?? item.request.filename ?? item.request.source;
  const folder = item.folder_name ?? item.request.folder_name;
  const left = item.action === "refuse";
  const why = left ? sentence((item.error?.message ?? item.reason).replaceAll("`", "")) : null;
  const what = left ? null : `${WHAT[item.action]} ${size(item.fetch_bytes || null)}`.trim();
  return [
    h("span", {}, file),
    h(
      "span",
      { class: left ? "stow-warn" : null },
      left ? `Left out: ${why}` : facts([what, folder && `into ${folder}`]),
    ),
  ];
}

/** @param {Stow.Plan} plan */
function total(plan) {
  const actions = plan.items.map((item) => item.action);
  const fetched = actions.filter((action) => action === "fetch" || action === "resume").length;
  const linked = actions.filter((action) => action === "link").length;
  const refused = actions.filter((action) => action === "refuse").length;
  return facts([
    fetched > 0 && `${count(fetched, "file", "files")} to fetch, ${size(plan.fetch_bytes)}`,
    linked > 0 && `${linked} to link`,
    refused > 0 && `${refused} with something in the way`,
  ]);
}

/**
 * @param {Stow.Context} context
 * @returns {Stow.Child}
 */
export function fitLine(context) {
  const { forecast, missing, ui, actions } = context;
  const fit = forecast.fit;
  if (fit === null || fit.loads.length === 0 || (fit.verdict === "unknown" && fit.gpu_bytes === null)) return null;
  const smaller = fit.smaller.map((variant) => {
    const model = missing.models.find((entry) => entry.name === variant.instead_of);
    const loader = variant.needs_other_loader && "needs a GGUF loader";
    const about = facts([h("b", {}, variant.name), size(variant.size_bytes), place(variant.source), loader]);
    // Another loader is the author's choice to make: the file is named, the graph is left as it is.
    const take =
      model && !variant.needs_other_loader
        ? button("Use it", () => void actions.takeSmaller(model, variant), {
            busy: ui.isBusy(keyOf(model)),
            action: "smaller",
            title: variant.source,
          })
        : null;
    return h("div", { key: variant.source, class: "stow-say" }, h("p", {}, "Smaller: ", ...about), take);
  });
  return h(
    "section",
    { key: "fit", class: smaller.length > 0 ? "stow-card" : "stow-line", "aria-label": "GPU memory" },
    h("p", { class: `stow-fit ${TONES[fit.verdict] ? `stow-${TONES[fit.verdict]}` : ""}` }, sentence(fit.sentence)),
    ...smaller,
  );
}

/**
 * @param {Stow.Context} context
 * @returns {Stow.Child}
 */
export function sourcesOffer({ forecast, actions, ui }) {
  const failed = ui.errorOf("sources");
  const number = forecast.sources.filter((source) => source.adds === "address").length;
  if (number === 0) return null;
  return h(
    "section",
    { key: "sources", class: "stow-card", "aria-label": "Sources" },
    h("h2", { class: "stow-title" }, "Save sources into this workflow"),
    h(
      "div",
      { class: "stow-act" },
      button("Save", () => actions.saveSources(), { busy: ui.isBusy("sources"), action: "save-sources" }),
    ),
    meta([
      `It does not say where ${count(number, "of its models comes", "of its models come")} from. With that in it, nobody has to search.`,
    ]),
    failed !== null && trouble(failed),
  );
}
