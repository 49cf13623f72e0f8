"""Azurite, Microsoft's own Azure storage server for tests, installed by npm once into the cache."""

from __future__ import annotations

import base64
import datetime
import hashlib
import hmac
import json
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .setup.cache import Cache
from .setup.machine import npm_commands

_MANIFEST = json.dumps({"name": "azurite-of-the-tests", "private": True, "dependencies": {"azurite": "3.35.0"}})
_ACCOUNT = "devstoreaccount1"
# The account and key that every Azurite has (learn.microsoft.com, "Use the Azurite emulator").
_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
_VERSION = "2021-08-06"


def azurite_program(cache: Cache) -> Path:
    """Install the server where it is not there yet; give its program."""
    return npm_commands(cache, "azurite", _MANIFEST) / "azurite-blob"


@contextmanager
def azurite(folder: Path) -> Iterator[dict[str, str]]:
    """Run a server; gives the environment that opens it."""
    program = azurite_program(Cache())
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [str(program), "--silent", "--skipApiVersionCheck", "--location", str(folder)]
    process = subprocess.Popen([*command, "--blobHost", "127.0.0.1", "--blobPort", str(port)])
    endpoint = f"http://127.0.0.1:{port}/{_ACCOUNT}"
    try:
        for _ in range(600):
            try:
                urllib.request.urlopen(endpoint, timeout=5).close()
                break
            except urllib.error.HTTPError:  # it answers: that is all that is asked
                break
            except OSError:
                assert process.poll() is None, "azurite did not start"
                time.sleep(0.05)
        yield {
            "AZURE_STORAGE_ACCOUNT_NAME": _ACCOUNT,
            "AZURE_STORAGE_ACCOUNT_KEY": _KEY,
            "AZURE_STORAGE_ENDPOINT": endpoint,
        }
    finally:
        process.terminate()
        process.wait(10)


def create_container(environment: dict[str, str], name: str) -> None:
    """Make a container by the REST API (learn.microsoft.com, "Create Container", "Authorize with Shared Key")."""
    date = datetime.datetime.now(datetime.UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
    resource = f"/{_ACCOUNT}/{_ACCOUNT}/{name}\nrestype:container"
    signed = "PUT" + "\n" * 12 + f"x-ms-date:{date}\nx-ms-version:{_VERSION}\n{resource}"
    digest = hmac.new(base64.b64decode(_KEY), signed.encode(), hashlib.sha256).digest()
    headers = {
        "x-ms-date": date,
        "x-ms-version": _VERSION,
        "Authorization": f"SharedKey {_ACCOUNT}:{base64.b64encode(digest).decode()}",
    }
    url = f"{environment['AZURE_STORAGE_ENDPOINT']}/{name}?restype=container"
    urllib.request.urlopen(urllib.request.Request(url, method="PUT", headers=headers)).close()
