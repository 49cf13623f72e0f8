/** The sub-tab Pod: when the machine stops, what runs on it, how it came up, what it costs. */

import { serverNow } from "../clock.mjs";
import { count, duration, money } from "../format.mjs";
import { h } from "../ui/dom.mjs";
import { button, facts, head, meta, say, sentence, trouble } from "../ui/parts.mjs";
import { idleCard } from "./pod_idle.mjs";
import { services } from "./pod_services.mjs";

/** @type {Stow.View} */
export const podView = {
  id: "pod",
  title: "Pod",
  there: ({ pod }) => pod.there,
  count: ({ pod }) => pod.view?.services.filter(({ state }) => TROUBLE.has(state)).length || null,
  shown: ({ pod }) => pod.look(),
  hidden: ({ pod }) => pod.leave(),
  render: (context) => ({ body: body(context), foot: foot(context) }),
};

const TROUBLE = new Set(["unhealthy", "backoff", "crash_loop"]);

/** @param {Stow.Context} context */
function body(context) {
  const { view, error } = context.pod;
  const failed = error !== null && trouble(error);
  if (view === null) return [failed || head("Asking for the pod", null)];
  return [
    failed,
    view.idle !== null && view.machine !== null ? idleCard(context, view.idle, view.machine) : null,
    view.services.length > 0 && h("h2", { key: "services-title", class: "stow-sec" }, "Services"),
    view.services.length > 0 && services(context, view.services),
    boot(view),
    doctor(context),
  ];
}

/** @param {Stow.PodView} view */
function boot(view) {
  if (view.boot.length === 0) return null;
  const ago = Math.max(1, serverNow() - view.started_at);
  return [
    h("h2", { key: "boot-title", class: "stow-sec" }, `Boot, ${coarse(ago)} ago`),
    h(
      "ul",
      { key: "boot", class: "stow-card stow-boot" },
      ...view.boot.map((line, index) =>
        h(
          "li",
          { key: `${index}:${line.what}`, class: line.state === "warn" ? "stow-warn" : null, "data-boot": line.state },
          h("b", {}, line.what),
          ` ${line.detail}${line.seconds ? `, ${duration(line.seconds)}` : ""}`,
        ),
      ),
    ),
  ];
}

/** @param {Stow.Context} context */
function doctor({ pod }) {
  const { findings } = pod;
  const busy = pod.busy.has("doctor");
  const label = findings === null ? "Run" : "Run again";
  const wrong = (findings ?? []).filter(({ state }) => state !== "ok");
  const good = (findings ?? []).length - wrong.length;
  const summary = busy
    ? "Looking at volume, disk, network, driver and settings"
    : findings === null
      ? "Checks what breaks pods, and says what to do"
      : facts([`${count(good, "check", "checks")} good`, wrong.length > 0 && `${wrong.length} to look at`]);
  return h(
    "article",
    { key: "doctor", class: "stow-card" },
    h("h2", { class: "stow-name" }, "Doctor"),
    h(
      "div",
      { class: "stow-act" },
      button(label, () => void pod.examine(), { busy, action: "doctor" }),
    ),
    meta(Array.isArray(summary) ? summary : [summary]),
    ...wrong.map((finding) => {
      const tone = finding.state === "bad" ? "bad" : finding.state === "warn" ? "warn" : null;
      const what = sentence(finding.what);
      return say(finding.what_to_do ? `${what} ${sentence(finding.what_to_do)}` : what, { tone });
    }),
  );
}

/** @param {number} seconds hours and days need no seconds */
function coarse(seconds) {
  return duration(seconds < 3600 ? Math.max(60, Math.round(seconds / 60) * 60) : Math.round(seconds / 3600) * 3600);
}

/**
 * @param {Stow.Context} context
 * @returns {[Stow.Child, Stow.Child]}
 */
function foot({ pod }) {
  const machine = pod.view?.machine;
  if (!machine) return [null, null];
  const saved = machine.saved_this_month;
  return saved >= 0.005
    ? ["Saved by idle stops this month", money(saved)]
    : ["Nothing saved by idle stops this month", null];
}
