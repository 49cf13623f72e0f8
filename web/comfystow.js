/** The extension's only auto-loaded file: it puts the parts together and hands them to ComfyUI. */

import { Actions } from "./actions.mjs";
import { Again } from "./again.mjs";
import { Api } from "./api.mjs";
import { standBeside } from "./beside.mjs";
import { browserClock } from "./clock.mjs";
import { afterGraph, beforeGraph, host, register, registerTab, TAB_ID } from "./comfy.mjs";
import { Combos } from "./combos.mjs";
import { Offer } from "./offer.mjs";
import { Change } from "./stores/change.mjs";
import { Downloads } from "./stores/downloads.mjs";
import { Forecast } from "./stores/forecast.mjs";
import { Library } from "./stores/library.mjs";
import { Missing, summary } from "./stores/missing.mjs";
import { Pod } from "./stores/pod.mjs";
import { Settings } from "./stores/settings.mjs";
import { System } from "./stores/system.mjs";
import { Ui } from "./stores/ui.mjs";
import { Panel } from "./ui/panel.mjs";
import { VIEWS } from "./views/table.mjs";
import { Watch } from "./watch.mjs";

const OFFER_SETTING = "ComfyStow.OfferTab";

const seen = () => !document.hidden;
const api = new Api(host.fetchApi, localStorage);
const downloads = new Downloads(api);
const missing = new Missing(api, host);
const system = new System(api, browserClock, seen);
const pod = new Pod(api, browserClock, seen);
const library = new Library(api, browserClock, seen);
const change = new Change(api, browserClock, seen);
const settings = new Settings(api);
const ui = new Ui();
const forecast = new Forecast(api, missing, browserClock);
const actions = new Actions({ api, downloads, missing, library, forecast, host, ui });
const context = { host, downloads, missing, system, pod, library, change, forecast, settings, ui, actions };
const panel = new Panel(context, VIEWS);
const watch = new Watch(missing, browserClock, seen);
const offer = new Offer({ open: openTab, wanted: () => !panel.open && host.setting(OFFER_SETTING) !== false });

const asks = {
  downloads: new Again(() => void downloads.load(), browserClock, seen),
  missing: new Again(() => void missing.check({ force: true }), browserClock, seen),
  pod: new Again(() => void pod.load(), browserClock, seen),
};

let pointerHeld = false;
let opened = false;

const combos = new Combos({
  downloads,
  missing,
  refresh: host.refreshCombos,
  held: () => pointerHeld,
  clock: browserClock,
});

// An event of an unknown type makes the page complain, so it is listened to before the first one can come.
host.on("comfystow.downloads", (detail) => downloads.merge(detail?.downloads ?? []));
host.on("comfystow.notice", (detail) => {
  if (detail?.kind === "alert") notify(detail.alert);
  if (detail?.kind === "lost") void readAgain();
  if (detail?.kind === "pod") void pod.load();
});
host.on("comfystow.library", (detail) => {
  if (detail?.work) library.told(detail.work);
  if (!detail?.folders) return;
  library.stale();
  combos.came();
  watch.disk();
});
host.on("reconnected", () => void readAgain());
host.on("graphChanged", () => watch.edited());

for (const type of ["pointerdown", "pointerup", "pointercancel"]) {
  addEventListener(type, () => (pointerHeld = type === "pointerdown"), { capture: true, passive: true });
}

downloads.addEventListener("completed", () => watch.disk());
change.addEventListener("applied", () => library.stale());
missing.addEventListener("checked", () => {
  downloads.settled();
  if (panel.open && ui.view === "missing") void forecast.look();
});
missing.onChange(() => {
  if (missing.phase === "failed" && missing.error?.retryable) asks.missing.failed();
  if (missing.phase !== "ready") return;
  asks.missing.answered();
  host.setBadge(summary(missing.models).missing.length);
  if (!opened || !missing.current) return;
  opened = false;
  offer.say(missing.models);
});

downloads.onChange(() => (downloads.error?.retryable ? asks.downloads.failed() : asks.downloads.answered()));
pod.onChange(() => (pod.error?.retryable && pod.view === null ? asks.pod.failed() : asks.pod.answered()));
for (const store of [downloads, missing, library, change, settings, system, pod]) {
  /** @type {unknown} */
  let told = null; // an error that stands there from before the secret was given asks for nothing
  store.onChange(() => {
    if (store.error?.needsSecret && store.error !== told && ui.lock === null) ui.setLock({ wrong: false });
    told = store.error;
  });
}
let locked = false;
ui.onChange(() => {
  if (locked && ui.lock === null) void readAgain();
  locked = ui.lock !== null;
});
document.addEventListener("visibilitychange", () => {
  for (const part of [watch, library, change, system, pod, ...Object.values(asks)]) part.turned();
});

function openTab(view = "missing") {
  offer.close();
  ui.show(view);
  if (!panel.open) host.toggleTab();
}

/** @param {Stow.Alert} alert */
function notify(alert) {
  const over = alert.resolved_at !== null;
  const severity = over ? "success" : alert.severity === "critical" ? "error" : "warn";
  host.notify(severity, over ? `Over: ${alert.summary}` : alert.summary, over ? "" : alert.action);
}

async function readAgain() {
  watch.disk();
  library.stale();
  if (pod.there || pod.error !== null) void pod.load();
  await downloads.load();
}

/**
 * What the menu of a node offers: its own missing models, wherever in subgraphs it stands.
 *
 * @param {Stow.GraphNode} node
 */
function nodeMenu(node) {
  const values = new Set((node.widgets ?? []).map((widget) => widget.value));
  const wanted = summary(missing.models).missing.filter((model) => values.has(model.name));
  return wanted.map((model) => ({
    content: wanted.length === 1 ? "Download model…" : `Download ${model.name}…`,
    callback: () => {
      openTab("missing");
      panel.reveal(`[data-model="${CSS.escape(model.name)}"]`);
    },
  }));
}

async function downloadMissing() {
  openTab("missing");
  await missing.check({ force: true });
  await actions.downloadAll();
}

function addStyles() {
  const link = document.createElement("link");
  link.rel = "stylesheet";
  link.href = new URL("comfystow.css", import.meta.url).href;
  document.head.append(link);
}

register({
  name: "ComfyStow.Panel",
  commands: [
    { id: "ComfyStow.Open", label: "Open Stow", icon: "pi pi-box", function: () => openTab(ui.view) },
    {
      id: "ComfyStow.DownloadMissing",
      label: "Download the workflow's missing models",
      icon: "pi pi-download",
      function: () => void downloadMissing(),
    },
  ],
  keybindings: [{ commandId: "ComfyStow.Open", combo: { key: "M", shift: true } }],
  menuCommands: [{ path: ["Extensions"], commands: ["ComfyStow.Open", "ComfyStow.DownloadMissing"] }],
  settings: [
    {
      id: OFFER_SETTING,
      category: ["ComfyStow", "Panel", "Offer"],
      name: "Say so when a workflow is opened whose models are missing",
      type: "boolean",
      defaultValue: true,
    },
  ],
  getNodeMenuItems: nodeMenu,
  beforeConfigureGraph: beforeGraph,
  afterConfigureGraph: () => {
    afterGraph();
    opened = true;
    watch.opened();
  },
  refreshComboInNodes: () => watch.disk(),
  setup: () => {
    addStyles();
    registerTab({
      id: TAB_ID,
      icon: "pi pi-box",
      title: "Stow",
      label: "Stow",
      tooltip: "ComfyStow: models, downloads, system",
      iconBadge: "",
      type: "custom",
      render: (element) => panel.render(element),
      destroy: () => panel.destroy(),
    });
    standBeside(() => void downloadMissing());
    void downloads.load();
    void pod.load();
    watch.opened();
  },
});
