"""Where files go: only into folders of models, under names that cannot leave them, and over nobody's file."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from comfystow.core.errors import (
    FolderUnknownError,
    ForbiddenTypeError,
    InvalidNameError,
    NameTakenError,
    StowError,
    UnknownFolderError,
)
from comfystow.core.provision.placing.destination import check_request, find_placement
from comfystow.core.provision.placing.present import find_existing
from comfystow.core.records.download import DownloadRequest, Verified
from comfystow.core.records.model import Folder, FolderLayout
from comfystow.core.records.source import Digest, ResolvedFile, UrlSource

LISTED = frozenset({".safetensors", ".ckpt"})


@pytest.fixture
def layout(tmp_path: Path) -> FolderLayout:
    models = tmp_path / "models"
    for name in ("vae", "unet", "diffusion_models", "LLM", "../custom_nodes"):
        (models / name).mkdir(parents=True)
    return FolderLayout(
        folders={
            "vae": Folder(directories=(models / "vae",), suffixes=LISTED),
            "diffusion_models": Folder(directories=(models / "unet", models / "diffusion_models"), suffixes=LISTED),
            "LLM": Folder(directories=(models / "LLM",)),
            "anything": Folder(directories=(models / "LLM",), suffixes=frozenset({""})),
            "custom_nodes": Folder(directories=(tmp_path / "custom_nodes",)),
            "sneaky": Folder(directories=(tmp_path / "custom_nodes" / "pack",), suffixes=LISTED),
        },
        base_path=tmp_path,
    )


def file(filename: str = "x.safetensors", **values: object) -> ResolvedFile:
    source = UrlSource(url=f"https://example.com/{filename}")
    return ResolvedFile(source=source, url=source.url, filename=filename, **values)  # type: ignore[arg-type]


def place(layout: FolderLayout, found: ResolvedFile | None = None, *, allow_pickle: bool = False, **values: object):
    request = DownloadRequest(source="x", **values)  # type: ignore[arg-type]
    return find_placement(request, found or file(), layout, allow_pickle=allow_pickle)


@pytest.mark.parametrize(
    ("values", "found", "path"),
    [
        ({"folder_name": "vae"}, {}, "models/vae/x.safetensors"),
        ({"folder_name": "unet"}, {}, "models/diffusion_models/x.safetensors"),
        ({"folder_name": "diffusion_models"}, {}, "models/diffusion_models/x.safetensors"),
        ({}, {"folder_hint": "vae"}, "models/vae/x.safetensors"),
        ({"folder_name": "vae", "subfolder": "a/b"}, {}, "models/vae/a/b/x.safetensors"),
        ({"folder_name": "vae", "subfolder": "a\\b"}, {}, "models/vae/a/b/x.safetensors"),
        ({"folder_name": "vae", "filename": "own.gguf"}, {}, "models/vae/own.gguf"),
        ({"folder_name": "vae", "filename": "sub/own.gguf"}, {}, "models/vae/sub/own.gguf"),
    ],
)
def test_a_file_goes_where_the_caller_or_the_source_says(
    layout: FolderLayout, tmp_path: Path, values: dict[str, str], found: dict[str, str], path: str
) -> None:
    assert place(layout, file(**found), **values).dest == tmp_path / path


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({}, FolderUnknownError),
        ({"folder_name": "nonsense"}, UnknownFolderError),
        ({"folder_name": "custom_nodes"}, UnknownFolderError),
        ({"folder_name": "configs"}, UnknownFolderError),
        ({"folder_name": "sneaky"}, UnknownFolderError),  # another name for a place of code
        ({"folder_name": "../vae"}, UnknownFolderError),
        ({"folder_name": "vae", "filename": "../x.safetensors"}, InvalidNameError),
        ({"folder_name": "vae", "filename": "/etc/x.safetensors"}, InvalidNameError),
        ({"folder_name": "vae", "filename": "a\x00.safetensors"}, InvalidNameError),
        ({"folder_name": "vae", "filename": "nul.safetensors"}, InvalidNameError),
        ({"folder_name": "vae", "subfolder": ".."}, InvalidNameError),
        ({"folder_name": "vae", "subfolder": "a/../../b"}, InvalidNameError),
        ({"folder_name": "vae", "filename": "x.py"}, ForbiddenTypeError),
        ({"folder_name": "vae", "filename": "x.ckpt"}, ForbiddenTypeError),
        ({"folder_name": "vae", "filename": "x"}, ForbiddenTypeError),
    ],
)
def test_every_other_place_is_refused_with_a_hint(
    layout: FolderLayout, values: dict[str, str], error: type[StowError]
) -> None:
    with pytest.raises(error) as refused:
        place(layout, **values)
    assert refused.value.hint
    if error is not FolderUnknownError:
        with pytest.raises(error):
            check_request(DownloadRequest(source="x", **values), layout, allow_pickle=False)


def test_the_names_of_sources_are_judged_like_those_of_callers(layout: FolderLayout) -> None:
    with pytest.raises(InvalidNameError):
        place(layout, file("../../x.safetensors"), folder_name="vae")
    with pytest.raises(ForbiddenTypeError, match="can run any code"):
        place(layout, file("x.ckpt"), folder_name="vae")
    assert place(layout, file("x.ckpt"), allow_pickle=True, folder_name="vae").dest.name == "x.ckpt"


def test_a_link_that_leaves_the_folder_is_no_way(layout: FolderLayout, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "models" / "vae" / "sub").symlink_to(tmp_path / "outside")
    with pytest.raises(InvalidNameError, match="leads out"):
        place(layout, folder_name="vae", subfolder="sub")
    with pytest.raises(InvalidNameError, match="leads out"):
        check_request(DownloadRequest(source="x", folder_name="vae", subfolder="sub"), layout, allow_pickle=False)


@pytest.mark.parametrize("folder_name", ["LLM", "anything"])
def test_a_part_lies_outside_of_folders_whose_every_file_is_listed(
    layout: FolderLayout, tmp_path: Path, folder_name: str
) -> None:
    found = place(layout, folder_name=folder_name, subfolder="big")
    assert found.dest == tmp_path / "models" / "LLM" / "big" / "x.safetensors"
    assert found.part_dir == tmp_path / "models" / ".comfystow" / "LLM" / "big"
    assert place(layout, folder_name="vae").part_dir is None


def test_a_part_climbs_out_of_nested_listed_folders(tmp_path: Path) -> None:
    inner = tmp_path / "all" / "inner"
    inner.mkdir(parents=True)
    layout = FolderLayout(
        folders={"inner": Folder(directories=(inner,)), "all": Folder(directories=(tmp_path / "all",))}
    )
    assert place(layout, folder_name="inner").part_dir == tmp_path / ".comfystow" / "inner"


CONTENT = b"the one and only content"
DIGEST = Digest.parse("sha256:" + __import__("hashlib").sha256(CONTENT).hexdigest())


def never() -> bool:
    return False


def test_the_same_content_under_the_name_is_the_file(tmp_path: Path) -> None:
    dest = tmp_path / "x.safetensors"
    dest.write_bytes(CONTENT)
    found = find_existing(dest, file(size_bytes=len(CONTENT), digest=DIGEST), [], never)
    assert found is not None
    assert (found.verified, found.linked, found.digest) == (Verified.DIGEST, False, DIGEST)
    sized = find_existing(dest, file(size_bytes=len(CONTENT)), [], never)
    assert sized is not None
    assert sized.verified is Verified.SIZE  # nobody can say more


@pytest.mark.parametrize(
    "values",
    [{"size_bytes": 3}, {"size_bytes": len(CONTENT), "digest": Digest("sha256", "0" * 64)}, {}],
)
def test_another_content_keeps_its_name_and_a_free_one_is_offered(tmp_path: Path, values: dict[str, object]) -> None:
    dest = tmp_path / "x.safetensors"
    dest.write_bytes(CONTENT)
    (tmp_path / "x-2.safetensors").touch()
    with pytest.raises(NameTakenError) as refused:
        find_existing(dest, file(**values), [], never)
    assert "x-3.safetensors" in (refused.value.hint or "")
    assert dest.read_bytes() == CONTENT


@pytest.mark.parametrize("kind", ["folder", "dangling"])
def test_whatever_has_the_name_is_left_alone(tmp_path: Path, kind: str) -> None:
    dest = tmp_path / "x.safetensors"
    dest.mkdir() if kind == "folder" else dest.symlink_to(tmp_path / "nowhere")
    with pytest.raises(NameTakenError):
        find_existing(dest, file(size_bytes=1), [], never)


def test_a_copy_is_linked_only_while_it_is_the_same_file(tmp_path: Path) -> None:
    copy, dest = tmp_path / "copy.safetensors", tmp_path / "sub" / "x.safetensors"
    wanted = file(size_bytes=len(CONTENT), digest=DIGEST)
    copy.write_bytes(CONTENT[::-1])
    assert find_existing(dest, wanted, [copy, tmp_path / "gone"], never) is None
    assert not dest.exists()
    copy.write_bytes(CONTENT)
    found = find_existing(dest, wanted, [copy], never)
    assert found is not None
    assert found.linked
    assert dest.samefile(copy)


@pytest.fixture
def other_volume() -> Iterator[Path]:
    """Give a folder on another file system than the temporary ones."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        yield Path(folder)


def test_a_copy_on_another_volume_is_fetched_or_copied_as_the_owner_wishes(tmp_path: Path, other_volume: Path) -> None:
    copy, dest = other_volume / "copy.safetensors", tmp_path / "sub" / "x.safetensors"
    if os.stat(other_volume).st_dev == os.stat(tmp_path).st_dev:
        pytest.fail("/dev/shm is no volume of its own here")
    copy.write_bytes(CONTENT)
    wanted, spare = file(size_bytes=len(CONTENT), digest=DIGEST), tmp_path / "parts" / "x.safetensors.part.1"
    assert find_existing(dest, wanted, [copy], never, spare=spare) is None
    assert not dest.exists()
    found = find_existing(dest, wanted, [copy], never, spare=spare, may_copy=True)
    assert found is not None
    assert (found.copied, found.linked, found.verified) == (True, False, Verified.DIGEST)
    assert dest.read_bytes() == CONTENT
    assert list(spare.parent.iterdir()) == []


def test_a_copy_that_is_cancelled_leaves_nothing(tmp_path: Path, other_volume: Path) -> None:
    copy, dest = other_volume / "copy.safetensors", tmp_path / "x.safetensors"
    copy.write_bytes(CONTENT)
    answers = iter([False, True, True, True])  # read for its digest, then cancelled
    wanted = file(size_bytes=len(CONTENT), digest=DIGEST)
    spare = tmp_path / "x.safetensors.part.1"
    assert find_existing(dest, wanted, [copy], lambda: next(answers), spare=spare, may_copy=True) is None
    assert list(tmp_path.iterdir()) == []
