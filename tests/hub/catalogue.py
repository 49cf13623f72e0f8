"""What the hub offers: repositories, their commits and files; Civitai models, versions and files; users."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from .blobs import Blob
from .content import MIB, Content, json_blob, text_blob
from .tokens import HF_TOKEN

LFS_SUFFIXES = (".safetensors", ".pt", ".bin", ".ckpt", ".gguf", ".onnx", ".sft")
Files = dict[str, Blob]


@dataclass(slots=True, kw_only=True)
class Repo:
    """One repository with its commits, oldest first."""

    repo_id: str
    kind: str = "model"
    commits: list[tuple[str, Files]] = field(default_factory=list)
    refs: dict[str, str] = field(default_factory=dict)
    gated: str | bool = False
    private: bool = False
    disabled: bool = False
    licensed_tokens: set[str] = field(default_factory=set)
    tags: tuple[str, ...] = ()
    downloads: int = 42

    def commit(self, title: str, files: Files) -> str:
        """Add a commit on main and give its id."""
        number = len(self.commits)
        sha = hashlib.sha1(f"{self.kind}:{self.repo_id}:{number}:{title}".encode(), usedforsecurity=False).hexdigest()
        self.commits.append((sha, files))
        self.refs["refs/heads/main"] = sha
        return sha

    def resolve(self, revision: str) -> str | None:
        """Turn a branch, tag, full ref or commit id into a commit id."""
        for ref in (revision, f"refs/heads/{revision}", f"refs/tags/{revision}"):
            if ref in self.refs:
                return self.refs[ref]
        known = [sha for sha, _ in self.commits]
        return revision if revision in known else None

    def files(self, sha: str) -> Files:
        return dict(self.commits)[sha]

    @property
    def head(self) -> str:
        return self.refs["refs/heads/main"]


def is_lfs(path: str, blob: Blob) -> bool:
    """Tell whether git holds only a pointer: by suffix, and for everything above the Hub's 10 MB limit."""
    return path.endswith(LFS_SUFFIXES) or blob.size > 10_000_000


def lfs_pointer(sha256: str, size: int) -> str:
    """Write the pointer file that git holds in place of a large one (git-lfs docs/spec.md)."""
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n"


@dataclass(slots=True, kw_only=True)
class CivitaiFile:
    """One file of a version; field names follow Civitai's ModelFile."""

    id: int
    name: str
    blob: Blob
    type: str = "Model"
    metadata: dict[str, str] = field(default_factory=lambda: {"format": "SafeTensor", "size": "full", "fp": "fp16"})
    pickle_scan: str = "Success"
    visibility: str = "Public"


@dataclass(slots=True, kw_only=True)
class CivitaiVersion:
    """One version; `deadline` marks early access, `require_auth` and `usage_control` are Civitai's own flags."""

    id: int
    name: str
    files: list[CivitaiFile]
    base_model: str = "SD 1.5"
    trained_words: list[str] = field(default_factory=list)
    description: str = "<p>A model of the local hub.</p>"
    status: str = "Published"
    published_at: str = "2025-03-01T10:00:00.000Z"
    deadline: str | None = None
    require_auth: bool = False
    usage_control: str = "Download"
    downloads: int = 120


@dataclass(slots=True, kw_only=True)
class CivitaiModel:
    """One model with its versions, newest first."""

    id: int
    name: str
    type: str
    versions: list[CivitaiVersion]
    status: str = "Published"
    mode: str | None = None
    tags: tuple[str, ...] = ("demo",)


def build_repos(content: Content) -> tuple[list[Repo], dict[str, str]]:
    """Make the repositories, and the table of renamed ones."""
    card = text_blob("---\nlicense: mit\nlibrary_name: comfyui\ntags:\n- vae\n---\n# Demo model of the local hub\n")
    gitattributes = text_blob("*.safetensors filter=lfs diff=lfs merge=lfs -text\n")
    base: Files = {".gitattributes": gitattributes, "README.md": card}

    taesd = Repo(repo_id="Comfy-Stow/taesd-demo", tags=("vae", "comfyui"))
    first = taesd.commit("First weights", base | {"taesd.safetensors": content.file("taesd_first.safetensors")})
    files = {
        "taesd.safetensors": content.file("taesd.safetensors"),
        "config.json": json_blob({"architecture": "taesd", "latent_channels": 4}),
        "vae/taesd_copy.safetensors": content.file("taesd.safetensors"),
    }
    taesd.commit("Better weights", base | files)
    taesd.refs |= {"refs/tags/v1": first, "refs/pr/1": first, "refs/heads/feature/slash": first}

    lora = Repo(repo_id="Comfy-Stow/lora-demo", tags=("lora", "stable-diffusion"))
    lora_files = {
        "stow_style.safetensors": content.file("lora.safetensors"),
        "loras/наш стиль (v2) + 50%.safetensors": content.file("lora_pruned.safetensors"),
    }
    lora.commit("Weights", base | lora_files)

    encoders = Repo(repo_id="Comfy-Stow/text-encoders", tags=("clip",))
    encoders.commit(
        "Weights", base | {"split_files/clip_l_reduced.safetensors": content.file("clip_l_reduced.safetensors")}
    )

    big = Repo(repo_id="Comfy-Stow/big-models", tags=("flux",))
    big_files = {f"big_{size}mib.safetensors": content.generated(size * MIB, size) for size in (8, 64, 256)}
    big.commit("Weights", base | big_files | {"big_2gib.safetensors": content.generated(2048 * MIB, 2048)})

    gguf = Repo(repo_id="Comfy-Stow/gguf-demo", tags=("gguf",))
    gguf.commit("Weights", base | {"stow-flux-F16.gguf": content.file("flux.gguf")})
    gated = Repo(repo_id="Comfy-Stow/gated-demo", gated="auto", licensed_tokens={HF_TOKEN}, tags=("lora",))
    gated.commit("Weights", base | {"stow_gated.safetensors": content.file("lora_gated.safetensors")})
    private = Repo(repo_id="Comfy-Stow/private-demo", private=True)
    private.commit("Weights", base | {"stow_private.safetensors": content.file("lora_private.safetensors")})
    disabled = Repo(repo_id="Comfy-Stow/disabled-demo", disabled=True)
    disabled.commit("Weights", base | {"gone.safetensors": content.file("lora_pruned.safetensors")})

    diffusers = Repo(repo_id="Comfy-Stow/tiny-diffusers", tags=("diffusers", "text-to-image"))
    diffusers.commit("Weights", base | _diffusers_files(content))
    dataset = Repo(repo_id="Comfy-Stow/prompts", kind="dataset")
    dataset.commit("Prompts", {"data/prompts.jsonl": text_blob('{"prompt": "a lighthouse"}\n'), "README.md": card})
    space = Repo(repo_id="Comfy-Stow/gallery", kind="space")
    space.commit(
        "App",
        {"app.py": text_blob("print('gallery')\n"), "models/tiny.safetensors": content.file("embedding.safetensors")},
    )
    taesd.downloads, lora.downloads, big.downloads = 4000, 300, 20
    repos = [taesd, lora, encoders, big, gguf, gated, private, disabled, diffusers, dataset, space]
    return repos, {"Comfy-Stow/taesd-old-name": taesd.repo_id}


def _diffusers_files(content: Content) -> Files:
    return {
        "model_index.json": json_blob(
            {"_class_name": "StableDiffusionPipeline", "unet": ["diffusers", "UNet2DConditionModel"]}
        ),
        "scheduler/scheduler_config.json": json_blob({"_class_name": "PNDMScheduler"}),
        "text_encoder/config.json": json_blob({"architectures": ["CLIPTextModel"]}),
        "text_encoder/model.safetensors": content.file("clip_l_reduced.safetensors"),
        "text_encoder/model.fp16.safetensors": content.file("clip_l_reduced.safetensors"),
        "tokenizer/vocab.json": json_blob({"<|startoftext|>": 0, "<|endoftext|>": 1}),
        "tokenizer/merges.txt": text_blob("#version: 0.2\ni n\n"),
        "unet/config.json": json_blob({"_class_name": "UNet2DConditionModel"}),
        "unet/diffusion_pytorch_model.safetensors": content.file("diffusers_unet.safetensors"),
        "vae/config.json": json_blob({"_class_name": "AutoencoderTiny"}),
        "vae/diffusion_pytorch_model.safetensors": content.file("taesd.safetensors"),
    }


def build_civitai(content: Content) -> list[CivitaiModel]:
    """Make the Civitai models; README.md lists their ids."""
    pruned = {"format": "SafeTensor", "size": "pruned", "fp": "fp16"}
    pickled = {"format": "PickleTensor", "size": "full", "fp": "fp32"}

    def single(file_id: int, name: str, blob: str, **values: str) -> list[CivitaiFile]:
        return [CivitaiFile(id=file_id, name=name, blob=content.file(blob), **values)]  # type: ignore[arg-type]

    style = CivitaiModel(
        id=1001,
        name="Stow Style",
        type="LORA",
        tags=("style", "demo"),
        versions=[
            CivitaiVersion(
                id=2001,
                name="v2.0",
                trained_words=["stow style", "harbour light"],
                files=[
                    CivitaiFile(id=3001, name="stow_style_v2.safetensors", blob=content.file("lora.safetensors")),
                    CivitaiFile(
                        id=3002,
                        name="stow_style_v2_pruned.safetensors",
                        blob=content.file("lora_pruned.safetensors"),
                        type="Pruned Model",
                        metadata=pruned,
                    ),
                    CivitaiFile(id=3003, name="stow_style_v2.pt", blob=content.file("lora.pt"), metadata=pickled),
                ],
            ),
            CivitaiVersion(
                id=2000,
                name="v1.0",
                trained_words=["stow style"],
                published_at="2024-11-01T10:00:00.000Z",
                files=single(3000, "stow_style_v1.safetensors", "lora_old.safetensors"),
            ),
        ],
    )
    early = CivitaiVersion(
        id=2010,
        name="v1.0",
        deadline="2030-01-01T00:00:00.000Z",
        files=single(3010, "early_bird.safetensors", "lora_early.safetensors"),
    )
    members = CivitaiVersion(
        id=2020,
        name="v1.0",
        require_auth=True,
        files=single(3020, "members_only.safetensors", "lora_members.safetensors"),
    )
    archived = CivitaiVersion(id=2030, name="v1.0", files=single(3030, "archived.safetensors", "lora_old.safetensors"))
    disabled = CivitaiVersion(
        id=2040,
        name="v1.0",
        usage_control="InternalGeneration",
        files=single(3040, "no_downloads.safetensors", "lora_old.safetensors"),
    )
    vae = CivitaiVersion(id=2050, name="v1.0", files=single(3050, "stowTinyVae.safetensors", "taesd.safetensors"))
    diffusion = CivitaiVersion(
        id=2060,
        name="fp16",
        base_model="Flux.1 D",
        files=[
            CivitaiFile(
                id=3060, name="stowFlux.safetensors", blob=content.generated(64 * MIB, 64), type="Diffusion Model"
            )
        ],
    )
    draft = CivitaiVersion(
        id=2070, name="v1.0", status="Draft", files=single(3070, "draft.safetensors", "lora_old.safetensors")
    )
    inversion = CivitaiVersion(
        id=2080,
        name="v1.0",
        trained_words=["stowharbour"],
        files=single(3080, "emb.safetensors", "embedding.safetensors"),
    )
    return [
        style,
        CivitaiModel(id=1002, name="Early Bird", type="LORA", versions=[early]),
        CivitaiModel(id=1003, name="Members Only", type="LORA", versions=[members]),
        CivitaiModel(id=1004, name="Archived Style", type="LORA", mode="Archived", versions=[archived]),
        CivitaiModel(id=1005, name="Generation Only", type="LORA", versions=[disabled]),
        CivitaiModel(id=1006, name="Stow Tiny VAE", type="VAE", versions=[vae]),
        CivitaiModel(id=1007, name="Stow Flux", type="Checkpoint", versions=[diffusion]),
        CivitaiModel(id=1008, name="Unfinished", type="LORA", status="Draft", versions=[draft]),
        CivitaiModel(id=1009, name="Stow Harbour", type="TextualInversion", versions=[inversion]),
    ]
