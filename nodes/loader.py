"""What the loaders with auto-download share: fetch what is missing, then let the stock loader load it."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ..core.errors import StowError
from . import comfyui
from .choices import model_choices

CATEGORY = "ComfyStow/loaders"
_SOURCE_TIP = "Where it comes from when it is missing: a Hugging Face or Civitai link. Empty: what the catalogue knows."


class StowLoader(io.ComfyNode):  # type: ignore[misc]
    """A loader whose missing file is fetched.

    A subclass names the stock loader, its folder, and which of its inputs name files there.
    """

    STOCK: str
    FOLDER: str
    NAMES: tuple[str, ...]

    @classmethod
    def name_input(cls, name: str, *, optional: bool = False) -> Any:
        """Return the list of names; `validate_inputs` lets a missing one pass."""
        options = model_choices(cls.FOLDER)
        return io.Combo.Input(name, options=["none", *options] if optional else options, optional=optional)

    @classmethod
    def source_input(cls) -> Any:
        """Return the field for an address of the first name."""
        return io.String.Input("source", default="", optional=True, tooltip=_SOURCE_TIP)

    @classmethod
    def validate_inputs(cls, **_kwargs: Any) -> bool:
        """Let every name pass: what is missing is fetched when the node runs."""
        return True

    @classmethod
    def fingerprint_inputs(cls, **kwargs: Any) -> Any:
        """Run again when a named file came, went or changed."""
        return [comfyui.file_mark(cls.FOLDER, kwargs.get(name)) for name in cls.NAMES]

    @classmethod
    async def execute(cls, source: str = "", **inputs: Any) -> Any:
        """Fetch what is missing and return what the stock loader returns."""
        from .fetch import Wanted, ensure  # late: this module is imported while ComfyUI starts

        for place, name in enumerate(cls.NAMES):
            if _chosen(inputs.get(name)):
                wanted = Wanted(
                    folder_name=cls.FOLDER, name=inputs[name], source=(source.strip() or None) if place == 0 else None
                )
                inputs[name] = await ensure(wanted, cls.hidden.unique_id)
        return io.NodeOutput(*await cls.load(inputs))

    @classmethod
    async def load(cls, inputs: dict[str, Any]) -> tuple[Any, ...]:
        """Run the stock loader."""
        if not _chosen(inputs.get(cls.NAMES[0])):
            raise StowError("no model is chosen")
        return await comfyui.run_stock(cls.STOCK, inputs)


def _chosen(name: object) -> bool:
    return isinstance(name, str) and name not in {"", "none", "None"}
