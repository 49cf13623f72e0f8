/** The browser's clock, and the server's: times that the server tells are held against its own. Tests bring their own. */

/** A smaller difference is the way of the answer, or one second's rounding. */
const SAME_SECONDS = 5;
let aheadSeconds = 0;

/** @returns {number} seconds since the epoch, as the server counts them */
export function serverNow() {
  return Date.now() / 1000 - aheadSeconds;
}

/** @param {string | null} date the header of an answer (RFC 9110 §6.6.1) */
export function learnTime(date) {
  const told = Date.parse(date ?? "") / 1000;
  if (!Number.isFinite(told)) return;
  const ahead = Date.now() / 1000 - told;
  aheadSeconds = Math.abs(ahead) > SAME_SECONDS ? ahead : 0;
}

/** @type {Stow.Clock} */
export const browserClock = {
  now: () => performance.now(),
  after: (milliseconds, call) => setTimeout(call, milliseconds),
  cancel: (timer) => clearTimeout(/** @type {ReturnType<typeof setTimeout>} */ (timer)),
  // A page in the background gets no frames; what it missed is drawn when it is looked at again.
  frame: (call) => requestAnimationFrame(call),
};
