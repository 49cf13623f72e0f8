/** The library's routes of the stand-in: a list of files that a test sets, filtered as the server does, and one change at a time. */

/** A library in which nothing is. */
export const emptyLibrary = {
  files: [],
  totals: {},
  roots: [{ id: 1, name: "loras", folders: ["loras"], available: true }],
  plan: null,
  changes: [],
  /** A plan that takes its time, or a change: `{ done, total, stopped }`. */
  job: null,
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
  if (method === "GET" && path === "/library/trash") return [200, { items: [], bytes: library.trash ?? 0 }];
  if (method === "GET" && path === "/library/changes") {
    const last = library.changes.find((change) => change.undone_by === null);
    return [200, { changes: library.changes, running: [], undo: last?.id ?? null }];
  }
  if (method === "GET" && path.startsWith("/library/changes/")) return standing(library);
  if (method !== "POST" || !path.startsWith("/library/")) return null;
  if (path.endsWith("/cancel") && path.startsWith("/library/changes/")) {
    const before = goingOn(library);
    library.job.stopped = true;
    return [200, before];
  }
  const verb = path === "/library/trash/empty" ? "empty" : (path.split("/")[2] ?? "");
  if (library.job && verb !== "undo") {
    library.job.kind = verb;
    library.job.state = body.apply === false ? "planning" : "applying";
    return [202, goingOn(library)];
  }
  if (verb === "undo") {
    const undone = library.changes.find((change) => change.id === body.id);
    undone.undone_by = "u1";
    return [200, { ...undone, kind: "undo", id: "u1", state: "applied" }];
  }
  if (verb === "identify" || verb === "verify" || verb === "cancel") return [202, library.work ?? idle];
  if (body.apply === false) return [200, { ...library.plan, kind: verb, state: "planned" }];
  library.totals = { ...library.totals, duplicates_bytes: 0 };
  return [200, ended(library, verb, "applied", library.plan.total)];
}

function ended(library, kind, state, done) {
  // As the server does, it lists what is not done.
  const actions = (library.plan.actions ?? []).filter(({ step }) => state === "stopped" || step === "failed");
  const change = { ...library.plan, actions, kind, state, done, undoable: done > 0, ended_at: Date.now() / 1000 };
  library.changes = [change, ...library.changes];
  return change;
}

/** What the server tells of a job that is not over: no title, no actions. */
function goingOn({ job, plan }) {
  return {
    id: plan.id,
    kind: job.kind,
    state: job.state,
    done: job.done,
    total: job.total,
    done_bytes: 0,
    error: null,
  };
}

function standing(library) {
  const { job } = library;
  if (!job) return [200, library.plan];
  if (!job.stopped && job.done < job.total) return [200, goingOn(library)];
  library.job = null;
  if (job.state === "planning" && job.stopped) {
    const error = { code: "conflict", message: `the ${job.kind} was stopped while it was planned`, hint: null };
    return [409, { error: { ...error, retryable: false } }];
  }
  if (job.state === "planning") return [200, { ...library.plan, kind: job.kind, state: "planned" }];
  return [200, ended(library, job.kind, job.stopped ? "stopped" : "applied", job.done)];
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
    return [...counts].map(([value, number]) => ({ value, files: number, bytes: number }));
  };
  return { base_models: by("base_model"), folders: by("folder") };
}
