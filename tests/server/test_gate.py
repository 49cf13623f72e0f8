"""Who may ask: every combination that a browser, a rebound name, a proxy or a script can make."""

from __future__ import annotations

import pytest
from comfystow.core.config import Settings
from comfystow.core.errors import AccessError, SecretRequiredError
from comfystow.server_routes.gate import Facts, is_local, judge

SECRET = "s3cret"
LOCAL = {"peer": "127.0.0.1", "host": "127.0.0.1:8188"}
REMOTE = {"peer": "192.0.2.7", "host": "192.0.2.1:8188"}
JSON = {"content_type": "application/json; charset=utf-8", "our_header": "1"}


def facts(changes: bool = True, **values) -> Facts:
    return Facts(changes=changes, **(LOCAL | JSON | values))


def passes(given: Facts, settings: Settings = Settings()) -> bool:  # noqa: B008 - frozen
    try:
        judge(given, settings, SECRET)
    except AccessError:
        return False
    return True


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"origin": "http://127.0.0.1:8188"},
        {"peer": "::1", "host": "[::1]:8188", "origin": "http://[::1]:8188"},
        {"host": "localhost:8188", "origin": "http://LOCALHOST:8188"},
        {"peer": "::ffff:127.0.0.1"},
        {"sec_fetch_site": "same-origin"},
        {"sec_fetch_site": "none"},
    ],
)
def test_own_page_and_local_scripts_pass(values) -> None:
    assert passes(facts(**values))


@pytest.mark.parametrize(
    "values",
    [
        {"content_type": None},
        {"content_type": "text/plain"},
        {"content_type": "application/x-www-form-urlencoded"},
        {"content_type": "multipart/form-data; boundary=application/json"},
        {"our_header": None},
        {"our_header": "0"},
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:8189"},
        {"origin": "http://127.0.0.1:8188.evil.example"},
        {"origin": "file://127.0.0.1:8188"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "cross-site", "origin": "http://127.0.0.1:8188"},
    ],
)
def test_foreign_page_changes_nothing(values) -> None:
    assert not passes(facts(**values))


def test_foreign_page_reads_nothing_either() -> None:
    assert not passes(facts(changes=False, sec_fetch_site="cross-site"))
    assert passes(facts(changes=False, content_type=None, our_header=None))


@pytest.mark.parametrize(
    "values",
    [
        REMOTE,
        REMOTE | {"host": "127.0.0.1:8188"},  # a client chooses its Host
        {"host": "rebound.example:8188", "origin": "http://rebound.example:8188"},  # DNS rebinding
        {"host": "localhost.evil.example"},
        {"host": None},
        {"peer": None},
        {"forwarded": True},  # a proxy on this machine is our peer for everybody
        {"peer": "10.0.0.1"},
    ],
)
@pytest.mark.parametrize("changes", [True, False])
def test_other_machine_needs_the_secret_and_then_works(values, changes: bool) -> None:
    with pytest.raises(SecretRequiredError) as caught:
        judge(facts(changes, **values), Settings(), SECRET)
    assert caught.value.http_status == 403
    assert "comfystow auth secret" in (caught.value.hint or "")
    assert not passes(facts(changes, **values, secret="wrong"))
    assert not passes(facts(changes, **values, secret=""))
    assert not passes(facts(changes, **values, secret="naïve"))
    assert passes(facts(changes, **values, secret=SECRET))


def test_owner_may_let_everybody_in_but_never_a_foreign_page() -> None:
    settings = Settings(allow_remote=True)
    assert passes(facts(**REMOTE), settings)
    assert not passes(facts(**REMOTE, origin="http://evil.example"), settings)
    assert not passes(facts(**REMOTE, our_header=None), settings)


@pytest.mark.parametrize(
    "settings",
    [
        Settings(proxy_origin="https://pod-8188.proxy.example"),
        Settings(allow_origins=("https://pod-8188.proxy.example/",)),
    ],
)
def test_provider_proxy_origin_is_let_in_with_the_secret(settings: Settings) -> None:
    behind = REMOTE | {"origin": "https://pod-8188.proxy.example", "host": "10.1.2.3:8188"}
    assert not passes(facts(**behind), settings)
    assert passes(facts(**behind, secret=SECRET), settings)
    assert not passes(facts(**(behind | {"origin": "https://other.proxy.example"}), secret=SECRET), settings)


def test_secret_does_not_open_the_door_for_a_foreign_page() -> None:
    assert not passes(facts(**REMOTE, secret=SECRET, origin="http://evil.example"))


def test_local_is_by_peer_and_name() -> None:
    assert is_local(facts())
    assert not is_local(facts(peer="192.0.2.7"))
    assert not is_local(facts(host="example.org"))
