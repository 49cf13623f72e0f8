"""Services of the owner's own: one more row each, from a YAML file.

services:
  - name: tensorboard
    command: [tensorboard, --logdir, /workspace/runs, --port, "6006"]
    port: 6006
    needs: [comfyui]                     # optional: started when those are ready
    directory: /workspace                # optional
    environment: {TB_COLOUR: "1"}        # optional
    check: {path: /, status: 200}        # optional: HTTP on its port; or {command: [test, -e, /tmp/up]}; else TCP
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from ...config import POD_SECRETS
from ...errors import ManifestError
from ...workflow.yaml_text import Part, read_yaml
from .order import start_levels
from .probe import CommandProbe, HttpProbe, Probe, TcpProbe
from .service import Missing, Service

_TOP = frozenset({"services"})
_ROW = frozenset({"name", "title", "command", "port", "needs", "directory", "environment", "check"})
_CHECK = frozenset({"path", "status", "command"})
_NAME = re.compile(r"[a-z][a-z0-9-]{0,30}")
TAKEN = frozenset({"comfyui", "jupyter", "files", "ssh"})
_OK = 200


def extra_rows(file: str | None, environment: Mapping[str, str]) -> tuple[Service | Missing, ...]:
    """Read the file. Raises: ManifestError: names the line; ConfigError: services that need each other in a circle."""
    rows = tuple(_row(part, environment) for part in _parts(file))
    names = [row.name for row in rows]
    for name in names:
        if names.count(name) > 1:
            raise ManifestError(f"{file}: there are two services `{name}`")
    needs = {row.name: row.needs if isinstance(row, Service) else () for row in rows}
    start_levels({**dict.fromkeys(TAKEN, ()), **needs})
    return rows


def _parts(file: str | None) -> tuple[Part, ...]:
    if file is None:
        return ()
    try:
        text = Path(file).read_text(encoding="utf-8")
    except (OSError, ValueError) as err:
        raise ManifestError(f"cannot read the services `{file}`: {err}") from None
    fields = read_yaml(text, file).fields("a file of services", _TOP)
    return fields["services"].items("`services`") if "services" in fields else ()


def _row(part: Part, environment: Mapping[str, str]) -> Service | Missing:
    fields = part.fields("a service", _ROW)
    name = _name(fields, part)
    title = fields["title"].text("`title`") if "title" in fields else name
    if "command" not in fields:
        part.fail("a service needs a `command`")
    words = tuple(word.text("a word of `command`") for word in fields["command"].items("`command`"))
    if not words:
        fields["command"].fail("`command` is empty")
    program = shutil.which(words[0])
    if program is None:
        return Missing(name=name, title=title, reason=f"`{words[0]}` is not installed")
    port = fields["port"].number("`port`") if "port" in fields else None
    needs = fields["needs"].items("`needs`") if "needs" in fields else ()
    more = fields["environment"].fields("`environment`") if "environment" in fields else {}
    kept = {key: value for key, value in environment.items() if key not in POD_SECRETS}
    return Service(
        name=name,
        title=title,
        words=(program, *words[1:]),
        environment={**kept, **{key: value.text("a variable") for key, value in more.items()}},
        directory=Path(fields["directory"].text("`directory`")) if "directory" in fields else Path("/"),
        probe=_probe(part, fields.get("check"), port),
        needs=tuple(need.text("a name in `needs`") for need in needs),
        port=port,
    )


def _name(fields: dict[str, Part], part: Part) -> str:
    if "name" not in fields:
        part.fail("a service needs a `name`")
    name = fields["name"].text("`name`")
    if not _NAME.fullmatch(name) or name in TAKEN:
        fields["name"].fail("a name has small letters, digits and hyphens, and is none of ours")
    return name


def _probe(part: Part, check: Part | None, port: int | None) -> Probe:
    fields = check.fields("`check`", _CHECK) if check is not None else {}
    if "command" in fields:
        return CommandProbe(words=tuple(word.text("a word") for word in fields["command"].items("`command`")))
    if port is None:
        part.fail("a service without a `port` needs `check: {command: […]}`")
    if "path" in fields:
        status = fields["status"].number("`status`") if "status" in fields else _OK
        return HttpProbe(port=port, path=fields["path"].text("`path`"), status=status)
    return TcpProbe(port=port)
