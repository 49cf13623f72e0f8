"""Writes the pages that are made from the code; `tests/docs` compares them with what is committed."""
