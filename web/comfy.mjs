/**
 * The seam to ComfyUI's page: the only file that imports its scripts or knows its objects.
 *
 * Read against comfyui-frontend-package 1.32.9 and 1.58.1. The relative form of the imports keeps working under a
 * reverse proxy's sub-path.
 */

import { api } from "../../scripts/api.js";
import { app } from "../../scripts/app.js";

export const TAB_ID = "comfystow";

/** Models at a workflow's root, by the graph's id: the graph itself drops them when it is made. */
const rootModels = new Map();
/** @type {unknown} */
let loading = null;

/** @type {Stow.Host} */
export const host = {
  fetchApi: (route, options) => api.fetchApi(route, options),
  on: (type, listener) => api.addEventListener(type, (event) => listener(event.detail)),
  workflow: () => {
    const workflow = graph()?.serialize() ?? null;
    if (workflow === null) return null;
    const models = rootModels.get(workflow.id ?? "");
    return models === undefined ? workflow : { ...workflow, models };
  },
  nodeTitle: (type) => {
    const title = globalThis.LiteGraph?.registered_node_types?.[type]?.title;
    return typeof title === "string" && title !== "" ? title : type;
  },
  modelFolders: async () => {
    const response = await api.fetchApi("/models");
    const folders = response.ok ? await response.json() : [];
    return Array.isArray(folders) ? folders.filter((name) => typeof name === "string") : [];
  },
  // 1.58.1 looks for missing models again and says nothing; older frontends only reload the combos.
  refreshCombos: () => app.refreshMissingModels?.({ silent: true }) ?? app.refreshComboInNodes(),
  setBadge: (count) => {
    // The tab that the store hands out is reactive; the object that was registered is not.
    const tab = app.extensionManager.getSidebarTabs().find((entry) => entry.id === TAB_ID);
    const text = count > 0 ? String(count) : "";
    if (tab !== undefined && tab.iconBadge !== text) tab.iconBadge = text;
  },
  toggleTab: () => {
    void app.extensionManager.command.execute(`Workspace.ToggleSidebarTab.${TAB_ID}`);
  },
  notify: (severity, summary, detail) => {
    const life = severity === "success" ? 5000 : undefined; // what is wrong stays until it is closed
    app.extensionManager.toast?.add({ severity, summary, detail, life });
  },
  setting: (id) => app.extensionManager.setting.get(id),
  replaceValue: (nodeId, from, to) => {
    const node = find(nodeId);
    const widgets = (node?.widgets ?? []).filter((widget) => widget.value === from);
    for (const widget of widgets) {
      widget.value = to;
      widget.callback?.(to);
    }
    graph()?.setDirtyCanvas?.(true, true);
    return widgets.length > 0;
  },
  embedSources: (sources) => {
    let written = 0;
    for (const source of sources) for (const id of source.nodes) written += embed(find(id), source);
    return written;
  },
  copy: async (text) => {
    if (navigator.clipboard) return navigator.clipboard.writeText(text);
    // A page that came over plain HTTP from another machine has no clipboard of the new kind.
    const field = document.createElement("textarea");
    field.value = text;
    document.body.append(field);
    field.select();
    document.execCommand("copy");
    field.remove();
  },
  save: (name, text) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "application/yaml" }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000); // some browsers read it later
  },
};

/** @param {Stow.ComfyExtension} extension */
export function register(extension) {
  app.registerExtension(extension);
}

/** @param {Stow.SidebarTab} tab */
export function registerTab(tab) {
  app.extensionManager.registerSidebarTab(tab);
}

/**
 * Keep what only the raw document says, before the graph is made from it.
 *
 * @param {Stow.Workflow} workflow
 */
export function beforeGraph(workflow) {
  loading = workflow?.models;
}

/** The graph is made, and has its id now. */
export function afterGraph() {
  const id = graph()?.id;
  if (Array.isArray(loading) && loading.length > 0) rootModels.set(id ?? "", loading);
  loading = null;
}

/**
 * @param {Stow.GraphNode | null} node
 * @param {Stow.EmbeddedSource} source
 * @returns {0 | 1} entries that were written
 */
function embed(node, { name, url, directory, hash, hash_type }) {
  if (node === null) return 0;
  node.properties ??= {};
  const models = Array.isArray(node.properties.models) ? node.properties.models : [];
  const entry = hash === null ? { name, url, directory } : { name, url, directory, hash, hash_type };
  const kept = models.filter(
    (/** @type {any} */ known) => known?.name !== name || (known.directory ?? directory) !== directory,
  );
  node.properties.models = [...kept, entry];
  return 1;
}

function graph() {
  return app.rootGraph ?? app.graph;
}

/**
 * @param {string} path ids through subgraphs, `65:70`
 * @returns {Stow.GraphNode | null}
 */
function find(path) {
  let here = graph();
  let node = null;
  for (const id of path.split(":")) {
    node = here?.getNodeById(/^\d+$/.test(id) ? Number(id) : id) ?? null;
    here = node?.subgraph;
  }
  return node;
}
