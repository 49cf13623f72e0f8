/** What things are called: kinds by folder, providers, causes. */

/** ComfyUI's folder names (folder_paths, 0.3.75) → what a person calls a file in it, and three letters for lists. */
const KINDS = new Map([
  ["checkpoints", ["Checkpoint", "CKPT"]],
  ["diffusion_models", ["Diffusion model", "DIFF"]],
  ["loras", ["LoRA", "LoRA"]],
  ["vae", ["VAE", "VAE"]],
  ["vae_approx", ["Preview VAE", "VAE"]],
  ["text_encoders", ["Text encoder", "TE"]],
  ["clip_vision", ["CLIP vision", "CV"]],
  ["controlnet", ["ControlNet", "CN"]],
  ["embeddings", ["Embedding", "EMB"]],
  ["upscale_models", ["Upscaler", "UPS"]],
  ["latent_upscale_models", ["Latent upscaler", "UPS"]],
  ["style_models", ["Style model", "STY"]],
  ["model_patches", ["Model patch", "PAT"]],
  ["audio_encoders", ["Audio encoder", "AUD"]],
  ["hypernetworks", ["Hypernetwork", "HYP"]],
  ["gligen", ["GLIGEN", "GLI"]],
  ["photomaker", ["PhotoMaker", "PHO"]],
]);

const PROVIDERS = {
  huggingface: { name: "Hugging Face", tokens: "https://huggingface.co/settings/tokens" },
  civitai: { name: "Civitai", tokens: "https://civitai.com/user/account" },
};

/** @typedef {keyof typeof PROVIDERS} Provider */

/** @param {string | null | undefined} folder */
export function kind(folder) {
  return KINDS.get(folder ?? "")?.[0] ?? null;
}

/** @param {string | null | undefined} folder */
export function kindTag(folder) {
  return KINDS.get(folder ?? "")?.[1] ?? "FILE";
}

/** @param {Provider} provider */
export function providerName(provider) {
  return PROVIDERS[provider].name;
}

/** @param {Provider} provider where a token is made */
export function tokenPage(provider) {
  return PROVIDERS[provider].tokens;
}

/**
 * @param {string} source canonical (`hf://…`, `civitai://…`) or an address
 * @returns {Provider | null} null for hosts that we have no token for
 */
export function providerOf(source) {
  const place = host(source);
  if (place === "huggingface.co" || place === "hf.co") return "huggingface";
  return place === "civitai.com" || place === "civitai.red" ? "civitai" : null;
}

/**
 * @param {string} source
 * @returns {string | null}
 */
export function host(source) {
  if (source.startsWith("hf://")) return "huggingface.co";
  if (source.startsWith("civitai://") || source.startsWith("urn:air:")) return "civitai.com";
  const address = parse(source);
  return address === null ? null : address.hostname.replace(/^www\./, "") || null;
}

/**
 * Where a person would look it up: `huggingface.co/Comfy-Org/flux1-dev`.
 *
 * @param {string} source
 * @returns {string | null}
 */
export function place(source) {
  const page = pageOf(source);
  return page === null ? host(source) : page.replace(/^https:\/\/(www\.)?/, "");
}

/**
 * The page where a model's author says what it is and under which licence.
 *
 * @param {string} source
 * @returns {string | null}
 */
export function pageOf(source) {
  const hub = source.match(/^hf:\/\/((?:(?:datasets|spaces)\/)?[^/@?]+\/[^/@?]+)/);
  if (hub) return `https://huggingface.co/${hub[1]}`;
  const model = source.match(/^civitai:\/\/(\d+)/);
  if (model) return `https://civitai.com/models/${model[1]}`;
  const address = parse(source);
  const path = address?.pathname.split("/").filter(Boolean) ?? [];
  const owned = providerOf(source);
  if (owned === "huggingface" && path.length >= 2) {
    const depth = path[0] === "datasets" || path[0] === "spaces" ? 3 : 2;
    return `https://huggingface.co/${path.slice(0, depth).join("/")}`;
  }
  if (owned === "civitai" && path[0] === "models" && path[1]) return `https://civitai.com/models/${path[1]}`;
  return null;
}

/** @param {string} source */
function parse(source) {
  try {
    const address = new URL(source);
    return address.protocol === "https:" || address.protocol === "http:" ? address : null;
  } catch {
    return null;
  }
}
