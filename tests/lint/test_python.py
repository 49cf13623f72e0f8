"""What the Python checkers say."""

from __future__ import annotations

import pytest
from support.setup.cache import cache_root

pytestmark = pytest.mark.timeout(600)


def test_ruff_finds_nothing(check_python) -> None:
    check_python("ruff", "check", "--quiet", "--no-cache", ".")


def test_the_formatter_would_change_nothing(check_python) -> None:
    check_python("ruff", "format", "--check", "--quiet", "--no-cache", ".")


def test_the_types_of_the_package_hold(check_python) -> None:
    check_python("mypy", "--no-error-summary", "--cache-dir", str(cache_root() / "mypy"), "-p", "comfystow")


def test_imports_point_in_one_direction(check_python) -> None:
    check_python("lint-imports", "--no-cache")
