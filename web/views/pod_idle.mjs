/** The card on top of the Pod tab: whether anybody uses the machine, and when it stops. */

import { clock, count, duration, money } from "../format.mjs";
import { h } from "../ui/dom.mjs";
import { button, facts, meta, say, sentence } from "../ui/parts.mjs";

/** @type {Record<string, string>} */
const PROVIDERS = { runpod: "RunPod", vast: "vast.ai", command: "Own command", none: "" };
const KEEPS = {
  termination: "the network volume keeps everything",
  stop: "the volume keeps everything while it is stopped",
  nothing: "no volume: a stop keeps nothing",
};

/**
 * @param {Stow.Context} context
 * @param {Stow.IdleView} idle
 * @param {Stow.MachineView} machine
 */
export function idleCard({ pod }, idle, machine) {
  const age = pod.ageSeconds;
  const left = idle.stops_in_seconds === null ? null : Math.max(0, idle.stops_in_seconds - age);
  const step = keep(pod, idle);
  const [title, detail, tone] = words(idle, left, age, machine);
  return h(
    "article",
    { key: "idle", class: "stow-card", "data-idle": idle.state },
    h("h2", { class: tone ? `stow-title stow-num stow-${tone}` : "stow-title stow-num" }, title),
    h("div", { class: "stow-act" }, step),
    counting(idle, left) && bar(idle, left ?? 0),
    detail && meta([detail]),
    meta(facts(about(machine)), {}),
    ...idle.problems.map((problem) => say(sentence(problem), { tone: "warn" })),
    idle.result !== null && idle.state === "failed" && say(failure(idle.result), { tone: "bad" }),
    machine.note ? say(sentence(machine.note), { tone: "warn" }) : null,
  );
}

/**
 * @param {import("../stores/pod.mjs").Pod} pod
 * @param {Stow.IdleView} idle
 */
function keep(pod, idle) {
  const busy = pod.busy.has("keep-alive");
  const stops = idle.mode === "stop" || idle.mode === "terminate";
  if (idle.keep_alive_seconds > 0) {
    return button("Let go", () => void pod.keepAlive(0), {
      busy,
      action: "let-go",
      title: "It may stop when it is idle",
    });
  }
  if (!stops || idle.reason === "lifetime" || !["watching", "grace", "failed", "stopping"].includes(idle.state)) {
    return null;
  }
  const primary = idle.idle_seconds !== null;
  return button("Keep alive", () => void pod.keepAlive(), {
    primary,
    busy,
    action: "keep-alive",
    title: "For one hour",
  });
}

/**
 * @param {Stow.IdleView} idle
 * @param {number | null} left
 * @param {number} age
 * @param {Stow.MachineView} machine
 * @returns {[Stow.Child[] | string, string | null, "warn" | "bad" | null]}
 */
function words(idle, left, age, machine) {
  const stops = left === null ? "" : h("span", { class: "stow-whole" }, `Stops in ${clock(left)}`);
  switch (idle.state) {
    case "off":
      return ["It runs until somebody stops it", "The idle policy is off (setting idle_mode)", null];
    case "starting":
      return ["Coming up", "Whether it is idle counts once it is up", null];
    case "stopping":
      return ["Stopping", idle.why, "warn"];
    case "stopped":
      return [`${PROVIDERS[machine.provider] || "The provider"} stops it now`, null, "warn"];
    case "failed":
      return ["It could not be stopped, and goes on costing money", null, "bad"];
    case "grace":
      return idle.reason === "lifetime"
        ? [["Its time is up. ", stops], "No work and no wish changes that (idle_lifetime_seconds)", "warn"]
        : [[`Idle for ${minutes((idle.idle_seconds ?? 0) + age)}. `, stops], null, null];
    default:
      return watching(idle, stops, age);
  }
}

/**
 * @param {Stow.IdleView} idle
 * @param {Stow.Child} stops
 * @param {number} age
 * @returns {[Stow.Child[] | string, string | null, "warn" | null]}
 */
function watching(idle, stops, age) {
  if (idle.keep_alive_seconds > 0) {
    const whole = Math.ceil(Math.max(1, idle.keep_alive_seconds - age) / 60) * 60;
    return [`Kept alive for ${minutes(whole)}`, null, null];
  }
  if (idle.idle_seconds !== null) {
    return [[`Idle for ${minutes(idle.idle_seconds + age)}. `, stops || "Nothing stops it"], null, null];
  }
  const doubts = idle.signals.filter(({ activity }) => activity === "unknown");
  if (idle.unknown_seconds !== null && doubts.length > 0) {
    return ["Not known whether it is in use", listed(doubts), "warn"];
  }
  return ["In use", listed(idle.signals.filter(({ activity }) => activity === "active")), null];
}

/** @type {Record<string, string>} */
const NAMES = {
  comfyui: "ComfyUI",
  downloads: "Downloads",
  jupyter: "Jupyter",
  transfers: "Files",
  ssh: "SSH",
  gpu: "GPU",
  keep_alive: "Keep alive",
};

/** @param {readonly Stow.Signal[]} signals */
function listed(signals) {
  return signals.map(({ name, words }) => `${NAMES[name] ?? name}: ${words}`).join(" · ");
}

/**
 * @param {Stow.IdleView} idle
 * @param {number | null} left
 */
function counting(idle, left) {
  return left !== null && (idle.idle_seconds !== null || idle.state === "grace") && idle.state !== "stopped";
}

/**
 * How much of the time has run out.
 *
 * @param {Stow.IdleView} idle
 * @param {number} left
 */
function bar(idle, left) {
  const whole = idle.timeout_seconds + idle.grace_seconds;
  const ratio = whole > 0 ? Math.min(1, Math.max(0, 1 - left / whole)) : 1;
  return h(
    "div",
    {
      key: "bar",
      class: "stow-bar stow-bar-warn",
      role: "progressbar",
      "aria-label": "Time until it stops",
      "aria-valuemin": 0,
      "aria-valuemax": 100,
      "aria-valuenow": Math.round(ratio * 100),
    },
    h("i", { key: "level", style: `width:${(ratio * 100).toFixed(1)}%` }),
  );
}

/** @param {Stow.MachineView} machine */
function about(machine) {
  const name = PROVIDERS[machine.provider] ?? machine.provider;
  const { cost_per_hour: price, cost_so_far: spent } = machine;
  return [
    name,
    machine.gpu?.replace(/NVIDIA (GeForce )?/, "") ?? null,
    price === null ? null : `${money(price)} / h`,
    spent === null ? null : `${money(spent)} so far`,
    machine.survives === null ? null : KEEPS[machine.survives],
    machine.locked ? "locked: it cannot be stopped" : null,
  ];
}

/** @param {{ words: string, hint: string | null }} result */
function failure({ words, hint }) {
  return hint ? `${sentence(words)} ${sentence(hint)}` : sentence(words);
}

/** @param {number} seconds a person counts idleness in minutes */
function minutes(seconds) {
  const whole = Math.floor(seconds / 60);
  if (whole < 1) return "less than a minute";
  return whole < 60 ? count(whole, "min", "min") : duration(whole * 60);
}
