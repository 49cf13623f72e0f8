"""`models.yaml`, its conditions and `models.lock`."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from comfystow.core.errors import ManifestError
from comfystow.core.workflow.conditions import Facts, parse_condition
from comfystow.core.workflow.lock import LockEntry, parse_lock, write_lock
from comfystow.core.workflow.manifest import parse_manifest, select
from hypothesis import given, settings
from hypothesis import strategies as st

SHA = "3fda" * 16
MANIFEST = f"""\
version: 1
models:
  - hf://Comfy-Org/flux1-dev/flux1-dev-fp8.safetensors          # folder from the file's header
  - source: civitai://618692@691639?file=604209
    folder: loras
    subfolder: flux
    name: detail.safetensors
    sha256: {SHA}
    when: vram_gb >= 16
  - workflow: workflows/portrait.json
groups: {{video: [hf://o/r/wan.safetensors], old: [{{source: https://example.org/x.safetensors, folder: unet}}]}}
"""
COMMIT = "a" * 40


def entry(name="x.safetensors", **extra):
    fields = {"source": f"hf://o/r@{COMMIT}/{name}", "folder_name": "vae", "size_bytes": 5, "sha256": SHA, **extra}
    return LockEntry(name=name, **fields)


def test_a_manifest_is_read_as_it_is_documented():
    manifest = parse_manifest(MANIFEST)
    plain, lora, workflow, video, old = manifest.entries
    assert (plain.source, plain.folder_name) == ("hf://Comfy-Org/flux1-dev/flux1-dev-fp8.safetensors", None)
    assert (lora.source, lora.folder_name, lora.subfolder, lora.name, lora.sha256) == (
        "civitai://618692@691639?file=604209", "loras", "flux", "detail.safetensors", SHA,
    )  # fmt: skip
    assert (workflow.workflow, workflow.source, workflow.line) == ("workflows/portrait.json", None, 10)
    assert (video.group, old.folder_name) == ("video", "diffusion_models")


def test_groups_and_conditions_choose():
    manifest = parse_manifest(MANIFEST)
    small = [entry.source or entry.workflow for entry in select(manifest, Facts(vram_gb=12.0))]
    assert small == ["hf://Comfy-Org/flux1-dev/flux1-dev-fp8.safetensors", "workflows/portrait.json"]
    assert len(select(manifest, Facts(vram_gb=24.0), ["video"])) == 4


def test_a_condition_on_an_unknown_fact_is_an_error_with_its_line():
    with pytest.raises(ManifestError, match=r"models\.yaml, line 4: `vram_gb >= 16` cannot be decided") as raised:
        select(parse_manifest(MANIFEST), Facts())
    assert "--set vram_gb=" in raised.value.hint


def test_a_group_that_is_not_there_is_an_error_that_lists_them():
    with pytest.raises(ManifestError, match="no group `vidoe`") as raised:
        select(parse_manifest(MANIFEST), Facts(vram_gb=1), ["vidoe"])
    assert "video, old" in raised.value.hint


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("version: 1\nmodles: []\n", r"line 2: a manifest has no `modles`"),
        (
            "version: 1\nmodels:\n  - source: hf://o/r/x.safetensors\n    fodler: vae\n",
            r"line 4: an entry has no `fodler`",
        ),
        ("version: 1\nmodels:\n  - folder: vae\n", r"line 3: an entry has either `source` or `workflow`"),
        ("version: 1\nmodels:\n  - workflow: x.json\n    folder: vae\n", r"line 4: a workflow's entry has no `folder`"),
        ("version: 1\nmodels:\n  - 17\n", r"line 3: `17` names no model"),
        ("version: 1\nmodels: {}\n", r"line 2: `models` must be a list"),
        ("version: 1\nversion: 1\n", r"line 2: `version` stands there twice"),
        ("version: 7\n", r"line 1: version 7 is not known"),
        ("models: []\n", r"line 1: a manifest begins with `version: 1`"),
        ("version: 1\nmodels: [{source: hf://o/r/x.gguf, folder: custom_nodes}]\n", "never takes models"),
        ("version: 1\nmodels: [{source: hf://o/r/x.gguf, folder: ../etc}]\n", "cannot be a file name"),
        ("version: 1\nmodels: [{source: hf://o/r/x.gguf, name: ../x}]\n", "cannot be a file name"),
        ("version: 1\nmodels: [{source: hf://o/r/x.gguf, sha256: abc}]\n", "64 hex digits"),
        ("version: 1\nmodels: [{source: hf://o/r/x.gguf, when: vram >= 3}]\n", "`vram` is no fact"),
        ("version: 1\nmodels: &m [hf://o/r/x.gguf]\ngroups: {a: *m}\n", "aliases are not supported"),
        ("[" * 10_000, "nested too deep"),
        ("a: [", "line 1"),
        ("#" * 3_000_000, "longer than 2 MiB"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(body, message):
    with pytest.raises(ManifestError, match=message):
        parse_manifest(body)


@pytest.mark.parametrize(
    ("text", "facts", "outcome"),
    [
        ("vram_gb >= 16", Facts(vram_gb=16), True),
        ("vram_gb>=16", Facts(vram_gb=15.9), False),
        ("vram_gb >= 16", Facts(), None),
        ("vram_gb >= 16 or profile == cpu", Facts(profile="cpu"), True),
        ("vram_gb >= 16 and profile == cpu", Facts(profile="gpu"), False),
        ("vram_gb >= 16 and profile == cpu", Facts(profile="cpu"), None),
        ("not (profile == 'a' or profile == \"b\")", Facts(profile="c"), True),
        ("gpu_arch == ampere", Facts(gpu_arch="8.6"), True),
        ("gpu_arch >= ada", Facts(gpu_arch="sm_120"), True),
        ("gpu_arch >= 8.9", Facts(gpu_arch="8.6"), False),
        ("gpu_arch == blackwell", Facts(gpu_arch="12.0"), True),
        ("gpu_arch < hopper", Facts(gpu_arch="ada"), True),
        ("gpu_arch < hopper", Facts(gpu_arch="gfx1100"), None),
    ],
)
def test_conditions_hold_fail_or_stay_open(text, facts, outcome):
    assert parse_condition(text).holds(facts) is outcome


@pytest.mark.parametrize(
    "text",
    ["", "vram_gb", "vram_gb >=", "vram_gb >= x", "vram_gb = 3", "(vram_gb > 3", "vram_gb > 3)", "gpu_arch >= pentium",
     "profile > a", "__import__('os')", "vram_gb > 3 vram_gb", "(" * 400, "not " * 100, "x" * 1_000, "vram_gb > 3;"],
)  # fmt: skip
def test_what_is_no_condition_is_refused(text):
    with pytest.raises(ManifestError, match="cannot be used"):
        parse_condition(text)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.sampled_from(["vram_gb", ">=", "(", ")", "and", "or", "not", "16", "profile", "==", "x", "'"]), max_size=12
    )
)
def test_any_words_are_a_condition_or_our_error(words):
    try:
        condition = parse_condition(" ".join(words))
    except ManifestError:
        return
    assert condition.holds(Facts(vram_gb=16, profile="x")) in {True, False}


def test_a_lock_is_the_same_text_for_the_same_entries():
    entries = [
        entry(f"{name}.safetensors", base_model=base) for name, base in (("b", "Flux"), ("a", None), ("ü", None))
    ]
    entries.append(entry("a.safetensors", folder_name="loras", kind="lora"))
    text = write_lock(entries)
    for seed in range(5):
        shuffled = random.Random(seed).sample(entries, len(entries))
        assert write_lock([*shuffled, shuffled[0]]) == text
    assert text.startswith("version: 1\nmodels:\n- source: hf://o/r@")
    assert [(e.folder_name, e.name) for e in parse_lock(text)] == [
        ("loras", "a.safetensors"), ("vae", "a.safetensors"), ("vae", "b.safetensors"), ("vae", "ü.safetensors"),
    ]  # fmt: skip
    assert set(parse_lock(text)) == set(entries)


def test_a_lock_refuses_two_files_in_one_place():
    with pytest.raises(ManifestError, match=r"two different files want to be `vae/x\.safetensors`"):
        write_lock([entry(), entry(sha256="cd" * 32)])


@pytest.mark.parametrize(
    "source", ["hf://o/r/x.safetensors", "hf://o/r@main/x.safetensors", "civitai://1@2", "civitai://1"]
)
def test_a_lock_takes_pinned_sources_only(source):
    with pytest.raises(ManifestError, match="is not pinned"):
        write_lock([entry(source=source)])
    text = write_lock([entry()]).replace(f"hf://o/r@{COMMIT}/x.safetensors", source)
    with pytest.raises(ManifestError, match=r"line 3: .* is not pinned"):
        parse_lock(text)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("size_bytes: 5", "size_bytes: -5"), "whole number"),
        (("  size_bytes: 5\n", ""), "needs `size_bytes`"),
        (("name: x", "name: ../x"), "cannot be a file name"),
        (("folder: vae", "folder: custom_nodes"), "never takes models"),
        (("kind: null", "kimd: null"), "line 8: an entry has no `kimd`"),
    ],
)
def test_a_damaged_lock_is_refused_with_its_line(change, message):
    with pytest.raises(ManifestError, match=message):
        parse_lock(write_lock([entry()]).replace(*change))


def test_a_place_taken_twice_in_a_lock_is_refused():
    text = write_lock([entry()])
    with pytest.raises(ManifestError, match="stands in line 3 already"):
        parse_lock(text + text.partition("models:\n")[2])


def test_the_documented_examples_are_read():
    text = (Path(__file__).resolve().parents[2] / "docs" / "workflows.md").read_text(encoding="utf-8")
    manifest, lock = (block.partition("```")[0] for block in text.split("```yaml\n")[1:])
    assert len(parse_manifest(manifest.replace("3fda…", SHA)).entries) == 4
    assert parse_lock(lock)[0].name == "flux/x.safetensors"
