"""How ComfyUI is started: its command line, held against what the installed version takes."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...errors import ConfigError

_HELP_SECONDS = 60.0
_FLAG = re.compile(r"(?<![\w-])--[a-z][\w-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """A flag that is not passed on, and why."""

    flag: str
    why: str


class HelpQuestion:
    """`main.py --help` of an installation, asked while the caller does something else.

    It ends before torch is imported (main.py imports `comfy.cli_args` first; 0.3.75).
    """

    def __init__(self, python: str, comfyui: Path, environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - the installation's own interpreter and file
            [python, "main.py", "--help"],
            cwd=comfyui,
            env={**environment, "COLUMNS": "500"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def answer(self) -> frozenset[str] | None:
        """Return the flags that it takes, None where it does not tell."""
        try:
            out, _ = self._process.communicate(timeout=_HELP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
            return None
        return flags_of(out.decode("utf-8", "replace")) if self._process.returncode == 0 else None


def flags_of(help_text: str) -> frozenset[str] | None:
    """Read the flags out of argparse's help: those that begin a line of the list of options (pure)."""
    found: set[str] = set()
    for line in help_text.splitlines():
        stripped = line.strip()
        if stripped.startswith("-"):
            # `-h, --help  show this …`: what stands behind two spaces is prose, which may name other flags.
            found.update(_FLAG.findall(re.split(r"\s{2,}", stripped)[0]))
    return frozenset(found) or None


def keep_known(words: Sequence[str], known: frozenset[str] | None) -> tuple[tuple[str, ...], tuple[Dropped, ...]]:
    """Drop flags, with their values, that the installed ComfyUI would die of (pure); `known` None keeps all."""
    kept: list[str] = []
    dropped: list[Dropped] = []
    skipping = False
    for word in words:
        if word.startswith("--"):
            flag = word.partition("=")[0]
            skipping = known is not None and flag not in known
            if skipping:
                dropped.append(Dropped(flag=flag, why=_why_dropped(flag)))
        if not skipping:
            kept.append(word)
    return tuple(kept), tuple(dropped)


def _why_dropped(flag: str) -> str:
    return f"the installed ComfyUI does not know `{flag}` and would not start with it"


def without_effect(words: Sequence[str], known: frozenset[str] | None) -> tuple[Dropped, ...]:
    """Name the flags that are passed on and do nothing (pure).

    Newer ComfyUI manages its memory by itself; `--lowvram` and its like mean nothing then, unless that is switched off
    (documentation of its start-up flags, "has no effect when dynamic VRAM is enabled").
    """
    flags = {word.partition("=")[0] for word in words}
    if known is None or "--disable-dynamic-vram" not in known or "--disable-dynamic-vram" in flags:
        return ()
    idle = sorted(flags & {"--lowvram", "--normalvram"})
    return tuple(Dropped(flag=flag, why="it has no effect while ComfyUI manages memory dynamically") for flag in idle)


def split_arguments(text: str | None) -> tuple[str, ...]:
    """Split what the owner gave as a shell would. Raises: ConfigError: quotes that do not close."""
    try:
        return tuple(shlex.split(text or ""))
    except ValueError as err:
        raise ConfigError(f"COMFYSTOW_COMFYUI_ARGUMENTS cannot be read: {err}", hint="mind the quotes") from None


def arguments_for(
    *,
    listen: str,
    port: int,
    origin: str | None,
    extra_model_paths: Path | None,
    folders: Mapping[str, Path],
    more: Sequence[str],
) -> tuple[str, ...]:
    """Return the command line behind `main.py` (pure). What the owner gives comes last, and so beats ours."""
    words = ["--listen", listen, "--port", str(port), "--disable-auto-launch"]
    if origin is not None:
        # Newer ComfyUI answers 403 to what a browser sends through a proxy of another name, unless told its origin.
        words += ["--enable-cors-header", origin]
    if extra_model_paths is not None:
        words += ["--extra-model-paths-config", str(extra_model_paths)]
    for name in ("user", "input", "output"):
        if name in folders:
            words += [f"--{name}-directory", str(folders[name])]
    return (*words, *more)
