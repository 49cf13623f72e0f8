/**
 * A store holds what was read from the server and says when it changed; views read it, only its own methods write it.
 *
 * `change` means that there is something new to see or decide; `progress` that only numbers moved.
 */
export class Store extends EventTarget {
  /** @param {() => void} listener */
  onChange(listener) {
    this.addEventListener("change", listener);
  }

  /** @param {() => void} listener */
  onProgress(listener) {
    this.addEventListener("progress", listener);
  }

  /** @protected */
  changed() {
    this.dispatchEvent(new Event("change"));
  }

  /** @protected */
  progressed() {
    this.dispatchEvent(new Event("progress"));
  }
}
