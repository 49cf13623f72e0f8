"""Bodies of requests that are no record of their own anywhere else."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..records.download import DownloadRequest
from ..workflow.conditions import Facts


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeRequest:
    """What changes of a download: its place in the queue (0 is first), its bandwidth (0 lifts the limit), or both."""

    position: int | None = None
    limit_rate_bytes_per_second: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRequest:
    """What a dry run looks at."""

    downloads: tuple[DownloadRequest, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsRequest:
    """Settings to change, by name; null goes back to the default."""

    settings: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowRequest:
    """One of both: what ComfyUI's page saves, or what it queues. `search` asks the hubs for what no list knows.

    `fit` weighs the models, at their sources too, against the GPU here or the `facts` that are given.
    """

    workflow: Any = None
    prompt: Any = None
    search: bool = False
    fit: bool = False
    facts: Facts = field(default_factory=Facts)


@dataclass(frozen=True, slots=True, kw_only=True)
class EditRequest:
    """A workflow, a prompt, or both, to be given back with something written into it."""

    workflow: Any = None
    prompt: Any = None
    search: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FitRequest:
    """A workflow or a prompt, and the GPU that is meant where it is not this machine's."""

    workflow: Any = None
    prompt: Any = None
    facts: Facts = field(default_factory=Facts)


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidatesRequest:
    """One model that a workflow names, with what its author embedded."""

    name: str
    folder_name: str | None = None
    url: str | None = None
    sha256: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WishRequest:
    """One of workflow (or prompt, or both), manifest and lock, the latter two as texts.

    `documents` are what a manifest's `workflow:` entries name, by the path written there.
    """

    workflow: Any = None
    prompt: Any = None
    manifest: str | None = None
    lock: str | None = None
    documents: dict[str, Any] = field(default_factory=dict)
    groups: tuple[str, ...] = ()
    facts: Facts = field(default_factory=Facts)
    before_only: bool = False
    """True takes only what the manifest marks with `before: true`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnsureRequest(WishRequest):
    """What is to be fetched; `apply` false only tells, `search` asks the hubs, `fit` weighs the models."""

    search: bool = True
    fit: bool = False
    apply: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRequest:
    """The text of a lock; `sizes_only` does not read the files."""

    lock: str
    sizes_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncRequest:
    """The text of a lock."""

    lock: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestRequest:
    """What a manifest is written of: a workflow, a prompt, or (`library`) the files whose sources are known."""

    workflow: Any = None
    prompt: Any = None
    library: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectRequest:
    """References to look into."""

    refs: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpandRequest:
    """A repository or a folder of one; patterns as in `hf download`."""

    source: str
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanRequest:
    """Whether the answer waits for the end of the scan."""

    wait: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyRequest:
    """How far to go: headers alone, what has a digest too, or `all` files; or these files, as a whole."""

    headers_only: bool = False
    all: bool = False
    ids: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentifyRequest:
    """Which files; without a choice, all whose source is not known."""

    ids: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseRequest:
    """Somebody looks at the machine for the next `seconds`; `holder` tells several viewers of one session apart."""

    seconds: float = 10.0
    interval_seconds: float = 1.0
    holder: str = "viewer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """A token on its way in; it never comes out again."""

    token: str = field(repr=False)
