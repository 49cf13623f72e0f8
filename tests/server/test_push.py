"""What ComfyUI does on its way to the engine: nothing that was seen once is lost with a request that failed."""

from __future__ import annotations

import asyncio
from typing import Any

from comfystow.core.errors import EngineError
from comfystow.core.records.session import HostState, UsedModel
from comfystow.server_routes.push import Push

USED = UsedModel(node_type="VAELoader", input_name="vae_name", name="a.safetensors", used_at=1.0)


class Engine:
    """Answers `POST /host/state` from the third time on; its stream stays silent."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []

    async def call(self, _method: str, _path: str, body: dict[str, Any]) -> None:
        self.asked.append(body)
        if len(self.asked) < 3:
            raise EngineError("it has just ended")

    async def events(self) -> Any:
        await asyncio.Event().wait()
        yield {}

    async def close(self) -> None:
        """Nothing is open."""


class Host:
    """Tells of one prompt's models, once."""

    def __init__(self) -> None:
        self._models = [(USED,)]

    def send(self, _event: str, _data: object) -> None:
        """Nobody looks."""

    def viewers(self) -> int:
        return 1

    def state(self) -> HostState:
        return HostState(models_used=self._models.pop() if self._models else ())

    def files_changed(self, _folder_name: str) -> None:
        """Nothing is kept."""


async def test_the_models_of_a_prompt_are_told_when_the_engine_answers_again() -> None:
    engine = Engine()
    push = Push(engine, Host())  # type: ignore[arg-type]
    push.want()
    async with asyncio.timeout(20):
        while len(engine.asked) < 4:
            await asyncio.sleep(0.05)
    await push.close()
    assert [len(told["models_used"]) for told in engine.asked[:4]] == [1, 1, 1, 0]
