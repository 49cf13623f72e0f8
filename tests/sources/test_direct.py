"""Plain links against the local hub's storage: resolve, auth, digest, folder, errors."""

from __future__ import annotations

import base64
import hashlib

import pytest
from comfystow.core.errors import AuthRequiredError, EgressError, NotAModelError, NotFoundError
from comfystow.core.net.credentials import Credentials
from comfystow.core.net.tokenfile import TokenFile
from comfystow.core.records.source import ResolvedFile
from comfystow.core.sources.direct import digest_of
from support.wayout import WayOut

DATA = b"\x80" * 5000


async def resolve(way: WayOut, url: str) -> ResolvedFile:
    return await way.sources.resolve(way.sources.parse(url), way.nobody)


async def test_a_link_gives_name_size_ranges_and_etag(hub, way) -> None:
    url = hub.add_direct("plain.safetensors", data=DATA)["url"]
    file = await resolve(way, f"{url}?v=1")
    assert (file.filename, file.size_bytes, file.accepts_ranges) == ("plain.safetensors", 5000, True)
    assert file.etag is not None
    assert (file.digest, file.folder_hint) == (None, None)
    assert file.url == f"{url}?v=1"


async def test_the_servers_name_goes_before_the_links_and_is_made_safe(hub, way) -> None:
    url = hub.add_direct("plain.safetensors", data=DATA)["url"]
    hub.fault("headers", path="/direct/*", set={"Content-Disposition": 'attachment; filename="../../real name.gguf"'})
    assert (await resolve(way, url)).filename == "real name.gguf"


async def test_a_link_without_any_name_asks_for_one(hub, way) -> None:
    hub.add_direct("x", data=DATA)
    hub.fault("redirect", origin="cdn", path="/direct/x", location="/direct/..%2f?", status=302)
    with pytest.raises((NotAModelError, NotFoundError)):
        await resolve(way, f"{hub.cdn_url}/direct/x")


async def test_a_digest_of_the_server_is_taken(hub, way) -> None:
    made = hub.add_direct("plain.safetensors", data=DATA)
    text = base64.b64encode(hashlib.sha256(DATA).digest()).decode()
    hub.fault("headers", path="/direct/*", set={"Repr-Digest": f"sha-256=:{text}:"})
    digest = (await resolve(way, made["url"])).digest
    assert digest is not None
    assert digest.hex == made["sha256"]


@pytest.mark.parametrize(
    ("headers", "known"),
    [
        ({"Repr-Digest": "sha-256=:AAAA:"}, False),
        ({"Content-Digest": f"sha-256=:{'A' * 43}=:"}, False),  # of the part that was sent, not of the file
        ({"x-amz-checksum-sha256": f"{'A' * 43}="}, True),
        ({"x-amz-checksum-sha256": f"{'A' * 43}=-3"}, False),  # of a multipart upload: a hash of hashes
        ({"x-amz-checksum-sha256": f"{'A' * 43}=", "x-amz-checksum-type": "COMPOSITE"}, False),
        ({"ETag": '"' + "a" * 64 + '"'}, False),  # an opaque validator
        ({}, False),
    ],
)
def test_only_a_digest_of_the_whole_file_counts(headers: dict[str, str], known: bool) -> None:
    assert (digest_of(headers) is not None) == known


@pytest.mark.parametrize(
    ("fault", "parameters", "says"),
    [("html_login", {}, "web page"), ("xml_error", {}, "XML error"), ("lfs_pointer", {}, "LFS pointer")],
)
async def test_what_is_no_model_is_recognised_whatever_its_status(hub, way, fault, parameters, says) -> None:
    url = hub.add_direct("plain.safetensors", data=DATA)["url"]
    hub.fault(fault, path="/direct/*", **parameters)
    with pytest.raises(NotAModelError, match=says) as caught:
        await resolve(way, url)
    assert caught.value.hint


@pytest.mark.parametrize("path", ["/login", "/users/sign_in?next=x", "/auth/realms/x"])
async def test_a_redirect_to_a_login_page_is_a_missing_token(hub, way, path: str) -> None:
    url = hub.add_direct("plain.safetensors", data=DATA)["url"]
    hub.fault("redirect", path="/direct/*", origin="cdn", location=path, status=302)
    hub.fault("html_login", path=f"{path.split('?')[0]}*", origin="cdn")
    with pytest.raises(AuthRequiredError, match="login page"):
        await resolve(way, url)


async def test_a_model_labelled_as_text_is_still_a_model(hub, way) -> None:
    url = hub.add_direct("plain.safetensors", data=DATA)["url"]
    hub.fault("headers", path="/direct/*", set={"Content-Type": "text/html; charset=utf-8"})
    assert (await resolve(way, url)).size_bytes == 5000


async def test_a_missing_file_and_a_foreign_host(hub, way) -> None:
    with pytest.raises(NotFoundError):
        await resolve(way, f"{hub.cdn_url}/direct/nothing.gguf")
    with pytest.raises(EgressError, match="not on the list"):
        await resolve(way, "https://models.example.com/x.gguf")


async def test_a_hosts_own_token_is_sent_over_tls_only(hub, way, tmp_path) -> None:
    credentials = Credentials(settings=way.settings, environment={}, file=TokenFile(tmp_path / "credentials.json"))
    credentials.set("models.example.com", "own")
    assert credentials.headers_for("https://models.example.com/x") == {"Authorization": "Bearer own"}
    url = hub.add_direct("plain.safetensors", data=DATA)["url"]
    await way.sources.resolve(way.sources.parse(url), credentials)
    assert "authorization" not in {name.lower() for row in hub.requests() for name, _ in row["headers"]}
