"""`comfystow pod template`: print RunPod's template of a pod, and with a key create or update it."""

from __future__ import annotations

import argparse
import os
import re
from typing import Any

from ..config import load_settings
from ..errors import UsageError
from ..records.json import to_json
from .output import say, show_json

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--image", required=True, help="the image, with its tag")
    parser.add_argument("--name", default="ComfyStow", help="the template's name; the same name is updated")
    parser.add_argument("--disk", type=int, default=30, metavar="GB", help="the container's disk (default 30)")
    parser.add_argument(
        "--volume", type=int, default=50, metavar="GB", help="the pod's own volume (default 50; 0 for network volumes)"
    )
    parser.add_argument(
        "--env",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a variable; write secrets as {{ RUNPOD_SECRET_name }}",
    )
    parser.add_argument("--public", action="store_true", help="let others see it")
    parser.add_argument("--dry-run", action="store_true", help="with a key: say what would change, and change nothing")
    parser.add_argument("--json", action="store_true", help="print data for programs")


def run(arguments: argparse.Namespace) -> int:
    """Print it; with RUNPOD_API_KEY bring it to the account."""
    from ..pod.template import TemplateWish, make_template

    settings = load_settings()
    wish = TemplateWish(
        name=arguments.name,
        image=arguments.image,
        disk_gb=arguments.disk,
        volume_gb=arguments.volume,
        environment=tuple(map(_pair, arguments.env)),
        public=arguments.public,
    )
    template = make_template(wish, settings)
    key = "".join(os.environ.get("RUNPOD_API_KEY", "").split())
    outcome = _bring(template, key, dry_run=arguments.dry_run) if key else None
    if arguments.json:
        show_json({"template": template, "dry_run": arguments.dry_run, "outcome": outcome})
        return 0
    show_json(template)
    if outcome is None:
        say("hint: with RUNPOD_API_KEY, a key of your account that may write, it is created or updated")
        return 0
    verb = f"would be {outcome['action']}" if arguments.dry_run else outcome["action"]
    changed = f" ({', '.join(outcome['changed'])})" if outcome["action"] == "updated" else ""
    say(f"the template `{template['name']}` {'is ' if verb == 'unchanged' else ''}{verb}{changed}")
    return 0


def _bring(template: dict[str, Any], key: str, *, dry_run: bool) -> Any:
    import asyncio

    from ..net.proxies import Proxies
    from ..net.secrets import Secret
    from ..pod.template import bring

    proxies = Proxies.from_environment(os.environ)
    return to_json(asyncio.run(bring(template, Secret(key), load_settings(), proxies, dry_run=dry_run)))


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or _VARIABLE.fullmatch(name) is None:
        raise UsageError(f"`{name[:60]}` is no NAME=VALUE", hint="--env HF_TOKEN='{{ RUNPOD_SECRET_hf }}'")
    return name, value
