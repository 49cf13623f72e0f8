/** The sub-tab Downloads: what is on its way, what stopped, what came today. */

import { serverNow } from "../clock.mjs";
import { count, duration, progress, rate, size } from "../format.mjs";
import { folderOf, hasEnded, isActive, nameOf } from "../stores/downloads.mjs";
import { h } from "../ui/dom.mjs";
import { bar, button, facts, head, meta, name, say, sentence, trouble } from "../ui/parts.mjs";
import { host, kind, kindTag } from "../words.mjs";
import { limitsButton, limitsForm } from "./limits.mjs";
import { loud } from "./missing_card.mjs";
import { barTone, controls, obstacle, standing } from "./state.mjs";

/** How long a cancelled download stands there to be taken back. */
const UNDO_SECONDS = 600;
/** So many rows of history are shown. */
const MOST_OLDER = 200;
const VERIFIED = { digest: "whole", header: "header checked", size: "size checked" };

/** @type {Stow.View} */
export const downloadsView = {
  id: "downloads",
  title: "Downloads",
  count: ({ downloads }) => downloads.open.length || null,
  shown: ({ settings }) => void settings.load(),
  render: (context) => ({ body: body(context), foot: foot(context) }),
};

/** @param {Stow.Context} context */
function body(context) {
  const { downloads } = context;
  const today = doneToday(downloads.all);
  const older = doneBefore(downloads.all);
  const cancelled = downloads.all.filter(
    (download) => download.state === "cancelled" && secondsSince(download.finished_at) < UNDO_SECONDS,
  );
  return [
    limitsForm(context),
    top(context),
    downloads.open.map((download) => card(context, download)),
    section("Cancelled", cancelled),
    cancelled.map((download) => card(context, download)),
    section("Done today", today),
    today.length > 0 && h("ul", { key: "done", class: "stow-list" }, ...today.map(doneRow)),
    older.length > 0 && history(context, older),
  ];
}

/**
 * What came on other days, unfolded by a click.
 *
 * @param {Stow.Context} context
 * @param {readonly Stow.Download[]} older
 */
function history({ ui }, older) {
  const open = ui.isUnfolded("downloads:older");
  const label = `${open ? "Hide" : "Show"} ${count(older.length, "older model", "older models")}`;
  return [
    h(
      "p",
      { key: "older", class: "stow-line" },
      button(label, () => ui.unfold("downloads:older"), { expanded: open, action: "older" }),
    ),
    open && h("ul", { key: "older-rows", class: "stow-list" }, ...older.slice(0, MOST_OLDER).map(doneRow)),
    open && older.length > MOST_OLDER && meta([`and ${count(older.length - MOST_OLDER, "other", "others")}`]),
  ];
}

/**
 * @param {string} title
 * @param {readonly unknown[]} entries
 */
function section(title, entries) {
  return entries.length > 0 && h("h2", { key: title, class: "stow-sec" }, title);
}

/** @param {Stow.Context} context */
function top({ downloads, actions, ui }) {
  if (downloads.error) {
    return [
      head(
        "The queue could not be read",
        null,
        button("Read again", () => void downloads.load()),
      ),
      trouble(downloads.error),
    ];
  }
  const open = downloads.all.filter((download) => !hasEnded(download));
  const busy = ui.isBusy("all");
  const failed = downloads.open.filter((download) => download.state === "failed").length;
  const wrong = ui.errorOf("all");
  if (open.length === 0) {
    const again = button("Retry all", () => void actions.retryFailed(), { busy, action: "retry-all" });
    return failed > 1
      ? [head(`${failed} downloads stopped`, "Each says why", again), wrong && trouble(wrong)]
      : head("Nothing on the way", "“+” adds models by their links");
  }
  const paused = open.filter((download) => download.state === "paused");
  const step =
    downloads.active.length > 0
      ? button("Pause all", () => void actions.controlAll("pause"), { busy, action: "pause-all" })
      : paused.length > 0 &&
        button("Resume all", () => void actions.controlAll("resume"), { busy, action: "resume-all" });
  const [title, detail] = totals(open);
  return [head(title, detail, step || null), wrong && trouble(wrong)];
}

/**
 * @param {readonly Stow.Download[]} open
 * @returns {[string, string]}
 */
function totals(open) {
  const running = open.filter((download) => isActive(download) && download.state !== "queued");
  const speed = running.reduce((sum, download) => sum + (download.rate_bytes_per_second ?? 0), 0);
  const sized = open.filter((download) => download.bytes_total !== null);
  const done = sized.reduce((sum, download) => sum + download.bytes_done, 0);
  const total = sized.reduce((sum, download) => sum + (download.bytes_total ?? 0), 0);
  const waiting = open.filter((download) => download.state === "waiting" || download.state === "queued").length;
  const paused = open.filter((download) => download.state === "paused").length;
  // What is paused, or waits for somebody, takes no time that could be told.
  const rest = sized
    .filter(isActive)
    .reduce((sum, download) => sum + (download.bytes_total ?? 0) - download.bytes_done, 0);
  const left = speed > 0 ? `${duration(rest / speed)} left` : "";
  const moving = [rate(speed), left].filter(Boolean).join(" · ");
  const title = moving || (running.length > 0 ? "Starting" : waiting > 0 ? "Waiting" : "Paused");
  const numbers = [
    running.length > 0 && `${running.length} running`,
    waiting > 0 && (title === "Waiting" ? waitingFor(open) : `${waiting} waiting`),
    paused > 0 && title !== "Paused" && `${paused} paused`,
    total > 0 && progress(done, total),
  ];
  return [title, numbers.filter(Boolean).join(", ")];
}

/** @param {readonly Stow.Download[]} open */
function waitingFor(open) {
  const stuck = open.filter((download) => download.state === "waiting").length;
  return stuck > 0 ? `${count(stuck, "download asks", "downloads ask")} for something` : "";
}

/**
 * @param {Stow.Context} context
 * @param {Stow.Download} download
 */
function card(context, download) {
  const tone = barTone(download);
  return h(
    "article",
    { key: download.id, class: "stow-card", "data-download": download.id, "data-state": download.state },
    name(nameOf(download)),
    h("div", { class: "stow-act" }, ...controls(context, download)),
    tone && bar(download.id, `Download of ${nameOf(download)}`, tone),
    meta(loud(standing(download)), { folder: tone === null && folderOf(download), bad: download.state === "failed" }),
    download.warnings.map((warning) => say(sentence(warning), { tone: "warn" })),
    ...obstacle(context, download, download.id),
  );
}

/** @param {Stow.Download} download */
function doneRow(download) {
  const seconds =
    download.started_at !== null && download.finished_at !== null ? download.finished_at - download.started_at : null;
  const took = seconds === null ? "" : ` in ${duration(seconds)}`;
  const line = download.linked
    ? "linked, nothing fetched"
    : facts([`${size(download.bytes_total)}${took}`, host(download.source)]);
  const how = download.verified === null ? null : VERIFIED[download.verified];
  return h(
    "li",
    { key: download.id, "data-download": download.id, "data-state": download.state },
    h("span", { class: "stow-kind", title: kind(folderOf(download)) }, kindTag(folderOf(download))),
    h(
      "div",
      {},
      name(nameOf(download)),
      meta([line].flat()),
      download.warnings.map((warning) => meta([h("span", { class: "stow-warn" }, sentence(warning))])),
    ),
    h("span", { class: download.verified === "digest" ? "stow-right stow-good" : "stow-right" }, how),
  );
}

/**
 * @param {Stow.Context} context
 * @returns {[Stow.Child, Stow.Child]}
 */
function foot(context) {
  const { downloads } = context;
  const today = doneToday(downloads.all);
  const bytes = today.reduce((sum, download) => sum + (download.linked ? 0 : (download.bytes_total ?? 0)), 0);
  const linked = today.filter((download) => download.linked);
  const saved = linked.reduce((sum, download) => sum + (download.bytes_total ?? 0), 0);
  return [
    facts([
      today.length > 0 ? `${count(today.length, "model", "models")} today, ${size(bytes)}` : "Nothing fetched today",
      saved > 0 && `links saved ${size(saved)}`,
    ]),
    limitsButton(context),
  ];
}

/** @param {readonly Stow.Download[]} all */
function doneToday(all) {
  const begins = midnight();
  return completed(all).filter((download) => (download.finished_at ?? 0) >= begins);
}

/** @param {readonly Stow.Download[]} all */
function doneBefore(all) {
  const begins = midnight();
  return completed(all).filter((download) => (download.finished_at ?? 0) < begins);
}

/** @param {readonly Stow.Download[]} all newest first */
function completed(all) {
  return all
    .filter((download) => download.state === "completed")
    .sort((a, b) => (b.finished_at ?? 0) - (a.finished_at ?? 0));
}

/** Seconds since the epoch at which today began here. */
function midnight() {
  return new Date(serverNow() * 1000).setHours(0, 0, 0, 0) / 1000;
}

/** @param {number | null} time seconds since the epoch */
function secondsSince(time) {
  return time === null ? Number.POSITIVE_INFINITY : serverNow() - time;
}
