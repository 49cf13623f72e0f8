/** What the server is asked for when a model is to be fetched from a place: the same for a plan and for a click. */

import { splitPath } from "./format.mjs";

/**
 * @param {Stow.Model} model
 * @param {Stow.Candidate} candidate
 * @returns {Stow.DownloadRequest}
 */
export function requestFor(model, candidate) {
  const { subfolder, filename } = splitPath(candidate.name ?? model.name);
  return {
    source: candidate.url ?? candidate.source,
    folder_name: model.folder ?? candidate.folder,
    subfolder,
    filename,
    sha256: candidate.sha256,
  };
}
