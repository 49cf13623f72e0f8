"""Hugging Face against the local hub: resolve, auth, digest, folder, errors."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from comfystow.core.errors import (
    AmbiguousSourceError,
    AuthRequiredError,
    DownloadsDisabledError,
    EgressError,
    LicenceRequiredError,
    NotFoundError,
    ServerError,
    StowError,
)
from comfystow.core.net.location import FIRST_BYTE, locate
from comfystow.core.records.source import HuggingFaceSource, ResolvedFile
from comfystow.core.sources import catalogue
from comfystow.core.sources.catalogue import Catalogue
from comfystow.core.sources.catalogue_entry import CatalogueEntry
from support.wayout import WayOut, way_out

REPO = "hf://Comfy-Stow/taesd-demo"


async def resolve(way: WayOut, text: str, credentials=None) -> ResolvedFile:
    return await way.sources.resolve(way.sources.parse(text), credentials or way.nobody)


async def test_one_request_gives_size_digest_commit_and_ranges(hub, way) -> None:
    hub.clear_requests()
    file = await resolve(way, f"{REPO}/taesd.safetensors")
    assert [(row["method"], row["origin"], row["status"]) for row in hub.requests()] == [("HEAD", "hf", 302)]
    assert isinstance(file.source, HuggingFaceSource)
    assert re.fullmatch(r"[0-9a-f]{40}", file.source.revision or "")
    assert file.url == f"{hub.hf_url}/Comfy-Stow/taesd-demo/resolve/{file.source.revision}/taesd.safetensors"
    assert (file.filename, file.size_bytes, file.accepts_ranges) == ("taesd.safetensors", 4903146, True)
    assert file.digest is not None
    assert file.digest.algorithm == "sha256"
    assert file.page_url is not None
    assert "/blob/" in file.page_url


async def test_the_digest_is_that_of_the_bytes(hub, way) -> None:
    import hashlib

    data = b"model" * 1000
    made = hub.add_file("me/repo", "x.safetensors", data=data)
    file = await resolve(way, "hf://me/repo/x.safetensors")
    assert file.digest is not None
    assert file.digest.hex == hashlib.sha256(data).hexdigest() == made["sha256"]


async def test_a_pinned_file_stays_the_same_when_the_branch_moves(hub, way) -> None:
    hub.add_file("me/repo", "x.safetensors", data=b"one" * 1000)
    before = await resolve(way, "hf://me/repo/x.safetensors")
    hub.add_file("me/repo", "x.safetensors", data=b"two" * 1000)
    again = await resolve(way, str(before.source))
    assert (again.digest, again.url) == (before.digest, before.url)
    assert (await resolve(way, "hf://me/repo/x.safetensors")).digest != before.digest


@pytest.mark.parametrize("text", [
    "{hf}/Comfy-Stow/taesd-demo/resolve/v1/taesd.safetensors",
    "{hf}/Comfy-Stow/taesd-demo/blob/refs/pr/1/taesd.safetensors",
    "{hf}/Comfy-Stow/taesd-demo/resolve/feature%2Fslash/taesd.safetensors?download=true",
    "{hf}/Comfy-Stow/taesd-demo/resolve/feature/slash/taesd.safetensors",
    "hf://Comfy-Stow/taesd-demo@feature%2Fslash/taesd.safetensors",
    "hf://Comfy-Stow/taesd-demo@refs/pr/1/taesd.safetensors",
])  # fmt: skip
async def test_every_spelling_of_a_revision_leads_to_its_own_commit(hub, way, text: str) -> None:
    main = await resolve(way, f"{REPO}/taesd.safetensors")
    file = await resolve(way, text.format(hf=hub.hf_url))
    assert file.filename == "taesd.safetensors"
    assert file.digest != main.digest
    located = await locate(way.client, file.url, span=FIRST_BYTE)
    assert located.size_bytes == file.size_bytes


async def test_names_with_spaces_percent_and_other_alphabets(hub, way) -> None:
    file = await resolve(way, "hf://Comfy-Stow/lora-demo/loras/наш стиль (v2) + 50%.safetensors")
    assert file.filename == "наш стиль (v2) + 50%.safetensors"
    assert file.folder_hint == "loras"
    assert (await locate(way.client, file.url, span=FIRST_BYTE)).size_bytes == file.size_bytes


async def test_a_renamed_repository_is_followed(hub, way) -> None:
    old = await resolve(way, "hf://Comfy-Stow/taesd-old-name/taesd.safetensors")
    assert old.digest == (await resolve(way, f"{REPO}/taesd.safetensors")).digest


async def test_a_small_file_has_a_size_and_no_sha256(way) -> None:
    file = await resolve(way, f"{REPO}/config.json")
    assert file.digest is None
    assert file.size_bytes == 54


async def test_datasets_and_spaces_have_their_prefixes(way) -> None:
    assert (await resolve(way, "hf://datasets/Comfy-Stow/prompts/data/prompts.jsonl")).size_bytes
    space = await resolve(way, "hf://spaces/Comfy-Stow/gallery/models/tiny.safetensors")
    assert space.digest is not None
    assert "/spaces/Comfy-Stow/gallery/resolve/" in space.url


async def test_xet_headers_do_not_confuse_the_digest(hub, way) -> None:
    plain = await resolve(way, f"{REPO}/taesd.safetensors")
    hub.settings(xet_headers=True)
    assert (await resolve(way, f"{REPO}/taesd.safetensors")).digest == plain.digest


@pytest.mark.parametrize(
    ("path", "folder"),
    [("split_files/text_encoders/a.safetensors", "text_encoders"), ("unet/a.gguf", "diffusion_models"),
     ("vae/diffusion_pytorch_model.safetensors", None), ("a.safetensors", None), ("loras/x/a.safetensors", "loras"),
     ("text_encoder/model.safetensors", None), ("clip/a.safetensors", "text_encoders")],
)  # fmt: skip
async def test_a_folder_of_comfyui_in_the_path_is_a_hint(hub, way, path: str, folder: str | None) -> None:
    hub.add_file("me/repo", path, data=b"x" * 100)
    assert (await resolve(way, f"hf://me/repo/{path}")).folder_hint == folder


# Auth and errors


@pytest.mark.parametrize(
    ("text", "token", "error", "says"),
    [
        ("hf://Comfy-Stow/gated-demo/stow_gated.safetensors", None, AuthRequiredError, "accept its licence"),
        ("hf://Comfy-Stow/gated-demo/stow_gated.safetensors", "without_licence", LicenceRequiredError, "accept it at"),
        ("hf://Comfy-Stow/gated-demo/stow_gated.safetensors", "hf_wrong", AuthRequiredError, "wrong or was withdrawn"),
        ("hf://Comfy-Stow/private-demo/stow_private.safetensors", None, AuthRequiredError, "not public"),
        ("hf://Comfy-Stow/private-demo/stow_private.safetensors", "without_licence", NotFoundError, "private"),
        ("hf://Comfy-Stow/nothing/a.safetensors", None, AuthRequiredError, "check owner and name"),
        ("hf://Comfy-Stow/nothing/a.safetensors", "good", NotFoundError, "check the name"),
        ("hf://Comfy-Stow/taesd-demo/nothing.safetensors", None, NotFoundError, "file list"),
        ("hf://Comfy-Stow/taesd-demo@nothing/taesd.safetensors", None, NotFoundError, "main"),
        ("hf://Comfy-Stow/disabled-demo/gone.safetensors", None, DownloadsDisabledError, "another source"),
    ],
)
async def test_each_refusal_has_its_own_error_and_says_what_to_do(hub, way, text, token, error, says) -> None:
    tokens = {"good": hub.hf_token, "without_licence": hub.hf_token_without_licence}
    credentials = way.tokens(HF_TOKEN=tokens.get(token, token)) if token else way.nobody
    with pytest.raises(StowError) as caught:
        await resolve(way, text, credentials)
    assert type(caught.value) is error
    assert says in (caught.value.hint or "")
    assert str(credentials.environment.get("HF_TOKEN")) not in f"{caught.value} {caught.value.hint}"


@pytest.mark.parametrize(
    ("path", "near"),
    [("teasd.safetensors", "`taesd.safetensors`"), ("taesd_copy.safetensors", "`vae/taesd_copy.safetensors`")],
)
async def test_a_missing_file_names_the_one_that_was_probably_meant(way, path: str, near: str) -> None:
    with pytest.raises(NotFoundError, match="no such file") as caught:
        await resolve(way, f"{REPO}/{path}")
    assert near in (caught.value.hint or "")


async def test_a_gated_file_comes_once_the_licence_is_accepted(hub, way) -> None:
    token = way.tokens(HF_TOKEN=hub.hf_token_without_licence)
    text = "hf://Comfy-Stow/gated-demo/stow_gated.safetensors"
    with pytest.raises(LicenceRequiredError):
        await resolve(way, text, token)
    hub.accept_licence("Comfy-Stow/gated-demo")
    assert (await resolve(way, text, token)).digest is not None
    assert (await resolve(way, "hf://Comfy-Stow/private-demo/stow_private.safetensors", way.member)).digest is not None


async def test_offline_asks_nothing(hub) -> None:
    async with way_out(hub, hf_offline=True) as way:
        hub.clear_requests()
        with pytest.raises(EgressError, match="switched off"):
            await resolve(way, f"{REPO}/taesd.safetensors")
    assert hub.requests() == []


async def test_a_mirror_that_pins_nothing_still_serves(hub, way) -> None:
    told = ["X-Repo-Commit", "X-Linked-ETag", "X-Linked-Size"]
    hub.fault("headers", origin="hf", path="*/resolve/*", methods=["HEAD"], remove=told)
    file = await resolve(way, f"{REPO}/taesd.safetensors")
    assert (file.digest, file.size_bytes) == (None, None)
    assert "/resolve/main/" in file.url


async def test_a_hostile_digest_or_commit_is_not_believed(hub, way) -> None:
    hub.fault("headers", origin="hf", path="*/resolve/*", methods=["HEAD"],
              set={"X-Linked-ETag": '"' + "G" * 64 + '"', "X-Linked-Size": "9" * 40, "X-Repo-Commit": "../../x"})  # fmt: skip
    file = await resolve(way, f"{REPO}/taesd.safetensors")
    assert (file.digest, file.size_bytes) == (None, None)
    assert ".." not in file.url


# Folders


async def test_a_repository_lists_its_files_with_digests_in_one_walk(hub, way) -> None:
    hub.settings(tree_page_size=2)
    hub.clear_requests()
    files = await way.sources.huggingface.list_files(way.sources.parse(REPO), way.nobody)
    names = {file.metadata["path"] for file in files}
    assert {"taesd.safetensors", "vae/taesd_copy.safetensors", "config.json", "README.md"} <= names
    model = next(file for file in files if file.metadata["path"] == "taesd.safetensors")
    alone = await resolve(way, f"{REPO}/taesd.safetensors")
    assert (model.digest, model.size_bytes, model.url) == (alone.digest, alone.size_bytes, alone.url)
    assert len([row for row in hub.requests() if "/tree/" in row["target"]]) > 1


@pytest.mark.parametrize(
    ("text", "include", "exclude", "names"),
    [
        (REPO, ("*.safetensors",), (), {"taesd.safetensors", "vae/taesd_copy.safetensors"}),
        (REPO, ("*.safetensors",), ("vae/*",), {"taesd.safetensors"}),
        (REPO, ("vae/",), (), {"vae/taesd_copy.safetensors"}),
        (f"{REPO}/vae/", (), (), {"vae/taesd_copy.safetensors"}),
        ("hf://Comfy-Stow/tiny-diffusers", ("unet/*", "vae/*"), ("*.json",),
         {"unet/diffusion_pytorch_model.safetensors", "vae/diffusion_pytorch_model.safetensors"}),
        (REPO, ("*.gguf",), (), set()),
    ],
)  # fmt: skip
async def test_folders_are_taken_by_include_and_exclude(way, text, include, exclude, names) -> None:
    source = way.sources.parse(text)
    files = await way.sources.huggingface.list_files(source, way.nobody, include=include, exclude=exclude)
    assert {file.metadata["path"] for file in files} == names


async def test_a_repository_alone_is_ambiguous_and_names_its_files(way) -> None:
    with pytest.raises(AmbiguousSourceError, match="2 model files") as caught:
        await resolve(way, REPO)
    assert "vae/taesd_copy.safetensors" in (caught.value.hint or "")
    assert "--include" in (caught.value.hint or "")


async def test_a_page_link_that_leaves_the_site_is_not_followed(hub, way) -> None:
    hub.settings(tree_page_size=2)
    hub.fault("headers", origin="hf", path="*/tree/*",
              set={"Link": f'<{hub.cdn_url}/direct/more.json>; rel="next"'})  # fmt: skip
    files = await way.sources.huggingface.list_files(way.sources.parse(REPO), way.member)
    assert len(files) <= 2
    assert hub.requests(origin="cdn") == []


async def test_an_answer_without_a_commit_is_an_error(hub, way) -> None:
    hub.fault("status", origin="hf", path="*/revision/*", status=200, body="[]", content_type="application/json")
    with pytest.raises(ServerError, match="no commit"):
        await way.sources.huggingface.list_files(way.sources.parse(REPO), way.nobody)


async def test_a_folder_that_the_path_does_not_tell_is_that_of_the_listed_digest(hub, way, monkeypatch) -> None:
    made = hub.add_file("me/plain", "thing.safetensors", size_bytes=5000)
    source = way.sources.parse("hf://me/plain/thing.safetensors")
    assert (await way.sources.resolve(source, way.nobody)).folder_hint is None
    entry = CatalogueEntry(
        name="other.safetensors", folder_name="loras", source="hf://a/b/other.safetensors",
        url="https://huggingface.co/a/b", origin="a list", sha256=made["sha256"],
    )  # fmt: skip
    monkeypatch.setattr(catalogue, "shipped_catalogue", lambda: Catalogue([entry]))
    assert (await way.sources.resolve(source, way.nobody)).folder_hint == "loras"
    rival = replace(entry, name="rival.safetensors", folder_name="vae")
    monkeypatch.setattr(catalogue, "shipped_catalogue", lambda: Catalogue([entry, rival]))
    assert (await way.sources.resolve(source, way.nobody)).folder_hint is None
