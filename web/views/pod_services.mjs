/** The services of a pod: a line each, with the one thing to do about it. */

import { count, duration } from "../format.mjs";
import { h } from "../ui/dom.mjs";
import { button, facts, link, meta } from "../ui/parts.mjs";

const TONES = {
  ready: "good",
  waiting: "dim",
  starting: "dim",
  stopping: "dim",
  stopped: "dim",
  off: "dim",
  unhealthy: "warn",
  backoff: "warn",
  crash_loop: "bad",
};

const WORDS = {
  off: "off",
  waiting: "waiting",
  starting: "starting",
  ready: "ready",
  unhealthy: "does not answer",
  backoff: "starts again soon",
  crash_loop: "ended too often",
  stopping: "stopping",
  stopped: "stopped",
};

/**
 * @param {Stow.Context} context
 * @param {readonly Stow.Service[]} all
 */
export function services(context, all) {
  return h("ul", { key: "services", class: "stow-list stow-services" }, ...all.map((service) => row(context, service)));
}

/**
 * @param {Stow.Context} context
 * @param {Stow.Service} service
 */
function row(context, service) {
  const tone = TONES[service.state];
  return h(
    "li",
    { key: service.name, "data-service": service.name, "data-state": service.state },
    h("span", { class: `stow-kind stow-${tone}`, "aria-hidden": "true" }, "●"),
    h("div", {}, h("h3", { class: "stow-name" }, service.title), meta(facts(standing(service)))),
    h("div", { class: "stow-act" }, ...steps(context, service)),
  );
}

/** @param {Stow.Service} service */
function standing(service) {
  const up = service.state === "ready" && service.startup_seconds !== null;
  return [
    up ? `ready ${duration(service.startup_seconds)} after start` : WORDS[service.state],
    service.state === "ready" ? null : service.reason,
    service.restarts > 0 ? count(service.restarts, "restart", "restarts") : null,
    service.port !== null && service.state === "ready" ? `port ${service.port}` : null,
  ];
}

/**
 * @param {Stow.Context} context
 * @param {Stow.Service} service
 */
function steps({ pod }, service) {
  const busy = pod.busy.has(service.name);
  const act = (/** @type {"start" | "restart"} */ verb, /** @type {string} */ label) =>
    button(label, () => void pod.service(service.name, verb), {
      busy,
      action: verb,
      title: `${label} ${service.title}`,
    });
  switch (service.state) {
    case "ready":
      // ComfyUI is the page itself.
      return service.url !== null && service.name !== "comfyui" && opens(service.url)
        ? [link("Open", service.url)]
        : [];
    case "stopped":
    case "crash_loop":
    case "backoff":
      return [act("start", "Start")];
    case "unhealthy":
      return [act("restart", "Restart")];
    default:
      return [];
  }
}

/** @param {string} url only what a browser opens as a page */
function opens(url) {
  return /^https?:\/\//.test(url);
}
