/**
 * Making and patching elements.
 *
 * A view is a function from state to a fresh tree. `patch` makes the tree that is on the page equal to it and keeps
 * what is equal already, so focus, a half-typed token and the scroll position survive every redraw. What carries
 * `data-own` has its children patched by its own view alone, and a node that was on the page may be given again as it is:
 * nothing below it is looked at then. Text goes through
 * text nodes only: nothing a stranger sent is ever parsed as HTML, or turns around the words beside it.
 */

import { seen } from "../format.mjs";

const SVG = "http://www.w3.org/2000/svg";

/** @type {WeakMap<Element, Map<string, EventListener>>} */
const listeners = new WeakMap();
/** @type {WeakMap<Element, string>} */
const keys = new WeakMap();

/**
 * Make an element. `on…` functions become listeners, `key` names it among its siblings, null and false are left out.
 *
 * @param {string} tag
 * @param {Stow.Props} [props]
 * @param {...Stow.Child} children
 * @returns {HTMLElement}
 */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  apply(element, props);
  append(element, children);
  return element;
}

/**
 * Make an icon of one path on a 16 × 16 grid; it is decoration, its button carries the words.
 *
 * @param {string} path
 * @returns {SVGElement}
 */
export function icon(path) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  const line = document.createElementNS(SVG, "path");
  line.setAttribute("d", path);
  svg.append(line);
  return svg;
}

/**
 * @param {Element} element
 * @param {Stow.Props} props
 */
function apply(element, props) {
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "key") keys.set(element, String(value));
    else if (typeof value === "function") listen(element, name.slice(2).toLowerCase(), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
}

/**
 * @param {Element} parent
 * @param {readonly Stow.Child[]} children
 */
function append(parent, children) {
  for (const child of children) {
    if (Array.isArray(child)) append(parent, child);
    else if (child instanceof Node) parent.append(child);
    else if (child !== null && child !== undefined && child !== false && child !== "")
      parent.append(seen(String(child)));
  }
}

/**
 * Listeners hang on a table beside the element, so that a patch can exchange them.
 *
 * @param {Element} element
 * @param {string} type
 * @param {EventListener} listener
 */
function listen(element, type, listener) {
  const table = listeners.get(element) ?? new Map();
  listeners.set(element, table);
  if (!table.has(type)) element.addEventListener(type, relay);
  table.set(type, listener);
}

/** @param {Event} event */
function relay(event) {
  const element = /** @type {Element} */ (event.currentTarget);
  listeners.get(element)?.get(event.type)?.(event);
}

/**
 * Make the children of `target` equal to `fresh`, which is used up.
 *
 * @param {Element} target
 * @param {readonly Node[]} fresh
 */
export function patch(target, fresh) {
  const kept = keep(target, fresh);
  let cursor = target.firstChild;
  for (const wanted of fresh) {
    const found = match(cursor, wanted, kept);
    if (found === null) {
      target.insertBefore(wanted, cursor);
      continue;
    }
    if (found === cursor) cursor = cursor.nextSibling;
    else target.insertBefore(found, cursor);
    update(found, wanted);
  }
  while (cursor !== null) {
    const next = cursor.nextSibling;
    cursor.remove();
    cursor = next;
  }
}

/**
 * Drop the named children that are not wanted any more, and return the others by name. Dropping them first lets their
 * neighbours stay where they are: an element that is moved loses its focus.
 *
 * @param {Element} target
 * @param {readonly Node[]} fresh
 * @returns {Map<string, Element>}
 */
function keep(target, fresh) {
  const wanted = new Set(fresh.map((node) => (node instanceof Element ? keys.get(node) : undefined)));
  const kept = new Map();
  for (const child of [...target.children]) {
    const key = keys.get(child);
    if (key === undefined) continue;
    if (wanted.has(key)) kept.set(key, child);
    else child.remove();
  }
  return kept;
}

/**
 * Find the node on the page that can become `wanted`: the one with its key, or the next one where it has none.
 *
 * @param {ChildNode | null} cursor
 * @param {Node} wanted
 * @param {Map<string, Element>} kept
 * @returns {ChildNode | null}
 */
function match(cursor, wanted, kept) {
  const key = wanted instanceof Element ? keys.get(wanted) : undefined;
  if (key !== undefined) {
    const element = kept.get(key);
    kept.delete(key);
    return element !== undefined && element.nodeName === wanted.nodeName ? element : null;
  }
  if (cursor === null || cursor.nodeName !== wanted.nodeName) return null;
  return cursor instanceof Element && keys.has(cursor) ? null : cursor;
}

/**
 * Make an element that is kept equal to a fresh one, which is used up.
 *
 * @template {Element} T
 * @param {T | null} kept
 * @param {T} fresh taken as it is where nothing was kept
 * @returns {T}
 */
export function renew(kept, fresh) {
  if (kept === null) return fresh;
  update(kept, fresh);
  return kept;
}

/**
 * @param {Node} node
 * @param {Node} wanted
 */
function update(node, wanted) {
  if (node === wanted) return;
  if (!(node instanceof Element) || !(wanted instanceof Element)) {
    if (node.nodeValue !== wanted.nodeValue) node.nodeValue = wanted.nodeValue;
    return;
  }
  for (const { name, value } of wanted.attributes) {
    if (node.getAttribute(name) !== value) node.setAttribute(name, value);
  }
  for (const { name } of [...node.attributes]) {
    if (!wanted.hasAttribute(name)) node.removeAttribute(name);
  }
  exchange(node, wanted);
  if (!wanted.hasAttribute("data-own")) patch(node, [...wanted.childNodes]);
}

/**
 * @param {Element} node
 * @param {Element} wanted
 */
function exchange(node, wanted) {
  const table = listeners.get(wanted) ?? new Map();
  for (const type of listeners.get(node)?.keys() ?? []) {
    if (!table.has(type)) node.removeEventListener(type, relay);
  }
  const old = listeners.get(node);
  listeners.set(node, table);
  for (const type of table.keys()) {
    if (!old?.has(type)) node.addEventListener(type, relay);
  }
}
