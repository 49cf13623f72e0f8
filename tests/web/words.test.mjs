import assert from "node:assert/strict";
import { test } from "node:test";

import { host, kind, kindTag, pageOf, place, providerOf } from "../../web/words.mjs";

test("every form of a source leads to its author's page", () => {
  assert.equal(pageOf("hf://Comfy-Org/flux1-dev@abc/sub/x.safetensors"), "https://huggingface.co/Comfy-Org/flux1-dev");
  assert.equal(pageOf("hf://datasets/o/r/x.bin"), "https://huggingface.co/datasets/o/r");
  assert.equal(
    pageOf("https://huggingface.co/o/r/resolve/main/x.safetensors?download=true"),
    "https://huggingface.co/o/r",
  );
  assert.equal(pageOf("civitai://618692@691639?file=6"), "https://civitai.com/models/618692");
  assert.equal(pageOf("https://civitai.com/models/12/name?modelVersionId=4"), "https://civitai.com/models/12");
  assert.equal(pageOf("https://example.org/x.safetensors"), null);
});

test("a token is offered for its own hosts only", () => {
  assert.equal(providerOf("hf://o/r/x"), "huggingface");
  assert.equal(providerOf("https://civitai.red/models/1"), "civitai");
  assert.equal(providerOf("https://huggingface.co.evil.example/o/r"), null);
  assert.equal(providerOf("https://evil.example/huggingface.co"), null);
});

test("an address that is none, or no web address, becomes no link", () => {
  for (const text of ["javascript:alert(1)", "", "s3://bucket/key", "not a link"]) {
    assert.equal(pageOf(text), null);
    assert.equal(host(text), null);
  }
});

test("a place is where a person would look it up", () => {
  assert.equal(place("hf://o/r/x"), "huggingface.co/o/r");
  assert.equal(place("https://github.com/o/r/releases/x"), "github.com");
});

test("a folder that ComfyUI does not have by itself has no made-up kind", () => {
  assert.deepEqual([kind("vae"), kind("ipadapter"), kind(null)], ["VAE", null, null]);
  assert.deepEqual([kindTag("text_encoders"), kindTag("ipadapter")], ["TE", "FILE"]);
});
