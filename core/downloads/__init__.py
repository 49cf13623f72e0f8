"""The queue of downloads: what is asked for, in which order it runs, and what becomes of it."""
