"""The hub as tests use it: a process of its own, started, steered and read through one class."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .tokens import CIVITAI_BUYER_TOKEN, CIVITAI_TOKEN, HF_TOKEN, HF_TOKEN_NO_LICENCE

# A proxy of the environment is never meant for loopback.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class HubError(RuntimeError):
    """The hub did not start, or refused a control request."""


class Hub:
    """A running hub.

    It lives in a process of its own, so that neither its threads nor its interpreter lock disturb what is measured.
    `state` keeps the made files and digests and may be shared by hubs, one after the other or at the same time.
    """

    hf_token = HF_TOKEN
    hf_token_without_licence = HF_TOKEN_NO_LICENCE
    civitai_token = CIVITAI_TOKEN
    civitai_buyer_token = CIVITAI_BUYER_TOKEN

    def __init__(
        self, state: Path, *, seed: int = 0, ports: tuple[int, int, int] = (0, 0, 0), tls_cert: Path | None = None
    ) -> None:
        self._state, self._seed, self._ports, self._tls_cert = state, seed, ports, tls_cert
        self._process: subprocess.Popen[str] | None = None
        self.hf_url = self.civitai_url = self.cdn_url = ""

    def start(self) -> Hub:
        """Start the process and wait until it serves; after `stop` or `kill` it takes the same ports again."""
        command = [sys.executable, str(Path(__file__).with_name("__main__.py")), "--die-with-parent"]
        command += ["--state", str(self._state), "--seed", str(self._seed)]
        for option, port in zip(("--port", "--civitai-port", "--cdn-port"), self._ports, strict=True):
            command += [option, str(port)]
        if self._tls_cert is not None:
            command += ["--tls-cert", str(self._tls_cert)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise HubError(f"the hub ended with code {self._process.wait()} before it was ready")
        ready = json.loads(line)
        self.hf_url, self.civitai_url, self.cdn_url = ready["hf"], ready["civitai"], ready["cdn"]
        urls = (self.hf_url, self.civitai_url, self.cdn_url)
        self._ports = tuple(urllib.parse.urlsplit(url).port or 0 for url in urls)  # type: ignore[assignment]
        return self

    def stop(self) -> None:
        """End the process."""
        self._end(kill=False)

    def kill(self) -> None:
        """End the process as a crash would; connections are cut."""
        self._end(kill=True)

    def _end(self, *, kill: bool) -> None:
        if (process := self._process) is None:
            return
        self._process = None
        (process.kill if kill else process.terminate)()
        process.wait(10)
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()

    def __enter__(self) -> Hub:
        return self.start()

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def control(self, method: str, route: str, body: object = None) -> Any:
        """Send a request to the hub's own routes and give its JSON."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.hf_url}/__hub__/{route}", data=data, method=method)
        opener = _OPENER
        if self._tls_cert is not None:
            import ssl

            context = ssl.create_default_context(cafile=self._tls_cert)
            opener = urllib.request.build_opener(
                urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
            )
        try:
            with opener.open(request, timeout=300) as reply:
                return json.load(reply)
        except urllib.error.HTTPError as error:
            raise HubError(json.load(error).get("error", str(error))) from None

    def reset(self) -> None:
        """Back to a fresh hub: no faults, no requests, default settings, the catalogue as shipped."""
        self.control("POST", "reset")

    # Faults

    def fault(self, kind: str, **spec: Any) -> int:
        """Add a fault (README.md lists kinds, selectors and parameters) and give its rule id."""
        rule_ids: list[int] = self.control("POST", "faults", {"kind": kind, **spec})["rule_ids"]
        return rule_ids[0]

    def clear_faults(self, rule_id: int | None = None) -> None:
        self.control("DELETE", "faults" if rule_id is None else f"faults?rule_id={rule_id}")

    def faults(self) -> list[dict[str, Any]]:
        """List the rules with how often each was met and applied."""
        rows: list[dict[str, Any]] = self.control("GET", "faults")
        return rows

    @contextmanager
    def faulty(self, kind: str, **spec: Any) -> Iterator[int]:
        """Add a fault for the length of a block."""
        rule_id = self.fault(kind, **spec)
        try:
            yield rule_id
        finally:
            self.clear_faults(rule_id)

    # What was asked and sent

    def requests(self, *, origin: str | None = None, since: int = 0) -> list[dict[str, Any]]:
        """List requests, oldest first: number, at, origin, connection, method, target, headers, range, file, status,
        bytes_sent, seconds, faults, body."""
        rows: list[dict[str, Any]] = self.control("GET", f"requests?since={since}")
        return [row for row in rows if origin in (None, row["origin"])]

    def clear_requests(self) -> None:
        """Forget requests, counters and the gauge."""
        self.control("DELETE", "requests")

    def bytes_sent(self, file: str) -> int:
        """Give the body bytes sent for a file, by `repo/path`, `civitai/<file id>/<name>` or `direct/<name>`."""
        return int(self.control("GET", "counters")["bytes_by_file"].get(file, 0))

    def counters(self) -> dict[str, Any]:
        counters: dict[str, Any] = self.control("GET", "counters")
        return counters

    def gauge(self) -> list[dict[str, Any]]:
        """List (at, origin, open connections, active requests) at every change."""
        rows: list[dict[str, Any]] = self.control("GET", "gauge")
        return rows

    # What is served

    def add_file(
        self,
        repo_id: str,
        path: str,
        *,
        data: bytes | None = None,
        size_bytes: int = 0,
        seed: int = 0,
        kind: str = "model",
    ) -> dict[str, Any]:
        """Add a file to a repository as a new commit; gives its url, size and sha256."""
        return self._add({"repo_id": repo_id, "path": path, "kind": kind}, data, size_bytes, seed)

    def add_direct(
        self, name: str, *, data: bytes | None = None, size_bytes: int = 0, seed: int = 0, digest: bool = True
    ) -> dict[str, Any]:
        """Add a plain file to the storage port, without signatures; gives its url, size and sha256."""
        return self._add({"direct": name, "digest": digest}, data, size_bytes, seed)

    def _add(self, body: dict[str, Any], data: bytes | None, size_bytes: int, seed: int) -> dict[str, Any]:
        if data is not None:
            body |= {"data_base64": base64.b64encode(data).decode()}
        else:
            body |= {"size_bytes": size_bytes, "seed": seed}
        row: dict[str, Any] = self.control("POST", "files", body)
        return row

    def files(self, *, digests: bool = False) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.control("GET", f"files?digests={int(digests)}")
        return rows

    def settings(self, **changes: Any) -> dict[str, Any]:
        """Change settings (`signature_seconds`, `tree_page_size`, …) and give all of them."""
        settings: dict[str, Any] = self.control("POST", "settings", changes)
        return settings

    def revoke_signatures(self) -> None:
        """Refuse every storage URL handed out so far."""
        self.control("POST", "revoke-signatures")

    def accept_licence(self, repo_id: str, *, token: str = HF_TOKEN_NO_LICENCE, accepted: bool = True) -> None:
        self.control("POST", "licence", {"repo_id": repo_id, "token": token, "accepted": accepted})
