"""Which ComfyUIs are attached, what they told, and the layout that outlives them. On the engine's loop only."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from .errors import UsageError
from .records.json import from_json, to_json
from .records.model import Folder, FolderLayout
from .records.session import HostState, Session

_log = logging.getLogger("comfystow.sessions")

_LAYOUT_NAME = "layout.json"
_MAX_LAYOUT_BYTES = 16 << 20
_MOST_OTHERS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class LastLayout:
    """What the last ComfyUI told, kept for when none runs; `saved_at` is seconds since the epoch.

    `others` are layouts of other places, by their base path: what they asked for goes to their folders after a
    restart too.
    """

    saved_at: float
    layout: FolderLayout
    node_inputs: dict[str, dict[str, str]] = field(default_factory=dict)
    others: dict[str, FolderLayout] = field(default_factory=dict)


class SessionRegistry:
    """The attached sessions. A session's environment stays in memory; its layout is kept in the state folder."""

    def __init__(self, state_dir: Path, *, host_state_timeout_seconds: float = 10.0) -> None:
        self._file = state_dir / _LAYOUT_NAME
        self._timeout_seconds = host_state_timeout_seconds
        self._sessions: dict[str, Session] = {}
        self._states: dict[str, HostState] = {}
        self._told_at: dict[str, float] = {}  # by a clock that never jumps
        self._listeners: list[Callable[[], None]] = []
        self.last = _read(self._file)

    def listen(self, listener: Callable[[], None]) -> None:
        """Call `listener` after each change of sessions or of what they do."""
        self._listeners.append(listener)

    def attach(self, session: Session) -> None:
        """Take a session in, or its newer form."""
        self._sessions[session.server_id] = session
        if session.layout.folders:
            self._keep(session)
        self._changed()

    def detach(self, server_id: str) -> None:
        """Forget a session and its tokens."""
        self._sessions.pop(server_id, None)
        self._states.pop(server_id, None)
        self._told_at.pop(server_id, None)
        self._changed()

    def get(self, server_id: str) -> Session | None:
        """Return an attached session."""
        return self._sessions.get(server_id)

    def all(self) -> list[Session]:
        """Return the attached sessions, first come first."""
        return list(self._sessions.values())

    def tell(self, server_id: str, state: HostState) -> None:
        """Keep what a host says of itself, with the time when it came."""
        self._states[server_id] = replace(state, received_at=time.time())
        self._told_at[server_id] = time.monotonic()
        self._changed()

    def state(self, server_id: str) -> HostState | None:
        """Return what a host said last, None when that is too old to be believed."""
        state = self._states.get(server_id)
        fresh = time.monotonic() - self._told_at.get(server_id, 0.0) < self._timeout_seconds
        return state if fresh else None

    @property
    def generating(self) -> bool:
        """True while an attached ComfyUI is known to run a prompt that does not itself wait for a download."""
        states = [self.state(server_id) for server_id in self._sessions]
        return any(state is not None and state.queue_running and not state.waiting_for_models for state in states)

    def layout(self) -> FolderLayout:
        """Return the union of what the attached sessions have, else the last one that was told."""
        told = [session.layout for session in self._sessions.values() if session.layout.folders]
        if not told:
            return self.last.layout if self.last is not None else FolderLayout()
        return _union(told)

    def layout_for(self, session: Session | None, base_path: str | None = None) -> FolderLayout:
        """Return a caller's own layout, else the one that was told of `base_path`, else what `layout` says."""
        if session is not None and session.layout.folders:
            return session.layout
        if self.last is None or base_path is None:
            return self.layout()
        known = {**self.last.others, str(self.last.layout.base_path): self.last.layout}
        return known.get(base_path) or self.layout()

    def node_inputs(self) -> dict[str, dict[str, str]]:
        """Return what the attached sessions learnt of their nodes, else what the last one had."""
        merged: dict[str, dict[str, str]] = {}
        for session in self._sessions.values():
            merged.update(session.node_inputs)
        return merged or (self.last.node_inputs if self.last is not None else {})

    def _keep(self, session: Session) -> None:
        """Keep folders and node inputs for later; a command brings folders only, and takes no node inputs away."""
        known = self.last.node_inputs if self.last is not None else {}
        told = LastLayout(
            saved_at=time.time(),
            layout=session.layout,
            node_inputs=dict(session.node_inputs) or dict(known),
            others=self._others(session.layout),
        )
        if self.last is not None and replace(told, saved_at=self.last.saved_at) == self.last:
            return
        self.last = told
        temporary = self._file.with_name(f".{self._file.name}.new")
        try:
            temporary.write_text(json.dumps(to_json(self.last)), encoding="utf-8")
            temporary.replace(self._file)
        except OSError as err:
            _log.warning("the layout cannot be kept for later: %s", err)

    def _others(self, layout: FolderLayout) -> dict[str, FolderLayout]:
        """Return the layouts of other places than this one, those that were told last."""
        if self.last is None:
            return {}
        others = {**self.last.others, str(self.last.layout.base_path): self.last.layout}
        others.pop(str(layout.base_path), None)
        return dict(list(others.items())[-_MOST_OTHERS:])

    def _changed(self) -> None:
        for listener in self._listeners:
            listener()


def _read(path: Path) -> LastLayout | None:
    try:
        with path.open("rb") as file:
            return from_json(LastLayout, json.loads(file.read(_MAX_LAYOUT_BYTES)), strict=False)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, UsageError, RecursionError) as err:
        _log.warning("%s cannot be read and is made anew by the next ComfyUI: %s", path.name, err)
        return None


def _union(layouts: list[FolderLayout]) -> FolderLayout:
    folders: dict[str, Folder] = {}
    for layout in layouts:
        for name, folder in layout.folders.items():
            known = folders.get(name)
            folders[name] = folder if known is None else _merged(known, folder)
    return FolderLayout(folders=folders, base_path=layouts[0].base_path)


def _merged(one: Folder, other: Folder) -> Folder:
    lists_all = not one.suffixes or not other.suffixes
    return Folder(
        directories=tuple(dict.fromkeys((*one.directories, *other.directories))),
        suffixes=frozenset() if lists_all else one.suffixes | other.suffixes,
    )
