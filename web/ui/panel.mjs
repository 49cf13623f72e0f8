/** The panel: its frame, the bar of sub-tabs, and the moments at which it is drawn. */

import { addButton, addForm } from "../views/add.mjs";
import { lockCard } from "../views/secrets.mjs";
import { h, patch } from "./dom.mjs";
import { Paint } from "./paint.mjs";
import { moveBars } from "./parts.mjs";
import { toneOf } from "./tone.mjs";

export class Panel {
  #context;
  #views;
  #root = h("section", { class: "comfystow", "aria-label": "ComfyStow" });
  #paint;
  #themes;
  #looked = "";
  #wanted = "";

  /**
   * @param {Stow.Context} context
   * @param {readonly Stow.View[]} views
   */
  constructor(context, views) {
    this.#context = context;
    this.#views = views;
    this.#paint = new Paint({
      draw: () => this.#draw(),
      drawBars: () => moveBars(this.#root, (id) => context.downloads.get(id)),
      visible: () => this.open && !document.hidden,
    });
    const { downloads, missing, system, pod, library, change, forecast, settings, ui } = context;
    for (const store of [downloads, missing, system, pod, library, change, forecast, settings, ui])
      store.onChange(() => this.#paint.now());
    for (const store of [downloads, system, pod, library]) store.onProgress(() => this.#paint.soon());
    // Rows that were asked for by scrolling: a moment's gap is seen, and nothing else changed.
    library.addEventListener("rows", () => this.open && !document.hidden && this.#scrolled(true));
    document.addEventListener("visibilitychange", () => this.#paint.now());
    this.#themes = new MutationObserver(() => this.#paint.now());
  }

  /** Whether it is on the page. */
  get open() {
    return this.#root.isConnected;
  }

  /**
   * Put the panel into an element of ComfyUI's; called again at will, with the same element or another one.
   *
   * @param {HTMLElement} element
   */
  render(element) {
    if (element.firstChild !== this.#root) element.replaceChildren(this.#root);
    element.style.height = "100%";
    for (const host of [document.documentElement, document.body]) {
      this.#themes.observe(host, { attributes: true, attributeFilter: ["class", "style"] });
    }
    this.#draw();
    moveBars(this.#root, (id) => this.#context.downloads.get(id));
    this.#show();
  }

  /** The element goes away; what is known and unfolded stays. */
  destroy() {
    this.#paint.stop();
    this.#themes.disconnect();
    this.#look(null);
    this.#root.remove();
  }

  /**
   * Bring a card into sight, and the focus to what it offers first; a tab that is just being opened does it then.
   *
   * @param {string} selector
   */
  reveal(selector) {
    this.#wanted = selector;
    if (this.open) this.#show();
  }

  #show() {
    const selector = this.#wanted;
    if (selector === "") return;
    this.#wanted = "";
    requestAnimationFrame(() => {
      const card = this.#root.querySelector(selector);
      card?.scrollIntoView({ block: "center" });
      /** @type {HTMLElement | null} */ (card?.querySelector("button") ?? null)?.focus();
    });
  }

  #draw() {
    const view = this.#view;
    this.#root.dataset.tone = toneOf(this.#root);
    const turned = this.#look(view);
    const { body, foot } = view.render(this.#context);
    const locked = lockCard(this.#context);
    const frame = h(
      "section",
      {},
      h("header", {}, h("h1", {}, "Stow"), addButton(this.#context)),
      this.#tabs(view),
      h(
        "div",
        {
          id: "comfystow-view",
          class: "stow-main",
          role: "tabpanel",
          tabindex: 0,
          "aria-labelledby": `comfystow-tab-${view.id}`,
          onScroll: () => this.#scrolled(false),
        },
        h("div", { key: view.id, class: "stow-column" }, locked ?? [addForm(this.#context), body]),
      ),
      h("footer", { class: "stow-num" }, h("span", {}, foot[0]), h("span", {}, foot[1])),
    );
    const before = new Set(this.#root.querySelectorAll("[data-focus]"));
    patch(this.#root, [...frame.childNodes]);
    // A field that has just unfolded takes the focus.
    const unfolded = [.../** @type {NodeListOf<HTMLElement>} */ (this.#root.querySelectorAll("[data-focus]"))];
    unfolded.find((field) => !before.has(field))?.focus();
    if (turned) bringTabIntoSight(this.#root);
    this.#scrolled(true);
  }

  /** @param {boolean} drawn whether what it shows may be other than it was */
  #scrolled(drawn) {
    const view = this.#view;
    if (view.scrolled === undefined) return;
    const main = /** @type {HTMLElement | null} */ (this.#root.querySelector(".stow-main"));
    if (main !== null && main.clientHeight > 0) view.scrolled(this.#context, main, drawn);
  }

  get #view() {
    const first = /** @type {Stow.View} */ (this.#views[0]);
    return this.#there.find((view) => view.id === this.#context.ui.view) ?? first;
  }

  /** The tabs that there are: not every machine is a pod. */
  get #there() {
    return this.#views.filter((view) => view.there?.(this.#context) ?? true);
  }

  /**
   * Tell a view when it comes into sight and when it goes: what it samples, it samples only while somebody looks.
   *
   * @param {Stow.View | null} view
   * @returns {boolean} whether it is another one than before
   */
  #look(view) {
    const id = view?.id ?? "";
    if (id === this.#looked) return false;
    this.#views.find((other) => other.id === this.#looked)?.hidden?.(this.#context);
    this.#looked = id;
    view?.shown?.(this.#context);
    return true;
  }

  /** @param {Stow.View} current */
  #tabs(current) {
    const tabs = this.#there.map((view) => {
      const count = view.count(this.#context);
      const selected = view === current;
      return h(
        "button",
        {
          key: view.id,
          type: "button",
          role: "tab",
          id: `comfystow-tab-${view.id}`,
          "aria-selected": String(selected),
          "aria-controls": "comfystow-view",
          tabindex: selected ? 0 : -1,
          onClick: () => this.#context.ui.show(view.id),
        },
        view.title,
        count === null ? null : h("i", {}, count),
      );
    });
    return h(
      "div",
      {
        class: "stow-tabs",
        role: "tablist",
        "aria-label": "Stow",
        onKeydown: (/** @type {KeyboardEvent} */ event) => this.#step(event),
      },
      ...tabs,
    );
  }

  /** @param {KeyboardEvent} event */
  #step(event) {
    const move = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (move === undefined) return;
    event.preventDefault();
    const there = this.#there;
    const next = there[(there.indexOf(this.#view) + move + there.length) % there.length];
    if (next === undefined) return;
    this.#context.ui.show(next.id);
    this.#draw();
    /** @type {HTMLElement | null} */ (this.#root.querySelector(`#comfystow-tab-${next.id}`))?.focus();
  }
}

/**
 * Where the bar of tabs is wider than the panel, scroll it to the one that is shown; it alone, nothing that it lies in.
 *
 * @param {ParentNode} root
 */
function bringTabIntoSight(root) {
  const tab = root.querySelector("[role=tab][aria-selected=true]");
  const bar = tab?.parentElement;
  if (!tab || !bar || bar.scrollWidth <= bar.clientWidth) return;
  const [here, all] = [tab.getBoundingClientRect(), bar.getBoundingClientRect()];
  if (here.right > all.right) bar.scrollLeft += here.right - all.right;
  else if (here.left < all.left) bar.scrollLeft -= all.left - here.left;
}
