"""The password before ComfyUI: page and programs are counted together, and who has the cookie never waits."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Iterator
from itertools import cycle

import pytest
from support.comfyui import ComfyServer
from support.guesses import guess_wrong

pytestmark = [pytest.mark.comfyui, pytest.mark.timeout(240)]


def test_page_and_programs_have_one_number_of_tries_and_the_owner_is_not_locked_out(
    start_comfy: Callable[..., ComfyServer],
) -> None:
    server = start_comfy(env={"COMFYSTOW_COMFYUI_PASSWORD": "1"})
    assert server.stow("GET", "/downloads").status == 200  # this machine needs none
    secret = (server.state_dir / "access-secret").read_text().strip()

    def ask(
        caller: str, path: str = "/queue", password: str | None = None, **headers: str
    ) -> tuple[int, http.client.HTTPResponse]:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        sent = {"Host": "comfy.example", "X-Forwarded-For": caller, **headers}
        if password is None:
            connection.request("GET", path, headers=sent)
        else:
            sent["Content-Type"] = "application/x-www-form-urlencoded"
            connection.request("POST", "/comfystow/login", f"password={password}", sent)
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return answer.status, answer

    status, welcome = ask("198.51.100.7", password=secret)
    assert status == 303
    cookie = (welcome.headers["Set-Cookie"] or "").partition(";")[0]
    guesser = "203.0.113.9"
    ways: Iterator[Callable[[], int]] = cycle(
        (
            lambda: ask(guesser, password="guess")[0],
            lambda: ask(guesser, **{"X-ComfyStow-Secret": "guess"})[0],
            lambda: ask(guesser, "/comfystow/v1/downloads", **{"X-ComfyStow-Secret": "guess"})[0],
            lambda: ask(guesser, Authorization="Bearer guess")[0],
        )
    )
    statuses = guess_wrong(lambda: next(ways)())
    assert statuses[:5] == [401] * 5
    assert 429 in statuses[5:]
    for answer in (ask(guesser, password=secret), ask(guesser, **{"X-ComfyStow-Secret": secret})):
        assert answer[0] == 429
        assert 1 <= int(answer[1].headers["Retry-After"]) <= 60
    assert ask(guesser, Cookie=cookie)[0] == 200
    assert ask("198.51.100.7", password=secret)[0] == 303
    assert server.stow("GET", "/downloads").status == 200
