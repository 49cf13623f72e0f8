"""`python install.py demo`: a hub, a ComfyUI with the extension, and a link; Ctrl-C ends all of it."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import webbrowser
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

from ..ask import ask
from ..comfyui import ComfyServer, hub_environment
from ..setup.say import SetupError, say, step
from ..setup.workshop import Workshop
from .pack import WORKFLOW, link, write_pack
from .shell import write_script

#: A connection; slow enough to watch a file of 5 MB arrive.
_BYTES_PER_SECOND = 600_000


def run_demo(workshop: Workshop, *, port: int, frontend: str, open_browser: bool) -> int:
    """Serve until Ctrl-C."""
    _refuse_taken(port)
    install, pages = workshop.for_demo(), workshop.frontend(frontend)
    for name in ("SIGTERM", "SIGHUP"):  # a closed terminal ends everything too
        if number := getattr(signal, name, None):
            signal.signal(number, _interrupt)
    workshop.cache.root.mkdir(parents=True, exist_ok=True)
    base = Path(tempfile.mkdtemp(prefix="demo-", dir=workshop.cache.root))
    try:
        with _hub(install.python, workshop) as hub:
            write_pack(base / "custom_nodes", hub.hf_token)
            server = ComfyServer(
                install, base, pack=workshop.checkout, frontend=pages.root, env=hub_environment(hub), port=port
            )
            script = write_script(base, install.python, workshop.checkout, server.env)
            with contextlib.closing(server):
                with step(f"starting ComfyUI with frontend {pages.version}"):
                    server.start()
                _welcome(server, script, open_browser=open_browser)
                server.wait()
                say(f"ComfyUI ended:\n{server.log_tail()}")
                return 1
    except KeyboardInterrupt:
        say("\nstopped")
        return 0
    finally:
        shutil.rmtree(base, ignore_errors=True)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _refuse_taken(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as err:
            raise SetupError(f"port {port} is taken on this machine; choose another with --port") from err


@contextlib.contextmanager
def _hub(python: Path, workshop: Workshop) -> Iterator[SimpleNamespace]:
    """Start the hub under the interpreter that has its packages; give its addresses and its token."""
    program = workshop.checkout / "tests" / "hub" / "__main__.py"
    state = workshop.cache.root / "demo-hub"
    process = subprocess.Popen(
        [str(python), str(program), "--port", "0", "--state", str(state), "--die-with-parent"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C is for us, who then end it
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise SetupError(f"the local hub ended with code {process.wait()} before it was ready")
        ready = json.loads(line)
        _slow_down(ready["hf"])
        yield SimpleNamespace(
            hf_url=ready["hf"], civitai_url=ready["civitai"], cdn_url=ready["cdn"], hf_token=_token(workshop.checkout)
        )
    finally:
        process.terminate()
        process.wait(10)


def _token(checkout: Path) -> str:
    sys.path.insert(0, str(checkout / "tests"))
    from hub.tokens import HF_TOKEN

    return HF_TOKEN


def _slow_down(hf_url: str) -> None:
    ask("POST", f"{hf_url}/__hub__/faults", {"kind": "rate", "bytes_per_second": _BYTES_PER_SECOND})


def _welcome(server: ComfyServer, script: Path | None, *, open_browser: bool) -> None:
    address = link(server.url)
    imported = server.import_times().get("comfystow")
    if imported is None or imported.failed:
        raise SetupError(f"ComfyUI could not import the extension:\n{server.log}")
    say(f"the extension was imported in {imported.seconds} s")
    say(f"log: {server.log_file}")
    shell = (
        f"  In another terminal: {shlex.join([str(script), 'missing', str(WORKFLOW)])}\n" if script is not None else ""
    )
    print(f"\n  Open {address}\n{shell}  Ctrl-C ends ComfyUI, the engine and the hub.\n", flush=True)
    graphical = (
        os.name == "nt" or sys.platform == "darwin" or "DISPLAY" in os.environ or "WAYLAND_DISPLAY" in os.environ
    )
    if open_browser and graphical:
        webbrowser.open(address)
