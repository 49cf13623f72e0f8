"""A real ComfyUI server in a process of its own, with a base directory of its own: nothing touches the installed tree."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .ask import Reply, ask
from .leftovers import MARK, end_marked
from .setup.environments import link_folder
from .setup.workshop import CHECKOUT, ComfyInstall

START_SECONDS = 120.0
_STOP_SECONDS = 10.0
_IMPORT_TIME = re.compile(r"^\s*([0-9.]+) seconds( \(IMPORT FAILED\))?: (.+)$", re.MULTILINE)
#: Not part of the package; a copied tree goes without them.
_NOT_COPIED = shutil.ignore_patterns(".git", "tests", "bench", "docker", "node_modules", "__pycache__", ".*_cache")
_SEEN_BEFORE = {"Comfy.TutorialCompleted": True, "Comfy.Workflow.ShowMissingNodesWarning": True}


class ComfyError(RuntimeError):
    """The server did not start; the text ends with its log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportTime:
    """What ComfyUI prints of one pack."""

    seconds: float
    failed: bool


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class ComfyServer:
    """One ComfyUI: start, ask, kill, start again.

    `base` is its base directory (models, custom_nodes, user, input, output, temp). `pack` is put into `custom_nodes`
    as `pack_name`, by a link or, with `copy`, as a copy; None leaves custom_nodes as the caller filled it.
    `frontend` is a folder of pages. `env` is added to the environment; tokens and endpoints of the caller's own
    environment are taken out of it.
    """

    def __init__(
        self,
        install: ComfyInstall,
        base: Path,
        *,
        pack: Path | None = CHECKOUT,
        pack_name: str = "comfystow",
        copy: bool = False,
        frontend: Path | None = None,
        env: Mapping[str, str] | None = None,
        port: int = 0,
        listen: str = "127.0.0.1",
        arguments: Sequence[str] = (),
        python: Path | None = None,
    ) -> None:
        self.install, self.base, self.listen = install, base, listen
        self.port = port or free_port()
        self.log_file = base / "comfyui.log"
        self._python = python or install.python
        self._frontend, self._arguments, self._pack = frontend, list(arguments), pack
        self._mark = uuid.uuid4().hex
        # Short and machine-local: the path of a unix socket has about 107 bytes.
        self._run_dir = Path(tempfile.mkdtemp(prefix="stow-"))
        self.env = self._environment(env or {})
        self._process: subprocess.Popen[bytes] | None = None
        self._lay_out(pack, pack_name, copy)

    # Folders

    @property
    def models(self) -> Path:
        """Give the folder of the models."""
        return self.base / "models"

    @property
    def custom_nodes(self) -> Path:
        """Give the folder of the packs."""
        return self.base / "custom_nodes"

    @property
    def state_dir(self) -> Path:
        """Give the state folder that the extension uses."""
        return self.base / "user" / "__comfystow"

    @property
    def url(self) -> str:
        """Give the address for a browser on this machine."""
        return f"http://127.0.0.1:{self.port}"

    def _lay_out(self, pack: Path | None, pack_name: str, copy: bool) -> None:
        for name in ("custom_nodes", "user", "input", "output", "temp"):
            (self.base / name).mkdir(parents=True, exist_ok=True)
        settings = self.base / "user" / "default" / "comfy.settings.json"
        if not settings.exists():  # the first visit's windows stand in every test's way
            settings.parent.mkdir(parents=True)
            settings.write_text(json.dumps(_SEEN_BEFORE), encoding="utf-8")
        for folder in (self.install.root / "models").iterdir():
            if folder.is_dir():
                (self.models / folder.name).mkdir(parents=True, exist_ok=True)
        if pack is None:
            return
        if copy:
            shutil.copytree(pack, self.custom_nodes / pack_name, ignore=_NOT_COPIED)
        elif not (self.custom_nodes / pack_name).exists():
            link_folder(pack, self.custom_nodes / pack_name)

    # Process

    def _environment(self, extra: Mapping[str, str]) -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.upper().startswith(("COMFYSTOW_", "HF_", "HUGGING", "CIVITAI_", "PYTEST_"))
            and not name.upper().endswith("_PROXY")
        }
        return {**kept, MARK: self._mark, "COMFYSTOW_RUN_DIR": str(self._run_dir), "DO_NOT_TRACK": "1", **extra}

    def _command(self) -> list[str]:
        command = [str(self._python), "-u", str(self.install.root / "main.py"), "--cpu", "--disable-auto-launch"]
        command += ["--disable-api-nodes", "--base-directory", str(self.base)]
        command += ["--database-url", f"sqlite:///{self.base / 'user' / 'comfyui.db'}"]
        command += ["--listen", self.listen, "--port", str(self.port)]
        if self._frontend is not None:
            command += ["--front-end-root", str(self._frontend)]
        return command + self._arguments

    @property
    def pid(self) -> int | None:
        """Give the process id while it runs."""
        alive = self._process is not None and self._process.poll() is None
        return self._process.pid if self._process is not None and alive else None

    def start(self, timeout_seconds: float = START_SECONDS) -> ComfyServer:
        """Start the server and wait until it answers; on the same port as before."""
        self.launch()
        self._wait(timeout_seconds)
        return self

    def launch(self) -> None:
        """Start the server, without waiting for anything."""
        if self.pid is not None:
            raise ComfyError("it runs already")
        with self.log_file.open("ab") as sink:
            self._process = subprocess.Popen(
                self._command(),
                cwd=self.base,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _wait(self, timeout_seconds: float) -> None:
        deadline = time.monotonic() + timeout_seconds
        while time.monotonic() < deadline:
            if self.pid is None:
                break
            with contextlib.suppress(OSError):
                if self.request("GET", "/queue", timeout_seconds=2).status == 200:
                    return
            time.sleep(0.1)
        state = f"no answer within {timeout_seconds:.0f} s" if self.pid is not None else "it ended"
        tail = self.log_tail()
        self.stop()
        raise ComfyError(f"ComfyUI did not start: {state}\n{tail}")

    def kill9(self) -> None:
        """Kill the server at once; what it started in sessions of their own lives on."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End the server and everything that it started."""
        self._end(signal.SIGTERM)
        if not Path("/proc").is_dir() and self._pack is not None:  # no marks to be found: ask the engine itself
            words = [self._python, self._pack, "engine", "stop", "--state-dir", self.state_dir]
            subprocess.run([str(word) for word in words], env=self.env, capture_output=True, check=False)
        end_marked(self._mark)
        shutil.rmtree(self._run_dir, ignore_errors=True)
        self._run_dir.mkdir(mode=0o700, exist_ok=True)

    def close(self) -> None:
        """Stop for good."""
        self.stop()
        shutil.rmtree(self._run_dir, ignore_errors=True)

    def wait(self) -> int:
        """Wait until the server ends by itself; give its exit code."""
        if self._process is None:
            raise ComfyError("it does not run")
        return self._process.wait()

    def restart(self) -> ComfyServer:
        """End the server alone, as a user does, and start it again on the same port."""
        self._end(signal.SIGTERM)
        return self.start()

    def _end(self, number: int) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(number)
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
        process.wait(_STOP_SECONDS)

    def __enter__(self) -> ComfyServer:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    # What it says

    @property
    def log(self) -> str:
        """Give all that it has printed."""
        return self.log_file.read_text(encoding="utf-8", errors="replace") if self.log_file.exists() else ""

    def log_tail(self, lines: int = 40) -> str:
        """Give the last lines that it has printed."""
        return "\n".join(self.log.splitlines()[-lines:])

    def import_times(self) -> dict[str, ImportTime]:
        """Read the import time of each pack, as ComfyUI prints it, by folder name; the last start counts."""
        return {
            Path(folder).name: ImportTime(seconds=float(seconds), failed=bool(failed))
            for seconds, failed, folder in _IMPORT_TIME.findall(self.log)
        }

    def request(self, method: str, path: str, body: object = None, *, host: str = "127.0.0.1", **options: Any) -> Reply:
        """Ask the server, on another address with `host`; see `ask`."""
        return ask(method, f"http://{host}:{self.port}{path}", body, **options)

    def stow(self, method: str, path: str, body: object = None, **options: Any) -> Reply:
        """Ask a route of ours (`/downloads`), with the header that it wants."""
        headers = {"X-ComfyStow": "1", **options.pop("headers", {})}
        return self.request(method, f"/comfystow/v1{path}", body, headers=headers, **options)

    def run_prompt(self, prompt: Mapping[str, object], timeout_seconds: float = 60) -> dict[str, Any]:
        """Queue a prompt in API format and wait for its entry in the history."""
        reply = self.request("POST", "/prompt", {"prompt": prompt})
        if reply.status != 200:
            raise ComfyError(f"ComfyUI refused the prompt: {reply.body.decode(errors='replace')}")
        prompt_id = reply.json()["prompt_id"]
        deadline = time.monotonic() + timeout_seconds
        while time.monotonic() < deadline:
            history = self.request("GET", f"/history/{prompt_id}").json()
            if prompt_id in history:
                return dict(history[prompt_id])
            time.sleep(0.1)
        raise ComfyError(f"the prompt did not end within {timeout_seconds:.0f} s\n{self.log_tail()}")


def hub_environment(hub: Any) -> dict[str, str]:
    """Give the variables that point the extension at a local hub."""
    hosts = ",".join(url.partition("://")[2] for url in (hub.hf_url, hub.civitai_url, hub.cdn_url))
    return {"HF_ENDPOINT": hub.hf_url, "CIVITAI_ENDPOINT": hub.civitai_url, "COMFYSTOW_ALLOW_HOSTS": hosts}
