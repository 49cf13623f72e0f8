"""Benchmarks against other tools, in one run on one machine; nothing of it is needed to use ComfyStow."""
