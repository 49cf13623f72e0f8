"""`comfystow auth`: tokens in, never out; and the access secret."""

from __future__ import annotations

import argparse
import sys
from urllib.parse import quote

from ..errors import UsageError
from .options import add_common, client_of, installation_of, session_client_of
from .output import say, show_json

_MAX_TOKEN_LENGTH = 1 << 16


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("action", choices=("set", "clear", "test", "secret"), help="what to do")
    parser.add_argument(
        "provider", nargs="?", metavar="PROVIDER", help="huggingface, civitai or a host name; not for `secret`"
    )
    add_common(parser)


def run(arguments: argparse.Namespace) -> int:
    """Do it. A token comes from standard input or a prompt, never from an argument: those can be seen by others."""
    installation = installation_of(arguments)
    if arguments.action == "secret":
        from ..engine.secret import access_secret

        secret = access_secret(installation.state_dir)
        show_json({"secret": secret}) if arguments.json else print(secret)
        return 0
    if not arguments.provider:
        raise UsageError(f"`{arguments.action}` needs a provider", hint="huggingface, civitai or a host name")
    path = f"/credentials/{quote(arguments.provider, safe='')}"
    with (session_client_of if arguments.action == "test" else client_of)(installation) as client:
        match arguments.action:
            case "set":
                answer = client.call("PUT", path, {"token": _read_token(arguments.provider)})
            case "clear":
                answer = client.call("DELETE", path)
            case _:
                answer = client.call("POST", f"{path}/test")
    if arguments.json:
        show_json(answer)
    else:
        say(_words(arguments.action, answer))
    return 0


def _read_token(provider: str) -> str:
    if sys.stdin.isatty():
        import getpass

        return getpass.getpass(f"token for {provider}: ")
    return sys.stdin.read(_MAX_TOKEN_LENGTH).strip()


def _words(action: str, answer: dict[str, str | None]) -> str:
    if action == "test":
        scope = f" ({answer['scope']})" if answer["scope"] else ""
        return f"the token for {answer['provider']} works: it is {answer['user'] or 'somebody'}'s{scope}"
    if not answer["is_set"]:
        return f"no token for {answer['provider']}"
    return f"a token for {answer['provider']} is set ({answer['origin']})"
