"""Connections of this machine (`/proc/net/tcp`, `/proc/net/tcp6`: proc(5)), and the SSH sessions on it."""

from __future__ import annotations

import asyncio
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from ...records.idle import Signal
from ...records.pod import ServiceState
from .reader import Surroundings, active, counted, idle, unknown

_ESTABLISHED = "01"
_TABLES = ("net/tcp", "net/tcp6")
#: What sshd calls its children once somebody is logged in: `sshd: root@pts/0`, since OpenSSH 9.8 `sshd-session: …`.
_SESSION_TITLES = ("sshd: ", "sshd-session: ")
_SERVER_NAMES = frozenset({"sshd", "sshd-session"})


@dataclass(frozen=True, slots=True)
class Connection:
    """An established connection to a port of ours; `peer` is address and port as the kernel writes them."""

    port: int
    peer: str
    local: bool


def connections(proc: Path) -> list[Connection] | None:
    """List the established connections; None where the kernel has no such table."""
    found, readable = [], False
    for table in _TABLES:
        try:
            lines = (proc / table).read_text("ascii", "replace").splitlines()[1:]
        except OSError:
            continue
        readable = True
        for line in lines:
            words = line.split()
            if len(words) > 3 and words[3] == _ESTABLISHED:
                own, peer = words[1], words[2]
                found.append(Connection(int(own.rpartition(":")[2], 16), peer, _is_loopback(peer)))
    return found if readable else None


def _is_loopback(peer: str) -> bool:
    """Read an address of the table: words of 32 bits, each in the order of a little-endian host."""
    digits = peer.partition(":")[0]
    raw = b"".join(bytes.fromhex(digits[at : at + 8])[::-1] for at in range(0, len(digits), 8))
    address = ipaddress.ip_address(raw)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


class Lasting:
    """Connections that count: from elsewhere at once; from this machine, where probes come from, if they last."""

    def __init__(self) -> None:
        self._before: set[Connection] = set()

    def among(self, found: list[Connection], ports: frozenset[int]) -> int:
        """Count those to some ports, and remember them for the next look."""
        now = {connection for connection in found if connection.port in ports}
        counting = {connection for connection in now if not connection.local or connection in self._before}
        self._before = now
        return len(counting)


class Transfers:
    """Transfers of the file service, and connections to ports that the owner named."""

    name = "transfers"

    def __init__(self, surroundings: Surroundings, ports: frozenset[int], service: str = "files") -> None:
        self._surroundings = surroundings
        self._ports = ports
        self._service = service
        self._lasting = Lasting()

    async def read(self) -> Signal | None:
        """Look at the connections to the ports."""
        ports = self._ports | {
            status.port
            for status in self._surroundings.services()
            if status.name == self._service and status.port is not None and status.state is not ServiceState.OFF
        }
        if not ports:
            return None
        found = connections(self._surroundings.proc)
        if found is None:
            return unknown(self.name, "connections cannot be read here")
        number = self._lasting.among(found, frozenset(ports))
        if number:
            return active(self.name, f"{counted(number, 'connection is', 'connections are')} open")
        return idle(self.name, "no connection is open")

    async def close(self) -> None:
        """Hold nothing."""


class Ssh:
    """Sessions of people who logged in.

    A port that the world can reach is knocked at all day, so connections alone count only where sshd's processes, whose
    titles tell who is logged in, are hidden from us.
    """

    name = "ssh"

    def __init__(self, surroundings: Surroundings, port: int) -> None:
        self._surroundings = surroundings
        self._port = frozenset({port})
        self._lasting = Lasting()

    async def read(self) -> Signal | None:
        """Look at sshd's processes, else at its connections."""
        servers, sessions = await asyncio.to_thread(_ssh_processes, self._surroundings.proc)
        if sessions:
            return active(self.name, f"{counted(sessions, 'session', 'sessions')} open")
        if servers:
            return idle(self.name, "nobody is logged in")
        found = connections(self._surroundings.proc)
        if found is None:
            linux = self._surroundings.proc.is_dir()
            return unknown(self.name, "connections cannot be read here") if linux else None
        number = self._lasting.among(found, self._port)
        return active(self.name, f"{counted(number, 'connection', 'connections')} open") if number else None

    async def close(self) -> None:
        """Hold nothing."""


def _ssh_processes(proc: Path) -> tuple[int, int]:
    """Count sshd's processes that can be seen, and those of them that belong to somebody who is logged in."""
    servers = sessions = 0
    try:
        entries = [entry for entry in proc.iterdir() if entry.name.isdigit()]
    except OSError:
        return 0, 0
    for entry in entries:
        try:
            if (entry / "comm").read_text("utf-8", "replace").strip() not in _SERVER_NAMES:
                continue
            title = (entry / "cmdline").read_bytes().partition(b"\0")[0].decode("utf-8", "replace")
        except OSError:  # it ended meanwhile
            continue
        servers += 1
        sessions += title.startswith(_SESSION_TITLES) and "@" in title
    return servers, sessions
