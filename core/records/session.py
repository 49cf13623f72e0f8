"""A ComfyUI that is attached to the engine, and what it tells of itself."""

from __future__ import annotations

from dataclasses import dataclass, field

from .model import FolderLayout


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedModel:
    """A model that ComfyUI holds in memory."""

    name: str
    vram_bytes: int | None = None
    ram_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptCount:
    """How many prompts ended one way (`success`, `error`, `interrupted`) since ComfyUI started, and their seconds."""

    outcome: str
    count: int
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class UsedModel:
    """A value of a prompt that names a model file, and where it stands; `used_at` is seconds since the epoch."""

    node_type: str
    input_name: str
    name: str
    used_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class HostState:
    """What ComfyUI does now; the host pushes it, the engine never asks. Times are seconds since the epoch."""

    queue_pending: int | None = None
    queue_running: int | None = None
    running_node: str | None = None
    waiting_for_models: bool = False
    """True while the running prompt waits for a download of its own: nothing is generated meanwhile."""
    last_prompt_finished_at: float | None = None
    torch_allocated_bytes: int | None = None
    torch_reserved_bytes: int | None = None
    loaded_models: tuple[LoadedModel, ...] = ()
    prompts: tuple[PromptCount, ...] = ()
    models_used: tuple[UsedModel, ...] = ()
    """Of prompts that began or ended since the last word."""
    received_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One attached ComfyUI. `environment` holds its tokens and COMFYSTOW_* and is never written anywhere."""

    server_id: str
    url: str | None = None
    layout: FolderLayout = field(default_factory=FolderLayout)
    node_inputs: dict[str, dict[str, str]] = field(default_factory=dict, repr=False)
    """Which input of which node type names a model of which folder, learnt from the running server's nodes."""
    environment: dict[str, str] = field(default_factory=dict, repr=False)
    attached_at: float = 0.0
