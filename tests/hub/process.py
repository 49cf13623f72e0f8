"""The hub's process: three ports, one world, one line of JSON when ready."""

from __future__ import annotations

import argparse
import json
import os
import signal
import ssl
import sys
import threading
from pathlib import Path

from .civitai import Civitai
from .control import Control
from .huggingface import HuggingFace
from .storage import Storage
from .wire import App, Origin
from .world import Urls, World


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="hub", description="Serve a local Hugging Face, Civitai and storage.")
    parser.add_argument("--port", type=int, default=0, help="Hugging Face port (0: any free one)")
    parser.add_argument("--civitai-port", type=int, default=0)
    parser.add_argument("--cdn-port", type=int, default=0)
    parser.add_argument("--state", type=Path, required=True, help="folder for made files and digests; may be kept")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tls-cert", type=Path, help="PEM with certificate and key: serve https")
    parser.add_argument("--die-with-parent", action="store_true", help="end when standard input closes")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> None:
    """Serve until SIGTERM or SIGINT."""
    options = parse(arguments)
    tls = None
    if options.tls_cert is not None:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(options.tls_cert)
    world = World(options.state, options.seed)
    hf, civitai = HuggingFace(world), Civitai(world)
    storage = Storage(world, [hf.objects, civitai.objects])
    applications: list[tuple[str, int, App]] = [
        ("hf", options.port, Control(world, hf)),
        ("civitai", options.civitai_port, civitai),
        ("cdn", options.cdn_port, storage),
    ]
    origins = []
    for name, port, app in applications:
        try:
            origins.append(Origin(name, port, app, world.faults, world.journal, tls))
        except OSError as error:
            sys.exit(f"hub: cannot listen on port {port} for {name}: {error.strerror}")
    world.urls = Urls(**{origin.name: origin.url for origin in origins})
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    for origin in origins:
        threading.Thread(target=origin.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
    if options.die_with_parent:
        threading.Thread(target=_end_with_parent, args=(ended,), daemon=True).start()
    ready = {"hf": world.urls.hf, "civitai": world.urls.civitai, "cdn": world.urls.cdn, "pid": os.getpid()}
    print(json.dumps(ready), flush=True)
    ended.wait()
    # Stalled replies sit in daemon threads; nothing is worth waiting for.
    os._exit(0)


def _end_with_parent(ended: threading.Event) -> None:
    """Wait until the other end of standard input is gone."""
    sys.stdin.buffer.read()
    ended.set()
