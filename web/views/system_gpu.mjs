/** GPUs: a card each, or one line each where there are many. */

import { progress, size } from "../format.mjs";
import { h } from "../ui/dom.mjs";
import { facts, meta, say } from "../ui/parts.mjs";
import { spark } from "../ui/spark.mjs";
import { gauge, level } from "./system_gauge.mjs";

/** More than this, and each is one line until it is clicked. */
const MANY = 2;
const IDLE = 0.01;

/**
 * @param {Stow.Context} context
 * @param {Stow.Sample} sample
 * @returns {Stow.Child}
 */
export function gpuCards(context, sample) {
  const gpus = sample.gpus ?? [];
  if (gpus.length === 0) return h("article", { key: "gpu", class: "stow-card" }, title("GPU"), none(sample.gpu_note));
  return gpus.map((gpu) => {
    const toggled = context.ui.isUnfolded(`gpu:${gpu.uuid}`);
    const open = gpus.length > MANY ? toggled : !toggled;
    return card(context, gpu, open);
  });
}

/** @param {string | null} note */
function none(note) {
  return meta([note ? note.charAt(0).toUpperCase() + note.slice(1) : "None here"]);
}

/**
 * @param {Stow.Context} context
 * @param {Stow.Gpu} gpu
 * @param {boolean} open
 */
function card(context, gpu, open) {
  const fold = h(
    "button",
    {
      type: "button",
      class: "stow-fold",
      "aria-expanded": String(open),
      "data-action": "fold",
      onClick: () => context.ui.unfold(`gpu:${gpu.uuid}`),
    },
    h("span", { class: "stow-fold-name" }, called(gpu)),
    h("span", { class: "stow-num" }, open ? facts([celsius(gpu), watts(gpu)]) : inOneLine(gpu)),
  );
  return h(
    "article",
    { key: `gpu-${gpu.uuid}`, class: "stow-card stow-gpu", "data-gpu": gpu.uuid },
    h("h2", {}, fold),
    ...(open ? details(gpu) : []),
  );
}

/** @param {Stow.Gpu} gpu */
function called(gpu) {
  const short = gpu.name.replace(/^NVIDIA (GeForce )?/, "");
  return `GPU ${gpu.index}${gpu.parent_uuid === null ? "" : " slice"} · ${short}`;
}

/** @param {Stow.Gpu} gpu */
function inOneLine(gpu) {
  const { utilization_ratio: busy } = gpu;
  const known = facts([busy === null ? "" : busy < IDLE ? "idle" : percent(busy), memory(gpu)]);
  const warm = celsius(gpu);
  // With its dot, since it is left out where there is no room for it.
  return [known, warm && h("span", { class: "stow-warmth" }, known.length > 0 && " · ", warm)];
}

/** @param {Stow.Gpu} gpu */
function details(gpu) {
  const { utilization_ratio: busy, memory_used_bytes: used, memory_total_bytes: total } = gpu;
  const filled = used === null || !total ? null : level(used / total);
  return [
    gauge("Busy", busy, busy === null ? "n/a" : percent(busy)),
    gauge("VRAM", filled, memory(gpu) || "n/a", { full: true }),
    spark(gpu.uuid, `How busy GPU ${gpu.index} was in the last ten minutes`),
    gpu.visible === false ? say("ComfyUI may not use it: CUDA_VISIBLE_DEVICES leaves it out.") : null,
    gpu.throttle_reasons?.length ? say(`Held down: ${gpu.throttle_reasons.join(", ")}.`, { tone: "warn" }) : null,
    gpu.xid_errors ? say(`The driver reported Xid ${gpu.last_xid}.`, { tone: "bad" }) : null,
  ];
}

/** @param {Stow.Gpu} gpu */
function memory({ memory_used_bytes: used, memory_total_bytes: total }) {
  if (used === null) return "";
  return total === null ? size(used) : progress(used, total);
}

/** @param {Stow.Gpu} gpu */
function celsius(gpu) {
  return gpu.temperature_celsius === null ? "" : `${Math.round(gpu.temperature_celsius)} °C`;
}

/** @param {Stow.Gpu} gpu */
function watts(gpu) {
  return gpu.power_watts === null ? "" : `${Math.round(gpu.power_watts)} W`;
}

/** @param {number} ratio */
function percent(ratio) {
  return `${Math.round(ratio * 100)} %`;
}

/** @param {string} text */
function title(text) {
  return h("h2", { class: "stow-name" }, text);
}
