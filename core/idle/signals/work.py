"""What the engine itself knows: its queue, the GPUs that it samples, and the wish to be left alone."""

from __future__ import annotations

from collections.abc import Callable

from ...records.idle import Signal
from ...records.sample import SystemSample
from .reader import Surroundings, active, counted, idle, unknown


class Downloads:
    """The queue: what is on its way, or will go on by itself."""

    name = "downloads"

    def __init__(self, surroundings: Surroundings) -> None:
        self._surroundings = surroundings

    async def read(self) -> Signal | None:
        """Ask the queue."""
        if not self._surroundings.downloads_busy():
            return idle(self.name, "nothing is on its way")
        under_way = sum(download.state.active for download in self._surroundings.downloads())
        return active(self.name, f"{counted(under_way, 'download', 'downloads')} on the way")

    async def close(self) -> None:
        """Hold nothing."""


class Gpu:
    """Utilisation above a threshold in any sample since the last look."""

    name = "gpu"

    def __init__(self, surroundings: Surroundings, threshold: float) -> None:
        self._surroundings = surroundings
        self._threshold = threshold
        self._seen = False
        self._looked_until = 0.0

    async def read(self) -> Signal | None:
        """Look at what was sampled; a GPU whose driver does not tell is unknown, and no GPU is no signal."""
        sample = self._surroundings.sample()
        if sample is None:
            return unknown(self.name, "there is no fresh sample")
        if not sample.gpus:
            silent = self._seen or sample.gpu_note == "the GPU driver does not answer"
            return unknown(self.name, sample.gpu_note or "the GPUs are gone") if silent else None
        self._seen = True
        busiest = self._busiest(sample)
        if busiest is not None and busiest > self._threshold:
            return active(self.name, f"{busiest:.0%} busy")
        # A card that is cut into slices tells nothing of itself; its slices may not either.
        if any(gpu.utilization_ratio is None for gpu in sample.gpus):
            return unknown(self.name, "the driver does not tell how busy it is")
        return idle(self.name, f"{busiest or 0:.0%} busy")

    def _busiest(self, sample: SystemSample) -> float | None:
        points = self._surroundings.history(self._looked_until)
        self._looked_until = sample.taken_at
        ratios = [gpu.utilization_ratio for gpu in sample.gpus or ()]
        ratios += [gpu.utilization_ratio for point in points for gpu in point.gpus]
        known = [ratio for ratio in ratios if ratio is not None]
        return max(known) if known else None

    async def close(self) -> None:
        """Hold nothing."""


class KeepAlive:
    """Wishes that the machine stays up for some time, by holder, on the policy's clock."""

    name = "keep_alive"

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._until: dict[str, float] = {}

    def keep(self, holder: str, seconds: float) -> None:
        """Begin, change or, with 0, end a wish."""
        if seconds > 0:
            self._until[holder] = self._clock() + seconds
        else:
            self._until.pop(holder, None)

    @property
    def seconds_left(self) -> float:
        """Until the last wish ends; 0 without one."""
        now = self._clock()
        self._until = {holder: until for holder, until in self._until.items() if until > now}
        return max((until - now for until in self._until.values()), default=0.0)

    async def read(self) -> Signal | None:
        """Tell whether somebody wishes it."""
        left = self.seconds_left
        return active(self.name, f"for {left / 60:.0f} min more") if left > 0 else None

    async def close(self) -> None:
        """Hold nothing."""
