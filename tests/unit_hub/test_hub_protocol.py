"""What the hub answers on the wire, asked with curl."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from hub.server import Hub, HubError


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> object:
        return json.loads(self.body)


def curl(url: str, *options: str) -> Answer:
    """Ask once, without following redirects, and give the last head and the body."""
    command = ["curl", "-sS", "--noproxy", "*", "-D", "/dev/stderr", "--max-time", "30", *options, url]
    done = subprocess.run(command, capture_output=True, check=True)
    head = done.stderr.decode("latin-1").strip().split("\r\n\r\n")[-1].split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
    return Answer(int(head[0].split()[1]), headers, done.stdout)


def bearer(token: str) -> tuple[str, str]:
    return "-H", f"Authorization: Bearer {token}"


@pytest.fixture
def content() -> bytes:
    return hashlib.shake_256(b"content").digest(200_000)


@pytest.fixture
def signed(hub: Hub, content: bytes) -> str:
    """Give a signed storage URL for a file of 200,000 bytes."""
    added = hub.add_file("me/plain", "weights.bin", data=content)
    return curl(added["url"]).headers["location"]


# Hugging Face


def test_resolve_redirects_to_another_origin_and_says_what_the_file_is(hub: Hub, content: bytes) -> None:
    url = hub.add_file("me/plain", "weights.bin", data=content)["url"]
    for options in ([], ["-I"]):
        answer = curl(url, *options)
        assert answer.status == 302
        assert answer.headers["location"].startswith(hub.cdn_url)
        assert answer.headers["x-linked-etag"] == f'"{hashlib.sha256(content).hexdigest()}"'
        assert answer.headers["x-linked-size"] == "200000"
        assert re.fullmatch("[0-9a-f]{40}", answer.headers["x-repo-commit"])


def test_small_files_have_their_git_name_as_etag_behind_a_relative_redirect(hub: Hub) -> None:
    url = f"{hub.hf_url}/Comfy-Stow/taesd-demo/resolve/main/config.json"
    first = curl(url)
    assert first.status == 307
    assert first.headers["location"].startswith("/api/resolve-cache/models/Comfy-Stow/taesd-demo/")
    assert "x-linked-etag" not in first.headers
    last = curl(hub.hf_url + first.headers["location"])
    name = hashlib.sha1(b"blob %d\0" % len(last.body) + last.body).hexdigest()
    assert last.headers["etag"] == f'"{name}"'


def test_commit_of_the_redirect_pins_the_old_content(hub: Hub, content: bytes) -> None:
    url = hub.add_file("me/plain", "weights.bin", data=content)["url"]
    commit = curl(url).headers["x-repo-commit"]
    hub.add_file("me/plain", "weights.bin", data=b"newer")
    assert curl(url).headers["x-linked-size"] == "5"
    assert curl(url.replace("/main/", f"/{commit}/")).headers["x-linked-size"] == "200000"


def test_unchanged_file_answers_304(hub: Hub, content: bytes) -> None:
    url = hub.add_file("me/plain", "weights.bin", data=content)["url"]
    etag = curl(url).headers["x-linked-etag"]
    assert curl(url, "-H", f"If-None-Match: {etag}").status == 304


def test_blob_page_is_html_and_raw_of_a_large_file_is_its_pointer(hub: Hub) -> None:
    base = f"{hub.hf_url}/Comfy-Stow/taesd-demo"
    page = curl(f"{base}/blob/main/taesd.safetensors")
    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    pointer = curl(f"{base}/raw/main/taesd.safetensors").body
    assert pointer.startswith(b"version https://git-lfs.github.com/spec/v1\noid sha256:")
    assert b"size 4903146" in pointer


def test_wrong_token_is_refused_even_where_none_is_needed(hub: Hub) -> None:
    answer = curl(f"{hub.hf_url}/Comfy-Stow/taesd-demo/resolve/main/taesd.safetensors", *bearer("hf_wrong"))
    assert answer.status == 401
    assert answer.headers["x-error-message"] == "Invalid credentials in Authorization header"


# Storage


@pytest.mark.parametrize(
    ("asked", "status", "told", "part"),
    [
        ("bytes=0-9", 206, "bytes 0-9/200000", slice(0, 10)),
        ("bytes=199990-", 206, "bytes 199990-199999/200000", slice(199_990, None)),
        ("bytes=-10", 206, "bytes 199990-199999/200000", slice(199_990, None)),
        ("bytes=5-400000", 206, "bytes 5-199999/200000", slice(5, None)),
        ("bytes=200000-", 416, "bytes */200000", None),
        ("bytes=-0", 416, "bytes */200000", None),
        ("bytes=9-5", 200, None, slice(None)),
        ("bytes=0-1,5-6", 200, None, slice(None)),
        ("chunks=0-1", 200, None, slice(None)),
    ],
)
def test_ranges_follow_rfc_9110(
    signed: str, content: bytes, asked: str, status: int, told: str | None, part: slice | None
) -> None:
    answer = curl(signed, "-H", f"Range: {asked}")
    assert (answer.status, answer.headers.get("content-range")) == (status, told)
    if part is not None:
        assert answer.body == content[part]


def test_if_range_gives_the_part_only_while_the_validator_holds(signed: str, content: bytes) -> None:
    head = curl(signed, "-I")
    etag, date = head.headers["etag"], head.headers["last-modified"]
    for validator in (etag, date):
        assert curl(signed, "-H", "Range: bytes=0-4", "-H", f"If-Range: {validator}").body == content[:5]
    for validator in ('"other"', f"W/{etag}", "Sat, 01 Mar 2020 10:00:00 GMT"):
        assert curl(signed, "-H", "Range: bytes=0-4", "-H", f"If-Range: {validator}").status == 200


def test_storage_etag_is_not_the_digest(signed: str, content: bytes) -> None:
    etag = curl(signed, "-I").headers["etag"]
    assert re.fullmatch('"[0-9a-f]{64}"', etag)
    assert hashlib.sha256(content).hexdigest() not in etag


def test_signature_expires_and_a_new_one_works(hub: Hub, content: bytes) -> None:
    hub.settings(signature_seconds=0.3)
    url = hub.add_file("me/plain", "weights.bin", data=content)["url"]
    signed = curl(url).headers["location"]
    time.sleep(0.4)
    refused = curl(signed)
    assert (refused.status, refused.headers["content-type"]) == (403, "application/xml")
    assert b"<Code>AccessDenied</Code>" in refused.body
    assert curl(curl(url).headers["location"]).body == content


def test_expire_fault_shortens_the_life_of_one_file_only(hub: Hub, content: bytes) -> None:
    hub.fault("expire", file="short.bin", seconds=0.05)
    short = curl(hub.add_file("me/plain", "short.bin", data=content)["url"]).headers["location"]
    usual = curl(hub.add_file("me/plain", "usual.bin", data=content)["url"]).headers["location"]
    time.sleep(0.1)
    assert [curl(short).status, curl(usual).status] == [403, 200]


def test_changed_or_missing_signature_is_refused(hub: Hub, signed: str) -> None:
    assert curl(re.sub(r"Signature=\w", "Signature=g", signed)).status == 403
    assert curl(re.sub(r"Policy=\d", "Policy=9", signed)).status == 403
    assert curl(signed.split("?")[0]).status == 403


def test_revoked_signatures_are_refused(hub: Hub, signed: str) -> None:
    assert curl(signed).status == 200
    hub.revoke_signatures()
    assert curl(signed).status == 403


# Civitai


def test_civitai_download_goes_to_storage_that_refuses_an_authorization_header(hub: Hub) -> None:
    answer = curl(f"{hub.civitai_url}/api/download/models/2001?fileId=3003", *bearer(hub.civitai_token))
    assert answer.status == 307
    assert "no-store" in answer.headers["cache-control"]
    target = answer.headers["location"]
    assert target.startswith(hub.cdn_url)
    refused = curl(target, *bearer(hub.civitai_token))
    assert (refused.status, refused.headers["content-type"]) == (400, "application/xml")
    assert b"<Code>InvalidRequest</Code>" in refused.body
    fine = curl(target, "-H", "Range: bytes=0-1")
    assert (fine.status, fine.body) == (206, b"PK")
    assert 'filename="stow_style_v2.pt"' in fine.headers["content-disposition"]


def test_civitai_expired_storage_link_answers_its_own_xml(hub: Hub) -> None:
    hub.settings(signature_seconds=0.05)
    target = curl(f"{hub.civitai_url}/api/download/models/2001").headers["location"]
    time.sleep(0.1)
    refused = curl(target)
    assert refused.status == 403
    assert b"<Code>ExpiredRequest</Code>" in refused.body


@pytest.mark.parametrize(
    ("version", "status", "text"),
    [
        ("2010", 403, '"deadline": "2030-01-01T00:00:00.000Z"'),
        ("2020", 401, "requires you to be logged in"),
        ("2030", 410, "Model archived"),
        ("2040", 401, "has disabled downloads"),
        ("2070", 404, "File not found"),
        ("9999", 404, "File not found"),
        ("abc", 400, "error"),
        ("2001?fileId=3010", 404, "File not found"),
    ],
)
def test_civitai_refusals(hub: Hub, version: str, status: int, text: str) -> None:
    answer = curl(f"{hub.civitai_url}/api/download/models/{version}")
    assert answer.status == status
    assert text in answer.body.decode()


def test_civitai_members_and_buyers_get_what_is_theirs(hub: Hub) -> None:
    url = f"{hub.civitai_url}/api/download/models"
    assert curl(f"{url}/2020", *bearer(hub.civitai_token)).status == 307
    assert curl(f"{url}/2020?token={hub.civitai_token}").status == 307
    assert curl(f"{url}/2010", *bearer(hub.civitai_token)).status == 403
    assert curl(f"{url}/2010", *bearer(hub.civitai_buyer_token)).status == 307


def test_civitai_sends_browsers_to_the_login_page(hub: Hub) -> None:
    answer = curl(f"{hub.civitai_url}/api/download/models/2020", "-A", "Mozilla/5.0")
    assert answer.status == 307
    assert answer.headers["location"] == "/login?returnUrl=%2Fmodel-versions%2F2020&reason=download-auth"
    page = curl(hub.civitai_url + answer.headers["location"])
    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")


def test_civitai_head_is_401_even_with_a_token(hub: Hub) -> None:
    assert curl(f"{hub.civitai_url}/api/download/models/2001", "-I", *bearer(hub.civitai_token)).status == 401


def test_civitai_own_download_url_of_a_second_file_can_lead_nowhere(hub: Hub) -> None:
    """The site picks by its preferences first and compares with the query afterwards; only fileId is exact."""
    version = curl(f"{hub.civitai_url}/api/v1/model-versions/2001").json()
    by_id = {row["id"]: row for row in version["files"]}
    assert [row["primary"] for row in version["files"]] == [False, True, False]
    assert "fileId" not in by_id[3001]["downloadUrl"]
    exact = curl(f"{hub.civitai_url}/api/download/models/2001?fileId=3001")
    assert "stow_style_v2.safetensors" in exact.headers["location"]
    assert "pruned" in curl(by_id[3002]["downloadUrl"]).headers["location"]
    assert curl(f"{hub.civitai_url}/api/download/models/2001?type=Model&fp=bf16").status == 404


def test_civitai_versions_are_found_by_any_hash_and_in_batches(hub: Hub) -> None:
    api = f"{hub.civitai_url}/api/v1/model-versions"
    files = curl(f"{api}/2001").json()["files"]
    for kind in ("SHA256", "AutoV2", "AutoV3", "CRC32"):
        assert curl(f"{api}/by-hash/{files[0]['hashes'][kind].lower()}").json()["id"] == 2001
    assert curl(f"{api}/by-hash/{'0' * 64}").status == 404
    vae = curl(f"{api}/2050").json()["files"][0]["hashes"]["SHA256"]
    body = json.dumps([files[0]["hashes"]["SHA256"], vae, "0" * 64])
    post = ("-H", "Content-Type: application/json", "-d", body)
    assert {row["id"] for row in curl(f"{api}/by-hash", *post).json()} == {2001, 2050}
    rows = curl(f"{api}/by-hash/ids", *post).json()
    assert {(row["modelId"], row["modelVersionId"]) for row in rows} == {(1001, 2001), (1006, 2050)}
    assert all(row["hash"] in body for row in rows)
    assert curl(f"{api}/by-hash/ids", "-d", '["short"]').status == 400


def test_civitai_digests_describe_the_bytes(hub: Hub) -> None:
    row = curl(f"{hub.civitai_url}/api/v1/model-versions/2050").json()["files"][0]
    body = curl(curl(f"{hub.civitai_url}/api/download/models/2050").headers["location"]).body
    header = 8 + int.from_bytes(body[:8], "little")
    assert row["hashes"]["SHA256"] == hashlib.sha256(body).hexdigest().upper()
    assert row["hashes"]["AutoV1"] == hashlib.sha256(body[0x100000:0x110000]).hexdigest()[:8].upper()
    assert row["hashes"]["AutoV3"] == hashlib.sha256(body[header:]).hexdigest()[:12].upper()
    assert row["sizeKB"] == len(body) / 1024
    assert row["name"] == "stowTinyVae_v10.safetensors"


def test_civitai_search_pages_models_and_mini(hub: Hub) -> None:
    api = f"{hub.civitai_url}/api/v1"
    first = curl(f"{api}/models?types=LORA&limit=2").json()
    assert [row["id"] for row in first["items"]] == [1001, 1002]
    second = curl(first["metadata"]["nextPage"]).json()
    assert [row["id"] for row in second["items"]] == [1003, 1004]
    assert [row["id"] for row in curl(f"{api}/models?query=harbour").json()["items"]] == [1009]
    model = curl(f"{api}/models/1001").json()
    assert [version["id"] for version in model["modelVersions"]] == [2001, 2000]
    assert curl(f"{api}/models/1004").json()["modelVersions"][0]["files"] == []
    assert curl(f"{api}/models/1008").status == 404
    mini = curl(f"{api}/model-versions/mini/2001?modelFileId=3003").json()
    assert mini["air"] == "urn:air:sd1:lora:civitai:1001@2001+3003"
    assert mini["downloadUrls"] == [f"{hub.civitai_url}/api/download/models/2001?fileId=3003"]
    assert curl(f"{api}/model-versions/2060").json()["air"] == "urn:air:flux1:diffusionmodel:civitai:1007@2060"
    assert curl(f"{api}/me").status == 401
    assert curl(f"{api}/me", *bearer(hub.civitai_token)).json()["username"] == "stow_member"


# The hub itself


def test_requests_bytes_and_connections_are_recorded(hub: Hub, signed: str) -> None:
    hub.clear_requests()
    curl(signed, "-H", "Range: bytes=0-99", "-H", "X-Mark: yes")
    (row,) = hub.requests(origin="cdn")
    assert (row["method"], row["range"], row["status"], row["bytes_sent"]) == ("GET", "bytes=0-99", 206, 100)
    assert ["X-Mark", "yes"] in row["headers"]
    assert row["file"] == "me/plain/weights.bin"
    assert hub.bytes_sent("me/plain/weights.bin") == 100
    assert hub.counters()["peak_active"]["cdn"] == 1
    assert max(row["open"] for row in hub.gauge() if row["origin"] == "cdn") == 1


def test_direct_files_need_no_signature(hub: Hub) -> None:
    added = hub.add_direct("plain.bin", data=b"plain")
    assert curl(added["url"]).body == b"plain"
    assert curl(f"{hub.cdn_url}/direct/other").status == 404


def test_reset_brings_the_catalogue_back(hub: Hub) -> None:
    hub.add_file("me/plain", "weights.bin", data=b"1")
    hub.fault("delay")
    hub.settings(signature_seconds=1)
    hub.reset()
    assert hub.faults() == hub.requests() == []
    assert curl(f"{hub.hf_url}/me/plain/resolve/main/weights.bin").status == 401
    assert hub.settings()["signature_seconds"] == 3600


@pytest.mark.parametrize("spec", [{"kind": "nonsense"}, {"kind": "drop", "afterbytes": 1}, {}])
def test_misspelt_fault_is_refused_with_what_there_is(hub: Hub, spec: dict[str, object]) -> None:
    with pytest.raises(HubError, match="drop"):
        hub.control("POST", "faults", spec)


def test_killed_hub_comes_back_on_its_ports_and_honours_its_old_links(hub_state: Path) -> None:
    with Hub(hub_state) as other:
        signed = curl(f"{other.hf_url}/Comfy-Stow/taesd-demo/resolve/main/taesd.safetensors").headers["location"]
        urls = (other.hf_url, other.civitai_url, other.cdn_url)
        other.kill()
        other.start()
        assert (other.hf_url, other.civitai_url, other.cdn_url) == urls
        assert curl(signed).status == 200
