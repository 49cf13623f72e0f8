"""Check this extension's installation, show it in a ComfyUI of its own, or run its tests.

    python install.py           what ComfyUI-Manager runs: tells what is there and what is off; changes nothing
    python install.py demo      sets up a ComfyUI and a local hub, and serves a workflow whose models are missing
    python install.py test      sets everything up and runs all tests

It needs Python 3.11 and nothing else. What `demo` and `test` make lies in COMFYSTOW_CACHE_DIR (default
`~/.cache/comfystow`), never in this folder.
"""

from __future__ import annotations

import argparse
import io
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

HERE = Path(__file__).absolute().parent
#: This file runs where the package cannot, to say so.
NEW_ENOUGH = sys.version_info >= (3, 11)

#: Distribution -> what is off without it. The first two come with ComfyUI itself.
PACKAGES = {
    "aiohttp": "everything that downloads",
    "PyYAML": "manifests and lock files",
    "psutil": "statistics of processor, memory and network",
    "nvidia-ml-py": "statistics of NVIDIA GPUs",
    "prometheus_client": "the metrics for Prometheus",
    "rich": "progress bars of the command line",
}


def check() -> int:
    """Say what is installed and what is off; never fail the installation."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a folder's name may not fit the console's encoding
    print(f"ComfyStow in {HERE}")
    if not NEW_ENOUGH:
        print(f"Python 3.11 or newer is needed, this is {sys.version.split()[0]}: the extension will not load")
        return 0
    missing = []
    for package, purpose in PACKAGES.items():
        try:
            print(f"  {package} {version(package)}")
        except PackageNotFoundError:
            missing.append(package)
            print(f"  {package} is not installed: {purpose} will be off")
    if missing:
        print(f'To switch it on: "{sys.executable}" -m pip install -r "{HERE / "requirements.txt"}"')
    else:
        print("Everything is there")
    return 0


def main(arguments: list[str] | None = None) -> int:
    """Read the command line and carry it out."""
    parser = argparse.ArgumentParser(prog="install.py", description=__doc__.partition("\n")[0])
    commands = parser.add_subparsers(dest="command", metavar="demo | test")
    demo = commands.add_parser("demo", help="serve a workflow with missing models, on this machine alone")
    demo.add_argument("--port", type=int, default=8188, help="port of ComfyUI on 127.0.0.1 (%(default)s)")
    demo.add_argument("--frontend", default="1.32.9", help="version of the pages, or `newest` (%(default)s)")
    demo.add_argument("--no-open", action="store_true", help="print the link, open no browser")
    test = commands.add_parser("test", help="run all tests; more options go to pytest", allow_abbrev=False)
    for command in (demo, test):
        command.add_argument("--comfyui", type=Path, metavar="DIR", help="a ComfyUI to run; its folder stays as it is")
    options, rest = parser.parse_known_args(arguments)
    if rest and options.command != "test":
        parser.error(f"unknown: {' '.join(rest)}")
    return check() if options.command is None else _set_up_and_run(options, rest)


def _set_up_and_run(options: argparse.Namespace, rest: list[str]) -> int:
    if not NEW_ENOUGH:
        print(f"Python 3.11 or newer is needed, this is {sys.version.split()[0]}", file=sys.stderr)
        return 2
    if not (HERE / "tests" / "support").is_dir():
        print("this copy came without its tests and demo; clone the repository for them", file=sys.stderr)
        return 2
    sys.path.insert(0, str(HERE / "tests"))
    from support.setup.say import SetupError
    from support.setup.workshop import Workshop

    try:
        workshop = Workshop(comfyui=options.comfyui)
        if options.command == "test":
            from support.setup.suite import run_suite

            return run_suite(workshop, rest)
        from support.demo.run import run_demo

        return run_demo(workshop, port=options.port, frontend=options.frontend, open_browser=not options.no_open)
    except SetupError as err:
        print(f"error: {err}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
