"""A local stand-in for Hugging Face, Civitai and their storage, for tests, benchmarks and the demo."""
