"""What the Python checkers say."""

from __future__ import annotations

import pytest
from support.setup.cache import cache_root, key_of
from support.setup.workshop import CHECKOUT

#: Of one checkout: what mypy keeps of one it takes for changed in another.
CACHE = str(cache_root() / "mypy" / key_of([str(CHECKOUT)]))

pytestmark = pytest.mark.timeout(600)


def test_ruff_finds_nothing(check_python) -> None:
    check_python("ruff", "check", "--quiet", "--no-cache", ".")


def test_the_formatter_would_change_nothing(check_python) -> None:
    check_python("ruff", "format", "--check", "--quiet", "--no-cache", ".")


def test_the_types_of_the_package_hold(check_python) -> None:
    check_python("mypy", "--no-error-summary", "--cache-dir", CACHE, "-p", "comfystow")


def test_the_types_of_the_set_up_hold(check_python) -> None:
    """It runs on a bare interpreter on other people's machines, before any test can."""
    set_up = ["install.py", "tests/support/setup", "tests/support/demo"]
    check_python("mypy", "--strict", "--no-error-summary", "--explicit-package-bases", "--cache-dir", CACHE, *set_up)


def test_imports_point_in_one_direction(check_python) -> None:
    check_python("lint-imports", "--no-cache")
