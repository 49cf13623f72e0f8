"""The stock huggingface_hub library runs against the hub as against the real site."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from hub.server import Hub

REPO = "Comfy-Stow/taesd-demo"
PRELUDE = """
import json, sys
import huggingface_hub as hf
from huggingface_hub.errors import *
from huggingface_hub import HfApi, hf_hub_download, snapshot_download
api = HfApi()
def name_of(call, *args, **kwargs):
    try:
        call(*args, **kwargs)
    except Exception as error:
        return type(error).__name__ + " | " + str(error)
    return "no error"
"""


@pytest.fixture
def client(hub: Hub, tmp_path: Path) -> Any:
    """Run library code in a process of its own and give what it leaves in `result`."""

    def run(code: str, *, token: str | None = None) -> Any:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
        environment |= {"HF_ENDPOINT": hub.hf_url, "HF_HOME": str(tmp_path / "hf"), "HF_HUB_DISABLE_XET": "1"}
        environment |= {"HF_HUB_DISABLE_PROGRESS_BARS": "1", "NO_PROXY": "127.0.0.1"}
        if token is not None:
            environment["HF_TOKEN"] = token
        script = PRELUDE + textwrap.dedent(code) + "\nprint(json.dumps(result, default=str))"
        done = subprocess.run(
            [sys.executable, "-c", script], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    return run


def sha256(path: str) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def digest_of(hub: Hub, repo_id: str, path: str) -> str:
    return next(row["sha256"] for row in hub.files(digests=True) if (row["repo_id"], row["path"]) == (repo_id, path))


def test_hf_hub_download_fetches_large_small_renamed_and_other_revisions(hub: Hub, client: Any) -> None:
    paths = client(
        """
        repo = "Comfy-Stow/taesd-demo"
        result = {
            "large": hf_hub_download(repo, "taesd.safetensors"),
            "small": hf_hub_download(repo, "config.json"),
            "renamed": hf_hub_download("Comfy-Stow/taesd-old-name", "taesd.safetensors"),
            "tag": hf_hub_download(repo, "taesd.safetensors", revision="v1"),
            "pull": hf_hub_download(repo, "taesd.safetensors", revision="refs/pr/1"),
            "branch": hf_hub_download(repo, "taesd.safetensors", revision="feature/slash"),
            "unicode": hf_hub_download("Comfy-Stow/lora-demo", "loras/наш стиль (v2) + 50%.safetensors"),
            "dataset": hf_hub_download("Comfy-Stow/prompts", "data/prompts.jsonl", repo_type="dataset"),
            "space": hf_hub_download("Comfy-Stow/gallery", "models/tiny.safetensors", repo_type="space"),
        }
        """
    )
    latest = digest_of(hub, REPO, "taesd.safetensors")
    assert sha256(paths["large"]) == sha256(paths["renamed"]) == latest
    assert sha256(paths["tag"]) == sha256(paths["pull"]) == sha256(paths["branch"]) != latest
    assert json.loads(Path(paths["small"]).read_text())["architecture"] == "taesd"
    unicode_name = "loras/наш стиль (v2) + 50%.safetensors"
    assert sha256(paths["unicode"]) == digest_of(hub, "Comfy-Stow/lora-demo", unicode_name)
    assert Path(paths["dataset"]).read_text().startswith('{"prompt"')
    assert Path(paths["space"]).stat().st_size > 0


def test_library_keeps_its_token_on_the_hub_and_off_the_storage(hub: Hub, client: Any) -> None:
    client('result = hf_hub_download("Comfy-Stow/taesd-old-name", "taesd.safetensors")', token=hub.hf_token)
    seen = [
        (row["origin"], row["method"], "authorization" in {name.lower() for name, _ in row["headers"]})
        for row in hub.requests()
        if row["target"] != "/api/agent-harnesses"  # the library asks that of every Hub, without a token
    ]
    assert seen == [("hf", "HEAD", True), ("hf", "HEAD", True), ("cdn", "GET", False)]


def test_snapshot_download_brings_a_diffusers_folder_through_a_paged_tree(hub: Hub, client: Any) -> None:
    hub.settings(tree_page_size=3)
    names = client(
        """
        import pathlib
        folder = snapshot_download("Comfy-Stow/tiny-diffusers", ignore_patterns=["*.fp16.*"], local_dir="out")
        result = sorted(str(p.relative_to(folder)) for p in pathlib.Path(folder).rglob("*") if p.is_file())
        result = [name for name in result if not name.startswith(".cache")]
        """
    )
    assert "unet/diffusion_pytorch_model.safetensors" in names
    assert "text_encoder/model.fp16.safetensors" not in names
    assert len(names) == 12
    assert sum("/tree/" in row["target"] for row in hub.requests(origin="hf")) > 1


def test_library_resumes_after_the_storage_drops_the_connection(hub: Hub, client: Any) -> None:
    hub.fault("drop", file="big_64mib.safetensors", after_bytes=30_000_000, times=1)
    path = client('result = hf_hub_download("Comfy-Stow/big-models", "big_64mib.safetensors")')
    assert sha256(path) == digest_of(hub, "Comfy-Stow/big-models", "big_64mib.safetensors")
    first, second = (row["range"] for row in hub.requests(origin="cdn"))
    # The library counts whole blocks of 10 MiB.
    assert (first, second) == (None, "bytes=20971520-")


def test_gated_repository_says_log_in_then_accept_then_gives_the_file(hub: Hub, client: Any) -> None:
    code = 'result = name_of(hf_hub_download, "Comfy-Stow/gated-demo", "stow_gated.safetensors")'
    anonymous = client(code)
    assert anonymous.startswith("GatedRepoError | 401")
    assert "Please log in" in anonymous
    stranger = client(code, token=hub.hf_token_without_licence)
    assert stranger.startswith("GatedRepoError | 403")
    assert "ask for access" in stranger
    hub.accept_licence("Comfy-Stow/gated-demo")
    assert client(code, token=hub.hf_token_without_licence) == "no error"


def test_listing_of_a_gated_repository_is_open_but_auth_check_is_not(client: Any) -> None:
    result = client(
        """
        info = api.model_info("Comfy-Stow/gated-demo")
        result = [info.gated, [s.rfilename for s in info.siblings], name_of(api.auth_check, "Comfy-Stow/gated-demo")]
        """
    )
    assert result[0] == "auto"
    assert "stow_gated.safetensors" in result[1]
    assert result[2].startswith("GatedRepoError")


def test_error_classes_of_missing_private_and_disabled_things(hub: Hub, client: Any) -> None:
    code = """
        get = hf_hub_download
        result = {
            "repo": name_of(get, "Comfy-Stow/nothing", "x.safetensors"),
            "private": name_of(get, "Comfy-Stow/private-demo", "stow_private.safetensors"),
            "revision": name_of(get, "Comfy-Stow/taesd-demo", "taesd.safetensors", revision="nope"),
            "entry": name_of(get, "Comfy-Stow/taesd-demo", "nope.safetensors"),
            "disabled": name_of(api.model_info, "Comfy-Stow/disabled-demo"),
            "info": name_of(api.model_info, "Comfy-Stow/nothing"),
            "info_revision": name_of(api.model_info, "Comfy-Stow/taesd-demo", revision="nope"),
            "tree": name_of(lambda: list(api.list_repo_tree("Comfy-Stow/taesd-demo", "nope"))),
        }
        """
    anonymous = {name: text.split(" |")[0] for name, text in client(code).items()}
    expected = {
        "repo": "RepositoryNotFoundError",
        "private": "RepositoryNotFoundError",
        "revision": "RevisionNotFoundError",
        "entry": "RemoteEntryNotFoundError",
        "disabled": "DisabledRepoError",
        "info": "RepositoryNotFoundError",
        "info_revision": "RevisionNotFoundError",
        "tree": "RemoteEntryNotFoundError",
    }
    assert anonymous == expected
    member = {name: text.split(" |")[0] for name, text in client(code, token=hub.hf_token).items()}
    assert member == expected | {"private": "no error"}


def test_rate_limit_is_understood_by_the_library(hub: Hub, client: Any) -> None:
    hub.fault("rate_limit", origin="hf", path="/api/models/*", retry_after=55, quota=500)
    text = client('result = name_of(api.model_info, "Comfy-Stow/taesd-demo")')
    assert text.startswith("HfHubHTTPError")
    assert "Retry after 55 seconds (0/500 requests remaining in current 300s window)" in text


def test_hf_api_reads_every_listing(hub: Hub, client: Any) -> None:
    hub.settings(list_page_size=2, tree_page_size_expanded=2)
    result = client(
        """
        repo = "Comfy-Stow/taesd-demo"
        info = api.model_info(repo, files_metadata=True)
        by_name = {s.rfilename: s for s in info.siblings}
        tree = list(api.list_repo_tree(repo, recursive=True, expand=True))
        paths = api.get_paths_info(repo, ["taesd.safetensors", "vae", "missing"], expand=True)
        refs = api.list_repo_refs(repo, include_pull_requests=True)
        result = {
            "sha": info.sha,
            "lfs": by_name["taesd.safetensors"].lfs.sha256,
            "size": by_name["taesd.safetensors"].size,
            "plain": [by_name["config.json"].lfs, by_name["config.json"].blob_id],
            "expanded": sorted(vars(api.model_info(repo, expand=["gated", "siblings"]))["siblings"][0].rfilename),
            "tree": sorted((type(row).__name__, row.path) for row in tree),
            "security": [row.security.status for row in tree if type(row).__name__ == "RepoFile"],
            "flat": sorted(row.path for row in api.list_repo_tree(repo)),
            "sub": sorted(row.path for row in api.list_repo_tree(repo, "vae")),
            "paths": [(type(row).__name__, row.path) for row in paths],
            "refs": [[ref.name for ref in group] for group in (refs.branches, refs.tags, refs.pull_requests)],
            "found": sorted(m.id for m in api.list_models(search="taesd")),
            "all": len(list(api.list_models(author="Comfy-Stow"))),
            "filtered": [m.id for m in api.list_models(filter="diffusers")],
            "renamed": api.model_info("Comfy-Stow/taesd-old-name").id,
            "datasets": [d.id for d in api.list_datasets(search="prompts")],
            "me": api.whoami()["name"],
            "bad_token": name_of(HfApi(token="hf_wrong").whoami),
        }
        """,
        token=hub.hf_token,
    )
    assert result["lfs"] == digest_of(hub, REPO, "taesd.safetensors")
    assert result["size"] == 4_903_146
    assert result["plain"][0] is None
    assert len(result["plain"][1]) == 40
    assert ["RepoFolder", "vae"] in result["tree"]
    assert ["RepoFile", "vae/taesd_copy.safetensors"] in result["tree"]
    assert set(result["security"]) == {"safe"}
    assert result["flat"] == [".gitattributes", "README.md", "config.json", "taesd.safetensors", "vae"]
    assert result["sub"] == ["vae/taesd_copy.safetensors"]
    assert result["paths"] == [["RepoFile", "taesd.safetensors"], ["RepoFolder", "vae"]]
    assert result["refs"] == [["main", "feature/slash"], ["v1"], ["1"]]
    assert result["found"] == [REPO]
    assert result["all"] == 9
    assert result["filtered"] == ["Comfy-Stow/tiny-diffusers"]
    assert result["renamed"] == REPO
    assert result["datasets"] == ["Comfy-Stow/prompts"]
    assert result["me"] == "stow-reader"
    assert "Invalid user token" in result["bad_token"]


def test_xet_headers_are_read_by_the_library_when_switched_on(hub: Hub, client: Any) -> None:
    code = """
        url = hf.hf_hub_url("Comfy-Stow/taesd-demo", "taesd.safetensors")
        data = hf.get_hf_file_metadata(url)
        result = [data.commit_hash, data.etag, data.size, data.xet_file_data and data.xet_file_data.file_hash]
        """
    commit, etag, size, xet_hash = client(code)
    assert len(commit) == 40
    assert (etag, size, xet_hash) == (digest_of(hub, REPO, "taesd.safetensors"), 4_903_146, None)
    hub.settings(xet_headers=True)
    xet_hash = client(code)[3]
    assert len(xet_hash) == 64
    assert xet_hash != etag
