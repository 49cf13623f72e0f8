import assert from "node:assert/strict";
import { test } from "node:test";

import { Api } from "../../web/api.mjs";
import { learnTime, serverNow } from "../../web/clock.mjs";
import { parts } from "./parts.mjs";

/** @param {number} status */
const proxy = (status) => ({ status, code: null, message: null });

test("every answer that is an error keeps its words and its hint", async (t) => {
  const { server, api } = await parts(t);
  const words = { message: "the disk is full", hint: "free 1 GB" };
  for (const status of [400, 404, 409, 422, 429, 500, 503, 507]) {
    server.state.errors = { "GET /downloads": { status, code: "some_code", ...words, retryable: status === 503 } };
    await assert.rejects(api.request("GET", "/downloads"), {
      status,
      code: "some_code",
      ...words,
      retryable: status === 503,
    });
  }
});

test("an answer of something that stands before ComfyUI says what to do", async (t) => {
  const { server, api } = await parts(t);
  const said = [];
  for (const status of [401, 404, 413, 418, 429, 502, 504]) {
    server.state.errors = { "GET /downloads": proxy(status) };
    const error = await api.request("GET", "/downloads").catch((/** @type {any} */ reason) => reason);
    said.push([status, error.code, error.retryable, typeof error.hint]);
  }
  assert.deepEqual(said, [
    [401, "unexpected", false, "string"],
    [404, "unexpected", false, "string"],
    [413, "unexpected", false, "string"],
    [418, "unexpected", false, "object"],
    [429, "unexpected", true, "string"],
    [502, "unexpected", true, "string"],
    [504, "unexpected", true, "string"],
  ]);
});

test("a server that does not answer is given up, and that is worth another try", async () => {
  /** @type {AbortSignal | undefined} */
  let signal;
  const api = new Api(
    async (_route, options) => {
      signal = options?.signal ?? undefined;
      throw new DOMException("it took too long", "TimeoutError");
    },
    { getItem: () => null, setItem: () => {}, removeItem: () => {} },
  );
  await assert.rejects(api.request("GET", "/pod"), { status: 0, code: "unreachable", retryable: true });
  assert.ok(signal instanceof AbortSignal);
});

test("times are held against the server's clock, however wrong the browser's is", () => {
  const now = Date.now() / 1000;
  for (const ahead of [0, 7200, -86_400]) {
    learnTime(new Date((now - ahead) * 1000).toUTCString());
    assert.ok(Math.abs(serverNow() - (now - ahead)) < 3, String(ahead));
  }
  learnTime("yesterday");
  learnTime(null);
  assert.ok(Math.abs(serverNow() - (now + 86_400)) < 3);
  learnTime(new Date().toUTCString());
});

test("a question that was on its way while the secret was given is asked again with it", async (t) => {
  const { server, api } = await parts(t);
  server.state.secret = "right";
  server.state.delays = { "GET /downloads": 300 };
  const asked = api.request("GET", "/downloads");
  while (server.asked.length === 0) await new Promise((done) => setTimeout(done, 5));
  server.state.delays = {};
  api.secret = "right";
  assert.deepEqual(await asked, { downloads: [] });
  api.secret = "wrong";
  await assert.rejects(api.request("GET", "/downloads"), { status: 403, code: "secret_required" });
});
