/** What the panel uses of ComfyUI's `app`: a graph, a sidebar with one tab, commands, settings. */

const extensions = [];
const tabs = [];
const side = () => document.querySelector("#side");
let mounted = null;

export const app = (window.app = {
  refreshed: 0,
  toasts: [],
  workflow: window.fakeWorkflow,
  get graph() {
    // As ComfyUI's graph does: what stands at a workflow's root, it does not keep.
    const { models, ...kept } = app.workflow;
    return { id: kept.id, serialize: () => kept, getNodeById: () => null };
  },
  registerExtension: (extension) => extensions.push(extension),
  refreshMissingModels: async () => {
    app.refreshed += 1;
  },
  refreshComboInNodes: async () => {},
  open: (workflow) => {
    for (const extension of extensions) extension.beforeConfigureGraph?.(workflow);
    app.workflow = workflow;
    for (const extension of extensions) extension.afterConfigureGraph?.();
  },
  start: () => {
    for (const extension of extensions) extension.setup?.();
    app.open(app.workflow);
  },
  run: (command) => extensions.flatMap((extension) => extension.commands ?? []).find(({ id }) => id === command).function(),
  extensionManager: {
    registerSidebarTab: (tab) => tabs.push(tab),
    getSidebarTabs: () => tabs,
    setting: { get: () => undefined },
    toast: { add: (message) => app.toasts.push(message) },
    command: {
      execute: (id) => {
        const tab = tabs.find((entry) => id === `Workspace.ToggleSidebarTab.${entry.id}`);
        if (mounted) {
          mounted.destroy();
          side().replaceChildren();
          mounted = null;
        } else {
          const element = side().appendChild(document.createElement("div"));
          tab.render(element);
          mounted = tab;
        }
      },
    },
  },
});
