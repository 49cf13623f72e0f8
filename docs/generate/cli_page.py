"""docs/cli.md: what `--help` says of each command, and the exit codes."""

from __future__ import annotations

import argparse
from functools import partial

from comfystow.core.cli.main import COMMANDS, overview, parser_for
from comfystow.core.cli.pod import SUBCOMMANDS, parser_of

_WIDTH = 100

_HEAD = """\
# Command line

`comfystow COMMAND …` after `pip install comfystow`; `python <folder of the extension> COMMAND …` in a plain clone.

Data goes to standard output, everything else to standard error: bars on a terminal where `rich` is installed, plain
lines elsewhere; `NO_COLOR` is respected. `--json` prints data for programs: more fields may follow, none disappears,
unknown is `null`. Every command that needs the engine finds the one that lives or starts one; it ends by itself when
nobody is there and nothing is to be done."""

_TAIL = """\
## Exit codes

| code | means |
| --- | --- |
| 0 | done |
| 1 | something failed; each failure is listed |
| 2 | wrong use |
| 3 | something is missing, or not in sync |
| 4 | a token or a licence is needed |
| 5 | not enough space |
| 6 | the bytes are not the ones that were promised |
| 7 | network |
| 130 | interrupted; what this command submitted is paused, and goes on with the same command |

When all failures of a command are of one class its code is used, else 1.

## JSON

`get` and `ensure`: `[{"ref", "state", "path", "folder", "size_bytes", "sha256", "bytes_fetched", "seconds",
"error"}]`, in the order given. `missing`: `[{"workflow", "models": [{"name", "folder", "nodes", "state", "path",
"candidates": [{"source", "url", "folder", "name", "size_bytes", "sha256", "confidence", "reason"}]}], "error"}]`;
`state` is `present`, `missing` or `near`, `confidence` is `exact`, `high`, `likely` or `guess`, and `ensure` takes
the first two. `lock`: `[{"source", "folder", "name", "size_bytes", "sha256", "kind", "base_model"}]`; `sync --check`:
`{"in_sync", "entries": [… with "state" (held, missing, other), "path", "reason"], "extra": [{"folder", "name", "path",
"size_bytes"}], "extra_bytes"}`; `sync`: as `get`; `manifest`: `{"manifest", "with_source", "without_source"}`;
`missing --relink`: `{"changed", "renames": [{"from", "to", "nodes"}]}`; `missing --embed`: `{"written", "models":
[{"name", "url", "directory", "hash", "hash_type", "nodes", "adds"}]}`.
`inspect`: `[{"ref", "path", "kind", "folder", "base_model", "precision", "parameters", "size_bytes",
"vram_bytes", "confidence", "evidence": [text], "format", "tensors", "precisions": {type: parameters}, "metadata",
"error", "base_model_version", "detail", "alternatives": [folder], "trigger_words": [text], "training",
"rejected": [text]}]`.
`search`: `{"hits": [{"provider", "title", "source", "page_url", "folder_name", "base_model", "downloads",
"likes", "gated", "preview_url", "score"}], "errors": {provider: error}}`. `store ls`: `[{"sha256", "size_bytes"}]`;
`store push`: `[{"path", "sha256", "pushed", "error"}]`; `store pull`: as `get`.
`pod stop`: `{"provider", "machine", "dry_run", "steps", "action", "done", "words", "hint", "attempts": [{"way", "at",
"seconds", "status", "done", "words"}]}`. `pod template`: `{"template", "dry_run", "outcome": {"action", "id",
"changed"}}`, `outcome` null without a key. `downloads`: the Downloads of
[docs/http.md](http.md). `engine`: `{"running", "pid", "version",
"protocol_version", "started_at", "state_dir", "sessions", "busy", "leaving"}`; `downloads --follow` and `monitor`:
an object a line. An error, everywhere: `{"code", "message", "hint", "retryable"}`; a command that has no data prints
`{"error": error}`, and `lock`, which pins all or nothing, `{"errors": [error]}`.
"""


def cli_page() -> str:
    """Give docs/cli.md."""
    commands = [f"## {name}\n\n```\n{_help_of(name)}```" for name in COMMANDS]
    commands += [f"### pod {name}\n\n```\n{_help_of('pod', name)}```" for name in SUBCOMMANDS]
    return "\n\n".join([_HEAD, f"```\n{overview()}\n```", *commands, _TAIL])


def _help_of(name: str, tool: str | None = None) -> str:
    """Return the help of a command or of one of `pod`'s tools, whatever the terminal."""
    parser = parser_for(name)
    if tool is not None:
        parser = parser_of(parser, tool)
    parser.formatter_class = partial(argparse.HelpFormatter, width=_WIDTH)  # type: ignore[assignment]
    return parser.format_help()
