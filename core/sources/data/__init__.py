"""Data that ships with ComfyStow."""
