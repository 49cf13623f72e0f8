"""Settings: the only reader of the environment.

Precedence: what a caller passes > environment > the settings file of the state folder > the default. Every time-out
and clock is a setting, so that tests shorten them instead of waiting. Objects at run time receive their numbers, not
`Settings`.
"""

from __future__ import annotations

import dataclasses
import json
import os
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .errors import ConfigError, ReadOnlyError
from .units import parse_size

ENV_PREFIX = "COMFYSTOW_"

#: Variables beside COMFYSTOW_* that mean something to us; a session hands them over at attach.
FOREIGN_VARIABLES = (
    "HF_TOKEN",
    "HUGGING_FACE_HUB_TOKEN",
    "HF_TOKEN_PATH",
    "HF_HOME",
    "HF_ENDPOINT",
    "HF_HUB_OFFLINE",
    "CIVITAI_TOKEN",
    "CIVITAI_API_KEY",
    "CIVITAI_API_TOKEN",
    "CIVITAI_ENDPOINT",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_S3",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "AZURE_STORAGE_ACCOUNT_NAME",
    "AZURE_STORAGE_ACCOUNT_KEY",
    "AZURE_STORAGE_SAS_TOKEN",
    "AZURE_STORAGE_ENDPOINT",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "CUDA_VISIBLE_DEVICES",
    "CUDA_DEVICE_ORDER",
)


def setting(default: object, doc: str, *, size: bool = False, remote: bool = True, secret: bool = False) -> typing.Any:
    """Declare one setting.

    `size` takes `20M` in text; `remote` false keeps it out of what the panel may change over HTTP (access gates);
    `secret` keeps its value out of every repr, and so out of logs.
    """
    factory = {"default_factory": lambda: default} if isinstance(default, list | dict) else {"default": default}
    return field(**factory, repr=not secret, metadata={"doc": doc, "size": size, "remote": remote, "secret": secret})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings; the environment variable of `stall_timeout_seconds` is `COMFYSTOW_STALL_TIMEOUT_SECONDS`."""

    # What may be done
    read_only: bool = setting(False, "Change nothing: no download, no move, no delete.", remote=False)
    no_downloads: bool = setting(False, "Refuse new downloads.", remote=False)
    no_delete: bool = setting(False, "Refuse every delete.", remote=False)
    allow_pickle: bool = setting(False, "Accept .ckpt .pt .pth .bin: they can run code when loaded.", remote=False)
    allow_hosts: tuple[str, ...] = setting(
        (), "More hosts to download from: host, host:port or CIDR; a private one listed here may be plain http.",
        remote=False,
    )  # fmt: skip
    allow_origins: tuple[str, ...] = setting((), "More origins whose pages may change something.", remote=False)
    allow_remote: bool = setting(False, "Let callers from other machines in without the secret.", remote=False)
    proxy_origin: str | None = setting(None, "Origin of the provider's proxy in front of ComfyUI.", remote=False)

    # Endpoints
    hf_endpoint: str = setting("https://huggingface.co", "Hugging Face or a mirror of it (HF_ENDPOINT).", remote=False)
    civitai_endpoint: str = setting("https://civitai.com", "Civitai (CIVITAI_ENDPOINT).", remote=False)
    hf_offline: bool = setting(False, "Ask Hugging Face for nothing (HF_HUB_OFFLINE).", remote=False)

    # Downloading
    parallel_downloads: int = setting(3, "Downloads at once.")
    connections_per_host: int = setting(32, "Most connections to one host.")
    connections_total: int = setting(64, "Most connections in all.")
    connections_per_download: int | None = setting(None, "Connections of one download; unset adapts.")
    limit_rate_bytes_per_second: int | None = setting(None, "Bandwidth of all downloads together.", size=True)
    pause_while_generating: bool = setting(False, "Hold downloads while ComfyUI runs a prompt.")
    free_space_floor_bytes: int = setting(2_000_000_000, "What stays free on a models volume.", size=True)
    connect_timeout_seconds: float = setting(15.0, "For name, connection and TLS.")
    response_timeout_seconds: float = setting(60.0, "Until the head of a response.")
    stall_timeout_seconds: float = setting(30.0, "Without a byte, until a connection is replaced.")
    retry_base_seconds: float = setting(0.5, "First pause before a retry; it doubles.")
    retry_max_seconds: float = setting(60.0, "Longest pause before a retry.")
    retry_limit: int = setting(12, "Failures in a row, without a byte between, until a download fails.")
    journal_seconds: float = setting(5.0, "Longest time between two syncs of a part.")
    journal_bytes: int = setting(256 << 20, "Most bytes between two syncs of a part.", size=True)
    lease_timeout_seconds: float = setting(60.0, "Age of a heartbeat after which a part may be taken over.")
    lease_heartbeat_seconds: float = setting(10.0, "Between two heartbeats of a part.")
    waiting_check_seconds: float = setting(2.0, "Between two looks at what waiting downloads wait for.")
    licence_check_seconds: float = setting(15.0, "Between two questions whether a licence has been accepted.")
    history_limit: int = setting(300, "How many finished downloads are remembered.")
    shared_store: str | None = setting(
        None, "Object store that is asked first and filled: s3://bucket/prefix.", remote=False
    )
    shared_store_timeout_seconds: float = setting(60.0, "For one request to the shared store.")
    xet: bool = setting(False, "Has no effect yet: files come over plain HTTPS.")

    # Engine
    engine_idle_seconds: float = setting(10.0, "Without work and callers, until the engine ends.")
    engine_start_timeout_seconds: float = setting(20.0, "Until a started engine must answer.")
    host_state_timeout_seconds: float = setting(10.0, "Without word from ComfyUI, until its state is unknown.")
    progress_seconds: float = setting(0.25, "Between two progress events.")
    run_dir: str | None = setting(None, "Machine-local folder of lock and socket.", remote=False)

    # Monitor and alerts
    monitor_budget_ratio: float = setting(0.005, "Most of one core that sampling may cost; the interval grows.")
    monitor_history: bool = setting(False, "Keep sampling for the history when nobody looks.")
    monitor_history_seconds: float = setting(10.0, "Between two samples for the history alone.")
    gpu_timeout_seconds: float = setting(2.0, "Until a GPU driver or a disk counts as hanging.")
    rented_cores: float | None = setting(None, "Cores of this machine, where its container does not tell.")
    scrape_lease_seconds: float = setting(60.0, "How long a scrape keeps the machine sampled.")
    alerts: tuple[str, ...] = setting((), "Sampled alerts to judge: `GpuHot`, `GpuHot=90`, `all`; `-Name` is off.")
    alert_interval_seconds: float = setting(30.0, "Between two samples for alerts, and between two looks at them.")
    alert_webhook_url: str | None = setting(None, "Where alerts are posted.", remote=False, secret=True)
    alert_webhook_secret: str | None = setting(None, "Key of the webhook's signature.", remote=False, secret=True)
    alert_webhook_retry_seconds: float = setting(2.0, "First pause before a webhook is tried again; it doubles.")
    alert_webhook_retry_limit: int = setting(8, "How often a webhook is tried before the message is dropped.")


_ALIASES = {
    "hf_endpoint": "HF_ENDPOINT",
    "civitai_endpoint": "CIVITAI_ENDPOINT",
    "hf_offline": "HF_HUB_OFFLINE",
    "rented_cores": "RUNPOD_CPU_COUNT",
}


_BOOLS = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}


def load_settings(
    environment: Mapping[str, str] | None = None, file: Path | None = None, **overrides: object
) -> Settings:
    """Read the settings.

    `environment` None reads the process's own. Raises: ConfigError: names the setting and where it was set.
    """
    env = os.environ if environment is None else environment
    values = _from_file(file) if file is not None else {}
    hints = typing.get_type_hints(Settings)
    for item in dataclasses.fields(Settings):
        variable = ENV_PREFIX + item.name.upper()
        text = env.get(variable)
        if text is None and item.name in _ALIASES:
            variable = _ALIASES[item.name]
            text = env.get(variable)
        if text is not None and text != "":
            values[item.name] = _parse(text, hints[item.name], variable, size=item.metadata["size"])
    values.update({name: value for name, value in overrides.items() if value is not None})
    return Settings(**values)  # type: ignore[arg-type]


def describe_settings(settings: Settings, environment: Mapping[str, str] | None = None) -> list[dict[str, object]]:
    """List what may be changed over HTTP: value, default, what it means, and whether the environment holds it."""
    return [
        {
            "name": item.name,
            "value": getattr(settings, item.name),
            "default": None if item.default is dataclasses.MISSING else item.default,
            "doc": item.metadata["doc"],
            "set_by": _variable_of(item.name, os.environ if environment is None else environment),
        }
        for item in dataclasses.fields(Settings)
        if item.metadata["remote"] and not item.metadata["secret"]
    ]


def change_settings(file: Path, values: Mapping[str, object], environment: Mapping[str, str] | None = None) -> None:
    """Write settings to the file of the state folder; None goes back to the default.

    Raises: ConfigError: unknown, not to be changed over HTTP, held by the environment, or no such value.
    """
    known = {item.name: item for item in dataclasses.fields(Settings)}
    kept = dict(_from_file(file))
    for name, value in values.items():
        if name not in known or not known[name].metadata["remote"] or known[name].metadata["secret"]:
            raise ConfigError(f"`{name[:60]}` is not changed here", hint="see docs/config.md: set its variable")
        if (variable := _variable_of(name, os.environ if environment is None else environment)) is not None:
            raise ConfigError(f"{variable} sets `{name}` already", hint="take it out of the environment first")
        if value is None:
            kept.pop(name, None)
        else:
            kept[name] = check_setting(name, value)
            _check_number(name, value, least=1 if known[name].default is None else 0)
    temporary = file.with_name(f".{file.name}.new")
    try:
        temporary.write_text(json.dumps(kept, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        temporary.replace(file)
    except OSError as err:
        raise ReadOnlyError(f"cannot write `{file}`: {err.strerror}") from err


def _check_number(name: str, value: object, *, least: int) -> None:
    """A number that may be unset has no use for 0: it would stand for "never"."""
    if isinstance(value, int | float) and not isinstance(value, bool) and not least <= value < float("inf"):
        raise ConfigError(f"`{name}` cannot be {value}", hint=f"it is a number from {least} on")


def _variable_of(name: str, environment: Mapping[str, str]) -> str | None:
    variables = [ENV_PREFIX + name.upper(), *filter(None, [_ALIASES.get(name)])]
    return next((variable for variable in variables if environment.get(variable)), None)


def _from_file(file: Path) -> dict[str, object]:
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as err:
        raise ConfigError(f"cannot read the settings `{file}`: {err}", hint="mend or remove the file") from err
    if not isinstance(data, dict):
        raise ConfigError(f"`{file}` holds no JSON object", hint="mend or remove the file")
    return {name: check_setting(name, value) for name, value in data.items() if name in _names()}


def _names() -> set[str]:
    return {item.name for item in dataclasses.fields(Settings)}


def check_setting(name: str, value: object) -> object:
    """Return a setting's value from JSON in its own type. Raises: ConfigError."""
    if name not in _names():
        raise ConfigError(f"there is no setting `{name[:60]}`")
    kind = typing.get_type_hints(Settings)[name]
    allowed = typing.get_args(kind) or (kind,)
    if typing.get_origin(kind) is tuple:
        if isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
            return tuple(value)
    elif float in allowed and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    elif type(value) in allowed:
        return value
    raise ConfigError(f"`{name}` cannot be {json.dumps(value, default=str)[:60]}", hint="see docs/config.md")


def _parse(text: str, kind: object, variable: str, *, size: bool) -> object:
    wanted = next(choice for choice in (typing.get_args(kind) or (kind,)) if choice is not type(None))
    try:
        if typing.get_origin(kind) is tuple:
            return tuple(part.strip() for part in text.split(",") if part.strip())
        if wanted is bool:
            return _BOOLS[text.strip().lower()]
        if size:
            return parse_size(text)
        return typing.cast("type[int | float | str]", wanted)(text)
    except (KeyError, ValueError, ConfigError) as err:
        raise ConfigError(f"{variable}=`{text[:60]}` cannot be used", hint="see docs/config.md") from err
