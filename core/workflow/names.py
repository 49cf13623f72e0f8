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
#: More files of one folder than this are compared by key only, not letter by letter.
_MAX_COMPARED = 20_000


_SUFFIXES = MODEL_SUFFIXES | PICKLE_SUFFIXES | {".onnx"}


def looks_like_model(value: str) -> bool:
    """Tell whether a value looks like the name of a model file."""
    return (
        len(value) <= MAX_NAME_CHARS
        and PurePosixPath(value.replace("\\", "/")).suffix.lower() in _SUFFIXES
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


def nearest(name: str, names: Iterable[str]) -> NearName | None:
    """Return the file among `names` (of one folder) that most likely is `name`, None when none is near.

    By falling certainty: another separator or case; the same file name in another subfolder; the same words in
    another spelling; and letters that differ a little while all numbers and telling words agree.
    """
    wanted = normalised(name)
    known = list(names)
    same = [other for other in known if other.lower() == wanted.lower()]
    if same:
        return NearName(same[0], Confidence.HIGH, "the same name with other separators or letter case")
    base = basename(wanted).lower()
    moved = [other for other in known if basename(other).lower() == base]
    if len(moved) == 1:
        return NearName(moved[0], Confidence.HIGH, "the same file name in another subfolder")
    if moved:
        return NearName(
            min(moved, key=lambda other: (len(other), other)),
            Confidence.LIKELY,
            f"{len(moved)} subfolders hold this file name",
        )
    return _spelt_otherwise(base, known)


def _spelt_otherwise(base: str, known: list[str]) -> NearName | None:
    key = _letters(base)
    suffix = PurePosixPath(base).suffix
    same_words = [other for other in known if _letters(basename(other).lower()) == key]
    if same_words:
        return NearName(same_words[0], Confidence.LIKELY, "the same name in another spelling")
    numbers = _telling(base)
    best: tuple[float, str] | None = None
    for other in known[:_MAX_COMPARED]:
        other_base = basename(other).lower()
        if PurePosixPath(other_base).suffix != suffix or _telling(other_base) != numbers:
            continue
        matcher = SequenceMatcher(None, base, other_base, autojunk=False)
        if matcher.quick_ratio() >= _MIN_RATIO and (ratio := matcher.ratio()) >= _MIN_RATIO:
            best = max(best or (0.0, ""), (ratio, other))
    if best is None:
        return None
    return NearName(best[1], Confidence.GUESS, f"the names are {best[0]:.0%} alike")


def _letters(base: str) -> str:
    return re.sub(r"[^a-z0-9.]", "", base).replace(".", "", base.count(".") - 1) if base else base


def _telling(base: str) -> tuple[str, ...]:
    """Return the words that a name may not differ in: those with a number, and telling ones; in alphabetical order."""
    words = _WORDS.findall(base.rpartition(".")[0])
    return tuple(sorted(word for word in words if word in _TELLING or not word.isalpha()))
