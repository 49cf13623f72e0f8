"""Where a missing model can come from."""

from __future__ import annotations

import pytest
from comfystow.core.records.workflow import Candidate, Confidence, RequiredModel
from comfystow.core.workflow.candidates import find_candidates, web_address
from comfystow.core.workflow.prompts import NoteLink

SHA, OTHER = "ab" * 32, "cd" * 32
URL = "https://huggingface.co/o/r/resolve/main/sub/x.safetensors"


class Catalogue:
    def __init__(self, *entries: Candidate) -> None:
        self.entries = entries

    def by_name(self, name, folder_name=None):
        return [entry for entry in self.entries if entry.name == name]

    def by_digest(self, sha256):
        return [entry for entry in self.entries if entry.sha256 == sha256]


def entry(url=URL, confidence=Confidence.HIGH, **extra):
    fields = {"source": url, "name": "x.safetensors", "reason": "listed", **extra}
    return Candidate(url=url, confidence=confidence, **fields)


def required(**extra):
    return RequiredModel(**{"name": "x.safetensors", "folder_name": "vae", **extra})


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("https://huggingface.co/o/r/blob/main/x.safetensors", "https://huggingface.co/o/r/resolve/main/x.safetensors"),
        ("https://huggingface.co/o/r/resolve/main/x?download=true#top", "https://huggingface.co/o/r/resolve/main/x"),
        (
            " https://civitai.com/api/download/models/1?type=Model ",
            "https://civitai.com/api/download/models/1?type=Model",
        ),
        ("https://huggingface.co/o/blob/blob/main/blob/x", "https://huggingface.co/o/blob/resolve/main/blob/x"),
        ("https://hf.co/datasets/o/r/blob/v1/x", "https://huggingface.co/datasets/o/r/resolve/v1/x"),
        ("javascript:alert(1)", None),
        ("https://user:pw@huggingface.co/x", None),
        ("file:///etc/passwd", None),
        ("https://[bad/x", None),
    ],
)
def test_an_address_has_one_spelling(written, normal):
    assert web_address(written) == normal


def test_an_embedded_address_is_high_and_with_its_digest_exact():
    (high,) = find_candidates(required(url=URL + "?download=true"))
    assert (high.url, high.confidence, high.folder_name, high.name) == (URL, Confidence.HIGH, "vae", "x.safetensors")
    (exact,) = find_candidates(required(url=URL, sha256=SHA))
    assert (exact.confidence, exact.sha256) == (Confidence.EXACT, SHA)


def test_a_file_is_saved_under_the_name_that_the_workflow_uses():
    (found,) = find_candidates(required(name="flux\\mine.safetensors", url="https://civitai.com/api/download/models/7"))
    assert found.name == "flux/mine.safetensors"


def test_one_address_is_listed_once_with_the_best_word_and_all_facts():
    catalogue = Catalogue(entry(confidence=Confidence.LIKELY, size_bytes=7, sha256=SHA))
    (found,) = find_candidates(required(url=URL), catalogue)
    assert (found.confidence, found.size_bytes, found.sha256) == (Confidence.HIGH, 7, SHA)


def test_the_same_name_with_another_digest_is_another_file():
    catalogue = Catalogue(
        entry(sha256=OTHER), entry("https://huggingface.co/o/r2/resolve/main/x.safetensors", sha256=SHA)
    )
    found = find_candidates(required(sha256=SHA), catalogue)
    assert [candidate.url for candidate in found] == ["https://huggingface.co/o/r2/resolve/main/x.safetensors"]


def test_a_link_in_a_note_is_likely_when_it_ends_in_the_name():
    links = [NoteLink("3", URL.replace("/resolve/", "/blob/")), NoteLink("3", "https://huggingface.co/o/r")]
    (found,) = find_candidates(required(), links=links)
    assert (found.url, found.confidence) == (URL, Confidence.LIKELY)
    assert "node 3" in found.reason


def test_candidates_come_best_first():
    other = "https://huggingface.co/o/z/resolve/main/x.safetensors"
    catalogue = Catalogue(entry(other, Confidence.GUESS), entry(other + "2", Confidence.EXACT))
    found = find_candidates(required(url=URL), catalogue)
    assert [candidate.confidence for candidate in found] == [Confidence.EXACT, Confidence.HIGH, Confidence.GUESS]


def test_a_tag_without_a_suffix_is_looked_for_and_saved_with_one():
    catalogue = Catalogue(entry(name="easynegative.safetensors"))
    (found,) = find_candidates(RequiredModel(name="easynegative", folder_name="embeddings"), catalogue)
    assert found.name == "easynegative.safetensors"
