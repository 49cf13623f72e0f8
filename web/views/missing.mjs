/** The sub-tab Missing: what the open workflow needs and lacks, a card a model. */

import { count, size } from "../format.mjs";
import { isActive } from "../stores/downloads.mjs";
import { summary } from "../stores/missing.mjs";
import { h } from "../ui/dom.mjs";
import { button, facts, head, trouble } from "../ui/parts.mjs";
import { missingCard } from "./missing_card.mjs";
import { fitLine, freeAfter, planCard, sourcesOffer } from "./missing_plan.mjs";

/** @type {Stow.View} */
export const missingView = {
  id: "missing",
  title: "Missing",
  shown: ({ forecast }) => void forecast.look(),
  count: ({ missing }) => summary(missing.models).missing.length || null,
  render: (context) => {
    const { missing } = context;
    const failing = missing.phase === "failed";
    // What is known of this workflow stays while the server is away.
    if (missing.workflow !== null) return { body: [failing && away(context), list(context)], foot: foot(context) };
    if (failing) return { body: failed(context), foot: ["Not checked", null] };
    return { body: waiting(context), foot: ["Not checked yet", null] };
  },
};

/** @param {Stow.Context} context */
function waiting({ missing }) {
  if (missing.phase === "idle") return head("No workflow is open", "Open one, and what it lacks stands here");
  return head("Looking at the open workflow", "Waits for the server's answer");
}

/** @param {Stow.Context} context */
function failed({ missing }) {
  const error = missing.error;
  return [head("This workflow was not checked", null, again(missing)), error && trouble(error)];
}

/** @param {Stow.Context} context */
function away({ missing }) {
  return missing.error && trouble(missing.error, again(missing));
}

/** @param {import("../stores/missing.mjs").Missing} missing */
function again(missing) {
  return button("Check again", () => void missing.check({ force: true }), { action: "recheck" });
}

/** @param {Stow.Context} context */
function list(context) {
  const { missing } = context;
  const known = summary(missing.models);
  const asleep = missing.models.filter((model) => !model.active && model.state !== "present");
  return [
    top(context, known),
    planCard(context),
    fitLine(context),
    known.missing.map((model) => missingCard(context, model)),
    asleep.length > 0 && h("h2", { key: "asleep", class: "stow-sec" }, "Only in nodes that are off"),
    asleep.map((model) => missingCard(context, model)),
    sourcesOffer(context),
  ];
}

/**
 * @param {Stow.Context} context
 * @param {ReturnType<typeof summary>} known
 */
function top(context, known) {
  const { actions } = context;
  if (known.total === 0) return head("This workflow needs no models", "Or its nodes name none that ComfyUI lists");
  if (known.missing.length === 0) return head(allHere(known.total), "Nothing to fetch");
  const fetchable = actions.fetchable().length;
  const step = button("Download all", () => void actions.downloadAll(), { primary: true, action: "download-all" });
  const parts = [...toFetch(context, known), ...(fetchable > 0 ? freeAfter(context) : [])];
  const detail = facts(parts.filter(Boolean).map((part) => h("span", { class: "stow-whole" }, part)));
  return head(lacking(known.missing.length, known.total), detail, fetchable > 0 ? step : null);
}

/**
 * @param {number} missing
 * @param {number} total
 */
function lacking(missing, total) {
  if (total === 1) return "The one model it needs is missing";
  return `${missing} of ${total} models ${missing === 1 ? "is" : "are"} missing`;
}

/** @param {number} total */
function allHere(total) {
  return total === 1 ? "The one model it needs is here" : `All ${total} models are here`;
}

/**
 * @param {Stow.Context} context
 * @param {ReturnType<typeof summary>} known
 */
function toFetch({ downloads, forecast }, known) {
  const running = known.missing.filter((model) => {
    const download = downloads.forModel(model);
    return download !== null && isActive(download);
  }).length;
  const planned = forecast.plan?.fetch_bytes ?? 0;
  const least = planned === 0 && known.unsized > 0 ? "at least " : "";
  const all = planned || known.bytes;
  const bytes = all > 0 ? `${least}${size(all)} to fetch` : null;
  return [bytes, running > 0 ? `${running} on the way` : null];
}

/**
 * @param {Stow.Context} context
 * @returns {[Stow.Child, Stow.Child]}
 */
function foot({ missing, downloads }) {
  const models = missing.models.filter((model) => model.active);
  const fetched = models.filter(
    (model) => model.state === "present" && downloads.forModel(model)?.state === "completed",
  );
  const bytes = fetched.reduce((sum, model) => sum + (downloads.forModel(model)?.bytes_total ?? 0), 0);
  return [
    `${count(models.length, "model", "models")} checked`,
    fetched.length > 0 ? `${count(fetched.length, "model", "models")} fetched, ${size(bytes)}` : null,
  ];
}
