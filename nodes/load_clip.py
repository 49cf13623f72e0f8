"""Load CLIP (auto-download)."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from . import comfyui
from .choices import stock_choices
from .loader import CATEGORY, StowLoader

_STOCK = ("CLIPLoader", "DualCLIPLoader", "TripleCLIPLoader", "QuadrupleCLIPLoader")


class LoadCLIP(StowLoader):
    """One to four text encoders: the stock loader for as many as are chosen."""

    STOCK = _STOCK[0]
    FOLDER = "text_encoders"
    NAMES = ("clip_name1", "clip_name2", "clip_name3", "clip_name4")

    @classmethod
    def define_schema(cls) -> Any:
        """Describe the node."""
        types = dict.fromkeys(stock_choices(_STOCK[0], "type") + stock_choices(_STOCK[1], "type"))
        return io.Schema(
            node_id="StowLoadCLIP",
            display_name="Load CLIP 1–4 (auto-download)",
            category=CATEGORY,
            description="Loads one to four text encoders; missing files are fetched first. "
            "Three and four ignore the type, as the stock loaders do.",
            inputs=[
                cls.name_input("clip_name1"),
                *(cls.name_input(name, optional=True) for name in cls.NAMES[1:]),
                io.Combo.Input("type", options=list(types)),
                io.Combo.Input("device", options=["default", "cpu"], optional=True),
                cls.source_input(),
            ],
            outputs=[io.Clip.Output()],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    async def load(cls, inputs: dict[str, Any]) -> tuple[Any, ...]:
        """Run the stock loader for the number of names, closing gaps between them."""
        names = [inputs[name] for name in cls.NAMES if inputs.get(name) not in {None, "", "none", "None"}]
        fields = {"clip_name": names[0]} if len(names) == 1 else dict(zip(cls.NAMES, names, strict=False))
        if len(names) <= 2:
            fields |= {"type": inputs["type"], "device": inputs.get("device") or "default"}
        return await comfyui.run_stock(_STOCK[len(names) - 1], fields)
