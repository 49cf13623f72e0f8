"""Names from strangers: what may become a path, and where it may lead."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest
from comfystow.core.errors import InvalidNameError
from comfystow.core.paths import has_model_suffix, join_within, safe_component, safe_relative
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    "name",
    [
        "", ".", "..", "a/b", "a\\b", "C:evil", "a\0b", "a\nb", "nul", "NUL.safetensors", "com1.txt", "COM¹", "x.", "x ",
        " x", "~root", "a|b", "what?", "a\u202eb", "a\u200bb", "\ud800", "x" * 300, "é" * 200,
    ],
)  # fmt: skip
def test_component_that_could_leave_its_folder_is_refused(name: str) -> None:
    with pytest.raises(InvalidNameError):
        safe_component(name)


@pytest.mark.parametrize(
    "name", ["ae.safetensors", "模型 v1.safetensors", "a [b] (c) {d}.sft", ".hidden", "😀.gguf", "con"[:2]]
)
def test_names_that_people_use_pass(name: str) -> None:
    assert safe_component(name) == name


def test_component_is_normalised_so_that_two_spellings_are_one_file() -> None:
    assert safe_component("e\u0301.sft") == safe_component("\u00e9.sft")


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "a//b", "../x", "a/../b", "a/./b", "\\\\host\\share", "/".join("abcdefghij")]
)
def test_relative_path_that_escapes_is_refused(name: str) -> None:
    with pytest.raises(InvalidNameError):
        safe_relative(name)


def test_backslash_of_a_windows_workflow_is_a_separator() -> None:
    assert safe_relative("flux\\dev.safetensors") == PurePosixPath("flux/dev.safetensors")


def test_link_that_leads_out_of_the_root_is_refused(tmp_path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "root" / "link").symlink_to(tmp_path / "outside")
    with pytest.raises(InvalidNameError, match="leads out"):
        join_within(tmp_path / "root", safe_relative("link/x.sft"))


def test_root_that_is_itself_a_link_is_fine(tmp_path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "root").symlink_to(tmp_path / "real")
    assert join_within(tmp_path / "root", safe_relative("a/x.sft")) == tmp_path / "root" / "a" / "x.sft"


@given(st.text(max_size=60))
def test_whatever_passes_stays_below_its_root(tmp_path_factory, name: str) -> None:
    root = tmp_path_factory.getbasetemp()
    try:
        relative = safe_relative(name)
    except InvalidNameError:
        return
    path = join_within(root, relative)
    assert path.resolve().is_relative_to(root.resolve())
    assert len(path.parts) > len(root.parts)


@pytest.mark.parametrize(
    ("name", "expected"), [("a.SAFETENSORS", True), ("a.ckpt", True), ("a.txt", False), ("sft", False)]
)
def test_model_suffix(name: str, expected: bool) -> None:
    assert has_model_suffix(name) is expected
