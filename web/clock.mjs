/** The browser's clock; tests bring their own. */

/** @type {Stow.Clock} */
export const browserClock = {
  now: () => performance.now(),
  after: (milliseconds, call) => setTimeout(call, milliseconds),
  cancel: (timer) => clearTimeout(/** @type {ReturnType<typeof setTimeout>} */ (timer)),
  // A page in the background gets no frames; what it missed is drawn when it is looked at again.
  frame: (call) => requestAnimationFrame(call),
};
