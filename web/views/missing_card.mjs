/** The card of a model that is missing: what it is, where it goes, where it comes from, what now. */

import { size } from "../format.mjs";
import { containerName } from "../graph.mjs";
import { certain, keyOf } from "../stores/missing.mjs";
import { h } from "../ui/dom.mjs";
import { bar, button, facts, meta, name, say } from "../ui/parts.mjs";
import { kind, place } from "../words.mjs";
import { barTone, controls, obstacle, refusal, standing } from "./state.mjs";

const CONFIDENCE = { exact: "the same file", high: "certain", likely: "likely", guess: "a guess" };

/**
 * @param {Stow.Context} context
 * @param {Stow.Model} model
 */
export function missingCard(context, model) {
  const key = keyOf(model);
  const download = model.state === "missing" ? context.downloads.bringing(model) : null;
  const about = [whatItIs(context, model, download), whereFrom(context, model)];
  const parts = download === null ? offer(context, model, key) : underWay(context, download, key);
  return h(
    "article",
    { key, class: model.active ? "stow-card" : "stow-card stow-quiet", "data-model": model.name },
    name(model.name),
    h("div", { class: "stow-act" }, ...parts.act),
    about,
    ...parts.rest,
  );
}

/**
 * @param {Stow.Context} context
 * @param {Stow.Model} model
 * @param {Stow.Download | null} download
 */
function whatItIs({ forecast }, model, download) {
  const planned = forecast.itemOf(model);
  const bytes = download?.bytes_total ?? planned?.size_bytes ?? certain(model)?.size_bytes ?? null;
  const base = model.base_model ?? planned?.base_model ?? certain(model)?.base_model;
  const what = kind(model.folder) ?? "Model";
  const folder = model.folder ?? certain(model)?.folder;
  const precision = model.precision ?? planned?.precision ?? null;
  return meta(facts([h("b", {}, what), base, precision, size(bytes)]), { folder });
}

/**
 * @param {Stow.Context} context
 * @param {Stow.Model} model
 */
function whereFrom({ host, missing }, model) {
  const use = model.uses[0];
  const inside = use ? containerName(missing.workflow, use.node_id) : null;
  const node = use ? use.title || host.nodeTitle(use.node_type) : null;
  const more = model.uses.length > 1 ? ` +${model.uses.length - 1}` : "";
  const best = certain(model);
  return meta(facts([node && `${node}${inside ? ` in “${inside}”` : ""}${more}`, best && place(best.source)]));
}

/**
 * @param {Stow.Context} context
 * @param {Stow.Download} download
 * @param {string} key
 */
function underWay(context, download, key) {
  const tone = barTone(download);
  const whole = download.state === "completed";
  return {
    act: controls(context, download),
    rest: [
      tone && bar(download.id, `Download of ${download.filename ?? "the model"}`, tone),
      whole
        ? say(download.verified === "digest" ? "Here, and whole." : "Here.", { tone: "good" })
        : download.state === "waiting" && download.bytes_done === 0
          ? null
          : meta(loud(standing(download))),
      ...obstacle(context, download, key),
    ],
  };
}

/** @param {Stow.Child[]} parts */
export function loud(parts) {
  return facts(parts.map((part, index) => (index === 0 && part ? h("b", {}, part) : part)));
}

/**
 * @param {Stow.Context} context
 * @param {Stow.Model} model
 * @param {string} key
 * @returns {{ act: Stow.Child[], rest: Stow.Child[] }}
 */
function offer(context, model, key) {
  const { actions, ui } = context;
  const error = ui.errorOf(key);
  const source = certain(model)?.source ?? "";
  const wrong = error === null ? [] : refusal(context, source, error, key);
  if (model.state === "near") return near(context, model, wrong);
  const best = certain(model);
  if (best !== null) {
    const busy = ui.isBusy(key);
    const get = button("Download", () => void actions.download(model, best), { busy, action: "download" });
    const ahead = wrong.length > 0 ? null : before(context, model, best, key);
    return { act: ahead?.blocked ? [] : [get], rest: [...wrong, ...(ahead?.said ?? [])] };
  }
  return model.candidates.length > 0 ? choose(context, model, key, wrong) : ask(context, model, key, wrong);
}

/**
 * What the plan knows before the click: something in the way, or nothing to fetch.
 *
 * @param {Stow.Context} context
 * @param {Stow.Model} model
 * @param {Stow.Candidate} best
 * @param {string} key
 * @returns {{ blocked: boolean, said: Stow.Child[] }}
 */
function before(context, model, best, key) {
  const item = context.forecast.itemOf(model);
  if (item?.action === "link")
    return { blocked: false, said: [say("The same file is here: it is linked, nothing is fetched.")] };
  if (item?.action === "resume") return { blocked: false, said: [say(`Goes on where it stopped: ${item.reason}.`)] };
  if (item?.action !== "refuse" || item.error === null) return { blocked: false, said: [] };
  const again = button("Check again", () => void context.forecast.look({ force: true }), { action: "recheck" });
  return { blocked: !item.error.retryable, said: refusal(context, best.source, item.error, key, again) };
}

/**
 * @param {Stow.Context} context
 * @param {Stow.Model} model
 * @param {Stow.Child[]} wrong
 */
function near({ actions, ui }, model, wrong) {
  const found = model.near_name ?? "";
  const relink = () => void actions.relink(model);
  const words = [
    "Here as ",
    h("b", {}, found),
    `: ${model.near_reason ?? "nearly the same name"}. Relinking downloads nothing.`,
  ];
  return {
    act: [button("Relink", relink, { action: "relink", busy: ui.isBusy(keyOf(model)) })],
    rest: [say(words), ...wrong],
  };
}

/**
 * @param {Stow.Context} context
 * @param {Stow.Model} model
 * @param {string} key
 * @param {Stow.Child[]} wrong
 */
function choose({ actions, ui }, model, key, wrong) {
  const finder = (/** @type {Stow.Model} */ wanted) =>
    button("Search the hubs", () => void actions.find(wanted), { busy: ui.isBusy(key), action: "find" });
  const what = `choose:${key}`;
  const open = ui.isUnfolded(what);
  const best = model.candidates[0];
  const sentence = `No certain source. ${model.candidates.length} found, best: ${CONFIDENCE[best?.confidence ?? "guess"]}.`;
  const rows = model.candidates.slice(0, 8).map((candidate) =>
    h(
      "li",
      { key: candidate.source },
      h("p", {}, h("span", {}, place(candidate.source) ?? candidate.source), h("span", {}, facts(told(candidate)))),
      button("Download", () => void actions.download(model, candidate), {
        busy: ui.isBusy(key),
        title: candidate.source,
        action: "download",
      }),
    ),
  );
  return {
    act: [button("Choose…", () => ui.unfold(what), { expanded: open, action: "choose" })],
    rest: [
      meta([sentence]),
      open && h("ul", { key: "choices", class: "stow-choices" }, ...rows),
      open &&
        !model.looked &&
        h("div", { key: "more", class: "stow-say" }, h("p", {}, "None of these?"), finder(model)),
      ...wrong,
    ],
  };
}

/** @param {Stow.Candidate} candidate */
function told(candidate) {
  return [
    h("b", {}, CONFIDENCE[candidate.confidence]),
    candidate.reason,
    candidate.base_model,
    size(candidate.size_bytes),
    candidate.licence,
    candidate.gated && "asks for a login or a licence",
  ];
}

/**
 * @param {Stow.Context} context
 * @param {Stow.Model} model
 * @param {string} key
 * @param {Stow.Child[]} wrong
 */
function ask({ actions, ui }, model, key, wrong) {
  const what = `link:${key}`;
  const open = ui.isUnfolded(what);
  /** @param {SubmitEvent} event */
  const onSubmit = (event) => {
    event.preventDefault();
    const text = /** @type {HTMLFormElement} */ (event.currentTarget).querySelector("input")?.value.trim() ?? "";
    if (text !== "") void actions.downloadFrom(model, text);
  };
  const field = h(
    "form",
    { key: "link", class: "stow-field", onSubmit },
    h("input", {
      type: "url",
      "aria-label": "Link to the model",
      placeholder: "https://huggingface.co/…",
      "data-focus": "",
    }),
    h("button", { type: "submit", class: "stow-alt" }, "Download"),
  );
  return {
    act: [
      model.looked
        ? null
        : button("Find…", () => void actions.find(model), {
            busy: ui.isBusy(key),
            action: "find",
            title: "Search Hugging Face and Civitai",
          }),
      button("Add link…", () => ui.unfold(what), { expanded: open, action: "link" }),
    ],
    rest: [
      meta([
        model.looked
          ? "Neither Hugging Face nor Civitai has a file of this name."
          : "No source is known for this name.",
      ]),
      open && field,
      ...wrong,
    ],
  };
}
