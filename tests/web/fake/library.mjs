/** The library's routes of the stand-in: a list of files that a test sets, filtered as the server does, and one change at a time. */

/** A library in which nothing is. */
export const emptyLibrary = {
  files: [],
  totals: {},
  roots: [{ id: 1, name: "loras", available: true }],
  plan: null,
  changes: [],
};

/** Nothing goes on. */
const idle = { reading: null, verify: { running: false }, identify: { running: false, report: null } };

const FLAGS = {
  damaged: (file) => file.damaged !== null,
  duplicates: (file) => file.links > 1,
  unidentified: (file) => file.source === null,
};

/** @returns {[number, any] | null} null where it is no route of the library */
export function answerLibrary(library, method, path, query, body) {
  if (method === "GET" && path === "/library") return [200, page(library, query)];
  if (method === "GET" && path === "/library/usage") return [200, usage(library.files)];
  if (method === "GET" && path === "/library/work") return [200, library.work ?? idle];
  if (method === "GET" && path === "/library/unreferenced") return [200, { files: library.files.slice(-2), bytes: 0 }];
  if (method === "GET" && path === "/library/changes") {
    const last = library.changes.find((change) => change.undone_by === null);
    return [200, { changes: library.changes, running: [], undo: last?.id ?? null }];
  }
  if (method === "GET" && path.startsWith("/library/changes/")) return [200, library.plan];
  if (method !== "POST" || !path.startsWith("/library/")) return null;
  const verb = path.split("/")[2] ?? "";
  if (verb === "undo") {
    const undone = library.changes.find((change) => change.id === body.id);
    undone.undone_by = "u1";
    return [200, { ...undone, kind: "undo", id: "u1", state: "applied" }];
  }
  if (verb === "identify" || verb === "verify" || verb === "cancel") return [202, library.work ?? idle];
  if (body.apply === false) return [200, { ...library.plan, kind: verb, state: "planned" }];
  const applied = {
    ...library.plan,
    kind: verb,
    state: "applied",
    done: library.plan.total,
    ended_at: Date.now() / 1000,
  };
  library.changes = [applied, ...library.changes];
  library.totals = { ...library.totals, duplicates_bytes: 0 };
  return [200, applied];
}

function page(library, query) {
  const words = (query.get("q") ?? "").toLowerCase().split(/\s+/).filter(Boolean);
  const found = library.files.filter(
    (file) =>
      words.every((word) => file.relative_path.toLowerCase().includes(word)) &&
      (!query.has("base") || file.base_model === query.get("base")) &&
      (!query.has("folder") || file.folder === query.get("folder")) &&
      Object.entries(FLAGS).every(([flag, is]) => !query.has(flag) || is(file)),
  );
  const offset = Number(query.get("offset") ?? 0);
  const totals = {
    files: library.files.length,
    bytes: library.files.reduce((sum, file) => sum + file.size_bytes, 0),
    damaged: library.files.filter(FLAGS.damaged).length,
    duplicates_bytes: 0,
    unidentified: library.files.filter(FLAGS.unidentified).length,
    scanning: null,
    ...library.totals,
  };
  const files = found.slice(offset, offset + Number(query.get("limit") ?? 100));
  return { files, count: found.length, totals, roots: library.roots };
}

function usage(files) {
  const by = (field) => {
    const counts = new Map();
    for (const file of files) counts.set(file[field], (counts.get(file[field]) ?? 0) + 1);
    return [...counts].map(([value, number]) => ({ name: value, files: number, bytes: number }));
  };
  return { base_models: by("base_model"), folders: by("folder") };
}
