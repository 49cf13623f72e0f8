"""The cases of the download benchmark and their targets."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

from .delay import SERVER_ADDRESS
from .tools import Contender, Item, OurEngine, Run, aria2, curl, fresh, hub

MIB = 1 << 20
Judge = Callable[[dict[str, Contender]], list[tuple[str, float, float]]]


@dataclass(slots=True)
class Case:
    """Files, who fetches them, and which ratios have to be reached."""

    title: str
    items: list[Item]
    rows: list[Contender]
    judge: Judge


class World:
    """Files to serve, and servers that serve them."""

    def __init__(self, folder: Path, engine: OurEngine, *, size: int) -> None:
        self.engine, self.size = engine, size
        # The source lies in memory where there is room, so that only the destination is on the disk.
        shm = Path("/dev/shm")
        self.files = (shm if shm.is_dir() else folder) / "comfystow-bench-files"
        self.out = folder / "out"
        self.certificate = folder / "server.pem"
        self._made: dict[str, str] = {}

    def __enter__(self) -> World:
        self.files.mkdir(parents=True, exist_ok=True)
        fresh(self.out)
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.files, ignore_errors=True)
        shutil.rmtree(self.out, ignore_errors=True)

    def make(self, name: str, size_bytes: int, seed: int = 0) -> None:
        """Make a file once."""
        path = self.files / name
        if name in self._made:
            return
        block = hashlib.shake_256(f"{seed}".encode()).digest(MIB)
        digest = hashlib.sha256()
        with path.open("wb") as file:
            left = size_bytes
            number = 0
            while left:
                piece = number.to_bytes(8, "little") + block[8:]
                piece = piece[: min(left, MIB)]
                file.write(piece)
                digest.update(piece)
                left -= len(piece)
                number += 1
        self._made[name] = digest.hexdigest()

    def touch_memory(self, size_bytes: int) -> None:
        """Write as much as a run will: in a virtual machine the first touch of a page is many times dearer."""
        path = self.out / "touched"
        with path.open("wb") as file:
            for _ in range(0, size_bytes, MIB):
                file.write(bytes(MIB))
        path.unlink()

    def items(self, base: str, names: list[str]) -> list[Item]:
        """Describe files at a server."""
        return [Item(f"{base}/{name}", name, (self.files / name).stat().st_size, self._made[name]) for name in names]

    @contextmanager
    def server(self, *arguments: str, namespace: str | None = None, host: str = "127.0.0.1") -> Iterator[str]:
        """Start a server; gives its base URL."""
        command = [sys.executable, str(Path(__file__).with_name("server.py")), "--root", str(self.files)]
        command += ["--host", host, *arguments]
        if namespace is not None:
            command = ["ip", "netns", "exec", namespace, *command]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            port = int(process.stdout.readline())
            yield f"{'https' if '--tls' in arguments else 'http'}://{host}:{port}"
        finally:
            process.kill()
            process.wait()

    @contextmanager
    def far_server(self, *, bits_per_second: int = 0) -> Iterator[str]:
        """Start a server at the far end of a link of 40 ms."""
        command = [sys.executable, str(Path(__file__).with_name("delay.py")), "csbench", "40", str(bits_per_second)]
        link = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            if link.stdout.readline().strip() != "ready":
                raise RuntimeError("the delayed link needs root and /dev/net/tun")
            with self.server(namespace="csbench", host=SERVER_ADDRESS) as base:
                yield base
        finally:
            link.stdin.close()
            link.wait()

    def ours(self, connections: int | None, *, verify: bool = True) -> Callable[[list[Item], Path], Run]:
        """Fetch by our engine."""
        return lambda items, folder: self.engine.fetch(items, folder, connections=connections, verify=verify)


def wall(row: Contender) -> float:
    """Return the median wall time."""
    return median(run.wall for run in row.runs)


def cpu(row: Contender) -> float:
    """Return the median CPU time."""
    return median(run.cpu for run in row.runs)


def ratio(rows: dict[str, Contender], ours: str, theirs: str, measure: Callable[[Contender], float] = wall) -> float:
    """Divide medians."""
    return measure(rows[ours]) / measure(rows[theirs])


def loopback(world: World, stack: ExitStack) -> Case:
    world.make("big.bin", world.size)
    base = stack.enter_context(world.server())
    rows = [
        Contender("ours", world.ours(8)),
        Contender("aria2c --checksum", partial(aria2, checksum=True)),
        Contender("aria2c", aria2),
        Contender("curl", curl),
        Contender("huggingface_hub", hub),
    ]
    return Case(
        "one file, loopback, 8 connections, ours verified by SHA-256",
        world.items(base, ["big.bin"]),
        rows,
        lambda by: [
            ("wall / aria2c --checksum", ratio(by, "ours", "aria2c --checksum"), 0.30),
            ("wall / aria2c", ratio(by, "ours", "aria2c"), 0.65),
            ("wall / huggingface_hub", ratio(by, "ours", "huggingface_hub"), 0.20),
            ("CPU / aria2c --checksum", ratio(by, "ours", "aria2c --checksum", cpu), 0.35),
            ("CPU / aria2c", ratio(by, "ours", "aria2c", cpu), 0.90),
        ],
    )


def _paced(connections: int, world: World, stack: ExitStack) -> Case:
    world.make("big.bin", world.size)
    rate = 20 * MIB
    base = stack.enter_context(world.server("--rate", str(rate)))
    ideal = world.size / rate / connections
    return Case(
        f"one file, {connections} connections paced at 20 MiB/s, ideal {ideal:.2f} s, ours verified",
        world.items(base, ["big.bin"]),
        [
            Contender("ours", world.ours(connections)),
            Contender("aria2c", aria2),
            Contender("aria2c --checksum", partial(aria2, checksum=True)),
        ],
        lambda by: [("wall s", wall(by["ours"]), 1.05 * ideal + 0.25)],
    )


def _delayed(bits_per_second: int, target: float, world: World, stack: ExitStack) -> Case:
    world.make("half.bin", world.size // 4)
    base = stack.enter_context(world.far_server(bits_per_second=bits_per_second))
    rows = [Contender("ours", world.ours(16)), Contender("aria2c", aria2), Contender("curl", curl)]
    return Case(
        f"a quarter of the size over 40 ms, {'1 Gbit/s' if bits_per_second else 'unlimited'}, 16 connections",
        world.items(base, ["half.bin"]),
        rows,
        lambda by: [("wall / aria2c", ratio(by, "ours", "aria2c"), target)],
    )


def tls(world: World, stack: ExitStack) -> Case:
    import trustme

    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1", "localhost")
    world.certificate.parent.mkdir(parents=True, exist_ok=True)
    with world.certificate.open("wb") as file:
        file.write(certificate.private_key_pem.bytes() + b"".join(pem.bytes() for pem in certificate.cert_chain_pems))
    root = world.certificate.with_name("root.pem")
    authority.cert_pem.write_to_path(str(root))
    world.make("big.bin", world.size)
    base = stack.enter_context(world.server("--tls", str(world.certificate)))
    os.environ["SSL_CERT_FILE"] = str(root)
    stack.callback(os.environ.pop, "SSL_CERT_FILE")
    engine = OurEngine()  # it reads the roots when it starts
    stack.callback(engine.close)
    fetch = engine.fetch
    return Case(
        "one file over TLS, loopback, 8 connections",
        world.items(base, ["big.bin"]),
        [
            Contender("ours, verified", lambda items, folder: fetch(items, folder, connections=8)),
            Contender("ours, nothing hashed", partial(fetch, connections=8, verify=False, hashing=False)),
            Contender("aria2c", partial(aria2, certificate=root)),
            Contender("curl", partial(curl, certificate=root)),
        ],
        lambda by: [
            ("wall / aria2c, both unverified", ratio(by, "ours, nothing hashed", "aria2c"), 0.65),
            ("wall / curl, both unverified", ratio(by, "ours, nothing hashed", "curl"), 0.95),
        ],
    )


def many(world: World, stack: ExitStack) -> Case:
    names = [f"many-{number}.bin" for number in range(64)]
    for number, name in enumerate(names):
        world.make(name, 32 * MIB, seed=number)
    base = stack.enter_context(world.server("--rate", str(20 * MIB)))
    return Case(
        "64 files of 32 MiB, 16 connections in all paced at 20 MiB/s, ideal 6.40 s",
        world.items(base, names),
        [
            Contender("ours", _few_connections(stack, 16)),
            Contender("aria2c -j16 -x1", partial(aria2, files=16, connections=1)),
            Contender("curl -Z", curl),
        ],
        lambda by: [("wall / aria2c -j16 -x1", ratio(by, "ours", "aria2c -j16 -x1"), 0.85)],
    )


def many_far(world: World, stack: ExitStack) -> Case:
    names = [f"small-{number}.bin" for number in range(64)]
    for number, name in enumerate(names):
        world.make(name, 8 * MIB, seed=number)
    base = stack.enter_context(world.far_server())
    return Case(
        "64 files of 8 MiB over 40 ms",
        world.items(base, names),
        [
            Contender("ours", _few_connections(stack, 16)),
            Contender("aria2c -j16 -x1", partial(aria2, files=16, connections=1)),
            Contender("aria2c -j5 -x16", partial(aria2, files=5, connections=16)),
            Contender("curl -Z", curl),
        ],
        lambda by: [
            (
                "wall / the best aria2c",
                wall(by["ours"]) / min(wall(by["aria2c -j16 -x1"]), wall(by["aria2c -j5 -x16"])),
                1.0,
            )
        ],
    )


def _few_connections(stack: ExitStack, total: int) -> Callable[[list[Item], Path], Run]:
    """An engine with as many connections in all as its rivals have."""
    os.environ["BENCH_CONNECTIONS_TOTAL"] = str(total)
    engine = OurEngine()
    os.environ.pop("BENCH_CONNECTIONS_TOTAL")
    stack.callback(engine.close)
    return lambda items, folder: engine.fetch(items, folder, connections=None)


CASES: dict[str, Callable[[World, ExitStack], Case]] = {
    "loopback": loopback,
    "paced-16": partial(_paced, 16),
    "paced-32": partial(_paced, 32),
    "far": partial(_delayed, 0, 0.80),
    "far-gbit": partial(_delayed, 1_000_000_000, 1.10),
    "tls": tls,
    "many": many,
    "many-far": many_far,
}
