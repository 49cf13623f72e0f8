"""Known models by name and digest, from every kind of list."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from comfystow.core.records.workflow import Confidence
from comfystow.core.sources.catalogue import Catalogue, shipped_entries
from comfystow.core.sources.catalogue_entry import read_list, walk_models
from comfystow.core.sources.reference import parse_reference
from comfystow.core.sources.templates import read_templates
from hypothesis import given
from hypothesis import strategies as st

HEX = "ab" * 32
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.sampled_from(["models", "nodes", "properties", "definitions", "subgraphs", "url", "name", "columns", "directory"]),
        inner, max_size=4),
    max_leaves=30,
)  # fmt: skip


def listed(*rows: dict[str, object], origin: str = "a list") -> Catalogue:
    return Catalogue(read_list(list(rows), origin))


def row(name: str = "a.safetensors", repo: str = "o/r", folder: str = "vae", **more: object) -> dict[str, object]:
    return {"name": name, "url": f"https://huggingface.co/{repo}/resolve/main/{name}", "directory": folder, **more}


def test_the_shipped_list_is_whole() -> None:
    entries = shipped_entries()
    assert len(entries) > 400
    for entry in entries:
        assert str(parse_reference(entry.source)) == entry.source
        assert entry.folder_name not in {None, "unet", "clip"}
        assert "/blob/" not in entry.url
        assert entry.url.startswith("https://")


def test_every_shipped_name_is_found_in_its_folder_first() -> None:
    catalogue = Catalogue(shipped_entries())
    for entry in shipped_entries():
        found = catalogue.by_name(entry.name, entry.folder_name)
        assert found[0].folder_name == entry.folder_name
        assert found[0].confidence in {Confidence.HIGH, Confidence.LIKELY, Confidence.GUESS}


def test_a_name_in_its_folder_is_high_and_in_another_likely() -> None:
    catalogue = listed(row(folder="vae"))
    assert catalogue.by_name("a.safetensors", "vae")[0].confidence is Confidence.HIGH
    assert catalogue.by_name("a.safetensors")[0].confidence is Confidence.HIGH
    assert catalogue.by_name("sub\\A.SAFETENSORS", "vae")[0].confidence is Confidence.HIGH
    assert catalogue.by_name("a.safetensors", "loras")[0].confidence is Confidence.LIKELY
    assert catalogue.by_name("b.safetensors", "vae") == []


def test_old_folder_names_are_the_new_ones() -> None:
    found = listed(row(folder="unet")).by_name("a.safetensors", "unet")[0]
    assert (found.folder_name, found.confidence) == ("diffusion_models", Confidence.HIGH)


def test_rival_places_are_likely_unless_one_is_used_more_or_they_hold_the_same() -> None:
    both = listed(row(repo="o/one"), row(repo="o/two"))
    assert [found.confidence for found in both.by_name("a.safetensors", "vae")] == [Confidence.LIKELY] * 2
    more = listed(row(repo="o/one"), row(repo="o/two", uses=9)).by_name("a.safetensors", "vae")
    assert [(found.source, found.confidence) for found in more] == [
        ("hf://o/two/a.safetensors", Confidence.HIGH), ("hf://o/one/a.safetensors", Confidence.LIKELY)]  # fmt: skip
    same = listed(row(repo="o/one", sha256=HEX), row(repo="o/two", sha256=HEX)).by_name("a.safetensors", "vae")
    assert [found.confidence for found in same] == [Confidence.HIGH] * 2


@pytest.mark.parametrize(
    "name", ["model.safetensors", "diffusion_pytorch_model.fp16.safetensors", "pytorch_model.bin",
             "model-00001-of-00002.safetensors", "pytorch_lora_weights.safetensors"])  # fmt: skip
def test_a_name_that_everybody_uses_is_a_guess(name: str) -> None:
    assert listed(row(name)).by_name(name, "vae")[0].confidence is Confidence.GUESS


def test_like_spellings_and_aliases_are_guesses() -> None:
    catalogue = listed(row("flux1-dev_FP8.safetensors", aliases=["flux_dev_old.safetensors"]))
    for name in ("Flux1_dev-fp8.safetensors", "flux_dev_old.safetensors"):
        found = catalogue.by_name(name, "vae")
        assert [item.confidence for item in found] == [Confidence.GUESS]
        assert "flux1-dev_FP8.safetensors" in found[0].reason


def test_a_digest_is_exact() -> None:
    catalogue = listed(row(hash=HEX.upper(), hash_type="SHA256"))
    for text in (HEX, HEX.upper(), f"sha256:{HEX}"):
        assert catalogue.by_digest(text)[0].confidence is Confidence.EXACT
    assert catalogue.by_digest("cd" * 32) == []
    assert listed(row(hash=HEX, hash_type="MD5")).by_digest(HEX) == []


def test_a_page_becomes_the_file_and_the_query_goes() -> None:
    found = listed(
        {"name": "a.gguf", "directory": "vae", "url": "https://huggingface.co/o/r/blob/main/x/a.gguf?download=true"}
    ).by_name("a.gguf")[0]
    assert (found.url, found.source) == ("https://huggingface.co/o/r/resolve/main/x/a.gguf", "hf://o/r/x/a.gguf")


def test_the_files_own_name_at_the_source_is_an_alias() -> None:
    found = listed({"name": "mine.gguf", "directory": "vae", "url": "https://huggingface.co/o/r/blob/main/theirs.gguf"})
    assert found.by_name("theirs.gguf")[0].name == "mine.gguf"


def test_earlier_lists_win_over_later_ones() -> None:
    entries = [*read_list([row(sha256=HEX)], "first"), *read_list([row()], "second")]
    found = Catalogue(entries).by_name("a.safetensors")
    assert [item.sha256 for item in found] == [HEX]


def test_all_lists_are_read_from_where_they_lie(tmp_path: Path) -> None:
    manager = {"models": [
        {"name": "Nice VAE", "type": "VAE", "save_path": "default", "filename": "nice.safetensors", "size": "335MB",
         "url": "https://huggingface.co/o/r/resolve/main/nice.safetensors"},
        {"name": "X", "type": "lora", "save_path": "loras/flux", "filename": "x.safetensors", "url": "https://host.example/x.safetensors"},
        {"name": "Node", "type": "x", "save_path": "custom_nodes/y", "filename": "y.pth", "url": "https://github.com/o/r/raw/main/y.pth"},
        {"name": "Whole repo", "filename": "<huggingface>", "save_path": "vae", "url": "o/r"},
    ]}  # fmt: skip
    place = tmp_path / "base/custom_nodes/ComfyUI-Manager"
    place.mkdir(parents=True)
    (place / "model-list.json").write_text(json.dumps(manager))
    (tmp_path / "state/catalogues").mkdir(parents=True)
    (tmp_path / "state/catalogues/mine.json").write_text(json.dumps([row("mine.safetensors", size_bytes=7)]))
    (tmp_path / "state/catalogues/broken.json").write_text("[")
    catalogue = Catalogue.load(base_path=tmp_path / "base", state_dir=tmp_path / "state")
    assert catalogue.by_name("nice.safetensors", "vae")[0].confidence is Confidence.HIGH
    assert catalogue.by_name("nice.safetensors")[0].size_bytes is None
    assert catalogue.by_name("x.safetensors")[0].folder_name == "loras"
    assert catalogue.by_name("y.pth")[0].folder_name is None
    mine = catalogue.by_name("mine.safetensors")[0]
    assert mine.size_bytes == 7
    assert "mine.json" in mine.reason


def test_templates_are_read_with_their_subgraphs_and_counted(tmp_path: Path) -> None:
    node = {"type": "VAELoader", "properties": {"models": [row()]}}
    inner = {"type": "X", "properties": {"models": [row("inner.safetensors", folder="clip")]}}
    (tmp_path / "templates").mkdir()
    for name in ("one", "two"):
        document = {"nodes": [node, node], "definitions": {"subgraphs": [{"nodes": [inner]}]}}
        (tmp_path / "templates" / f"{name}.json").write_text(json.dumps(document))
    (tmp_path / "templates/broken.json").write_text('{"directory"')
    found = {entry.name: entry for entry in read_templates([tmp_path])}
    assert found["a.safetensors"].uses == 2
    assert found["inner.safetensors"].folder_name == "text_encoders"


@given(JSON)
def test_no_foreign_list_or_workflow_breaks_the_reader(data: object) -> None:
    assert all(entry.name for entry in read_list(data, "x"))
    assert isinstance(list(walk_models(data)), list)


def test_the_list_can_be_made_again_from_templates(tmp_path: Path, monkeypatch) -> None:
    from comfystow.core.sources.data import make_models

    (tmp_path / "t.json").write_text(json.dumps({"nodes": [{"properties": {"models": [row()]}}]}))
    monkeypatch.setattr(make_models, "__file__", str(tmp_path / "out" / "make_models.py"))
    (tmp_path / "out").mkdir()
    assert make_models.main([str(tmp_path / "t.json").rsplit("/", 1)[0]]) == 0
    assert [entry.name for entry in read_list(json.loads((tmp_path / "out/models.json").read_text()), "x")] == [
        "a.safetensors"
    ]
