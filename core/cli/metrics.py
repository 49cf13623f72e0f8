"""`comfystow metrics`: every number for Prometheus, and the files that Prometheus and Grafana are set up with."""

from __future__ import annotations

import argparse
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

from ..engine.sync_client import SyncEngineClient
from ..errors import StowError, UsageError
from . import typed
from .options import add_common, client_of, installation_of
from .output import say, show_json

DEFAULT_ADDRESS = "127.0.0.1:9188"
_PATHS = frozenset({"/metrics", "/comfystow/v1/metrics"})
_AGAIN_SECONDS = 1.0


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "--listen",
        nargs="?",
        const=DEFAULT_ADDRESS,
        metavar="ADDR",
        help=f"answer Prometheus at http://ADDR/metrics until Ctrl-C (default {DEFAULT_ADDRESS})",
    )
    parser.add_argument(
        "--write", type=typed.path, metavar="DIR", help="write configuration, rules and dashboard below DIR"
    )
    parser.add_argument("--target", metavar="HOST:PORT", help="what the written configuration scrapes")
    add_common(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print one scrape, serve scrapes, or write the files."""
    if arguments.write is not None:
        return _write(arguments)
    if arguments.target is not None:
        raise UsageError("`--target` goes with `--write`", hint="it stands in the configuration that is written")
    if arguments.json:
        raise UsageError("Prometheus reads text", hint="`comfystow monitor --once --json` has the machine as JSON")
    if arguments.listen is not None:
        return _listen(arguments)
    with client_of(installation_of(arguments)) as client:
        print(client.call("GET", "/metrics"), end="")
    return 0


def _write(arguments: argparse.Namespace) -> int:
    from ..metrics.files import DEFAULT_TARGET, write_files

    paths = [str(path) for path in write_files(arguments.write, arguments.target or DEFAULT_TARGET)]
    show_json(paths) if arguments.json else print("\n".join(paths))
    return 0


def _listen(arguments: argparse.Namespace) -> int:
    installation = installation_of(arguments)
    with client_of(installation) as client, client_of(installation) as present:
        server = _Server(_address(arguments.listen), _Handler, client)
        # Without a caller that stays, the engine would end between two scrapes, and its counters with it.
        threading.Thread(target=_stay, args=(present,), name="comfystow-present", daemon=True).start()
        host, port = server.server_address[:2]
        say(f"metrics at http://{host!s}:{port}/metrics")
        with server:
            server.serve_forever()
    return 0


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not port.isdigit() or int(port) > 65535:
        raise UsageError(f"`{text}` is no address", hint=f"write HOST:PORT, like {DEFAULT_ADDRESS}")
    return host.removeprefix("[").removesuffix("]") or "127.0.0.1", int(port)


def _stay(client: SyncEngineClient) -> None:
    while True:
        try:
            for _ in client.events():
                pass
        except StowError:
            pass  # the scrape says what is wrong
        time.sleep(_AGAIN_SECONDS)


class _Server(HTTPServer):
    """One scrape after the other, through one client."""

    def __init__(
        self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler], client: SyncEngineClient
    ) -> None:
        self.client = client
        try:
            super().__init__(address, handler)
        except OSError as err:
            raise UsageError(f"cannot listen at {address[0]}:{address[1]}: {err.strerror or err}") from err


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = 10  # who opens a connection and says nothing keeps nobody waiting

    def do_GET(self) -> None:
        """Answer one scrape."""
        if self.path.partition("?")[0] not in _PATHS:
            self._answer(404, "only /metrics is here\n")
            return
        try:
            self._answer(200, str(self.server.client.call("GET", "/metrics")))
        except StowError as err:
            self._answer(503, f"{err.message}\n")

    def _answer(self, status: int, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        """Say nothing: a line every fifteen seconds helps nobody."""
