"""Checks of ComfyUI's arguments, tokens, ports and passwords."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...config import load_settings, session_environment
from ...engine.installation import interpreter_of
from ...engine.sync_client import SyncEngineClient
from ...errors import AuthRequiredError, StowError
from ...records.pod import Finding
from ..services.probe import HttpProbe, failure_of
from ..start.comfyui import HelpQuestion, keep_known, split_arguments, without_effect
from .examined import Examined, bad, ok, unknown, warn

_PROVIDERS = ("huggingface", "civitai")
_TOKENS = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "CIVITAI_TOKEN", "CIVITAI_API_KEY", "CIVITAI_API_TOKEN")
_LOOK_SECONDS = 5.0
_LISTENS = "0A"
#: Words of the address are in the machine's own order: 127.0.0.1 is 0100007F; then ::1, and ::ffff:127.0.0.1.
_LOOPBACK = re.compile(r"[0-9A-F]{6}7F|0{24}01000000|0{16}FFFF0000[0-9A-F]{6}7F")


def arguments(examined: Examined) -> Iterator[Finding]:
    """ComfyUI's arguments against what the installed version takes: it dies of one that it does not know."""
    comfyui = examined.installation.comfyui
    if comfyui is None:
        yield unknown("comfyui", "there is no ComfyUI here")
        return
    known = HelpQuestion(interpreter_of(comfyui), comfyui, examined.environment).answer()
    if known is None:
        yield bad("comfyui", "`main.py --help` fails", "run it by hand: a requirement of ComfyUI is missing")
        return
    words = split_arguments(examined.settings.comfyui_arguments)
    _, dropped = keep_known(words, known)
    for item in dropped:
        yield warn("arguments", item.why, "take it out of COMFYSTOW_COMFYUI_ARGUMENTS; `pod up` leaves it out")
    for item in without_effect(words, known):
        yield warn("arguments", f"{item.flag}: {item.why}", "take it out of COMFYSTOW_COMFYUI_ARGUMENTS")
    if not dropped:
        yield ok("arguments", f"ComfyUI takes {' '.join(words)}" if words else "ComfyUI gets no arguments of yours")


def tokens(examined: Examined) -> Iterator[Finding]:
    """Whether the tokens that are set are right, asked of their providers through the engine."""
    state_dir = examined.installation.state_dir
    if not (state_dir / "credentials.json").exists() and not any(examined.environment.get(name) for name in _TOKENS):
        yield ok("tokens", "none is set", "gated models need one: `comfystow auth set huggingface`")
        return
    settings = load_settings(examined.environment, state_dir / "settings.json")
    with SyncEngineClient(state_dir, settings) as client:
        client.introduce(
            lambda: {"server_id": f"doctor-{os.getpid()}", "environment": session_environment(examined.environment)}
        )
        for provider in _PROVIDERS:
            yield from _token(client, provider)


def _token(client: SyncEngineClient, provider: str) -> Iterator[Finding]:
    try:
        if not client.call("GET", f"/credentials/{provider}")["is_set"]:
            return
        who: dict[str, Any] = client.call("POST", f"/credentials/{provider}/test", {})
    except AuthRequiredError as err:
        yield bad("tokens", f"{provider}: {err.message}", err.hint or f"`comfystow auth set {provider}`")
    except StowError as err:
        yield unknown("tokens", f"{provider} could not be asked: {err.message}", err.hint)
    else:
        yield ok("tokens", f"{provider} knows the token as {who.get('user') or 'valid'}")


def ports(examined: Examined) -> Iterator[Finding]:
    """Ports that somebody else has, where no pod runs yet; how the services are, where one does."""
    settings = examined.settings
    if examined.pod is not None:
        for row in examined.pod["services"]:
            if row["state"] in {"unhealthy", "backoff", "crash_loop"}:
                what = f"{row['title']} is {row['state'].replace('_', ' ')}: {row['reason']}"
                yield bad("services", what, "look at its log; `comfystow pod health` shows all")
            elif row["state"] == "ready":
                yield ok("services", f"{row['title']} is ready on port {row['port']}")
        return
    wanted = {"comfyui": settings.comfyui_port, "jupyter": settings.jupyter_port, "files": settings.files_port}
    for name, port in wanted.items():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((settings.listen, port))
            except OSError as err:
                what = f"port {port} of {name} cannot be had: {err.strerror}"
                yield warn("ports", what, f"end what listens there, or set COMFYSTOW_{name.upper()}_PORT")


def listening_elsewhere(proc: Path = Path("/proc")) -> frozenset[int] | None:
    """Return the ports that listen on more than loopback (proc_net_tcp(5)); None where the system does not tell."""
    found: set[int] = set()
    for name in ("tcp", "tcp6"):
        try:
            lines = (proc / "net" / name).read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            if name == "tcp":
                return None
            continue
        for fields in map(str.split, lines):
            address, _, port = fields[1].partition(":")
            if fields[3] == _LISTENS and not _LOOPBACK.fullmatch(address):
                found.add(int(port, 16))
    return frozenset(found)


def passwords(examined: Examined) -> Iterator[Finding]:
    """Services that answer anybody: asked as somebody from elsewhere asks, without a password."""
    settings = examined.settings
    elsewhere = {"Host": "pod.invalid", "X-Forwarded-For": "192.0.2.1"}
    asked = {
        "ComfyUI": HttpProbe(port=settings.comfyui_port, path="/prompt", key="exec_info", headers=elsewhere),
        "JupyterLab": HttpProbe(port=settings.jupyter_port, path="/api/status", key="kernels"),
        "The file service": HttpProbe(port=settings.files_port, path="/?ls", key="perms", holds="read"),
    }
    seen = listening_elsewhere()
    if seen is None:
        yield unknown("passwords", "which ports are open to others cannot be seen on this system")
        return
    asked = {title: probe for title, probe in asked.items() if probe.port in seen}
    open_ones = [title for title, probe in asked.items() if failure_of(probe, _LOOK_SECONDS) is None]
    for title in open_ones:
        yield bad("passwords", f"{title} answers anybody without a password", _HOW.get(title, "give it a password"))
    if not open_ones:
        yield ok("passwords", "no service here answers without one")


_HOW = {
    "ComfyUI": "set COMFYSTOW_COMFYUI_PASSWORD=1 (`pod up` does) and see that our extension loads; "
    "behind your own proxy with a password this is well",
    "JupyterLab": "set JUPYTER_TOKEN",
}
