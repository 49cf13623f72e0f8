"""Pickles: taken apart, never run; what is dangerous or cannot be looked into is refused with words."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
from comfystow.core.errors import DangerousPickleError, ForbiddenTypeError, HeaderError
from comfystow.core.headers import pickles
from comfystow.core.headers.pickles import describe_pickle, refuse_danger
from comfystow.core.provision.placing.destination import check_suffix
from comfystow.core.sources.inspection import inspect_file
from support.pickled import Evil, archived


def reader(data: bytes):
    return lambda offset, size: data[offset : offset + size]


def scan(data: bytes, name: str = "model.ckpt"):
    return refuse_danger(name, reader(data), len(data))


@pytest.mark.parametrize("pack", [bytes, archived])
@pytest.mark.parametrize("name", ["model.ckpt", "model.pt", "model.bin", "model.safetensors"])
@pytest.mark.parametrize("protocol", [2, 4])
def test_what_would_run_code_is_refused_and_does_not_run(tmp_path: Path, pack, name: str, protocol: int) -> None:
    proof = tmp_path / "ran"
    data = pack(pickle.dumps({"state_dict": Evil(proof)}, protocol))
    with pytest.raises(DangerousPickleError, match=r"`(builtins|__builtin__)\.exec`") as caught:
        scan(data, name)
    assert caught.value.hint
    assert not proof.exists()


def test_text_pickles_are_taken_for_what_they_are(tmp_path: Path) -> None:
    data = pickle.dumps(Evil(tmp_path / "ran"), 0)
    with pytest.raises(DangerousPickleError):
        scan(data)


def test_a_harmless_one_says_what_it_imports() -> None:
    from collections import OrderedDict

    found = scan(archived(pickle.dumps(OrderedDict(weight=1), 2)))
    assert found is not None
    assert found.imports == ("collections.OrderedDict",)
    assert found.suspicious == ()
    assert "nothing of it is dangerous" in found.told()[0]


def test_what_nobody_knows_is_said() -> None:
    found = scan(pickle.dumps(Unknown(), 2))
    assert found is not None
    assert any("does not know" in line for line in found.told())


class Unknown:
    """A class of nobody's list."""


@pytest.mark.parametrize("data", [b"PK\x03\x04" + b"\0" * 60, archived(b"")[:40], b"\x80\x02cos\nsystem\n\xff\xff"])
def test_what_cannot_be_taken_apart_is_refused(data: bytes) -> None:
    with pytest.raises(DangerousPickleError):
        scan(data)


def test_other_files_are_left_alone() -> None:
    assert scan(b"GGUF\x03\0\0\0", "model.gguf") is None
    assert scan(b"hello", "model.safetensors") is None
    with pytest.raises(HeaderError):
        describe_pickle("model.safetensors", reader(b"hello"), 5)


def test_without_the_scanner_no_pickle_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pickles, "find_spec", lambda name: None)
    with pytest.raises(DangerousPickleError) as caught:
        scan(pickle.dumps({}))
    assert caught.value.hint == "pip install picklescan"
    with pytest.raises(ForbiddenTypeError, match="nothing here can look into"):
        check_suffix("x.ckpt", allow_pickle=True)


def test_inspect_tells_what_a_pickle_imports(tmp_path: Path) -> None:
    path = tmp_path / "4x_ESRGAN.pth"
    path.write_bytes(archived(pickle.dumps({"a": 1}, 2)))
    found = inspect_file(path)
    assert (found.format, found.folder, found.confidence, found.kind) == ("pickle", "upscale_models", "guess", None)
    path.write_bytes(pickle.dumps(Evil(tmp_path / "ran")))
    with pytest.raises(DangerousPickleError):
        inspect_file(path)
