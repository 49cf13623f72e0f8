"""What the index knew of files that go into the trash, kept in the journal: it is known again when they come back."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from ...library.index.index import LibraryIndex
from ...library.index.keep import set_facts
from ...records.change import Action
from ...records.library import LibraryFile

_OF_THE_BYTES = ("sha256", "autov1", "autov3", "blake3", "digest_origin", "source", "verified", "damaged")
_OF_THE_FILE = ("added_at", "last_used_at")


def known_text(file: LibraryFile) -> str:
    """Write down what is known of a file and cannot be seen by looking at it."""
    return json.dumps({name: getattr(file, name) for name in (*_OF_THE_BYTES, *_OF_THE_FILE)})


def know_again(index: LibraryIndex, actions: Iterable[Action]) -> None:
    """Tell the index what it knew of files that came back; those that changed on the way are new to it.

    Raises: StorageError.
    """
    for action in actions:
        file = index.by_path(Path(action.target)) if action.target is not None else None
        if file is None or action.known is None or action.made is None:
            continue
        if (file.size_bytes, file.mtime_ns) == (action.made.size_bytes, action.made.mtime_ns):
            set_facts(index, {file.id: json.loads(action.known)})
