"""Settings: where they come from, which wins, and what is said of a bad one."""

from __future__ import annotations

import dataclasses
import json

import pytest
from comfystow.core.config import Settings, check_setting, load_settings
from comfystow.core.errors import ConfigError
from comfystow.core.units import format_bytes, format_duration, format_rate, parse_size


def test_override_beats_environment_beats_file_beats_default(tmp_path) -> None:
    file = tmp_path / "settings.json"
    file.write_text(json.dumps({"parallel_downloads": 5, "retry_limit": 2, "stall_timeout_seconds": 7}))
    settings = load_settings({"COMFYSTOW_PARALLEL_DOWNLOADS": "6"}, file, stall_timeout_seconds=8.0)
    assert (settings.parallel_downloads, settings.retry_limit, settings.stall_timeout_seconds) == (6, 2, 8.0)
    assert settings.connections_total == Settings().connections_total


def test_sizes_lists_and_switches_are_read_from_text() -> None:
    settings = load_settings(
        {
            "COMFYSTOW_LIMIT_RATE_BYTES_PER_SECOND": "20M",
            "COMFYSTOW_ALLOW_HOSTS": "a:1, 10.0.0.0/8 ,",
            "COMFYSTOW_XET": "yes",
        }
    )
    assert settings.limit_rate_bytes_per_second == 20_000_000
    assert settings.allow_hosts == ("a:1", "10.0.0.0/8")
    assert settings.xet is True


@pytest.mark.parametrize("text", ["maybe", "2", "x"])
def test_bad_switch_names_its_variable(text: str) -> None:
    with pytest.raises(ConfigError, match=r"COMFYSTOW_READ_ONLY"):
        load_settings({"COMFYSTOW_READ_ONLY": text})


def test_broken_settings_file_is_named(tmp_path) -> None:
    file = tmp_path / "settings.json"
    file.write_text("{")
    with pytest.raises(ConfigError, match=r"settings\.json"):
        load_settings({}, file)


@pytest.mark.parametrize(
    ("name", "value"), [("nothing", 1), ("parallel_downloads", "3"), ("parallel_downloads", True), ("allow_hosts", [1])]
)
def test_setting_of_the_wrong_type_is_refused(name: str, value: object) -> None:
    with pytest.raises(ConfigError):
        check_setting(name, value)


def test_every_setting_is_documented() -> None:
    for item in dataclasses.fields(Settings):
        assert item.metadata["doc"].endswith("."), item.name


@pytest.mark.parametrize(("text", "size"), [("20M", 20_000_000), ("1.5 GiB", 1610612736), ("7", 7), ("3kB/s", 3000)])
def test_parse_size(text: str, size: int) -> None:
    assert parse_size(text) == size


def test_unknown_is_never_zero() -> None:
    assert format_bytes(None) == format_rate(None) == format_duration(None) == "n/a"
    assert format_bytes(0) == "0 B"


@pytest.mark.parametrize(
    ("size", "text"),
    [(999, "999 B"), (17_246_524_772, "17.2 GB"), (334_643_276, "335 MB"), (999_960, "1.0 MB"), (2e12, "2.00 TB")],
)
def test_format_bytes(size: int, text: str) -> None:
    assert format_bytes(int(size)) == text


def test_format_duration() -> None:
    assert [format_duration(value) for value in (5, 112, 3725)] == ["5 s", "1 min 52 s", "1 h 2 min"]
