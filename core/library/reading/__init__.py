"""Whole files read in the background: digests, and proof that all bytes are right."""
