"""Rules of the tree that no checker knows."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import tomllib
from pathlib import Path

from support.setup.workshop import CHECKOUT

PACKAGE = ("core", "nodes", "server_routes")
#: About 300 is the aim; what is above these is two things in one file.
MAX_LINES = 350
MAX_LINES_OF_TESTS = 400
SOURCE_SUFFIXES = {".py", ".js", ".mjs", ".css", ".sh"}
BANNED_NAMES = re.compile(r"^(utils?|helpers?|common|misc)\.(py|mjs|js)$")


def _files() -> list[Path]:
    """List what git tracks, or would: what users get."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=CHECKOUT,
        capture_output=True,
        check=True,
    ).stdout
    return [
        CHECKOUT / os.fsdecode(name) for name in listed.split(b"\0") if name and (CHECKOUT / os.fsdecode(name)).exists()
    ]


def _modules() -> list[Path]:
    top = [CHECKOUT / "__init__.py", CHECKOUT / "__main__.py"]
    return [path for path in top if path.exists()] + [
        path for path in _files() if path.suffix == ".py" and path.relative_to(CHECKOUT).parts[0] in PACKAGE
    ]


def test_no_file_is_longer_than_a_reader_can_hold() -> None:
    too_long = {}
    for path in (path for path in _files() if path.suffix in SOURCE_SUFFIXES):
        name, lines = path.relative_to(CHECKOUT).as_posix(), len(path.read_bytes().splitlines())
        if lines > (MAX_LINES_OF_TESTS if name.startswith("tests/") else MAX_LINES):
            too_long[name] = lines
    assert too_long == {}


def test_no_file_is_a_drawer_for_everything() -> None:
    assert [path.name for path in _files() if BANNED_NAMES.match(path.name)] == []


def test_the_tree_holds_no_links() -> None:
    """An organisation's rules may refuse a pack with links (ComfyUI, app/governance.py)."""
    assert [path.name for path in _files() if path.is_symlink()] == []


def test_own_modules_are_imported_relatively() -> None:
    """In ComfyUI `core`, `nodes` and `comfystow` as absolute names are other packs' modules, or nobody's."""
    banned = {"comfystow", "web", "tests", "support", "hub", *PACKAGE}
    found = []
    for path in _modules():
        # One file may know ComfyUI's own `nodes`: the one that touches the host.
        own = banned - {"nodes"} if path.relative_to(CHECKOUT).as_posix() == "server_routes/host.py" else banned
        names = [name for name in _absolute_imports(path) if name.partition(".")[0] in own]
        found += [f"{path.relative_to(CHECKOUT)}: {name}" for name in names]
    assert found == []


def test_the_core_never_sees_the_host_even_in_a_function() -> None:
    host = {"folder_paths", "server", "comfy", "comfy_api", "execution", "torch", "nodes"}
    # One script of the core is run by the installation's own interpreter, in a process of its own, to ask for its folders.
    core = [
        path
        for path in _modules()
        if path.relative_to(CHECKOUT).parts[0] == "core" and path.name != "ask_folder_paths.py"
    ]
    assert [path.name for path in core for name in _absolute_imports(path) if name.partition(".")[0] in host] == []


def _absolute_imports(path: Path) -> list[str]:
    found: list[str] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [name.name for name in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.append(node.module or "")
    return found


def test_every_module_says_what_it_is() -> None:
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in _modules()}
    assert [path.name for path, tree in trees.items() if tree.body and not ast.get_docstring(tree)] == []


def test_links_between_documents_lead_somewhere() -> None:
    broken = [
        f"{page.relative_to(CHECKOUT)}: {target}"
        for page in (path for path in _files() if path.suffix == ".md")
        for target in re.findall(r"\]\(([^)\s#]+)[^)]*\)", page.read_text(encoding="utf-8"))
        if "://" not in target and not (page.parent / target).exists()
    ]
    assert broken == []


def test_every_dependency_is_justified() -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = [*project["dependencies"], *(line for extra in project["optional-dependencies"].values() for line in extra)]
    lines += _requirements()
    page = (CHECKOUT / "docs" / "dependencies.md").read_text(encoding="utf-8").lower()
    assert {_name(line) for line in lines if _name(line) not in page} == set()


def test_requirements_are_what_the_package_declares() -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    assert set(project["dependencies"]) <= set(_requirements())
    assert set(_requirements()) <= {*project["dependencies"], *extras["monitor"], *extras["cli"]}


def test_the_changes_name_the_version() -> None:
    version = re.search(r'__version__ = "(.+)"', (CHECKOUT / "__init__.py").read_text(encoding="utf-8"))
    assert version
    assert version[1] in (CHECKOUT / "CHANGELOG.md").read_text(encoding="utf-8")


def _requirements() -> list[str]:
    text = (CHECKOUT / "requirements.txt").read_text(encoding="utf-8")
    return [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]


def _name(requirement: str) -> str:
    return re.split(r"[<>=!~\[; ]", requirement)[0].lower()
