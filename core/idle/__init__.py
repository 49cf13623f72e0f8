"""Notices that nobody uses a rented machine, warns, and stops it at its provider."""
