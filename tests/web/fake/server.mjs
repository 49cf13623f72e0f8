/**
 * A stand-in for ComfyUI and its routes: enough of the page's `app` and `api` to show the panel, and state that a
 * test sets. `node tests/web/fake/server.mjs` prints its address; it serves until its input ends.
 *
 * `PUT /fake` sets what the routes answer, `POST /fake/event` sends a websocket event (here: server-sent), `GET
 * /fake` tells what was asked.
 */

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { answerLibrary, emptyLibrary } from "./library.mjs";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const WEB = fileURLToPath(new URL("../../../web/", import.meta.url));
const TYPES = { ".js": "text/javascript", ".mjs": "text/javascript", ".css": "text/css", ".html": "text/html" };
const ROUTES = "/api/comfystow/v1";

/** No pod: nobody rents this machine out. */
export const nowhere = { present: false, started_at: 0, services: [], boot: [], machine: null, idle: null };

export class FakeServer {
  #server = createServer((request, response) => void this.#answer(request, response));
  /** @type {import("node:http").ServerResponse[]} */
  #viewers = [];
  state = {
    models: [],
    downloads: [],
    secret: null,
    errors: {},
    /** Milliseconds that an answer is held back, by its route. */
    delays: {},
    token: null,
    system: quiet,
    history: { times: [], gpus: {} },
    plan: null,
    fit: null,
    sources: [],
    candidates: [],
    settings: everyday(),
    usage: null,
    library: emptyLibrary,
    pod: nowhere,
    findings: [],
  };
  /** @type {{ method: string, path: string, body: any, headers: any }[]} */
  asked = [];

  /** @returns {Promise<string>} its address */
  start() {
    return new Promise((resolve) => {
      this.#server.listen(0, "127.0.0.1", () => {
        const address = /** @type {import("node:net").AddressInfo} */ (this.#server.address());
        resolve(`http://127.0.0.1:${address.port}`);
      });
    });
  }

  stop() {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  /**
   * @param {string} type
   * @param {object} data
   */
  send(type, data) {
    for (const viewer of this.#viewers) viewer.write(`data: ${JSON.stringify({ type, data })}\n\n`);
  }

  async #answer(request, response) {
    const { pathname, searchParams } = new URL(request.url, "http://here");
    const body = await bodyOf(request);
    if (pathname === "/fake/events") {
      response.writeHead(200, { "Content-Type": "text/event-stream" });
      this.#viewers.push(response);
      return;
    }
    const [status, answer] = this.#route(request, pathname, searchParams, body);
    const held = this.state.delays[`${request.method} ${pathname.slice(ROUTES.length)}`];
    if (held) await new Promise((done) => setTimeout(done, held));
    if (status !== 0) {
      response.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(answer));
      return;
    }
    await serveFile(pathname, response);
  }

  #route(request, pathname, query, body) {
    if (pathname === "/fake" && request.method === "PUT") {
      Object.assign(this.state, body);
      return [200, {}];
    }
    if (pathname === "/fake") return [200, { asked: this.asked }];
    if (pathname === "/fake/event") {
      this.send(body.type, body.data);
      return [200, {}];
    }
    if (pathname === "/api/models") return [200, ["checkpoints", "loras", "vae", "text_encoders"]];
    if (!pathname.startsWith(ROUTES)) return [0, null];
    return this.#api(request, pathname.slice(ROUTES.length), query, body);
  }

  #api(request, path, query, body) {
    const route = `${request.method} ${path}`;
    this.asked.push({ method: request.method, path, query: query.toString(), body, headers: request.headers });
    const secret = this.state.secret;
    if (secret !== null && request.headers["x-comfystow-secret"] !== secret) {
      return refuse(403, "secret_required", "this server wants its access secret", "`comfystow auth secret` shows it");
    }
    if (request.method !== "GET" && request.headers["x-comfystow"] !== "1")
      return refuse(403, "access_denied", "no header");
    const error = this.state.errors[route];
    if (error) return refuse(error.status ?? 400, error.code, error.message, error.hint, error.retryable);
    if (route === "POST /system/lease" || route === "GET /system") return [200, this.state.system];
    if (route === "GET /system/history") return [200, this.state.history];
    if (route === "POST /system/free") return [200, {}];
    if (route === "GET /library/usage" && this.state.usage) return [200, this.state.usage];
    if (route === "GET /pod") return [200, this.state.pod];
    if (route === "GET /pod/doctor") return [200, { findings: this.state.findings }];
    if (route === "POST /idle/keep-alive") return [200, this.#keptAlive(body.seconds)];
    if (path.startsWith("/pod/services/")) return [200, {}];
    const library = answerLibrary(this.state.library, request.method, path, query, body);
    if (library !== null) return library;
    if (route === "GET /downloads") return [200, { downloads: this.state.downloads }];
    if (route === "GET /settings") return [200, { settings: this.state.settings }];
    if (route === "PUT /settings") return [200, this.#changed(body.settings)];
    if (route === "POST /downloads/retry-failed") return [200, { downloads: [] }];
    if (request.method === "PATCH") return [200, this.state.downloads.find(({ id }) => path.endsWith(`/${id}`))];
    if (route === "POST /downloads") return [202, this.#submit(body)];
    if (route === "POST /plan") return [200, this.state.plan ?? planOf(body.downloads)];
    if (route === "POST /workflow/fit") return [200, this.state.fit];
    if (route === "POST /workflow/embed") return [200, { document: {}, written: 0, models: this.state.sources }];
    if (route === "POST /workflow/candidates") return [200, { candidates: this.state.candidates, errors: {} }];
    if (route === "POST /manifest/write") return [200, { manifest: "version: 1\n", with_source: 0, without_source: 0 }];
    if (route === "POST /workflow/missing") return [200, [{ workflow: null, models: this.state.models, error: null }]];
    if (request.method === "PUT" && path.startsWith("/credentials/")) {
      this.state.token = body.token;
      return [200, { provider: path.split("/")[2], is_set: true, origin: "file" }];
    }
    return this.#control(path);
  }

  #changed(wanted) {
    for (const setting of this.state.settings) {
      if (setting.name in wanted) setting.value = wanted[setting.name] ?? setting.default;
    }
    return { settings: this.state.settings };
  }

  #keptAlive(seconds) {
    const calm = { state: "watching", idle_seconds: null, stops_in_seconds: null };
    Object.assign(this.state.pod.idle, calm, { keep_alive_seconds: seconds });
    return this.state.pod.idle;
  }

  #submit(request) {
    const download = {
      ...blank,
      id: `d${this.state.downloads.length + 1}`,
      request,
      source: request.source,
      filename: request.filename ?? null,
      folder_name: request.folder_name ?? null,
      created_at: Date.now() / 1000,
    };
    this.state.downloads.push(download);
    return download;
  }

  #control(path) {
    const states = { pause: "paused", resume: "queued", cancel: "cancelled", retry: "queued" };
    const [, , id, verb] = path.split("/");
    const download = this.state.downloads.find((entry) => entry.id === id);
    if (download === undefined || !(verb in states))
      return refuse(404, "not_found_here", `there is nothing at ${path}`);
    Object.assign(download, {
      state: states[verb],
      waiting_for: null,
      error: null,
      finished_at: verb === "cancel" ? Date.now() / 1000 : null,
    });
    return [200, download];
  }
}

/** A machine of which nothing is known. */
export const quiet = {
  sampling: true,
  age_seconds: null,
  sample: null,
  disk_full_in_seconds: {},
  hosts: [],
  cost_per_hour: null,
  alerts: [],
};

/** Some settings as they are before anybody changed one. */
function everyday() {
  const known = { limit_rate_bytes_per_second: null, parallel_downloads: 3, free_space_floor_bytes: 2e9 };
  return Object.entries({ ...known, pause_while_generating: false }).map(([name, value]) => {
    return { name, value, default: value, doc: "", set_by: null };
  });
}

/** A download of which nothing is known yet. */
export const blank = {
  id: "d0",
  request: { source: "" },
  state: "queued",
  source: "",
  filename: null,
  folder_name: null,
  bytes_done: 0,
  bytes_total: null,
  rate_bytes_per_second: null,
  eta_seconds: null,
  connections: null,
  waiting_for: null,
  note: null,
  error: null,
  verified: null,
  linked: false,
  warnings: [],
  position: 0,
  created_at: 0,
  started_at: null,
  finished_at: null,
};

/** A plan in which everything is fetched and has its place. */
function planOf(requests) {
  const items = requests.map((request) => ({
    request,
    action: "fetch",
    reason: "it is not there",
    filename: request.filename,
    folder_name: request.folder_name,
    size_bytes: null,
    base_model: null,
    precision: null,
    fetch_bytes: null,
    error: null,
  }));
  return { items, volumes: [], fetch_bytes: 0, fits: true };
}

function refuse(status, code, message, hint = null, retryable = false) {
  // Without a code it is the answer of something that stands before ComfyUI.
  return [status, code ? { error: { code, message, hint, retryable } } : "<html>"];
}

async function bodyOf(request) {
  let text = "";
  for await (const chunk of request) text += chunk;
  return text === "" ? null : JSON.parse(text);
}

async function serveFile(pathname, response) {
  const inside = normalize(pathname).replace(/^\/+/, "");
  const file = inside.startsWith("extensions/comfystow/")
    ? join(WEB, inside.slice("extensions/comfystow/".length))
    : join(HERE, inside === "" ? "index.html" : inside);
  try {
    const bytes = await readFile(file);
    response.writeHead(200, { "Content-Type": TYPES[extname(file)] ?? "application/octet-stream" }).end(bytes);
  } catch {
    response.writeHead(404).end();
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const server = new FakeServer();
  console.log(await server.start());
  process.stdin.on("end", () => server.stop()).resume();
}
