"""Settings that may be changed while the engine runs; what guards the door is not among them."""

from __future__ import annotations

from ..bodies import SettingsRequest
from .call import Call, Handler


async def show(call: Call) -> object:
    """List them."""
    return {"settings": call.runtime.show_settings()}


async def change(call: Call) -> object:
    """Change some."""
    wanted: SettingsRequest = call.body
    await call.runtime.change_settings(wanted.settings)
    return await show(call)


SETTINGS: dict[str, Handler] = {"settings.get": show, "settings.change": change}
