/** What the server reads of the library, and what it could: proofs and origins, both on request. */

import { count, progress } from "../format.mjs";
import { isAtWork } from "../stores/library.mjs";
import { button, say, trouble } from "../ui/parts.mjs";

/**
 * @param {Stow.Context} context
 * @param {Stow.LibraryTotals} totals
 */
export function working(context, totals) {
  const { library, actions, ui } = context;
  const wrong = ui.errorOf("library");
  const busy = ui.isBusy("library");
  if (isAtWork(library.work)) {
    const stop = button("Stop", () => void actions.library("cancel"), { busy, action: "stop-work" });
    return say(standing(/** @type {Stow.LibraryWork} */ (library.work)), { buttons: stop });
  }
  const unknown = library.query.flag === "unidentified" && totals.unidentified > 0;
  const find = button("Find their origin", () => void actions.library("identify"), { busy, action: "identify" });
  const prove = button("Check all", () => void actions.library("verify"), { busy, action: "verify" });
  return [
    wrong !== null && trouble(wrong),
    unknown &&
      say("Their digests are looked up on Civitai and Hugging Face; what has none is read for it.", { buttons: find }),
    library.query.flag === "damaged" &&
      say("Headers are held against lengths, then all bytes against digests.", { buttons: prove }),
  ];
}

/** @param {Stow.LibraryWork} work */
function standing({ reading, identify }) {
  if (reading === null)
    return identify.running ? "Asking Civitai and Hugging Face." : "Holding headers against lengths.";
  const what = reading.purpose === "verify" ? "Checking" : "Reading";
  const held = reading.held ? ", waits while ComfyUI generates" : "";
  const files = `${reading.files_done} of ${count(reading.files_total, "file", "files")}`;
  return `${what} ${files}, ${progress(reading.bytes_done, reading.bytes_total)}${held}.`;
}
