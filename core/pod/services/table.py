"""The one table of the pod's services: what starts each, how it is asked whether it works, and its password."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from ...config import POD_SECRETS, Settings
from .probe import HttpProbe, TcpProbe
from .processes import MARK
from .provider import Provider
from .service import Missing, Service
from .ssh import ssh_server

FILES_ACCOUNT = "comfystow"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What the rows stand on.

    `home` is the folder that files and notebooks show: the volume, or ComfyUI's folders of work. `folder` is
    machine-local and ours alone. `environment` is our own; `comfyui_environment` what tuning adds for ComfyUI.
    """

    settings: Settings
    provider: Provider
    comfyui: Path
    python: str
    comfyui_words: tuple[str, ...]
    comfyui_environment: Mapping[str, str]
    home: Path
    private: Path
    folder: Path
    mark: str
    passwords: Mapping[str, str] = field(repr=False)
    environment: Mapping[str, str] = field(repr=False)
    waits_for_models: bool = False
    write: bool = True
    """False for a dry run: no key is made."""


def table(ground: Ground, more: tuple[Service | Missing, ...] = ()) -> tuple[Service | Missing, ...]:
    """Return every row, in the order in which they end last to first."""
    wanted = ground.settings.services
    rows = []
    for name, (title, row) in _ROWS.items():
        rows.append(
            row(ground) if name in wanted else Missing(name=name, title=title, reason="it is not in `services`")
        )
    return (*rows, *more)


def base_environment(ground: Ground) -> dict[str, str]:
    """Return what every service may know of our environment."""
    kept = {name: text for name, text in ground.environment.items() if name not in POD_SECRETS}
    kept.setdefault("HOME", str(ground.folder))
    kept.setdefault("PATH", os.defpath)
    return {**kept, MARK: ground.mark, "PYTHONUNBUFFERED": "1"}


def url_of(ground: Ground, port: int) -> str:
    """Return how a browser reaches a port: through the provider, else on this machine."""
    return ground.provider.url(port) or f"http://127.0.0.1:{port}"


def _here(ground: Ground) -> str:
    """Return where on this machine a service answers."""
    listen = ground.settings.listen
    return "127.0.0.1" if listen in {"0.0.0.0", "::", ""} else listen  # noqa: S104 - compared, not bound


def _comfyui(ground: Ground) -> Service | Missing:
    port = ground.settings.comfyui_port
    origin = ground.provider.origin(port)
    environment = {**base_environment(ground), **ground.comfyui_environment}
    if origin is not None:
        environment["COMFYSTOW_PROXY_ORIGIN"] = origin
    environment["COMFYSTOW_COMFYUI_PASSWORD"] = "1" if ground.settings.comfyui_password else "0"
    return Service(
        name="comfyui",
        title="ComfyUI",
        words=(ground.python, "main.py", *ground.comfyui_words),
        environment=environment,
        directory=ground.comfyui,
        # Small whatever the queue holds; /queue answers with every waiting prompt.
        probe=HttpProbe(host=_here(ground), port=port, path="/prompt", key="exec_info"),
        port=port,
        url=url_of(ground, port),
        # As a request from elsewhere looks: through a proxy, under another name.
        unlocked=HttpProbe(
            host=_here(ground),
            port=port,
            path="/prompt",
            key="exec_info",
            headers={"Host": "pod.invalid", "X-Forwarded-For": "192.0.2.1"},
        ),
        waits_for_models=ground.waits_for_models,
    )


def _jupyter(ground: Ground) -> Service | Missing:
    name, title = "jupyter", "JupyterLab"
    if find_spec("jupyterlab") is None:
        return Missing(name=name, title=title, reason="jupyterlab is not installed (pip install jupyterlab)")
    port, token = ground.settings.jupyter_port, ground.passwords[name]
    words = [sys.executable, "-m", "jupyterlab", "--no-browser", f"--ServerApp.ip={ground.settings.listen}"]
    words += [f"--ServerApp.port={port}", "--ServerApp.port_retries=0", f"--ServerApp.root_dir={ground.home}"]
    words += ["--LabApp.news_url=", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    if (origin := ground.provider.origin(port)) is not None:
        words += [f"--ServerApp.allow_origin={origin}", "--ServerApp.trust_xheaders=True"]
    if hasattr(os, "getuid") and os.getuid() == 0:
        words.append("--allow-root")
    runtime = ground.folder / "jupyter"
    return Service(
        name=name,
        title=title,
        words=tuple(words),
        environment={
            **base_environment(ground),
            "JUPYTER_TOKEN": token,
            "JUPYTER_RUNTIME_DIR": str(runtime),  # its files hold the token, and belong to no volume
            "SHELL": ground.environment.get("SHELL") or shutil.which("bash") or "/bin/sh",
        },
        directory=ground.home,
        probe=HttpProbe(
            host=_here(ground),
            port=port,
            path="/api/status",
            key="kernels",
            headers={"Authorization": f"token {token}"},
        ),
        port=port,
        url=url_of(ground, port),
        unlocked=HttpProbe(host=_here(ground), port=port, path="/api/status", key="kernels"),
    )


def _files(ground: Ground) -> Service | Missing:
    name, title = "files", "Files (copyparty)"
    if find_spec("copyparty") is None:
        return Missing(name=name, title=title, reason="copyparty is not installed (pip install copyparty)")
    port, password = ground.settings.files_port, ground.passwords[name]
    if "\n" in password or password != password.strip():
        return Missing(name=name, title=title, reason="its password holds a line end, or a space at its end")
    folder = ground.folder / "copyparty"
    configuration = folder / "copyparty.conf"
    return Service(
        name=name,
        title=title,
        words=(sys.executable, "-m", "copyparty", "-c", str(configuration)),
        environment={**base_environment(ground), "XDG_CONFIG_HOME": str(folder)},
        directory=folder,
        files={configuration: copyparty_configuration(ground, folder)},
        # Anybody gets 200 and an empty list: only the rights in the answer tell that the password works.
        probe=HttpProbe(
            host=_here(ground), port=port, path="/?ls", key="perms", holds="read", headers={"PW": password}
        ),
        port=port,
        url=url_of(ground, port),
        unlocked=HttpProbe(host=_here(ground), port=port, path="/?ls", key="perms", holds="read"),
    )


def copyparty_configuration(ground: Ground, folder: Path) -> str:
    """Return copyparty's file of settings: one account, the whole home for it, our own state for nobody."""
    lines = ["[global]", f"  i: {ground.settings.listen}", f"  p: {ground.settings.files_port}"]
    lines += ["  no-crt", "  no-robots", f"  hist: {folder / 'hist'}", f"  ses-db: {folder / 'sessions.db'}"]
    if ground.provider.origin(ground.settings.files_port) is not None:
        # Everybody comes from the proxy's address: a ban for wrong passwords would shut all of them out.
        lines += ["  rproxy: 1", "  xff-src: lan", "  ban-pw: no"]
    lines += ["", "[accounts]", f"  {FILES_ACCOUNT}: {ground.passwords['files']}", ""]
    lines += ["[/]", f"  {ground.home}", "  accs:", f"    A: {FILES_ACCOUNT}", ""]
    if ground.private.is_relative_to(ground.home):
        # A volume of its own without rights hides what lies there: tokens and passwords.
        lines += [f"[/{ground.private.relative_to(ground.home).as_posix()}]", f"  {ground.private}", ""]
    return "\n".join(lines)


def _ssh(ground: Ground) -> Service | Missing:
    name, title = "ssh", "SSH"
    keys = [ground.environment.get(variable, "") for variable in ("PUBLIC_KEY", "SSH_PUBLIC_KEY")]
    if not any(key.strip() for key in keys):
        return Missing(name=name, title=title, reason="no key was given (PUBLIC_KEY)")
    port = ground.settings.ssh_port
    server = ssh_server(
        keys, port, ground.settings.listen, ground.folder / "ssh", ground.private if ground.write else None
    )
    if isinstance(server, str):
        return Missing(name=name, title=title, reason=server)
    words, files = server
    return Service(
        name=name,
        title=title,
        words=words,
        environment=base_environment(ground),
        directory=ground.folder,
        files=files,
        probe=TcpProbe(host=_here(ground), port=port, banner="SSH-"),
        port=port,
    )


_ROWS: dict[str, tuple[str, Callable[[Ground], Service | Missing]]] = {
    "comfyui": ("ComfyUI", _comfyui),
    "jupyter": ("JupyterLab", _jupyter),
    "files": ("Files (copyparty)", _files),
    "ssh": ("SSH", _ssh),
}
