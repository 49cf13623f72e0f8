/** One download in words: where it stands, what it waits for, what to do; the same in every view. */

import { duration, progress, rate, size } from "../format.mjs";
import { folderOf, hasEnded, nameOf } from "../stores/downloads.mjs";
import { ICONS } from "../ui/icons.mjs";
import { button, iconButton, link, say, share, words } from "../ui/parts.mjs";
import { host, pageOf, providerName, providerOf } from "../words.mjs";
import { roomButton } from "./library_ask.mjs";
import { tokenButton, tokenField } from "./secrets.mjs";

/**
 * @param {Stow.Download} download
 * @returns {Stow.Child[]} facts in order; the first is the one that is said loudest
 */
export function standing(download) {
  const where = host(download.source) ?? "the source";
  const done =
    download.bytes_total === null && download.bytes_done === 0
      ? ""
      : progress(download.bytes_done, download.bytes_total);
  switch (download.state) {
    case "queued":
      return ["Waiting", size(download.bytes_total)];
    case "resolving":
      return [`Waits for ${where} to answer`];
    case "running":
      return [done || "Starting", rate(download.rate_bytes_per_second), duration(download.eta_seconds), download.note];
    case "verifying":
      return [size(download.bytes_total), "checking that it is whole"];
    case "placing":
      return [size(download.bytes_total), `putting it into ${folderOf(download) ?? "its folder"}`];
    case "paused":
      return [download.bytes_done > 0 ? `Paused at ${done}` : "Paused"];
    case "waiting":
      return ["Waiting", download.bytes_done > 0 ? done : size(download.bytes_total)];
    case "cancelled":
      return ["Cancelled"];
    case "failed":
      return [stopped(download)];
    default:
      return [size(download.bytes_total ?? download.bytes_done)];
  }
}

/** @param {Stow.Download} download */
function stopped(download) {
  const ratio = share(download);
  return ratio !== null && ratio > 0 ? `Stopped at ${Math.floor(ratio * 100)} %` : "Stopped";
}

/**
 * @param {Stow.Download} download
 * @returns {"accent" | "bad" | "dim" | null} null where a bar would say nothing
 */
export function barTone(download) {
  if (download.state === "failed") return download.bytes_done > 0 ? "bad" : null;
  if (download.state === "running" || download.state === "verifying" || download.state === "placing") return "accent";
  return download.bytes_done > 0 && !hasEnded(download) ? "dim" : null;
}

/**
 * @param {Stow.Context} context
 * @param {Stow.Download} download
 * @returns {Stow.Child[]}
 */
export function controls({ actions, downloads, ui }, download) {
  const busy = ui.isBusy(download.id);
  const file = nameOf(download);
  const cancel = iconButton(`Cancel ${file}`, ICONS.cancel, () => void actions.control(download, "cancel"), {
    action: "cancel",
    busy,
  });
  switch (download.state) {
    case "failed":
      return [button("Retry", () => void actions.control(download, "retry"), { busy, action: "retry" }), cancel];
    case "cancelled":
      return [button("Undo", () => void actions.control(download, "retry"), { busy, action: "retry" })];
    case "paused":
      return [
        iconButton(`Resume ${file}`, ICONS.resume, () => void actions.control(download, "resume"), {
          action: "resume",
          busy,
        }),
        cancel,
      ];
    case "completed":
    case "placing":
      return [];
    case "waiting":
      return [cancel];
    default:
      return [
        download.state === "queued" && behind(download, downloads)
          ? iconButton(`Fetch ${file} next`, ICONS.first, () => void actions.moveFirst(download), {
              action: "first",
              busy,
            })
          : null,
        iconButton(`Pause ${file}`, ICONS.pause, () => void actions.control(download, "pause"), {
          action: "pause",
          busy,
        }),
        cancel,
      ];
  }
}

/**
 * Whether another download waits before this one.
 *
 * @param {Stow.Download} download
 * @param {import("../stores/downloads.mjs").Downloads} downloads
 */
function behind(download, downloads) {
  return downloads.all.find((other) => other.state === "queued")?.id !== download.id;
}

/**
 * What stands in the way, as a sentence with its button.
 *
 * @param {Stow.Context} context
 * @param {Stow.Download} download
 * @param {string} where the key of the card
 * @returns {Stow.Child[]}
 */
export function obstacle(context, download, where) {
  const own = context.ui.errorOf(download.id);
  const refused = own === null ? [] : [refusal(context, download.source, own, where)].flat();
  if (download.state === "waiting") return [waits(context, download, where), ...refused].flat();
  if (download.state === "failed" && download.error) {
    return [refusal(context, download.source, download.error, where), ...refused].flat();
  }
  return refused;
}

/**
 * @param {Stow.Context} context
 * @param {Stow.Download} download
 * @param {string} where
 * @returns {Stow.Child[]}
 */
function waits(context, download, where) {
  const { actions, ui } = context;
  const retry = button("Try again", () => void actions.control(download, "retry"), {
    busy: ui.isBusy(download.id),
    action: "retry",
  });
  const said = download.error && words(download.error);
  switch (download.waiting_for) {
    case "token":
      return token(context, download.source, where, said);
    case "licence":
      return [licence(download.source, said, retry)];
    case "space":
      return [
        say(said ?? "Waits for free space on the disk. The part is kept.", {
          tone: "warn",
          buttons: [roomButton(context), retry],
        }),
      ];
    case "generation":
      return [say("Waits until the generation is done.")];
    default:
      return [
        say(said ?? `Waits for ${host(download.source) ?? "the source"} to answer; goes on by itself.`, {
          tone: "warn",
          buttons: retry,
        }),
      ];
  }
}

/**
 * An error that one more click cannot mend by itself says what does.
 *
 * @param {Stow.Context} context
 * @param {string} source
 * @param {Stow.ErrorInfo | import("../api.mjs").StowError} error
 * @param {string} where
 * @param {Stow.Child} [retry]
 * @returns {Stow.Child[]}
 */
export function refusal(context, source, error, where, retry = null) {
  const said = words(error);
  if (error.code === "token_required") return token(context, source, where, said);
  if (error.code === "licence_required") return [licence(source, said, retry)];
  if (error.code === "not_enough_space") return [say(said, { tone: "bad", buttons: roomButton(context) })];
  // What a download says of itself stands there already; what answers a click is said aloud.
  return [say(said, { tone: "bad", role: error instanceof Error ? "alert" : null })];
}

/**
 * @param {Stow.Context} context
 * @param {string} source
 * @param {string} where
 * @param {string | null} said
 * @returns {Stow.Child[]}
 */
function token(context, source, where, said) {
  const provider = providerOf(source);
  if (provider === null)
    return [say(said ?? "The source asks for a login that ComfyStow has none for.", { tone: "warn" })];
  // Once a token was given, why it did not help is what counts.
  const again = context.ui.tokensGiven.has(provider) ? said : null;
  const sentence = `The author asks for a login. Add a ${providerName(provider)} token once; it stays on this server.`;
  const unfolded = context.ui.isUnfolded(`token:${where}`);
  return [
    say(again ?? sentence, { tone: "warn", buttons: tokenButton(context, where), title: said }),
    unfolded ? tokenField(context, provider, where) : null,
  ];
}

/**
 * @param {string} source
 * @param {string | null} said
 * @param {Stow.Child} retry
 */
function licence(source, said, retry) {
  const page = pageOf(source);
  return say(
    "The author wants the licence accepted first. Accept it on the model's page, with the account of your token.",
    {
      tone: "warn",
      title: said,
      buttons: [page ? link("Open page", page) : null, retry],
    },
  );
}
