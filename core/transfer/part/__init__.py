"""A part on disk: its journal and lease, its digests, its proof, its room."""
