"""What is there: exactly, near, or missing."""

from __future__ import annotations

import os

import pytest
from comfystow.core.records.model import Folder, FolderLayout, ModelRef
from comfystow.core.records.workflow import Confidence, Presence, RequiredModel
from comfystow.core.workflow.names import NameIndex
from comfystow.core.workflow.status import LayoutInventory, model_statuses


@pytest.fixture
def layout(tmp_path):
    names = ["vae/ae.safetensors", "vae/sub/moved.safetensors", "loras/Style/Detail_Tweaker.safetensors",
             "loras/a/twice.safetensors", "loras/b/twice.safetensors", "embeddings/easynegative.pt",
             "unet/old.safetensors", "diffusion_models/wan2.1_t2v_14B_fp8.safetensors"]  # fmt: skip
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    folders = {name: Folder(directories=(tmp_path / name,)) for name in ("vae", "loras", "embeddings")}
    folders["diffusion_models"] = Folder(directories=(tmp_path / "unet", tmp_path / "diffusion_models"))
    return FolderLayout(folders=folders, base_path=tmp_path)


def status(layout, folder, name, **extra):
    (found,) = model_statuses([RequiredModel(name=name, folder_name=folder, **extra)], LayoutInventory(layout))
    return found


@pytest.mark.parametrize(
    ("folder", "name"),
    [("vae", "ae.safetensors"), ("vae", "sub/moved.safetensors"), ("diffusion_models", "old.safetensors"),
     ("embeddings", "easynegative"), (None, "ae.safetensors")],
)  # fmt: skip
def test_a_name_that_a_loader_would_open_is_present(layout, folder, name):
    found = status(layout, folder, name)
    assert found.presence is Presence.PRESENT
    assert os.path.basename(found.path).startswith(os.path.basename(name))


@pytest.mark.parametrize(
    ("folder", "name", "near", "confidence"),
    [
        ("vae", "moved.safetensors", "sub/moved.safetensors", Confidence.HIGH),
        ("vae", "other/moved.safetensors", "sub/moved.safetensors", Confidence.HIGH),
        ("loras", "style/detail_tweaker.safetensors", "Style/Detail_Tweaker.safetensors", Confidence.HIGH),
        ("loras", "twice.safetensors", "a/twice.safetensors", Confidence.LIKELY),
        ("loras", "detail-tweaker.safetensors", "Style/Detail_Tweaker.safetensors", Confidence.LIKELY),
        ("loras", "detail_tweakers.safetensors", "Style/Detail_Tweaker.safetensors", Confidence.GUESS),
    ],
)
def test_a_moved_or_respelt_file_is_near_with_a_confidence(layout, folder, name, near, confidence):
    found = status(layout, folder, name)
    assert (found.presence, found.near_name, found.near_confidence) == (Presence.NEAR, near, confidence)
    assert found.path.endswith(near)
    assert found.near_reason


@pytest.mark.skipif(os.sep == "\\", reason="a Windows loader takes the backslash as it is")
def test_a_windows_separator_is_near_here_because_the_loader_would_not_find_it(layout):
    found = status(layout, "vae", "sub\\moved.safetensors")
    assert (found.presence, found.near_name) == (Presence.NEAR, "sub/moved.safetensors")


@pytest.mark.parametrize(
    "name",
    ["wan2.2_t2v_14B_fp8.safetensors", "wan2.1_i2v_14B_fp8.safetensors", "wan2.1_t2v_14B_bf16.safetensors",
     "wan2.1_t2v_1.3B_fp8.safetensors", "flux1-dev.safetensors", "wan2.1_t2v_14B_fp8.gguf"],
)  # fmt: skip
def test_another_version_size_or_precision_is_missing_never_near(layout, name):
    assert status(layout, "diffusion_models", name).presence is Presence.MISSING


def test_a_lora_tag_finds_its_file_in_any_subfolder_without_suffix(layout):
    found = status(layout, "loras", "detail_tweaker")
    assert found.presence is Presence.PRESENT
    assert found.path.endswith("Style/Detail_Tweaker.safetensors")


def test_a_file_of_another_folder_is_missing(layout):
    assert status(layout, "checkpoints", "ae.safetensors").presence is Presence.MISSING


def test_the_same_bytes_under_another_name_are_near_for_certain(layout):
    class Index(LayoutInventory):
        def by_sha256(self, sha256):
            names = ["ae.safetensors", "sub/moved.safetensors"] if sha256 == "ab" * 32 else []
            return [ModelRef("loras", "elsewhere.safetensors"), *(ModelRef("vae", name) for name in names)]

    def near(name: str) -> tuple[str | None, Confidence | None]:
        required = RequiredModel(name=name, folder_name="vae", sha256="ab" * 32)
        (found,) = model_statuses([required], Index(layout))
        return found.near_name, found.near_confidence

    assert near("renamed.safetensors") == ("ae.safetensors", Confidence.EXACT)
    assert near("moved.safetensors") == ("sub/moved.safetensors", Confidence.EXACT)


def test_links_that_lead_in_circles_end(layout, tmp_path):
    (tmp_path / "vae" / "loop").symlink_to(tmp_path / "vae")
    (tmp_path / "vae" / "sub" / "up").symlink_to(tmp_path)
    names = LayoutInventory(layout).names("vae")
    assert "sub/moved.safetensors" in names
    assert len(names) == len(set(names)) < 30


def test_a_large_folder_is_compared_by_what_must_agree():
    index = NameIndex(f"some_lora_number_{index}.safetensors" for index in range(50_000))
    assert index.nearest("some_lora_nomber_77.safetensors").name == "some_lora_number_77.safetensors"
    assert index.nearest("some_lora_number_50001.safetensors") is None


def test_ten_thousand_missing_names_against_alike_files_end(layout, tmp_path):
    for index in range(2_000):
        (
            tmp_path
            / "loras"
            / f"{'abcdefghij' * 6}{chr(97 + index % 26)}{'xyz' * (index % 9)}{index:04d}_.safetensors"
        ).touch()
    required = [
        RequiredModel(name=f"{'abcdefghij' * 6}q{'xyz' * (i % 7)}_{'v' * (i % 5)}.safetensors", folder_name="loras")
        for i in range(10_000)
    ]
    found = model_statuses(required, LayoutInventory(layout))
    assert {status.presence for status in found} <= {Presence.MISSING, Presence.NEAR}
