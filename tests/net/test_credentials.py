"""Where tokens come from, where they go, and where they are never seen."""

from __future__ import annotations

import copy
import json
import logging
import os
import pickle
import stat
from pathlib import Path

import pytest
from comfystow.core.config import load_settings
from comfystow.core.errors import ReadOnlyError, UsageError
from comfystow.core.net import secrets
from comfystow.core.net.credentials import Credentials
from comfystow.core.net.secrets import MASK, Secret, redact, scrub
from hypothesis import given
from hypothesis import strategies as st

SETTINGS = load_settings({})
TOKEN = "hf_abcdefghijklmnopqrstuvwxyz"


@pytest.fixture
def load(tmp_path: Path):
    """Give a loader whose folders are all below the test's own."""

    def build(environment: dict[str, str] | None = None, **options) -> Credentials:
        places = {"state_dir": tmp_path / "state", "secrets_dir": tmp_path / "secrets", "home": tmp_path / "home"}
        return Credentials.load(options.pop("settings", SETTINGS), environment=environment, **(places | options))

    return build


def bearer(credentials: Credentials, url: str) -> str | None:
    return credentials.headers_for(url).get("Authorization")


@pytest.mark.parametrize("url", [
    "https://huggingface.co/a/b", "https://hf.co/a", "https://huggingface.co:443/a", "https://HUGGINGFACE.co./a",
])  # fmt: skip
def test_a_token_goes_to_its_own_hosts(load, url: str) -> None:
    assert bearer(load({"HF_TOKEN": TOKEN}), url) == f"Bearer {TOKEN}"


@pytest.mark.parametrize("url", [
    "http://huggingface.co/a", "https://huggingface.co:8443/a", "https://cdn-lfs.hf.co/a", "https://evil.com/a",
    "https://huggingface.co.evil.com/a", "https://huggingface.co@evil.com/", "https://x@huggingface.co/",
    "https://cas-bridge.xethub.hf.co/x", "https://civitai.com/a", "ftp://huggingface.co/", "", "huggingface.co",
    "https://huggingface.co\\@evil.com/",
])  # fmt: skip
def test_a_token_goes_nowhere_else(load, url: str) -> None:
    assert load({"HF_TOKEN": TOKEN}).headers_for(url) == {}


def test_a_configured_endpoint_is_the_tokens_own_with_its_port_only(load) -> None:
    settings = load_settings({"HF_ENDPOINT": "http://127.0.0.1:9000", "CIVITAI_ENDPOINT": "https://civ.lan:8443"})
    found = load({"HF_TOKEN": TOKEN, "CIVITAI_TOKEN": "civ"}, settings=settings)
    assert bearer(found, "http://127.0.0.1:9000/a") == f"Bearer {TOKEN}"
    assert bearer(found, "https://civ.lan:8443/a") == "Bearer civ"
    for url in ("http://127.0.0.1:9001/a", "https://127.0.0.1:9000/a", "http://civ.lan:8443/", "https://civ.lan/"):
        assert bearer(found, url) is None


def test_both_civitai_domains_share_a_token(load) -> None:
    found = load({"CIVITAI_API_KEY": "civ"})
    assert (
        bearer(found, "https://civitai.com/api/v1/me") == bearer(found, "https://civitai.red/api/v1/me") == "Bearer civ"
    )
    assert bearer(found, "https://b2.civitai.com/file") is None


def test_sources_of_a_token_are_asked_in_order(load, tmp_path: Path) -> None:
    def origin(credentials: Credentials) -> str | None:
        return credentials.status("hf")[0].origin

    found = load()
    assert origin(found) is None
    (tmp_path / "home/.cache/huggingface").mkdir(parents=True)
    (tmp_path / "home/.cache/huggingface/token").write_text("from-hub\n")
    assert origin(found) == "token file of huggingface_hub"
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets/hf_token").write_text("from-secret\r\n")
    assert origin(found) == "build secret hf_token"
    assert bearer(found, "https://hf.co/") == "Bearer from-secret"
    found.set("huggingface", "from-file")
    assert origin(found) == "credentials.json"
    assert origin(load({"HUGGING_FACE_HUB_TOKEN": "old"})) == "environment HUGGING_FACE_HUB_TOKEN"
    assert origin(load({"HF_TOKEN": "new", "HUGGING_FACE_HUB_TOKEN": "old"})) == "environment HF_TOKEN"
    assert origin(load({"HF_TOKEN": "  \n"})) == "credentials.json"


def test_the_hubs_token_file_is_found_where_its_variables_say(load, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/token").write_text("one")
    (tmp_path / "other").write_text("two")
    assert bearer(load({"HF_HOME": str(tmp_path / "elsewhere")}), "https://hf.co/") == "Bearer one"
    assert bearer(load({"HF_TOKEN_PATH": str(tmp_path / "other")}), "https://hf.co/") == "Bearer two"


def test_a_sessions_token_hides_ours_under_every_name(load) -> None:
    ours = load({"CIVITAI_TOKEN": "engine", "HF_TOKEN": TOKEN})
    theirs = ours.with_environment({"CIVITAI_API_TOKEN": "session"})
    assert bearer(theirs, "https://civitai.com/") == "Bearer session"
    assert bearer(theirs, "https://hf.co/") == f"Bearer {TOKEN}"
    assert bearer(ours, "https://civitai.com/") == "Bearer engine"


@pytest.mark.skipif(os.name == "nt", reason="permissions are POSIX's")
def test_the_file_is_its_owners_alone_and_stays_so(load, tmp_path: Path) -> None:
    found = load()
    previous = os.umask(0)
    try:
        found.set("civitai", "secret-one")
    finally:
        os.umask(previous)
    path = tmp_path / "state/credentials.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [item.name for item in path.parent.iterdir()] == ["credentials.json"]
    path.chmod(0o644)
    assert bearer(load(), "https://civitai.com/") == "Bearer secret-one"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_token_set_by_another_process_counts_at_once(load) -> None:
    here, there = load(), load()
    assert not here.has_token("civitai")
    there.set("civitai", "fresh")
    assert bearer(here, "https://civitai.com/") == "Bearer fresh"
    assert there.clear("civitai") is True
    assert here.headers_for("https://civitai.com/") == {}
    assert here.clear("civitai") is False


def test_a_host_may_have_a_token_of_its_own(load) -> None:
    found = load()
    found.set("models.example.com", "own")
    assert bearer(found, "https://models.example.com/a") == "Bearer own"
    assert found.headers_for("https://sub.models.example.com/a") == {}
    assert found.headers_for("http://models.example.com/a") == {}
    assert [row.provider for row in found.status()] == ["huggingface", "civitai", "models.example.com"]


@pytest.mark.parametrize("token", ["", "  ", "two words", "line\nbreak", "héx", "x" * 5000, "a\x00b"])
def test_what_cannot_be_a_header_is_no_token(load, token: str) -> None:
    with pytest.raises(UsageError):
        load().set("civitai", token)


@pytest.mark.parametrize("name", ["", "nobody", "../x", "a b", "http://x.y"])
def test_a_provider_must_be_known_or_a_host(load, name: str) -> None:
    with pytest.raises(UsageError, match="no provider"):
        load().set(name, "token")


def test_a_damaged_file_gives_no_token_and_no_error(load, tmp_path: Path, caplog) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state/credentials.json").write_text('{"tokens": ["oops"]')
    with caplog.at_level(logging.WARNING, "comfystow"):
        assert load().headers_for("https://civitai.com/") == {}
    assert "credentials.json" in caplog.text


def test_without_a_writable_state_folder_set_says_so(load, tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file stands there")
    with pytest.raises((ReadOnlyError, UsageError)):
        load().set("civitai", "token")
    with pytest.raises(UsageError, match="state folder"):
        load(state_dir=None).set("civitai", "token")


def test_no_token_shows_in_repr_format_pickle_or_status(load) -> None:
    found = load({"HF_TOKEN": TOKEN})
    found.set("civitai", "civ-secret-value")
    secret = Secret(TOKEN)
    shown = f"{found!r} {found} {found.status()} {found.file!r} {secret!r} {secret} {[secret]} {found.file.read()}"
    assert TOKEN not in shown
    assert "civ-secret-value" not in shown
    assert "huggingface" in repr(found)
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    with pytest.raises(TypeError):
        copy.deepcopy(secret)
    with pytest.raises(TypeError):
        json.dumps(secret)


@pytest.mark.parametrize(
    ("text", "leaked"),
    [
        (f"GET https://x/?token={TOKEN}&a=1", TOKEN),
        ("https://r2/x?X-Amz-Signature=deadbeef&X-Amz-Credential=AKIA%2F1", "deadbeef"),
        ("https://r2/x?X-Amz-Signature=deadbeef&X-Amz-Credential=AKIA%2F1", "AKIA"),
        ("https://cdn/x?Expires=1&Policy=cG9s&Signature=c2ln&Key-Pair-Id=K2", "c2ln"),
        ("https://user:hunter2@host/x", "hunter2"),
        ("Authorization: Bearer abcdef123456", "abcdef123456"),
        (f"error for {TOKEN}!", TOKEN),
        ("https://blob/x?sv=1&sig=c2lnbmF0dXJl", "c2lnbmF0dXJl"),
    ],
)
def test_texts_are_scrubbed(text: str, leaked: str) -> None:
    assert leaked not in scrub(text)
    assert MASK in scrub(text)


@given(
    st.lists(
        st.sampled_from(
            [
                "token",
                "KEY",
                "=",
                "&",
                "abcdef123456",
                "hf_abcdef1",
                "Bearer",
                "basic",
                " ",
                "\t",
                "\u2028",
                "https://",
                "u:p",
                "@",
                "é",
            ]
        ),
        max_size=12,
    ).map("".join)
)
def test_no_pattern_is_left_out_that_would_have_matched(text: str) -> None:
    tried = text
    for pattern, instead in (
        (secrets._PARAMETER, rf"\1={MASK}"),
        (secrets._BEARER, rf"\1 {MASK}"),
        (secrets._USERINFO, rf"\1{MASK}@"),
        (secrets._KNOWN_TOKEN, MASK),
    ):
        tried = pattern.sub(instead, tried)
    assert scrub(text) == tried


def test_known_tokens_are_scrubbed_whatever_they_look_like(load) -> None:
    found = load({"CIVITAI_TOKEN": "plainword"})
    assert found.scrub("the key plainword was refused") == f"the key {MASK} was refused"


def test_redact_keeps_what_tells_the_place_only() -> None:
    assert redact("https://u:p@Host.example:8443/a/b?token=x#y") == "https://host.example:8443/a/b"
    assert redact("https://[::1]:1/a?b") == "https://[::1]:1/a"
    assert redact("https://[bad/") == MASK


def test_a_version_of_civitai_is_no_password() -> None:
    assert scrub("civitai://1006@2050?file=3050") == "civitai://1006@2050?file=3050"
    assert scrub("civitai://me:secret@2050") == f"civitai://{MASK}@2050"
