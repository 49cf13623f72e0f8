/** The sub-tab System: GPUs, what ComfyUI has loaded, the machine, and what needs somebody's eye. */

import { duration, money, progress, rate, size } from "../format.mjs";
import { h } from "../ui/dom.mjs";
import { button, facts, head, meta, say, sentence, trouble } from "../ui/parts.mjs";
import { drawSparks } from "../ui/spark.mjs";
import { roomButton } from "./library_ask.mjs";
import { fills } from "./system_disk.mjs";
import { gauge, level } from "./system_gauge.mjs";
import { gpuCards } from "./system_gpu.mjs";

/** @type {Stow.View} */
export const systemView = {
  id: "system",
  title: "System",
  count: ({ system }) => system.view?.alerts.length || null,
  shown: ({ system }) => system.look(),
  hidden: ({ system }) => system.leave(),
  render: (context) => {
    const { system } = context;
    // The panel puts the elements in their places right after this; the curves are drawn on them then.
    queueMicrotask(() => drawSparks(document, (name) => system.curve(name)));
    return { body: body(context), foot: foot(context) };
  },
};

/** @param {Stow.Context} context */
function body(context) {
  const { view, error } = context.system;
  const failed = error !== null && trouble(error);
  if (view === null || view.sample === null) {
    if (error !== null) return [head("The machine could not be looked at", "It is asked again by itself"), failed];
    return head("Looking at the machine", "The first sample takes a second");
  }
  return [
    failed,
    view.alerts.map(alert),
    gpuCards(context, view.sample),
    loaded(context, view),
    h("h2", { key: "machine", class: "stow-sec" }, "Machine"),
    machine(context, view, view.sample),
  ];
}

/** @param {Stow.Alert} alert */
function alert(alert) {
  const tone = alert.severity === "critical" ? "bad" : "warn";
  const key = `${alert.name}:${Object.values(alert.labels).join(":")}`;
  return h(
    "article",
    { key, class: "stow-card", "data-alert": alert.name },
    h("h2", { class: `stow-name stow-${tone}` }, sentence(alert.summary).replace(/\.$/, "")),
    meta([sentence(alert.action)]),
  );
}

/**
 * @param {Stow.Context} context
 * @param {Stow.SystemView} view
 */
function loaded({ system }, view) {
  const models = view.hosts.flatMap((host) => host.state.loaded_models);
  const known = view.hosts.length > 0;
  if (!known || (models.length === 0 && system.freeing === "idle")) return null;
  const free = button("Unload all", () => void system.free(), { busy: system.freeing !== "idle", action: "free" });
  const waiting = system.freeing === "idle" ? null : "ComfyUI unloads them between two prompts";
  return [
    h("h2", { key: "loaded", class: "stow-sec" }, "Loaded by ComfyUI"),
    h(
      "ul",
      { key: "models", class: "stow-list stow-loaded" },
      ...models.map((model, index) =>
        h("li", { key: `${index}:${model.name}` }, h("div", {}, h("h3", {}, model.name), meta(places(model)))),
      ),
    ),
    torch(view),
    models.length > 0 && say(waiting ?? "Frees their memory; the next prompt loads them again.", { buttons: free }),
  ];
}

/** @param {Stow.SystemView} view what torch holds of the GPU, as it tells itself */
function torch(view) {
  const rows = view.hosts.filter((host) => host.state.torch_reserved_bytes);
  return rows.map(({ server_id, state }) =>
    h(
      "p",
      { key: `torch-${server_id}`, class: "stow-meta stow-line" },
      `Torch holds ${size(state.torch_reserved_bytes)}, ${size(state.torch_allocated_bytes) || "an unknown part"} of it in use`,
    ),
  );
}

/** @param {{ vram_bytes: number | null, ram_bytes: number | null }} model */
function places({ vram_bytes, ram_bytes }) {
  return facts([vram_bytes ? `${size(vram_bytes)} in VRAM` : "", ram_bytes ? `${size(ram_bytes)} in RAM` : ""]);
}

/**
 * @param {Stow.Context} context
 * @param {Stow.SystemView} view
 * @param {Stow.Sample} sample
 */
function machine(context, view, sample) {
  const { host, network } = sample;
  const { cpu_utilization_ratio: busy, cores } = host;
  const cores_in_use = busy === null || cores === null ? "n/a" : `${(busy * cores).toFixed(1)} of ${tidy(cores)} cores`;
  return h(
    "article",
    { key: "machine-card", class: "stow-card" },
    gauge("CPU", busy, cores_in_use),
    gauge("Memory", share(host.memory_used_bytes, host.memory_limit_bytes), held(host), { full: true }),
    ...sample.disks.map((disk) => {
      const used = disk.free_bytes === null || disk.total_bytes === null ? null : disk.total_bytes - disk.free_bytes;
      const free = disk.free_bytes === null ? "n/a" : `${size(disk.free_bytes)} free`;
      return [gauge(disk.path, share(used, disk.total_bytes), free, { full: true }), fills(context, disk)];
    }),
    gauge("Network", null, inbound(network.received_bytes_per_second), { bare: true }),
    ...Object.entries(view.disk_full_in_seconds).map(([path, seconds]) =>
      say(`${path} is full in about ${duration(seconds)} at this rate.`, {
        tone: "warn",
        buttons: roomButton(context),
      }),
    ),
    host.oom_kills ? say(`${host.oom_kills} processes were killed for want of memory.`, { tone: "bad" }) : null,
  );
}

/** @param {Stow.Sample["host"]} host */
function held({ memory_used_bytes: used, memory_limit_bytes: limit }) {
  return used === null || limit === null ? "n/a" : progress(used, limit);
}

/** @param {number | null} bytesPerSecond */
function inbound(bytesPerSecond) {
  if (bytesPerSecond === null) return "n/a";
  return `${rate(bytesPerSecond) || "0 bytes/s"} in`;
}

/**
 * @param {number | null} part
 * @param {number | null} whole
 */
function share(part, whole) {
  return part === null || !whole ? null : level(part / whole);
}

/** @param {number} cores a quota may be 2.5 */
function tidy(cores) {
  return Number.isInteger(cores) ? String(cores) : cores.toFixed(1);
}

/**
 * @param {Stow.Context} context
 * @returns {[Stow.Child, Stow.Child]}
 */
function foot({ system }) {
  const { cost_per_hour: price, cost_so_far: spent } = system.view ?? {};
  const cost = facts([price ? `${money(price)} / h` : "", spent ? `${money(spent)} so far` : ""]);
  return ["Sampled while you look", cost];
}
