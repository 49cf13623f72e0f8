"""The hub as a program: stand-alone, over TLS, shared state."""

from __future__ import annotations

import json
import signal
import socket
import ssl
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
import trustme
from hub.server import Hub

PROGRAM = Path(__file__).resolve().parent.parent / "hub" / "__main__.py"


def test_program_prints_its_addresses_and_ends_on_sigterm(hub_state: Path) -> None:
    command = [sys.executable, str(PROGRAM), "--port", "0", "--state", str(hub_state)]
    with subprocess.Popen(command, cwd="/", stdout=subprocess.PIPE, text=True) as process:
        ready = json.loads(process.stdout.readline())
        assert ready["pid"] == process.pid
        ports = {ready[name].rsplit(":", 1)[1] for name in ("hf", "civitai", "cdn")}
        assert len(ports) == 3
        with urllib.request.urlopen(f"{ready['hf']}/__hub__/info") as reply:
            assert json.load(reply)["urls"]["cdn"] == ready["cdn"]
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


def test_taken_port_is_named(hub_state: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [sys.executable, str(PROGRAM), "--port", str(port), "--state", str(hub_state)]
        done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert f"cannot listen on port {port} for hf: Address already in use" in done.stderr


def test_hub_ends_with_the_test_that_started_it(hub_state: Path) -> None:
    code = f"""
import os, sys
sys.path.insert(0, {str(PROGRAM.parent.parent)!r})
from pathlib import Path
from hub.server import Hub
hub = Hub(Path({str(hub_state)!r})).start()
print(hub.cdn_url.rsplit(":", 1)[1], flush=True)
os._exit(0)
"""
    # The hub shares the caller's standard error, so this returns only after both are gone.
    port = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(port)))


def test_whole_way_works_over_tls(hub_state: Path, tmp_path: Path) -> None:
    authority, pem = trustme.CA(), tmp_path / "hub.pem"
    certificate = authority.issue_cert("127.0.0.1")
    certificate.private_key_and_cert_chain_pem.write_to_path(str(pem))
    authority.cert_pem.write_to_path(str(pem), append=True)
    with Hub(hub_state, tls_cert=pem) as hub:
        hub.fault("rate", bytes_per_second=8_000_000)
        context = ssl.create_default_context(cafile=pem)
        url = f"{hub.hf_url}/Comfy-Stow/taesd-demo/resolve/main/taesd.safetensors"
        with urllib.request.urlopen(url, context=context) as reply:
            data = reply.read()
        assert url.startswith("https:")
        assert len(data) == 4_903_146
        assert hub.bytes_sent("Comfy-Stow/taesd-demo/taesd.safetensors") == len(data)
