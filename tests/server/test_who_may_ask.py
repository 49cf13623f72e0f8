"""Raw requests, as a browser sends them for another site's page, a rebound name or another machine."""

from __future__ import annotations

import json
import socket
import time

import pytest
from support.comfyui import ComfyServer
from support.guesses import guess_wrong

pytestmark = [pytest.mark.comfyui, pytest.mark.timeout(240)]

BODY = json.dumps({"source": "hf://Comfy-Stow/taesd-demo/taesd.safetensors", "folder_name": "nonsense"}).encode()
OURS = {"Content-Type": "application/json", "X-ComfyStow": "1"}
#: The gate let it pass, and the queue refused the folder.
PASSED = (400, "unknown_folder")


def send(
    server: ComfyServer,
    headers: dict[str, str | None],
    *,
    method: str = "POST",
    path: str = "/comfystow/v1/downloads",
    address: str = "127.0.0.1",
    body: bytes = BODY,
    source: str = "",
) -> tuple[int, str | None]:
    """Send a request byte by byte as given; return status and error code. `source` is another address of this machine."""
    lines = [f"{method} {path} HTTP/1.1"]
    sent = {"Host": f"{address}:{server.port}", **headers, "Content-Length": str(len(body)), "Connection": "close"}
    lines += [f"{name}: {value}" for name, value in sent.items() if value is not None]
    with socket.create_connection((address, server.port), 30, (source, 0)) as connection:
        connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        answer = b""
        while chunk := connection.recv(1 << 16):
            answer += chunk
    head, _, text = answer.partition(b"\r\n\r\n")
    status = int(head.split()[1])
    try:
        return status, json.loads(text)["error"]["code"]
    except (ValueError, KeyError):
        return status, None


def own_address() -> str | None:
    """Return this machine's address in its network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing
        except OSError:
            return None
        address = str(probe.getsockname()[0])
    return None if address.startswith(("127.", "0.")) else address


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Content-Type": "application/json"},
        {"X-ComfyStow": "1"},
        {"Content-Type": "text/plain", "X-ComfyStow": "1"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "multipart/form-data; boundary=x", "X-ComfyStow": "1"},
        {**OURS, "Origin": "https://evil.example"},
        {**OURS, "Origin": "null"},
        {**OURS, "Origin": "http://127.0.0.1:1"},
        {**OURS, "Sec-Fetch-Site": "cross-site"},
        {**OURS, "Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
        {**OURS, "Origin": "http://rebound.example:{port}", "Host": "rebound.example:{port}"},
        {**OURS, "Host": "rebound.example"},
        {**OURS, "Host": None},
        {**OURS, "X-Forwarded-For": "203.0.113.9"},
        {**OURS, "Forwarded": "for=203.0.113.9"},
        {**OURS, "Host": "127.0.0.1.evil.example"},
        {**OURS, "X-ComfyStow-Secret": "wrong", "Host": "rebound.example"},
    ],
)
@pytest.mark.parametrize("prefix", ["/comfystow/v1", "/api/comfystow/v1"])
def test_a_foreign_page_changes_nothing(server: ComfyServer, prefix: str, headers: dict[str, str | None]) -> None:
    filled = {name: value and value.replace("{port}", str(server.port)) for name, value in headers.items()}
    status, _ = send(server, filled, path=f"{prefix}/downloads")
    assert status in {400, 403}
    assert send(server, filled, path=f"{prefix}/downloads") != PASSED
    assert server.stow("GET", "/downloads").json() == {"downloads": []}


@pytest.mark.parametrize(
    "headers",
    [
        OURS,
        {**OURS, "Origin": "http://127.0.0.1:{port}"},
        {**OURS, "Origin": "http://127.0.0.1:{port}", "Sec-Fetch-Site": "same-origin"},
        {**OURS, "Content-Type": "application/json; charset=utf-8"},
        {**OURS, "Host": "localhost:{port}", "Origin": "http://localhost:{port}"},
        {**OURS, "Host": "[::1]:{port}"},
        {**OURS, "Host": "127.0.0.2:{port}"},
    ],
)
def test_the_own_page_and_programs_of_this_machine_pass(server: ComfyServer, headers: dict[str, str]) -> None:
    filled: dict[str, str | None] = {name: value.replace("{port}", str(server.port)) for name, value in headers.items()}
    assert send(server, filled) == PASSED


@pytest.mark.parametrize("path", ["/downloads", "/settings", "/credentials/huggingface", "/openapi.json", "/system"])
def test_another_machine_needs_the_secret_even_to_look(server: ComfyServer, path: str) -> None:
    server.stow("GET", "/downloads")  # the secret is made with the first request
    secret = (server.state_dir / "access-secret").read_text().strip()
    assert (server.state_dir / "access-secret").stat().st_mode & 0o777 == 0o600
    # With a name that is not loopback's it counts as another machine; where there is a network, also by its address.
    ways: list[tuple[str, str]] = [("127.0.0.1", "stow.example:8188")]
    if (address := own_address()) is not None:
        ways += [(address, f"{address}:{server.port}"), (address, f"127.0.0.1:{server.port}")]
    for target, host in ways:
        peer = "127.0.0.8" if target == "127.0.0.1" else ""  # one that has not guessed wrong yet
        ask = {"method": "GET", "path": f"/comfystow/v1{path}", "address": target, "body": b"", "source": peer}
        assert send(server, {"Host": host}, **ask) == (403, "secret_required")
        assert send(server, {"Host": host, "X-ComfyStow-Secret": secret[:-1]}, **ask) == (403, "secret_required")
        assert send(server, {"Host": host, "X-ComfyStow-Secret": secret}, **ask)[0] == 200
        changed = {**OURS, "Host": host, "Origin": f"http://{host}"}
        assert send(server, changed, address=target, source=peer) == (403, "secret_required")
        assert send(server, {**changed, "X-ComfyStow-Secret": secret}, address=target, source=peer) == PASSED


def test_wrong_secrets_have_to_wait_and_this_machine_does_not(server: ComfyServer) -> None:
    server.stow("GET", "/downloads")
    secret = (server.state_dir / "access-secret").read_text().strip()
    ask = {"method": "GET", "body": b"", "source": "127.0.0.9"}
    far = {"Host": "comfy.example"}
    statuses = guess_wrong(lambda: send(server, {**far, "X-ComfyStow-Secret": "guess"}, **ask)[0])
    assert statuses[:5] == [403] * 5
    assert 429 in statuses[5:]
    assert send(server, {**far, "X-ComfyStow-Secret": secret}, **ask) == (429, "too_many_tries")
    assert send(server, far, **ask) == (403, "secret_required")  # nobody guesses here
    assert send(server, {"X-ComfyStow-Secret": "guess"}, **ask)[0] == 200  # this machine needs none
    with socket.create_connection(("127.0.0.1", server.port), 30, ("127.0.0.9", 0)) as connection:
        lines = ["GET /comfystow/v1/downloads HTTP/1.1", "Host: comfy.example", "X-ComfyStow-Secret: x"]
        connection.sendall("\r\n".join([*lines, "Connection: close", "", ""]).encode())
        answer = b""
        while chunk := connection.recv(1 << 16):
            answer += chunk
    wait = next(line for line in answer.split(b"\r\n") if line.lower().startswith(b"retry-after:"))
    assert 1 <= int(wait.split(b":")[1]) <= 60
    while (found := send(server, {**far, "X-ComfyStow-Secret": secret}, **ask))[0] == 429:
        time.sleep(0.2)
    assert found[0] == 200


def test_what_one_caller_of_a_proxy_guesses_wrong_another_does_not_wait_for(server: ComfyServer) -> None:
    server.stow("GET", "/downloads")
    secret = (server.state_dir / "access-secret").read_text().strip()
    ask = {"method": "GET", "body": b"", "source": "127.0.0.11"}
    guesser = {"Host": "comfy.example", "X-Forwarded-For": "203.0.113.9", "X-ComfyStow-Secret": "guess"}
    assert set(guess_wrong(lambda: send(server, guesser, **ask)[0])) == {403, 429}
    owner = {**guesser, "X-Forwarded-For": "198.51.100.7", "X-ComfyStow-Secret": secret}
    assert send(server, owner, **ask)[0] == 200
    assert send(server, guesser, **ask)[0] == 429
