"""Fetches one file with hf_xet, in a process of its own: its calls cannot be stopped, a process can.

Runs as a script that imports nothing of the package. The order is one line of JSON on standard input (tokens never
stand on a command line); progress and the end are lines of JSON on standard output. It ends with its parent.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import threading
from typing import Any

_PROGRESS_MILLISECONDS = 200
#: hf_xet's own defaults take gigabytes of memory, and report each file to its servers.
_CONFIG = {
    "telemetry.enabled": False,
    "reconstruction.download_buffer_size": 256_000_000,
    "reconstruction.download_buffer_perfile_size": 128_000_000,
    "reconstruction.download_buffer_limit": 512_000_000,
    "reconstruction.min_prefetch_buffer": 256_000_000,
}


def _say(**fields: Any) -> None:
    sys.stdout.write(json.dumps(fields) + "\n")
    sys.stdout.flush()


def _die_with_parent() -> None:
    sys.stdin.read()
    os._exit(1)


def _fetch(order: dict[str, Any]) -> None:
    hf_xet = importlib.import_module("hf_xet")
    last = (-1, -1)

    def progress(group: Any, _items: Any) -> None:
        nonlocal last
        now = (group.total_bytes_completed, group.total_transfer_bytes_completed)
        if now != last:  # silence is how a stall shows
            last = now
            _say(bytes_done=now[0])

    config = hf_xet.XetConfig()
    known = set(config.keys())
    config = config.with_config({name: value for name, value in _CONFIG.items() if name in known})
    with hf_xet.XetSession(config).new_file_download_group(
        endpoint=order["endpoint"],
        token=order["token"],
        token_expiry_unix_secs=order["expires_at"],
        token_refresh_url=order["refresh_url"],
        token_refresh_headers=order["refresh_headers"],
        progress_callback=progress,
        progress_interval_ms=_PROGRESS_MILLISECONDS,
    ) as group:
        group.start_download_file(hf_xet.XetFileInfo(order["hash"], order["size_bytes"]), order["dest"])


def main() -> None:
    """Carry out one order."""
    order = json.loads(sys.stdin.readline())
    threading.Thread(target=_die_with_parent, daemon=True).start()
    try:
        _fetch(order)
    except BaseException as err:  # noqa: BLE001 - told to the parent, whatever it is
        _say(error=f"{type(err).__name__}: {err}"[:300])
        os._exit(1)
    _say(done=True)
    os._exit(0)


if __name__ == "__main__":
    main()
