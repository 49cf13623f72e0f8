"""A link with latency: two TUN devices and a process that holds every packet for a while (kernels without netem).

Runs as a script, as root: `python delay.py NAMESPACE MILLISECONDS [BITS_PER_SECOND]`. It makes the namespace with the
address 10.231.0.2, reachable from here as from far away, and ends with its standard input.
"""

from __future__ import annotations

import collections
import contextlib
import fcntl
import os
import select
import struct
import subprocess
import sys
import time

SERVER_ADDRESS = "10.231.0.2"
_TUNSETIFF = 0x400454CA  # linux/if_tun.h
_IFF_TUN_NO_PI = 0x1001
_MTU = 9000
_QUEUE_BYTES = 16 << 20


def _tun(name: str) -> int:
    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(descriptor, _TUNSETIFF, struct.pack("16sH", name.encode(), _IFF_TUN_NO_PI))
    return descriptor


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


class _Way:
    """One direction: packets wait in order until their time."""

    def __init__(self, source: int, sink: int, delay: float, rate: float | None) -> None:
        self.source, self.sink, self.delay, self.rate = source, sink, delay, rate
        self.waiting: collections.deque[tuple[float, bytes]] = collections.deque()
        self.bytes = 0
        self.free_at = 0.0

    def pull(self, now: float) -> None:
        for _ in range(64):
            try:
                packet = os.read(self.source, 65536)
            except BlockingIOError:
                return
            if self.bytes + len(packet) > _QUEUE_BYTES:
                continue  # the router's queue is full: the packet is lost
            leaves = now
            if self.rate:
                leaves = self.free_at = max(now, self.free_at) + len(packet) * 8 / self.rate
            self.waiting.append((leaves + self.delay, packet))
            self.bytes += len(packet)

    def push(self, now: float) -> None:
        while self.waiting and self.waiting[0][0] <= now:
            packet = self.waiting.popleft()[1]
            self.bytes -= len(packet)
            with contextlib.suppress(OSError):
                os.write(self.sink, packet)


def main() -> None:
    namespace, milliseconds = sys.argv[1], float(sys.argv[2])
    rate = float(sys.argv[3]) if len(sys.argv) > 3 and float(sys.argv[3]) else None
    near, far = _tun("csnear"), _tun("csfar")
    _ip("netns", "add", namespace)
    try:
        _ip("link", "set", "csfar", "netns", namespace)
        _ip("addr", "add", "10.231.0.1/30", "dev", "csnear")
        _ip("link", "set", "csnear", "up", "mtu", str(_MTU))
        for words in (
            ("addr", "add", f"{SERVER_ADDRESS}/30", "dev", "csfar"),
            ("link", "set", "csfar", "up", "mtu", str(_MTU)),
            ("link", "set", "lo", "up"),
        ):
            _ip("-n", namespace, *words)
        print("ready", flush=True)
        ways = [_Way(near, far, milliseconds / 2000, rate), _Way(far, near, milliseconds / 2000, rate)]
        poller = select.poll()
        for descriptor in (near, far, sys.stdin.fileno()):
            poller.register(descriptor, select.POLLIN)
        while True:
            next_at = min((way.waiting[0][0] for way in ways if way.waiting), default=None)
            wait = None if next_at is None else max(0, (next_at - time.monotonic()) * 1000)
            for descriptor, _ in poller.poll(wait):
                if descriptor == sys.stdin.fileno():
                    return
                (ways[0] if descriptor == near else ways[1]).pull(time.monotonic())
            now = time.monotonic()
            for way in ways:
                way.push(now)
    finally:
        _ip("netns", "del", namespace)


if __name__ == "__main__":
    main()
