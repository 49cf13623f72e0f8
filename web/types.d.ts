/**
 * Types of what the panel passes around: the records of `/comfystow/v1` and the little it uses of ComfyUI's page.
 * For the type checker and the reader only; nothing loads this file.
 */

declare module "*/scripts/app.js" {
  export const app: Stow.ComfyApp;
}

declare module "*/scripts/api.js" {
  export const api: Stow.ComfyApi;
}

/** The graph library, which ComfyUI puts on the page. */
declare var LiteGraph: { registered_node_types?: Record<string, { title?: string }> } | undefined;

declare namespace Stow {
  type Child = Node | string | number | false | null | undefined | readonly Child[];
  type Props = Record<string, string | number | boolean | null | undefined | ((event: any) => void)>;

  interface Clock {
    now(): number;
    after(milliseconds: number, call: () => void): unknown;
    cancel(timer: unknown): void;
    frame(call: () => void): void;
  }

  interface ErrorInfo {
    code: string;
    message: string;
    hint: string | null;
    retryable: boolean;
  }

  type DownloadState =
    | "queued"
    | "resolving"
    | "running"
    | "waiting"
    | "paused"
    | "verifying"
    | "placing"
    | "completed"
    | "failed"
    | "cancelled";

  interface DownloadRequest {
    source: string;
    folder_name?: string | null;
    subfolder?: string | null;
    filename?: string | null;
    sha256?: string | null;
  }

  /** A download as `GET /downloads` and the event `comfystow.downloads` give it. Times are seconds since the epoch. */
  interface Download {
    id: string;
    request: DownloadRequest;
    state: DownloadState;
    source: string;
    filename: string | null;
    folder_name: string | null;
    bytes_done: number;
    bytes_total: number | null;
    rate_bytes_per_second: number | null;
    eta_seconds: number | null;
    connections: number | null;
    waiting_for: "token" | "licence" | "space" | "generation" | "host" | null;
    note: string | null;
    error: ErrorInfo | null;
    verified: "digest" | "header" | "size" | null;
    linked: boolean;
    position: number;
    created_at: number;
    started_at: number | null;
    finished_at: number | null;
    /** What a person should know: a header that contradicts the folder, a folder that only the name tells. */
    warnings: string[];
  }

  interface Candidate {
    source: string;
    url: string | null;
    folder: string | null;
    name: string | null;
    size_bytes: number | null;
    sha256: string | null;
    confidence: "exact" | "high" | "likely" | "guess";
    reason: string;
    base_model?: string | null;
    licence?: string | null;
    gated?: boolean | null;
  }

  /** One request of `POST /plan`, and what would become of it. */
  interface PlanItem {
    request: DownloadRequest;
    action: "fetch" | "resume" | "link" | "present" | "refuse";
    reason: string;
    filename: string | null;
    folder_name: string | null;
    size_bytes: number | null;
    base_model: string | null;
    precision: string | null;
    fetch_bytes: number | null;
    error: ErrorInfo | null;
  }

  interface PlanVolume {
    folders: string[];
    free_bytes: number;
    needed_bytes: number;
    free_after_bytes: number;
    fits: boolean;
  }

  interface Plan {
    items: PlanItem[];
    volumes: PlanVolume[];
    fetch_bytes: number;
    fits: boolean;
  }

  /** The same model, stored smaller. */
  interface Variant {
    instead_of: string;
    name: string;
    source: string;
    size_bytes: number | null;
    known_from: string;
    needs_other_loader: boolean;
  }

  /** `POST /workflow/fit`. */
  interface Fit {
    verdict: "fits" | "in_turns" | "too_large" | "unknown";
    sentence: string;
    needed_bytes: number;
    gpu: string | null;
    gpu_bytes: number | null;
    loads: { name: string; folder: string | null; vram_bytes: number | null }[];
    smaller: Variant[];
  }

  /** What `POST /workflow/embed` would write into nodes. */
  interface EmbeddedSource {
    name: string;
    url: string;
    directory: string;
    hash: string | null;
    hash_type: string | null;
    nodes: string[];
    /** What the workflow does not say yet. */
    adds: "address" | "digest";
  }

  interface NodeUse {
    node_id: string;
    node_type: string;
    widget_name: string | null;
    title: string | null;
  }

  /** One model of `POST /workflow/missing`; what it does not know is null or left out. */
  interface Model {
    name: string;
    folder: string | null;
    state: "present" | "missing" | "near";
    active: boolean;
    uses: NodeUse[];
    candidates: Candidate[];
    near_name: string | null;
    near_reason: string | null;
    base_model?: string | null;
    precision?: string | null;
    /** The hubs were asked for it. */
    looked?: boolean;
  }

  interface Gpu {
    uuid: string;
    index: number;
    name: string;
    parent_uuid: string | null;
    visible: boolean | null;
    utilization_ratio: number | null;
    memory_used_bytes: number | null;
    memory_total_bytes: number | null;
    temperature_celsius: number | null;
    power_watts: number | null;
    throttle_reasons: string[] | null;
    xid_errors: number | null;
    last_xid: number | null;
  }

  /** What the machine did at one moment; ratios run from 0 to 1, unknown is null. */
  interface Sample {
    taken_at: number;
    gpus: Gpu[] | null;
    gpu_note: string | null;
    host: {
      cores: number | null;
      cpu_utilization_ratio: number | null;
      memory_used_bytes: number | null;
      memory_limit_bytes: number | null;
      oom_kills: number | null;
    };
    disks: { path: string; total_bytes: number | null; free_bytes: number | null }[];
    network: { received_bytes_per_second: number | null; sent_bytes_per_second: number | null };
  }

  interface Alert {
    name: string;
    severity: "warning" | "critical";
    summary: string;
    action: string;
    labels: Record<string, string>;
    resolved_at: number | null;
  }

  /** `GET /library/usage`, as far as disks are concerned. */
  interface DiskUsage {
    roots: { id: number; name: string; bytes: number; files: number }[];
    volumes: { path: string; folders: string[]; total_bytes: number; free_bytes: number; models_bytes: number }[];
  }

  /** `GET /system`. */
  interface SystemView {
    sampling: boolean;
    age_seconds: number | null;
    sample: Sample | null;
    disk_full_in_seconds: Record<string, number>;
    hosts: {
      server_id: string;
      state: {
        torch_allocated_bytes: number | null;
        torch_reserved_bytes: number | null;
        loaded_models: { name: string; vram_bytes: number | null; ram_bytes: number | null }[];
      };
    }[];
    cost_per_hour: number | null;
    cost_so_far?: number | null;
    alerts: Alert[];
  }

  interface Signal {
    name: string;
    activity: "active" | "idle" | "unknown";
    words: string;
  }

  /** Where the idle policy stands; seconds are on its clock, unknown is null. */
  interface IdleView {
    mode: "off" | "notify" | "stop" | "terminate";
    state: "off" | "starting" | "watching" | "grace" | "stopping" | "stopped" | "failed";
    idle_seconds: number | null;
    quiet_seconds: number | null;
    unknown_seconds: number | null;
    stops_in_seconds: number | null;
    timeout_seconds: number;
    grace_seconds: number;
    reason: "idle" | "lifetime" | null;
    why: string;
    signals: Signal[];
    keep_alive_seconds: number;
    problems: string[];
    result: { done: boolean; words: string; hint: string | null } | null;
  }

  interface MachineView {
    provider: string;
    id: string | null;
    status: string | null;
    gpu: string | null;
    region: string | null;
    locked: boolean | null;
    survives: "termination" | "stop" | "nothing" | null;
    note: string | null;
    cost_per_hour: number | null;
    cost_so_far: number | null;
    saved_this_month: number;
    can_stop: boolean;
  }

  interface Service {
    name: string;
    title: string;
    state: "off" | "waiting" | "starting" | "ready" | "unhealthy" | "backoff" | "crash_loop" | "stopping" | "stopped";
    reason: string | null;
    port: number | null;
    url: string | null;
    startup_seconds: number | null;
    restarts: number;
  }

  interface BootLine {
    state: "ok" | "warn" | "off";
    what: string;
    detail: string;
    seconds: number | null;
  }

  interface Finding {
    check: string;
    state: "ok" | "warn" | "bad" | "unknown";
    what: string;
    what_to_do: string | null;
  }

  /** `GET /pod`; `machine` and `idle` are null where nobody rents the machine out. */
  interface PodView {
    present: boolean;
    started_at: number;
    services: Service[];
    boot: BootLine[];
    machine: MachineView | null;
    idle: IdleView | null;
  }

  type LibraryFlag = "damaged" | "duplicates" | "unidentified" | "unreferenced";

  interface LibraryQuery {
    text: string;
    base: string | null;
    folder: string | null;
    flag: LibraryFlag | null;
  }

  /** A row of `GET /library`. */
  interface LibraryFile {
    id: number;
    name: string;
    relative_path: string;
    folder: string;
    belongs_in: string | null;
    kind: string | null;
    base_model: string | null;
    precision: string | null;
    parameters: number | null;
    size_bytes: number;
    vram_bytes: number | null;
    sha256: string | null;
    source: string | null;
    verified: "digest" | "header" | "size" | null;
    damaged: string | null;
    available: boolean;
    added_at: number;
    last_used_at: number | null;
    links: number;
  }

  interface LibraryTotals {
    files: number;
    bytes: number;
    damaged: number;
    duplicates_bytes: number;
    unidentified: number;
    scanning: { done: number; total: number | null } | null;
  }

  interface LibraryRoot {
    id: number;
    name: string;
    /** ComfyUI's names of it: several may share one folder on disk. */
    folders: string[];
    available: boolean;
  }

  interface LibraryPage {
    files: LibraryFile[];
    count: number;
    totals: LibraryTotals;
    roots: LibraryRoot[];
  }

  /** A row of `GET /settings`; `set_by` is the variable of the environment that holds it. */
  interface Setting {
    name: string;
    value: unknown;
    default: unknown;
    doc: string;
    set_by: string | null;
  }

  interface UsageRow {
    value: string | null;
    files: number;
    bytes: number;
  }

  /** `GET /library/usage`. */
  interface LibraryUsage {
    base_models: UsageRow[];
    folders: UsageRow[];
  }

  /** `GET /library/work`, and what the event `comfystow.library` tells of it. */
  interface LibraryWork {
    reading: {
      purpose: "hash" | "verify";
      files_done: number;
      files_total: number;
      bytes_done: number;
      bytes_total: number;
      held: boolean;
    } | null;
    verify: { running: boolean };
    identify: { running: boolean; report: { identified: number; unknown: number } | null };
  }

  /** A plan of `POST /library/{organise|dedupe|prune|delete}`, or the change that was made of it. */
  interface ChangePlan {
    id: string;
    kind: "organise" | "dedupe" | "prune" | "delete" | "empty" | "undo";
    /** Left out while it is planned or carried out. */
    title?: string;
    state: "planning" | "planned" | "applying" | "applied" | "stopped" | "undone";
    /** Of a plan all, of a change that was carried out those that are not done. */
    actions: ChangeAction[];
    bytes: number;
    saved_bytes: number;
    conflicts: number;
    total: number;
    done: number;
    skipped: number;
    failed: number;
    created_at: number;
    ended_at: number | null;
    undone_by: string | null;
    undoable?: boolean;
    problems: { path: string | null; reason: string }[];
  }

  interface ChangeAction {
    number: number;
    action: string;
    from: string;
    to: string | null;
    method: string | null;
    bytes: number;
    reason: string;
    conflict: string | null;
    evidence: string | null;
    note: string | null;
    step?: string;
  }

  interface WorkflowNode {
    id: number | string;
    type: string;
    title?: string;
    mode?: number;
    properties?: { models?: unknown; [key: string]: unknown };
    widgets_values?: unknown;
  }

  interface Subgraph {
    id: string;
    name?: string;
    nodes?: WorkflowNode[];
  }

  interface Workflow {
    id?: string;
    nodes?: WorkflowNode[];
    models?: unknown;
    definitions?: { subgraphs?: Subgraph[] };
  }

  interface Widget {
    name: string;
    value: unknown;
    callback?: (value: unknown) => void;
  }

  interface GraphNode {
    id: number | string;
    widgets?: Widget[];
    properties?: { models?: unknown; [key: string]: unknown };
    subgraph?: Graph;
  }

  interface Graph {
    id?: string;
    serialize(): Workflow;
    getNodeById(id: number | string): GraphNode | null;
    setDirtyCanvas?(foreground: boolean, background: boolean): void;
  }

  interface SidebarTab {
    id: string;
    icon: string;
    title: string;
    tooltip: string;
    label?: string;
    iconBadge?: string;
    type: "custom";
    render(element: HTMLElement): void;
    destroy?(): void;
  }

  interface ComfyExtension {
    name: string;
    commands?: { id: string; label: string; icon?: string; function: () => void }[];
    keybindings?: { commandId: string; combo: { key: string; ctrl?: boolean; alt?: boolean; shift?: boolean } }[];
    menuCommands?: { path: string[]; commands: string[] }[];
    settings?: object[];
    setup?(): void;
    getNodeMenuItems?(node: GraphNode): { content: string; callback: () => void }[];
    beforeConfigureGraph?(graph: Workflow): void;
    afterConfigureGraph?(): void;
    refreshComboInNodes?(): void;
  }

  interface ComfyApp {
    graph?: Graph;
    rootGraph?: Graph;
    registerExtension(extension: ComfyExtension): void;
    refreshMissingModels?(options: { silent: boolean }): Promise<unknown>;
    refreshComboInNodes(): Promise<unknown>;
    extensionManager: {
      registerSidebarTab(tab: SidebarTab): void;
      getSidebarTabs(): SidebarTab[];
      command: { execute(id: string): Promise<void> | void };
      setting: { get(id: string): unknown };
      toast?: { add(message: { severity: string; summary: string; detail?: string; life?: number }): void };
    };
  }

  interface ComfyApi {
    fetchApi(route: string, options?: RequestInit): Promise<Response>;
    addEventListener(type: string, listener: (event: CustomEvent) => void): void;
  }

  /** What the panel needs of the page it lives in; `comfy.mjs` gives it, tests give their own. */
  interface Host {
    fetchApi(route: string, options?: RequestInit): Promise<Response>;
    on(type: string, listener: (detail: any) => void): void;
    workflow(): Workflow | null;
    nodeTitle(type: string): string;
    modelFolders(): Promise<string[]>;
    refreshCombos(): Promise<unknown>;
    setBadge(count: number): void;
    toggleTab(): void;
    notify(severity: "success" | "warn" | "error", summary: string, detail: string): void;
    setting(id: string): unknown;
    replaceValue(nodeId: string, from: string, to: string): boolean;
    embedSources(sources: readonly EmbeddedSource[]): number;
    copy(text: string): Promise<void>;
    save(name: string, text: string): void;
  }

  /** A sub-tab: another one is a file with this shape and a line in `views/table.mjs`. */
  interface View {
    id: string;
    title: string;
    /** A number beside the title; null shows none. */
    count(context: Context): number | null;
    render(context: Context): { body: Child; foot: [Child, Child] };
    /** Whether there is such a tab here; one that says nothing always is. */
    there?(context: Context): boolean;
    /** Called when the view comes into sight and when it goes out of it. */
    shown?(context: Context): void;
    hidden?(context: Context): void;
    /** Called when what it shows was scrolled, or drawn anew (`drawn`); `main` is what scrolls. */
    scrolled?(context: Context, main: HTMLElement, drawn: boolean): void;
  }

  interface Context {
    host: Host;
    downloads: import("./stores/downloads.mjs").Downloads;
    missing: import("./stores/missing.mjs").Missing;
    system: import("./stores/system.mjs").System;
    pod: import("./stores/pod.mjs").Pod;
    library: import("./stores/library.mjs").Library;
    forecast: import("./stores/forecast.mjs").Forecast;
    change: import("./stores/change.mjs").Change;
    settings: import("./stores/settings.mjs").Settings;
    ui: import("./stores/ui.mjs").Ui;
    actions: import("./actions.mjs").Actions;
  }
}
