"""Every form of a reference, and what is said of those that are none."""

from __future__ import annotations

import pytest
from comfystow.core.errors import InvalidReferenceError
from comfystow.core.records.source import (
    CivitaiSource,
    Digest,
    DigestSource,
    HuggingFaceSource,
    LocalSource,
    RepoType,
    StoreSource,
    UrlSource,
)
from comfystow.core.sources.reference import parse_reference
from hypothesis import given
from hypothesis import strategies as st

HEX = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
HUB = "https://huggingface.co"


def hf(repo_id: str, filename: str, revision: str | None = None, repo_type: RepoType = RepoType.MODEL):
    return HuggingFaceSource(repo_id=repo_id, filename=filename, revision=revision, repo_type=repo_type)


def civ(model_id=None, version_id=None, file_id=None, **wanted: str):
    return CivitaiSource(
        model_id=model_id, version_id=version_id, file_id=file_id, wanted=tuple(sorted(wanted.items()))
    )


FORMS = [
    (f"{HUB}/o/r/resolve/main/a.safetensors", hf("o/r", "a.safetensors")),
    (f"{HUB}/o/r/resolve/main/a.safetensors?download=true", hf("o/r", "a.safetensors")),
    (f"{HUB}/o/r/blob/main/d/a.safetensors#L1", hf("o/r", "d/a.safetensors")),
    (f"{HUB}/o/r/raw/main/a.safetensors", hf("o/r", "a.safetensors")),
    (f"{HUB}/o/r/resolve/v1.0/a.gguf", hf("o/r", "a.gguf", "v1.0")),
    (f"{HUB}/o/r/resolve/refs/pr/3/d/a.gguf", hf("o/r", "d/a.gguf", "refs/pr/3")),
    (f"{HUB}/o/r/resolve/refs%2Fpr%2F3/a.gguf", hf("o/r", "a.gguf", "refs/pr/3")),
    (f"{HUB}/o/r/resolve/feature%2Fslash/a.gguf", hf("o/r", "a.gguf", "feature/slash")),
    (f"{HUB}/o/r/resolve/main/%D0%BD%20%2B%2050%25.gguf", hf("o/r", "н + 50%.gguf")),
    (f"{HUB}/o/r/resolve/main/н a.gguf", hf("o/r", "н a.gguf")),
    (f"{HUB}/datasets/o/r/resolve/main/a.parquet", hf("o/r", "a.parquet", repo_type=RepoType.DATASET)),
    (f"{HUB}/spaces/o/r/resolve/main/a.bin", hf("o/r", "a.bin", repo_type=RepoType.SPACE)),
    (f"{HUB}/o/r", hf("o/r", "")),
    (f"{HUB}/o/r/", hf("o/r", "")),
    (f"{HUB}/o/r/tree/main", hf("o/r", "")),
    (f"{HUB}/o/r/tree/dev/sub/dir", hf("o/r", "sub/dir/", "dev")),
    ("https://hf.co/o/r/blob/main/a.gguf", hf("o/r", "a.gguf")),
    ("https://HuggingFace.co/o/r/blob/main/a.gguf", hf("o/r", "a.gguf")),
    ("https://www.huggingface.co/o/r/blob/main/a.gguf", hf("o/r", "a.gguf")),
    (f"  <{HUB}/o/r/blob/main/a.gguf>\n", hf("o/r", "a.gguf")),
    ("hf://o/r/a.gguf", hf("o/r", "a.gguf")),
    ("hf://o/r@v1/d/a.gguf", hf("o/r", "d/a.gguf", "v1")),
    ("hf://o/r@refs/pr/1/a.gguf", hf("o/r", "a.gguf", "refs/pr/1")),
    ("hf://o/r@a%2Fb/c.gguf", hf("o/r", "c.gguf", "a/b")),
    ("hf://datasets/o/r/a.gguf", hf("o/r", "a.gguf", repo_type=RepoType.DATASET)),
    ("hf://models/o/r/a.gguf", hf("o/r", "a.gguf")),
    ("hf://o/r", hf("o/r", "")),
    ("hf://o/r/sub/", hf("o/r", "sub/")),
    ("hf://o/r/50%.gguf", hf("o/r", "50%.gguf")),
    ("https://civitai.com/models/12", civ(12)),
    ("https://civitai.com/models/12/some-slug", civ(12)),
    ("https://civitai.com/models/12/some-slug?modelVersionId=34", civ(12, 34)),
    ("https://civitai.com/models/12?modelVersionId=34&modelFileId=5", civ(12, 34, 5)),
    ("https://civitai.red/models/12?modelVersionId=34", civ(12, 34)),
    ("https://www.civitai.com/models/12", civ(12)),
    ("https://civitai.com/model-versions/34", civ(None, 34)),
    ("https://civitai.com/api/v1/models/12", civ(12)),
    ("https://civitai.com/api/v1/model-versions/34", civ(None, 34)),
    ("https://civitai.com/api/download/models/34", civ(None, 34)),
    ("https://civitai.com/api/download/models/34?fileId=5&type=Model", civ(None, 34, 5)),
    ("https://civitai.com/api/download/models/34?type=Pruned%20Model&format=SafeTensor&size=pruned&fp=fp16&token=x",
     civ(None, 34, None, type="Pruned Model", format="SafeTensor", size="pruned", fp="fp16")),
    ("civitai://12", civ(12)),
    ("civitai://12@34", civ(12, 34)),
    ("civitai://@34", civ(None, 34)),
    ("civitai://12@34?file=5", civ(12, 34, 5)),
    ("civitai://12@34?fp=fp8&size=full", civ(12, 34, None, fp="fp8", size="full")),
    ("urn:air:flux1:lora:civitai:12@34", civ(12, 34)),
    ("urn:air:sdxl:checkpoint:civitai:12", civ(12)),
    ("urn:air:sdxl:checkpoint:civitai:12@34+5", civ(12, 34, 5)),
    ("urn:air:sd1:embedding:civitai:12@34:layer.safetensors", civ(12, 34)),
    (HEX, DigestSource(digest=Digest("sha256", HEX))),
    (HEX.upper(), DigestSource(digest=Digest("sha256", HEX))),
    (f"sha256:{HEX}", DigestSource(digest=Digest("sha256", HEX))),
    ("s3://bucket/a/b.safetensors", StoreSource(url="s3://bucket/a/b.safetensors")),
    ("gs://bucket/b.gguf", StoreSource(url="gs://bucket/b.gguf")),
    ("az://container/b.gguf", StoreSource(url="az://container/b.gguf")),
    ("file:///data/a%20b.gguf", LocalSource(path="/data/a b.gguf")),
    ("https://github.com/o/r/releases/download/v1/a.pth", UrlSource(url="https://github.com/o/r/releases/download/v1/a.pth")),
    ("https://github.com/o/r/blob/main/d/a.pth", UrlSource(url="https://github.com/o/r/raw/main/d/a.pth")),
    ("https://models.example.com/a b.gguf?v=1#x", UrlSource(url="https://models.example.com/a%20b.gguf?v=1")),
    ("http://10.0.0.5:9000/a.gguf", UrlSource(url="http://10.0.0.5:9000/a.gguf")),
]  # fmt: skip


@pytest.mark.parametrize(("text", "source"), FORMS, ids=[text for text, _ in FORMS])
def test_a_form_is_read(text: str, source: object) -> None:
    assert parse_reference(text) == source


@pytest.mark.parametrize("source", [source for _, source in FORMS], ids=str)
def test_the_canonical_spelling_reads_back_the_same(source) -> None:
    assert parse_reference(str(source)) == source


def test_an_endpoints_host_is_the_site_itself() -> None:
    hosts = frozenset({"127.0.0.1:9000"})
    assert parse_reference("http://127.0.0.1:9000/o/r/blob/main/a", hf_hosts=hosts) == hf("o/r", "a")
    assert parse_reference("http://127.0.0.1:9000/models/1", civitai_hosts=hosts) == civ(1)
    assert isinstance(parse_reference("http://127.0.0.1:9000/models/1"), UrlSource)


NEARLY = [
    ("", "empty"),
    ("   ", "empty"),
    ("a" * 5000, "longer than"),
    ("https://huggingface.co/o/r/resolve/main/a\x00b", "control"),
    ("https://huggingface.co/\nx", "control"),
    ("https://huggingface.co/", "OWNER/REPO"),
    ("https://huggingface.co/o", "OWNER/REPO"),
    ("https://huggingface.co/o/r/resolve/main", "name is missing"),
    ("https://huggingface.co/o/r/resolve/main/", "name is missing"),
    ("https://huggingface.co/o/r/resolve", "/resolve/REVISION/FILE"),
    ("https://huggingface.co/o/r/discussions/1", "/resolve/REVISION/FILE"),
    ("https://huggingface.co/o/r/resolve/main/../../x", r"\.\."),
    ("https://huggingface.co/o/r/resolve/main/%2e%2e/x", r"\.\."),
    ("https://huggingface.co/api/models/o/r", "OWNER/REPO"),
    ("https://user:pw@huggingface.co/o/r/blob/main/a", "user name or password"),
    ("hf://o", "OWNER/REPO"),
    ("hf:o/r/a", "hf://OWNER/REPO/FILE"),
    ("hf://o/r@/a", "after @"),
    ("hf://o/r/../a", r"\.\."),
    ("hf://o/r//a", "no path"),
    ("hf://o o/r/a", "no Hugging Face repository"),
    ("https://civitai.com/", "/models/ID"),
    ("https://civitai.com/images/3", "/models/ID"),
    ("https://civitai.com/models/abc", "/models/ID"),
    ("https://civitai.com/models/1?modelVersionId=x", "numbers"),
    ("https://civarchive.com/models/1?modelVersionId=2", "civitai://MODEL@VERSION"),
    ("civitai:12@34", "civitai://MODEL@VERSION"),
    ("civitai://abc", "numbers"),
    ("civitai://", "numbers"),
    ("civitai://1?x=2", "no option `x`"),
    ("civitai://1?file=abc", "file is a number"),
    ("urn:air:civitai:12@34", "nearly an AIR"),
    ("urn:air:flux1:lora:CIVITAI:12@34", "lower case"),
    ("urn:air:flux1:lora:huggingface:12@34", "not supported"),
    ("air:flux1:lora:civitai:12@34", "nearly an AIR"),
    ("flux1:lora:civitai:12@34", "nearly an AIR"),
    ("urn:isbn:1", "nearly an AIR"),
    ("s3://bucket", "key is missing"),
    ("s3://bucket/dir/", "key is missing"),
    ("s3:bucket/key", "BUCKET/KEY"),
    ("s3://key@bucket/x", "BUCKET/KEY"),
    ("s3://bucket/../x", r"\.\."),
    ("file:relative", "file:///absolute/path"),
    ("ftp://host/a", "not supported"),
    ("javascript://alert(1)", "not supported"),
    (HEX[:-1], "64 hex digits, not 63"),
    (f"sha256:{HEX[:-1]}", "64 hex digits"),
    ("12345", "civitai://12345"),
    ("huggingface.co/o/r/blob/main/a", "https://"),
    ("civitai.com/models/1", "https://"),
    ("o/r", "hf://o/r"),
    ("o/r/a.safetensors", "hf://o/r/a.safetensors"),
    ("model.safetensors", "none of the forms"),
    ("https://", "no proper URL"),
    ("https://[::1/x", "no proper URL"),
]


@pytest.mark.parametrize(("text", "reason"), NEARLY, ids=[repr(text[:40]) for text, _ in NEARLY])
def test_what_is_no_reference_says_what_it_nearly_was_and_which_forms_exist(text: str, reason: str) -> None:
    with pytest.raises(InvalidReferenceError, match=reason) as caught:
        parse_reference(text)
    assert caught.value.hint is not None
    for form in ("hf://OWNER/REPO", "civitai://MODEL", "urn:air:", "s3://", "SHA-256", "https://HOST/FILE"):
        assert form in caught.value.hint


def test_an_error_repeats_no_secret_of_the_reference() -> None:
    with pytest.raises(InvalidReferenceError) as caught:
        parse_reference("https://me:hunter2@civitai.com/images/1?token=secretkey")
    assert "hunter2" not in str(caught.value)
    assert "secretkey" not in str(caught.value)


@given(st.text(max_size=200))
def test_any_text_is_a_source_or_a_refusal(text: str) -> None:
    for prefix in ("", "hf://", "hf://o/r@", "https://huggingface.co/", "civitai://", "urn:air:", "s3://", "https://"):
        try:
            source = parse_reference(prefix + text)
        except InvalidReferenceError:
            continue
        assert parse_reference(str(source)) == source
        if isinstance(source, HuggingFaceSource):
            assert ".." not in source.filename.split("/")


_NAME = st.text(
    st.characters(whitelist_categories=("L", "N"), whitelist_characters=" ._-+%#?&@()'"), min_size=1, max_size=20
)


@given(
    st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,20}/[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True).filter(
        lambda t: ".." not in t
    ),
    st.lists(_NAME.filter(lambda n: n.strip(" .'\"`<>") == n), min_size=1, max_size=3),
    st.none()
    | st.from_regex(r"[a-z0-9][a-z0-9._/-]{0,15}[a-z0-9]", fullmatch=True).filter(
        lambda t: ".." not in t and "//" not in t and "/./" not in t
    ),
    st.sampled_from(RepoType),
)
def test_every_hub_file_survives_its_spelling(repo_id, parts, revision, repo_type) -> None:
    if repo_id.split("/")[0] in {"datasets", "spaces", "models"}:
        return
    source = hf(repo_id, "/".join(parts), revision, repo_type)
    assert parse_reference(str(source)) == source
