"""Real signs of life on this machine: a Jupyter kernel at work, an SSH session, a prompt, a download."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .ask import ask
from .comfyui import free_port
from .engines import wait_for

#: A pack of one node that takes as long as it is told.
_SLOW_PACK = """
import time


class SlowNode:
    CATEGORY, RETURN_TYPES, FUNCTION, OUTPUT_NODE = "test", (), "work", True

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"seconds": ("FLOAT", {"default": 1.0, "max": 600.0})}}

    @classmethod
    def IS_CHANGED(cls, **_):
        return time.time()

    def work(self, seconds):
        time.sleep(seconds)
        return {}


NODE_CLASS_MAPPINGS = {"SlowNode": SlowNode}
"""


def write_slow_pack(custom_nodes: Path) -> None:
    """Put the pack into ComfyUI."""
    folder = custom_nodes / "slow_pack"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "__init__.py").write_text(_SLOW_PACK, encoding="utf-8")


def slow_prompt(seconds: float) -> dict[str, object]:
    """Make a prompt that takes some seconds."""
    return {"1": {"class_type": "SlowNode", "inputs": {"seconds": seconds}}}


@contextmanager
def jupyter(folder: Path) -> Iterator[tuple[str, str]]:
    """Run a real Jupyter server as a user starts it; its address and its token."""
    port, token = free_port(), secrets.token_hex(8)
    home = folder / "home"
    home.mkdir(parents=True)
    log = (folder / "jupyter.log").open("wb")
    process = subprocess.Popen(
        [sys.executable, "-m", "jupyter_server", "--no-browser", f"--ServerApp.port={port}", "--allow-root",
         f"--ServerApp.root_dir={home}", "--ServerApp.ip=127.0.0.1", "--ServerApp.port_retries=0"],
        env={**os.environ, "JUPYTER_TOKEN": token, "JUPYTER_RUNTIME_DIR": str(folder / "runtime"), "HOME": str(home)},
        stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(lambda: list((folder / "runtime").glob("jpserver-*.json")) and _status(url, token) == 200, 60)
        yield url, token
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        log.close()


def _status(url: str, token: str) -> int | None:
    try:
        return ask("GET", f"{url}/api/status", headers={"Authorization": f"token {token}"}, timeout_seconds=2).status
    except OSError:
        return None


class Kernel:
    """One kernel of a server, driven over its own protocol."""

    def __init__(self, url: str, token: str) -> None:
        self._url, self._headers = url, {"Authorization": f"token {token}"}
        self.id = ask(
            "POST", f"{url}/api/kernels", {"name": "python3"}, headers=self._headers, timeout_seconds=30
        ).json()["id"]

    def state(self) -> str:
        """Give `busy`, `idle` or `starting`."""
        reply = ask("GET", f"{self._url}/api/kernels/{self.id}?no_track_activity=1", headers=self._headers)
        return str(reply.json()["execution_state"])

    def run(self, code: str) -> None:
        """Send code and leave; what it prints is lost, as when a notebook is closed."""
        import asyncio

        asyncio.run(self._send(code))

    async def _send(self, code: str) -> None:
        import aiohttp

        own = uuid.uuid4().hex
        message = {
            "header": {"msg_id": own, "username": "t", "session": uuid.uuid4().hex, "version": "5.3",
                       "msg_type": "execute_request", "date": "2026-01-01T00:00:00Z"},
            "parent_header": {}, "metadata": {}, "channel": "shell",
            "content": {"code": code, "silent": False, "store_history": False, "user_expressions": {}, "allow_stdin": False},
        }  # fmt: skip
        address = f"{self._url.replace('http', 'ws', 1)}/api/kernels/{self.id}/channels"
        async with aiohttp.ClientSession() as session, session.ws_connect(address, headers=self._headers) as socket:
            await socket.send_str(json.dumps(message))
            async for reply in socket:
                told = json.loads(reply.data)
                mine = told["parent_header"].get("msg_id") == own  # the server asks kernels something too
                if mine and told["msg_type"] == "status" and told["content"]["execution_state"] == "busy":
                    return


@contextmanager
def ssh_server(folder: Path) -> Iterator[tuple[int, list[str]]]:
    """Run a real sshd on loopback with keys of its own; its port, and the words that log in."""
    sshd = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    assert sshd is not None, "sshd is not installed"
    folder.mkdir(mode=0o700)
    port = free_port()
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
    keys = folder / "authorized_keys"
    shutil.copy(folder / "user.pub", keys)
    keys.chmod(0o600)
    Path("/run/sshd").mkdir(
        exist_ok=True
    )  # where sshd locks itself up before a login (sshd(8)); Debian makes it at boot
    options = {
        "Port": port, "ListenAddress": "127.0.0.1", "HostKey": folder / "host", "AuthorizedKeysFile": keys,
        "StrictModes": "no", "UsePAM": "no", "PidFile": folder / "pid", "PermitRootLogin": "yes",
    }  # fmt: skip
    words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([sshd, "-D", "-e", "-f", "/dev/null", *words], stdin=subprocess.DEVNULL, stderr=log)
    login = ["ssh", "-p", str(port), "-i", str(folder / "user"), "-o", "StrictHostKeyChecking=no", "-o", "BatchMode=yes",
             "-o", f"UserKnownHostsFile={folder / 'known'}", "-F", "/dev/null", "127.0.0.1"]  # fmt: skip
    try:
        wait_for(lambda: subprocess.run([*login, "true"], capture_output=True, check=False).returncode == 0, 20)
        yield port, login
    finally:
        process.terminate()
        process.wait(10)


def work_by_ssh(login: list[str], seconds: float) -> None:
    """Be logged in for some seconds."""
    subprocess.run([*login, f"sleep {seconds}"], check=True, capture_output=True, timeout=seconds + 30)


def busy_kernel(kernel: Kernel, seconds: float) -> None:
    """Let a kernel work for some seconds, and wait until it has done so."""
    kernel.run(f"import time; time.sleep({seconds})")
    assert kernel.state() == "busy"
    time.sleep(seconds)
    wait_for(lambda: kernel.state() == "idle", 30)
