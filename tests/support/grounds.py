"""A models folder, a downloads folder beside it, another volume, and plans over them that tests carry out."""

from __future__ import annotations

import hashlib
import os
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from comfystow.core.engine.installation import bare_layout
from comfystow.core.library.changes.apply import Watcher, apply_change
from comfystow.core.library.changes.ground import spares
from comfystow.core.library.changes.journal import ChangeJournal
from comfystow.core.library.changes.undo import opposites
from comfystow.core.records.change import Action, Change, ChangeKind, FileFacts
from comfystow.core.records.model import FolderLayout


@dataclass
class Grounds:
    """Real files in real folders; `far` lies on another file system."""

    base: Path
    far: Path
    models: Path = field(init=False)
    downloads: Path = field(init=False)
    state_dir: Path = field(init=False)

    def __post_init__(self) -> None:
        self.models, self.downloads, self.state_dir = (self.base / name for name in ("models", "downloads", "state"))
        for folder in (self.models / "loras", self.models / "checkpoints", self.downloads, self.state_dir, self.far):
            folder.mkdir(parents=True, exist_ok=True)

    @property
    def layout(self) -> FolderLayout:
        """The folders of models, as ComfyUI has them in a fresh installation."""
        return bare_layout(self.models)

    def write(self, path: Path, content: bytes, *, age_seconds: float = 3600.0) -> Path:
        """Write a file that has been still for a while."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        then = time.time_ns() - int(age_seconds * 1e9)
        os.utime(path, ns=(then, then))
        return path

    def keep(self, actions: list[Action], kind: ChangeKind = ChangeKind.ORGANISE, *, undoes: str | None = None) -> str:
        """Keep a plan, and return its id."""
        change_id = uuid.uuid4().hex[:12]
        change = Change(id=change_id, kind=kind, title="test", created_at=time.time(), undoes=undoes)
        with ChangeJournal(self.state_dir) as journal:
            journal.add(change, actions)
        return change_id

    def apply(self, change_id: str) -> list[Action]:
        """Carry a plan out, and return what became of its actions."""
        with ChangeJournal(self.state_dir) as journal:
            apply_change(journal, change_id, Watcher())
            return journal.actions(change_id)

    def undo(self, change_id: str) -> str:
        """Plan what takes a change back."""
        new_id = uuid.uuid4().hex[:12]
        with ChangeJournal(self.state_dir) as journal:
            actions = opposites(journal.actions(change_id), spares(self.layout, new_id))
            change = Change(id=new_id, kind=ChangeKind.UNDO, title="undo", created_at=time.time(), undoes=change_id)
            journal.add(change, actions)
        return new_id

    def tree(self) -> dict[str, str]:
        """Return every file that is not ours, with the digest of its content and when it was changed."""
        found = {}
        for top in (self.models, self.downloads, self.far):
            for path in sorted(top.rglob("*")):
                if path.is_file() or path.is_symlink():
                    content = os.readlink(path) if path.is_symlink() else hashlib.sha256(path.read_bytes()).hexdigest()
                    found[str(path)] = f"{content} {os.lstat(path).st_mtime_ns}"
        return found

    def names_of(self, content: bytes) -> list[Path]:
        """Return where a content is, under any name."""
        digest = hashlib.sha256(content).hexdigest()
        return [Path(path) for path, found in self.tree().items() if found.startswith(digest)]


def facts(path: Path) -> FileFacts:
    found = FileFacts.of(path)
    assert found is not None
    return found
