"""Civitai against the local hub: resolve, auth, choice of the file, digest, folder, errors."""

from __future__ import annotations

import pytest
from comfystow.core.errors import (
    AmbiguousSourceError,
    AuthRequiredError,
    DownloadsDisabledError,
    EarlyAccessError,
    GoneError,
    IntegrityError,
    NotFoundError,
    ServerError,
    SourceError,
    StowError,
)
from comfystow.core.net.credentials import Credentials
from comfystow.core.net.location import FIRST_BYTE, locate
from comfystow.core.records.source import CivitaiSource, Digest, ResolvedFile
from comfystow.core.sources.civitai import Civitai
from comfystow.core.sources.civitai_files import choose_file, read_version
from hub.server import Hub
from support.transfers import job, open_engine
from support.wayout import WayOut, place, way_out


async def resolve(way: WayOut, text: str, credentials: Credentials | None = None) -> ResolvedFile:
    return await way.sources.resolve(way.sources.parse(text), credentials or way.nobody)


@pytest.mark.parametrize(
    ("text", "file_id"),
    [
        ("civitai://1001", 3002),
        ("civitai://1001@2001", 3002),
        ("civitai://@2001", 3002),
        ("civitai://1001?file=3000", 3000),  # the version that holds the file
        ("civitai://1001@2001?file=3001", 3001),
        ("civitai://1001@2001?fp=fp16&size=full&format=SafeTensor", 3001),
        ("civitai://1001@2001?format=PickleTensor", 3003),
        ("civitai://1001@2000", 3000),
        ("{civitai}/models/1001/stow-style?modelVersionId=2001", 3002),
        ("{civitai}/models/1001", 3002),
        ("{civitai}/model-versions/2000", 3000),
        ("{civitai}/api/v1/model-versions/2000", 3000),
        ("{civitai}/api/download/models/2001", 3002),
        ("{civitai}/api/download/models/2001?type=Model&format=SafeTensor&size=full&fp=fp16", 3001),
        ("{civitai}/api/download/models/2001?fileId=3001", 3001),
        ("urn:air:sd1:lora:civitai:1001@2001+3001", 3001),
        ("urn:air:sd1:lora:civitai:1001@2000", 3000),
    ],
)
async def test_every_link_leads_to_one_file_named_by_its_id(hub, way, text: str, file_id: int) -> None:
    file = await resolve(way, text.format(civitai=hub.civitai_url))
    assert isinstance(file.source, CivitaiSource)
    assert file.source.file_id == file_id
    assert file.url == f"{hub.civitai_url}/api/download/models/{file.source.version_id}?fileId={file_id}"
    located = await locate(way.client, file.url, span=FIRST_BYTE)
    assert (located.size_bytes, True) == (file.size_bytes, file.accepts_ranges)
    assert file.digest is not None
    assert await resolve(way, str(file.source)) == file


async def test_the_size_is_the_storages_to_the_byte(hub, way) -> None:
    file = await resolve(way, "civitai://1006")
    assert file.size_bytes == 4903146
    same = await way.sources.resolve(way.sources.parse("hf://Comfy-Stow/taesd-demo/taesd.safetensors"), way.nobody)
    assert file.digest == same.digest


async def test_what_the_page_tells_is_kept(way) -> None:
    file = await resolve(way, "civitai://1001")
    assert file.metadata["trigger_words"] == ["stow style", "harbour light"]
    assert file.metadata["model_type"] == "LORA"
    assert file.base_model_hint
    assert file.page_url is not None
    assert file.page_url.endswith("/models/1001?modelVersionId=2001")
    assert any("?file=3001" in choice for choice in file.metadata["choices"])


@pytest.mark.parametrize("text", ["civitai://1001", "civitai://1001@2001", "civitai://@2001"])
async def test_the_licence_is_kept_whichever_way_the_file_was_named(way, text: str) -> None:
    licence = (await resolve(way, text)).metadata["licence"]
    assert licence == {
        "credit_required": False, "commercial_use": ["Image"], "derivatives": True, "other_licence": False
    }  # fmt: skip


async def test_a_file_is_not_held_up_by_its_licence(hub, way) -> None:
    hub.fault("status", origin="civitai", path="/api/v1/models/*", status=503)
    file = await resolve(way, "civitai://@2001")
    assert "licence" not in file.metadata
    assert file.digest is not None


@pytest.mark.parametrize(
    ("text", "folder"),
    [("civitai://1001", "loras"), ("civitai://1006", "vae"), ("civitai://1007", "diffusion_models"),
     ("civitai://1009", "embeddings")],
)  # fmt: skip
async def test_the_files_type_goes_before_the_models(way, text: str, folder: str) -> None:
    assert (await resolve(way, text)).folder_hint == folder


async def test_an_embedding_is_named_as_the_site_serves_it(way) -> None:
    assert (await resolve(way, "civitai://1009")).filename == "stowharbour.safetensors"


@pytest.mark.parametrize(
    ("text", "token", "error", "says"),
    [
        ("civitai://1002", None, EarlyAccessError, "buy it"),
        ("civitai://1002", "member", EarlyAccessError, "buy it"),
        ("civitai://1003", None, AuthRequiredError, "API key"),
        ("civitai://1003", "wrong", AuthRequiredError, "withdrawn"),
        ("civitai://1004", "member", GoneError, "any more"),
        ("civitai://1005", "member", DownloadsDisabledError, "generator"),
        ("civitai://1008", "member", NotFoundError, "check the ids"),
        ("civitai://424242", None, NotFoundError, "check the ids"),
        ("civitai://1001@2050", None, NotFoundError, "civitai://1006@2050"),
        ("civitai://1001@2001?file=3050", None, NotFoundError, "?file=3001"),
        ("civitai://1001?file=3050", None, NotFoundError, "open its page"),
        ("civitai://1001@2001?fp=fp8", None, NotFoundError, "?file=3001"),
    ],
)
async def test_each_refusal_has_its_own_error_and_says_what_to_do(hub, way, text, token, error, says) -> None:
    tokens = {"member": hub.civitai_token}
    credentials = way.tokens(CIVITAI_TOKEN=tokens.get(token, token)) if token else way.nobody
    with pytest.raises(StowError) as caught:
        await resolve(way, text, credentials)
    assert type(caught.value) is error
    assert says in (caught.value.hint or "")


async def test_early_access_names_its_date(way) -> None:
    with pytest.raises(EarlyAccessError, match="2030-01-01"):
        await resolve(way, "civitai://1002")


async def test_tokens_open_what_they_should(hub, way) -> None:
    assert (await resolve(way, "civitai://1003", way.member)).digest is not None
    assert (await resolve(way, "civitai://1002", way.tokens(CIVITAI_TOKEN=hub.civitai_buyer_token))).digest is not None


async def test_a_login_page_is_a_missing_token(hub, way) -> None:
    hub.fault("redirect", origin="civitai", path="/api/download/*", status=307,
              location="/login?returnUrl=%2Fmodels%2F1&reason=download-auth")  # fmt: skip
    with pytest.raises(AuthRequiredError, match="logged-in members"):
        await resolve(way, "civitai://1001")


async def test_a_refusal_in_the_answer_of_the_storage_is_not_the_sites(hub, way) -> None:
    hub.fault("status", origin="cdn", path="*", status=403, body="<Error><Code>AccessDenied</Code></Error>")
    with pytest.raises(SourceError, match="HTTP 403"):
        await resolve(way, "civitai://1001")


@pytest.mark.parametrize("body", ["[]", "null", '{"id": "x"}', '{"id": 1, "files": 7}', '{"id": 1, "files": [{"id": {}}]}',
                                  '{"id": 2001, "files": [{"id": 5, "name": 7, "hashes": [], "metadata": 3}]}'])  # fmt: skip
async def test_a_hostile_answer_is_an_error_of_ours(hub, way, body: str) -> None:
    hub.fault("status", origin="civitai", path="/api/v1/*", status=200, body=body, content_type="application/json")
    with pytest.raises((ServerError, NotFoundError)):
        await resolve(way, "civitai://@2001")


async def test_a_hostile_name_falls_back_to_the_storages(hub, way) -> None:
    body = '{"id": 2001, "modelId": 1001, "files": [{"id": 3001, "name": "../../evil.safetensors"}]}'
    hub.fault("status", origin="civitai", path="/api/v1/*", status=200, body=body, content_type="application/json")
    assert (await resolve(way, "civitai://@2001")).filename == "stow_style_v2.safetensors"


# Two domains


@pytest.mark.parametrize("status", [404, 401])
async def test_the_other_domain_is_asked_when_one_does_not_have_it(hub, tmp_path, status: int) -> None:
    with Hub(tmp_path / "other") as red:
        async with way_out(hub, allow=(place(red.civitai_url), place(red.cdn_url))) as way:
            both = Civitai(way.client, way.settings, sites=(hub.civitai_url, red.civitai_url))
            hub.fault("status", origin="civitai", path="/api/*", status=status, body="{}",
                      content_type="application/json")  # fmt: skip
            file = await both.resolve(CivitaiSource(model_id=1001), way.member)
        assert file.url.startswith(red.civitai_url)
        assert file.size_bytes == 1216884
        # The other host is not one that the token was made for.
        assert "authorization" not in {name.lower() for row in red.requests() for name, _ in row["headers"]}


async def test_the_first_domains_refusal_is_told_when_both_refuse(hub, way) -> None:
    both = Civitai(way.client, way.settings, sites=(hub.civitai_url, hub.civitai_url))
    with pytest.raises(NotFoundError):
        await both.resolve(CivitaiSource(model_id=424242), way.nobody)
    assert len(hub.requests(origin="civitai")) == 2


def test_the_real_domains_are_one_provider() -> None:
    from comfystow.core.config import load_settings
    from comfystow.core.net.client import HttpClient, HttpLimits
    from comfystow.core.net.egress import EgressGate
    from comfystow.core.net.hosts import AllowList

    settings = load_settings({})
    site = Civitai(HttpClient(HttpLimits(), EgressGate(AllowList.build(settings))), settings)
    assert site._sites == ("https://civitai.com", "https://civitai.red")
    assert site.is_own("https://civitai.red/api")
    assert not site.is_own("https://b2.civitai.com/file")


# By hash


async def test_a_whole_library_is_identified_in_one_request(hub, way) -> None:
    wanted = [(await resolve(way, text)).digest for text in ("civitai://1001", "civitai://1006", "civitai://1007")]
    unknown = [Digest("sha256", f"{number:064x}") for number in range(2000)]
    hub.clear_requests()
    found = await way.sources.civitai.identify([*wanted, *unknown], way.nobody)
    assert len(hub.requests()) == 1
    assert {digest.hex: found[digest.hex].version_id for digest in wanted} == dict(
        zip([digest.hex for digest in wanted], [2001, 2050, 2060], strict=True)
    )


async def test_more_than_one_batch_of_digests_is_split(hub, way) -> None:
    hub.clear_requests()
    await way.sources.civitai.identify([Digest("sha256", f"{number:064x}") for number in range(10_001)], way.nobody)
    assert len(hub.requests()) == 2


async def test_a_bare_sha256_finds_its_file(way) -> None:
    file = await resolve(way, "civitai://1001@2001?file=3001")
    assert file.digest is not None
    assert (await resolve(way, file.digest.hex)).source == file.source


async def test_a_bare_sha256_that_nobody_knows(way) -> None:
    with pytest.raises(NotFoundError, match="nobody we know"):
        await resolve(way, "0" * 64)


# The choice, pure


def row(file_id: int, **values: object) -> dict[str, object]:
    metadata = {name: values.pop(name) for name in ("format", "size", "fp") if name in values}
    return {"id": file_id, "name": f"{file_id}.safetensors", "type": "Model", "metadata": metadata} | values


def chosen(*rows: dict[str, object], **wanted: str) -> int:
    return choose_file(read_version({"id": 1, "files": list(rows)}), None, tuple(sorted(wanted.items()))).id


def test_the_choice_prefers_as_the_sites_button_does() -> None:
    full, pruned = (
        row(1, format="SafeTensor", size="full", fp="fp16"),
        row(2, format="SafeTensor", size="pruned", fp="fp16"),
    )
    pickle = row(3, format="PickleTensor", size="pruned", fp="fp16", primary=True)
    config = row(4, type="Config", primary=True)
    assert chosen(full, pruned, pickle, config) == 2
    assert chosen(full, pickle, config) == 1
    assert chosen(pickle, config) == 3
    assert (
        chosen(full, pruned | {"primary": False}, row(5, format="SafeTensor", size="full", fp="fp32", primary=True))
        == 5
    )
    assert chosen(full, pruned, size="full") == 1
    assert chosen(full, config, type="Config") == 4


def test_files_that_fit_equally_well_are_shown() -> None:
    with pytest.raises(AmbiguousSourceError, match="2 files") as caught:
        chosen(row(1, format="GGUF"), row(2, format="GGUF"))
    assert "?file=1" in (caught.value.hint or "")
    assert "?file=2" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("told", "algorithm"),
    [
        ("AutoV1,AutoV2,SHA256,BLAKE3,CRC32,AutoV3", "sha256"),
        ("AutoV1,AutoV2,BLAKE3,CRC32,AutoV3", "blake3"),
        ("AutoV1,AutoV2,CRC32,AutoV3", "autov2"),
        ("AutoV1,CRC32,AutoV3", "crc32"),
        ("AutoV1,AutoV3", "autov3"),
        ("AutoV1", "autov1"),
        ("", None),
    ],
)
async def test_best_of_the_hashes_is_taken_and_proves_the_file(
    hub, way, tmp_path, told: str, algorithm: str | None
) -> None:
    hub.settings(civitai_hashes=told)
    file = await resolve(way, "civitai://1001@2001?file=3001")
    assert (file.digest.algorithm if file.digest is not None else None) == algorithm
    with open_engine(gate=way.client.gate) as engine:
        result = await engine.fetch(job(file, tmp_path / "style.safetensors"))
        whole = algorithm in {"sha256", "blake3", "autov2", "crc32"}
        assert result.verified == ("digest" if whole else "header")
        if algorithm is None or algorithm == "autov1":  # that one looks at 64 KiB, which this file may not have
            return
        hub.fault("change", origin="cdn", etag=False)
        with pytest.raises(IntegrityError):
            await engine.fetch(job(file, tmp_path / "other.safetensors"))
    assert not (tmp_path / "other.safetensors").exists()
