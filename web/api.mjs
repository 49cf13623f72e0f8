/** The client of `/comfystow/v1`. */

import { learnTime } from "./clock.mjs";

const BASE = "/comfystow/v1";
const SECRET_KEY = "comfystow.secret";
/** Longer than any route of ours holds its answer back; without it a server that hangs would hold a button for ever. */
const TIMEOUT_MS = 120_000;

/** An answer that is an error, or none at all; `code`, `message` and `hint` are the server's. */
export class StowError extends Error {
  /** @param {Stow.ErrorInfo & { status: number }} info */
  constructor({ status, code, message, hint, retryable }) {
    super(message);
    this.name = "StowError";
    this.status = status;
    this.code = code;
    this.hint = hint;
    this.retryable = retryable;
  }

  /** Whether the server wants the access secret first, because the page came over the network. */
  get needsSecret() {
    return this.status === 403 && this.code === "secret_required";
  }
}

export class Api {
  #fetch;
  #storage;

  /**
   * @param {Stow.Host["fetchApi"]} fetchApi ComfyUI's: it adds the base path and the user
   * @param {Pick<Storage, "getItem" | "setItem" | "removeItem">} storage this origin's own
   */
  constructor(fetchApi, storage) {
    this.#fetch = fetchApi;
    this.#storage = storage;
  }

  /** @param {string | null} secret what `comfystow auth secret` shows */
  set secret(secret) {
    if (secret === null) this.#storage.removeItem(SECRET_KEY);
    else this.#storage.setItem(SECRET_KEY, secret);
  }

  /**
   * @param {string} method
   * @param {string} path below `/comfystow/v1`
   * @param {object} [body]
   * @returns {Promise<any>}
   * @throws {StowError}
   */
  async request(method, path, body) {
    /** @type {Record<string, string>} */
    const headers = {};
    const secret = this.#storage.getItem(SECRET_KEY);
    if (secret !== null) headers["X-ComfyStow-Secret"] = secret;
    if (method !== "GET") {
      headers["X-ComfyStow"] = "1";
      headers["Content-Type"] = "application/json";
    }
    let response;
    try {
      const signal = AbortSignal.timeout(TIMEOUT_MS);
      const sent = method === "GET" ? {} : { body: JSON.stringify(body ?? {}) };
      response = await this.#fetch(BASE + path, { method, headers, signal, ...sent });
    } catch {
      throw unreachable();
    }
    learnTime(response.headers.get("Date"));
    const answer = await read(response);
    if (response.ok) return answer;
    const error = failure(response.status, answer?.error);
    // The secret was given while this was on its way.
    if (error.needsSecret && this.#storage.getItem(SECRET_KEY) !== secret) return this.request(method, path, body);
    throw error;
  }
}

/** @param {Response} response */
async function read(response) {
  try {
    return await response.json();
  } catch {
    return null;
  }
}

function unreachable() {
  return new StowError({
    status: 0,
    code: "unreachable",
    message: "ComfyUI does not answer",
    hint: "it goes on by itself when the server is back",
    retryable: true,
  });
}

/**
 * @param {number} status
 * @param {Partial<Stow.ErrorInfo> | undefined} error
 */
function failure(status, error) {
  const way = error === undefined ? strange(status) : null;
  return new StowError({
    status,
    code: error?.code ?? "unexpected",
    message: error?.message ?? way?.message ?? `The server answered ${status}`,
    hint: error?.hint ?? way?.hint ?? null,
    retryable: error?.retryable ?? way?.retryable ?? false,
  });
}

/**
 * What an answer means that is not our server's: it stands behind a proxy, or ComfyUI has no ComfyStow any more.
 *
 * @param {number} status
 */
function strange(status) {
  const message = `The server answered ${status}`;
  if (status === 401 || status === 403)
    return { message, hint: "log in where this page came from, and load it again", retryable: false };
  if (status === 404 || status === 405)
    return {
      message,
      hint: "restart ComfyUI and load this page again: ComfyStow was changed or removed",
      retryable: false,
    };
  if (status === 413)
    return { message, hint: "the proxy before ComfyUI takes no request of this size", retryable: false };
  if (status === 429 || status >= 500)
    return { message, hint: "ComfyUI or the proxy before it is busy; it goes on by itself", retryable: true };
  return { message, hint: null, retryable: false };
}
