/** What of an open workflow decides which models it needs; pure functions over ComfyUI's saved form. */

/** File suffixes that ComfyUI's loaders list, and GGUF and ONNX which other packs add. */
const MODEL_NAME = /\.(safetensors|sft|ckpt|pt|pt2|pth|bin|pkl|gguf|onnx)$/i;

/**
 * Put what the needed models hang on into one text: while it stays equal (a node was moved, a seed changed) the
 * server need not be asked again.
 *
 * @param {Stow.Workflow} workflow
 * @returns {string}
 */
export function fingerprint(workflow) {
  const graphs = [workflow.nodes ?? [], ...subgraphs(workflow).map((graph) => graph.nodes ?? [])];
  const nodes = graphs.flatMap((graph) => graph.map(nodeNeeds)).filter((needs) => needs !== null);
  return JSON.stringify([workflow.models ?? null, nodes]);
}

/**
 * @param {Stow.WorkflowNode} node
 * @returns {unknown[] | null}
 */
function nodeNeeds(node) {
  const models = node.properties?.models ?? null;
  const names = modelNames(node.widgets_values, 0);
  // An embedding or LoRA may be named inside a prompt's text, so long texts count as well.
  return models === null && names.length === 0 ? null : [node.id, node.type, node.mode ?? 0, models, names];
}

/**
 * @param {unknown} value
 * @param {number} depth
 * @returns {string[]}
 */
function modelNames(value, depth) {
  if (typeof value === "string") return MODEL_NAME.test(value) || /embedding:|<lora:/i.test(value) ? [value] : [];
  if (typeof value !== "object" || value === null || depth > 4) return [];
  return Object.values(value).flatMap((item) => modelNames(item, depth + 1));
}

/**
 * Name what a node inside a subgraph lies in.
 *
 * @param {Stow.Workflow | null} workflow
 * @param {string} nodeId a path through subgraphs, `65:70`
 * @returns {string | null} null for a node of the root
 */
export function containerName(workflow, nodeId) {
  const path = nodeId.split(":");
  if (path.length < 2 || workflow === null) return null;
  let nodes = workflow.nodes ?? [];
  let name = null;
  for (const id of path.slice(0, -1)) {
    const instance = nodes.find((node) => String(node.id) === id);
    const definition = subgraphs(workflow).find((graph) => graph.id === instance?.type);
    name = instance?.title || definition?.name || null;
    nodes = definition?.nodes ?? [];
  }
  return name;
}

/** @param {Stow.Workflow} workflow */
function subgraphs(workflow) {
  const listed = workflow.definitions?.subgraphs;
  return Array.isArray(listed) ? listed : [];
}
