"""What looks like a model name, and how alike two are: a moved file, another spelling of it, or something else."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import PurePosixPath

from ..paths import MODEL_SUFFIXES, PICKLE_SUFFIXES
from ..records.workflow import Confidence
from .document import MAX_NAME_CHARS

_WORDS = re.compile(r"[a-z0-9]+")
#: Words that tell two files of one model apart: a different one means different bytes.
_TELLING = frozenset(
    (
        *("fp4", "fp8", "fp16", "fp32", "bf16", "int4", "int8", "nf4", "nvfp4", "mxfp8", "e4m3fn", "e5m2", "scaled"),
        *("q2", "q3", "q4", "q5", "q6", "q8", "mixed", "pruned", "ema", "distilled", "turbo", "lightning"),
        *("high", "low", "noise", "dev", "schnell", "base", "refiner", "inpaint", "fill", "canny", "depth"),
        *("xl", "vae", "text", "encoder"),
    )
)
_MIN_RATIO = 0.9
#: Pairs of names that are compared letter by letter, for all names asked of one index together: about a second.
_MAX_COMPARED = 20_000
KNOWN_SUFFIXES = MODEL_SUFFIXES | PICKLE_SUFFIXES | {".onnx"}


def looks_like_model(value: str) -> bool:
    """Tell whether a value looks like the name of a model file."""
    return (
        len(value) <= MAX_NAME_CHARS
        and PurePosixPath(value.replace("\\", "/")).suffix.lower() in KNOWN_SUFFIXES
        and "\n" not in value
        and "://" not in value
    )


@dataclass(frozen=True, slots=True)
class NearName:
    """A file that may be the one that is meant."""

    name: str
    confidence: Confidence
    reason: str


def normalised(name: str) -> str:
    """Return a name with `/` between parts and no leading `./`."""
    return str(PurePosixPath(name.replace("\\", "/")))


def basename(name: str) -> str:
    """Return the last part of a name of either kind of separator."""
    return name.replace("\\", "/").rpartition("/")[2]


class NameIndex:
    """The names of one folder's files, to be asked for many that may be among them."""

    def __init__(self, names: Iterable[str]) -> None:
        self._by_path: dict[str, str] = {}
        self._by_base: dict[str, list[str]] = {}
        self._by_letters: dict[str, str] = {}
        self._by_telling: dict[tuple[str, ...], list[str]] = {}
        self._compared = 0
        for name in names:
            base = basename(name).lower()
            self._by_path.setdefault(name.lower(), name)
            self._by_base.setdefault(base, []).append(name)
            self._by_letters.setdefault(_letters(base), name)
            self._by_telling.setdefault(_telling(base), []).append(name)

    def nearest(self, name: str) -> NearName | None:
        """Return the file that most likely is `name`, None when none is near.

        By falling certainty: another separator or case; the same file name in another subfolder; the same words in
        another spelling; and letters that differ a little while all numbers and telling words agree.
        """
        wanted = normalised(name).lower()
        if wanted in self._by_path:
            return NearName(
                self._by_path[wanted], Confidence.HIGH, "the same name with other separators or letter case"
            )
        base = basename(wanted)
        moved = self._by_base.get(base, [])
        if len(moved) == 1:
            return NearName(moved[0], Confidence.HIGH, "the same file name in another subfolder")
        if moved:
            best = min(moved, key=lambda other: (len(other), other))
            return NearName(best, Confidence.LIKELY, f"{len(moved)} subfolders hold this file name")
        if (letters := _letters(base)) in self._by_letters:
            return NearName(self._by_letters[letters], Confidence.LIKELY, "the same name in another spelling")
        return self._alike(base)

    def _alike(self, base: str) -> NearName | None:
        matcher = SequenceMatcher(None, "", base, autojunk=False)
        best: tuple[float, str] = (0.0, "")
        for other in self._by_telling.get(_telling(base), ()):
            self._compared += 1
            if self._compared > _MAX_COMPARED:
                break
            matcher.set_seq1(basename(other).lower())
            if matcher.real_quick_ratio() >= _MIN_RATIO and matcher.quick_ratio() >= _MIN_RATIO:
                best = max(best, (matcher.ratio(), other))
        ratio, other = best
        if ratio < _MIN_RATIO:
            return None
        return NearName(other, Confidence.GUESS, f"the names are {ratio:.0%} alike")


def _letters(base: str) -> str:
    return re.sub(r"[^a-z0-9.]", "", base).replace(".", "", base.count(".") - 1) if base else base


def _telling(base: str) -> tuple[str, ...]:
    """Return what two names must agree in: the suffix, words with a number, telling words; in alphabetical order."""
    stem, _, suffix = base.rpartition(".")
    words = _WORDS.findall(stem)
    return (suffix, *sorted(word for word in words if word in _TELLING or not word.isalpha()))
