/** The sub-tabs in their order: another one is a file beside this and a line here. */

import { downloadsView } from "./downloads.mjs";
import { libraryView } from "./library.mjs";
import { missingView } from "./missing.mjs";
import { podView } from "./pod.mjs";
import { systemView } from "./system.mjs";

/** @type {readonly Stow.View[]} */
export const VIEWS = [missingView, downloadsView, libraryView, systemView, podView];
