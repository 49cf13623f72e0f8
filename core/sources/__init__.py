"""The places models come from: a text or a URL becomes one file with size, digest and a pinned address."""
