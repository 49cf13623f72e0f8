/** Numbers and names as a person reads them. */

const BYTE_UNITS = ["bytes", "KB", "MB", "GB", "TB", "PB", "EB"];
/** How much of a name's end stays when it is cut: `…fp8.safetensors`. */
const TAIL_CHARACTERS = 16;
/** A name of right-to-left letters is cut before its suffix only: a run of them that is cut reads in the wrong order. */
const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/;
/** What cannot be seen, or turns around what stands beside it (Unicode's Cc and its controls of direction). */
const UNSEEN = /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu;
/** Beyond this a time that is left is no forecast. */
const MOST_DAYS = 99;

/**
 * Decimal units, as disks and hubs count: `228 MB`, `17.2 GB`.
 *
 * @param {number | null | undefined} bytes
 * @returns {string} empty when unknown
 */
export function size(bytes) {
  if (bytes === null || bytes === undefined) return "";
  const [value, unit] = scaled(bytes);
  return `${value} ${unit}`;
}

/**
 * @param {number} done
 * @param {number | null} total
 * @returns {string} `10.0 of 17.2 GB`; both in the unit and with the places of the total
 */
export function progress(done, total) {
  if (total === null) return size(done);
  const power = powerOf(total);
  const places = decimals(total / 1000 ** power, power);
  const [some, all] = [done, total].map((bytes) => (bytes / 1000 ** power).toFixed(places));
  return `${some} of ${all} ${BYTE_UNITS[power]}`;
}

/**
 * @param {number | null | undefined} bytesPerSecond
 * @returns {string} empty when unknown or nothing moves
 */
export function rate(bytesPerSecond) {
  return bytesPerSecond ? `${size(bytesPerSecond)}/s` : "";
}

/**
 * @param {number | null | undefined} seconds
 * @returns {string} `8 s`, `1 min 52 s`, `2 h 5 min`, `3 days`, `over 99 days`; empty when unknown
 */
export function duration(seconds) {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return "";
  const whole = Math.max(1, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return pair(Math.floor(whole / 60), "min", whole % 60, "s");
  if (whole < 86400) return pair(Math.floor(whole / 3600), "h", Math.floor((whole % 3600) / 60), "min");
  const days = Math.round(whole / 86400);
  if (days > MOST_DAYS) return `over ${MOST_DAYS} days`;
  return `${days} ${days === 1 ? "day" : "days"}`;
}

/**
 * @param {number} seconds
 * @returns {string} a countdown: `8:40`, `1:08:40`
 */
export function clock(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60), whole % 60];
  const tail = `${String(minutes).padStart(hours > 0 ? 2 : 1, "0")}:${String(rest).padStart(2, "0")}`;
  return hours > 0 ? `${hours}:${tail}` : tail;
}

/**
 * @param {number} dollars providers bill in them
 * @returns {string} `$0.69`
 */
export function money(dollars) {
  return `$${dollars.toFixed(2)}`;
}

/**
 * Make a stranger's name fit for one line: what cannot be seen is shown as a box.
 *
 * @param {string} text
 */
export function seen(text) {
  return text.replace(UNSEEN, "\ufffd");
}

/**
 * Split a name so that the end stays when it is cut: `…fp8.safetensors` tells files apart better than their beginning.
 *
 * @param {string} name
 * @returns {[head: string, tail: string]}
 */
export function splitName(name) {
  const characters = [...name];
  const end = RIGHT_TO_LEFT.test(name) ? (name.match(/\.[a-z0-9]{1,12}$/i)?.[0].length ?? 0) : TAIL_CHARACTERS;
  const tail = Math.min(end, Math.max(0, characters.length - 4));
  return [characters.slice(0, characters.length - tail).join(""), characters.slice(characters.length - tail).join("")];
}

/**
 * @param {string} name a combo's value; both separators occur, `sub\x.safetensors` on Windows
 * @returns {{ subfolder: string | null, filename: string }}
 */
export function splitPath(name) {
  const parts = name.split(/[\\/]/);
  const filename = parts.pop() ?? name;
  return { subfolder: parts.length > 0 ? parts.join("/") : null, filename };
}

/**
 * @param {number} number
 * @param {string} one
 * @param {string} many
 */
export function count(number, one, many) {
  return `${grouped(number)} ${number === 1 ? one : many}`;
}

/** @param {number} number a whole one: `10,000` */
export function grouped(number) {
  return String(number).replace(/\B(?=(\d{3})+$)/g, ",");
}

/**
 * @param {number} bytes
 * @returns {[string, string]}
 */
function scaled(bytes) {
  const power = powerOf(bytes);
  const value = bytes / 1000 ** power;
  return [value.toFixed(decimals(value, power)), BYTE_UNITS[power] ?? ""];
}

/** @param {number} bytes */
function powerOf(bytes) {
  let power = 0;
  // 999.95 would be written as 1000.0, so the next unit begins a little earlier.
  while (bytes / 1000 ** power >= 999.95 && power < BYTE_UNITS.length - 1) power += 1;
  return power;
}

/**
 * @param {number} value
 * @param {number} power
 */
function decimals(value, power) {
  return power >= 2 && value < 100 ? 1 : 0;
}

/**
 * @param {number} big
 * @param {string} bigUnit
 * @param {number} small
 * @param {string} smallUnit
 */
function pair(big, bigUnit, small, smallUnit) {
  return small === 0 ? `${big} ${bigUnit}` : `${big} ${bigUnit} ${small} ${smallUnit}`;
}
