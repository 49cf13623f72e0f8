import assert from "node:assert/strict";
import { test } from "node:test";

import { containerName, fingerprint } from "../../web/graph.mjs";

const loader = (values, more = {}) => ({ id: 1, type: "VAELoader", mode: 0, widgets_values: values, ...more });

test("what does not decide which models are needed does not ask the server again", () => {
  const before = { nodes: [loader(["a.safetensors"]), { id: 2, type: "KSampler", widgets_values: [1, "euler"] }] };
  const after = {
    nodes: [loader(["a.safetensors"], { pos: [9, 9] }), { id: 2, type: "KSampler", widgets_values: [2, "ddim"] }],
  };
  assert.equal(fingerprint(before), fingerprint(after));
});

test("another name, another mode, another embedded address, a prompt's embedding do", () => {
  const base = fingerprint({ nodes: [loader(["a.safetensors"])] });
  const others = [
    { nodes: [loader(["b.safetensors"])] },
    { nodes: [loader(["a.safetensors"], { mode: 4 })] },
    { nodes: [loader(["a.safetensors"], { properties: { models: [{ name: "a.safetensors", url: "u" }] } })] },
    { nodes: [loader(["a.safetensors"])], models: [{ name: "a.safetensors" }] },
    { nodes: [loader(["a.safetensors"]), { id: 2, type: "CLIPTextEncode", widgets_values: ["a embedding:b"] }] },
    { nodes: [loader(["a.safetensors"])], definitions: { subgraphs: [{ id: "s", nodes: [loader(["c.gguf"])] }] } },
  ];
  for (const other of others) assert.notEqual(fingerprint(other), base);
});

test("values are found in objects too, and a deep one does not hang", () => {
  assert.notEqual(fingerprint({ nodes: [loader({ vae_name: "a.safetensors" })] }), fingerprint({ nodes: [] }));
  /** @type {any} */
  let deep = "a.safetensors";
  for (let depth = 0; depth < 10_000; depth += 1) deep = [deep];
  assert.equal(fingerprint({ nodes: [loader(deep)] }), fingerprint({ nodes: [] }));
});

test("a node in a subgraph is told by the name of what it lies in", () => {
  const workflow = {
    nodes: [{ id: 65, type: "outer", title: "" }],
    definitions: {
      subgraphs: [
        { id: "outer", name: "Detail pass", nodes: [{ id: 70, type: "inner", title: "Upscale" }] },
        { id: "inner", name: "Inner", nodes: [] },
      ],
    },
  };
  assert.equal(containerName(workflow, "65:3"), "Detail pass");
  assert.equal(containerName(workflow, "65:70:1"), "Upscale");
  assert.equal(containerName(workflow, "3"), null);
  assert.equal(containerName(workflow, "9:9:9"), null);
});
