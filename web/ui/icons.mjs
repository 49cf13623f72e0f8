/** Paths of our icons on a 16 × 16 grid; drawn as lines, never filled. */

export const ICONS = Object.freeze({
  add: "M8 3v10M3 8h10",
  cancel: "M4.5 4.5l7 7M11.5 4.5l-7 7",
  first: "M3.5 3.5h9M8 13V6.5M5 9.5l3-3 3 3",
  pause: "M5.5 3.5v9M10.5 3.5v9",
  resume: "M5.5 3.5l6.5 4.5-6.5 4.5z",
  retry: "M12.5 8a4.5 4.5 0 1 1-1.3-3.2M12.5 2.5v3h-3",
  search: "M11 7a4 4 0 1 1-8 0 4 4 0 0 1 8 0M10 10l3.5 3.5",
  link: "M7 9l2-2M6.5 5.5l1-1a2.8 2.8 0 0 1 4 4l-1 1M9.5 10.5l-1 1a2.8 2.8 0 0 1-4-4l1-1",
});
