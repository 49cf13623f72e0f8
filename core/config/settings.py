"""All settings with their defaults and what they mean."""

from __future__ import annotations

import typing
from dataclasses import dataclass, field


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
    xet: bool = setting(False, "Fetch from Hugging Face over Xet where hf_xet is there; plain HTTPS where it fails.")

    # Library
    library_pause_while_generating: bool = setting(True, "Read no whole files while ComfyUI runs a prompt.")
    library_news_seconds: float = setting(0.5, "Between two events of the library.")
    organise_folders: tuple[str, ...] = setting((), "Folders whose models are put in place as they come.", remote=False)
    organise_link: str = setting("auto", "How: auto, hard, reflink, sym, copy or move.")
    organise_check_seconds: float = setting(5.0, "Between two looks into these folders.")
    library_watch: bool = setting(True, "Follow the folders of models while a ComfyUI is attached.")
    library_debounce_seconds: float = setting(1.0, "Of quiet in the folders of models, until they are looked at.")
    library_poll_seconds: float = setting(30.0, "Between two looks at folders of models on network volumes.")
    library_copy: bool = setting(False, "Copy what another volume of the library holds, instead of downloading it.")
    library_settle_seconds: float = setting(3.0, "A file that changed within this time may still be written.")

    # Engine
    engine_idle_seconds: float = setting(10.0, "Without work and callers, until the engine ends.")
    engine_start_timeout_seconds: float = setting(20.0, "Until a started engine must answer.")
    engine_nice: int = setting(
        0, "How far the engine goes behind other programs, 0 to 19; `pod up` makes it 10.", remote=False
    )
    host_state_timeout_seconds: float = setting(10.0, "Without word from ComfyUI, until its state is unknown.")
    progress_seconds: float = setting(0.25, "Between two progress events.")
    run_dir: str | None = setting(None, "Machine-local folder of lock and socket.", remote=False)

    # Pod
    services: tuple[str, ...] = setting(
        ("comfyui", "jupyter", "files", "ssh"), "Services that `pod up` starts, where they can run.", remote=False
    )
    services_file: str | None = setting(None, "YAML file with more services for `pod up`.", remote=False)
    volume: str | None = setting(None, "Folder that outlives the container; unset finds it.", remote=False)
    volume_seconds: float = setting(15.0, "For the volume to answer, until the pod goes on without it.", remote=False)
    manifest: str | None = setting(
        None, "models.yaml or models.lock that `pod up` brings; unset looks on the volume.", remote=False
    )
    manifest_groups: tuple[str, ...] = setting((), "Groups of the manifest that `pod up` takes too.", remote=False)
    models: str | None = setting(None, "References that `pod up` fetches, or the path of a manifest.", remote=False)
    profile: str | None = setting(None, "The word that `profile` means in a manifest's conditions.", remote=False)
    comfyui_arguments: str | None = setting(None, "More arguments for the pod's ComfyUI.", remote=False)
    listen: str = setting("0.0.0.0", "Address that the pod's services listen on.", remote=False)  # noqa: S104 - they ask for passwords
    comfyui_port: int = setting(8188, "Port of the pod's ComfyUI.", remote=False)
    jupyter_port: int = setting(8888, "Port of the pod's JupyterLab.", remote=False)
    files_port: int = setting(8080, "Port of the pod's file service.", remote=False)
    ssh_port: int = setting(22, "Port of the pod's SSH service.", remote=False)
    comfyui_password: bool = setting(
        True, "Let the pod's ComfyUI ask for the access secret, unless on this machine.", remote=False
    )
    access_secret: str | None = setting(
        None, "The access secret, and ComfyUI's password; unset makes one.", remote=False, secret=True
    )
    files_password: str | None = setting(
        None, "Password of the file service; unset makes one.", remote=False, secret=True
    )
    service_grace_seconds: float = setting(8.0, "For all services to end, until they are killed.", remote=False)
    service_alone_seconds: float = setting(
        20.0, "With fewer than four cores, for ComfyUI to start alone, until other services start too.", remote=False
    )
    service_check_seconds: float = setting(10.0, "Between two looks at a service that is ready.", remote=False)
    service_check_timeout_seconds: float = setting(5.0, "For a service to answer one look.", remote=False)
    service_start_seconds: float = setting(900.0, "For a service to become ready, until it is restarted.", remote=False)
    service_hang_seconds: float = setting(
        600.0, "Without the right answer from a living service, until it is restarted; 0 is never.", remote=False
    )
    service_retry_seconds: float = setting(1.0, "Pause before a service that ended starts; it doubles.", remote=False)
    service_retry_max_seconds: float = setting(60.0, "Longest such pause.", remote=False)
    service_stable_seconds: float = setting(60.0, "Ready for so long, and earlier ends are forgotten.", remote=False)
    service_crash_limit: int = setting(5, "Ends in a row, until a service is tried only rarely.", remote=False)
    service_crash_pause_seconds: float = setting(600.0, "Between such rare tries.", remote=False)
    tcmalloc: bool = setting(False, "Load tcmalloc into the pod's ComfyUI, where it is installed.", remote=False)

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

    # Idle machines and their providers
    idle_mode: str | None = setting(
        None, "`off`, `notify`, `stop` or `terminate`; unset is `notify` on a rented machine and `off` elsewhere."
    )
    idle_timeout_seconds: float = setting(1800.0, "Without any activity, until the warning; at least 300.")
    idle_grace_seconds: float = setting(300.0, "From the warning until the machine is stopped.")
    idle_check_seconds: float = setting(15.0, "Between two looks at what is done on the machine.")
    idle_gpu_threshold: float = setting(0.05, "Share of its time that a GPU may be busy and still count as idle.")
    idle_lifetime_seconds: float | None = setting(
        None, "Age at which the machine is stopped whatever is done on it; unset never.", remote=False
    )
    idle_allow_terminate: bool = setting(
        False, "Let `terminate` delete the machine, where a network volume survives.", remote=False
    )
    idle_ignore: tuple[str, ...] = setting((), "Signals that are left out: names from docs/idle.md, as `gpu`.")
    idle_retry_seconds: float = setting(60.0, "First pause before a failed stop is tried again; it doubles.")
    idle_clock_rate: float = setting(1.0, "For tests: how much faster the idle policy's clock runs.", remote=False)
    idle_stop_command: str | None = setting(
        None, "Program that stops this machine, in place of its provider's API.", remote=False
    )
    idle_ports: tuple[str, ...] = setting((), "More ports whose connections are activity.")
    jupyter_url: str | None = setting(None, "A Jupyter server whose kernels count; local ones are found.", remote=False)
    jupyter_token: str | None = setting(
        None, "Its token (JUPYTER_TOKEN); for the pod's own one is made.", remote=False, secret=True
    )
    cost_per_hour: float | None = setting(None, "Price of this machine for an hour, where its provider does not tell.")
    runpod_api_url: str = setting("https://api.runpod.io", "RunPod's API.", remote=False)
    vast_api_url: str = setting("https://console.vast.ai", "vast.ai's API.", remote=False)
    provider_tries: int = setting(4, "How often one way of stopping the machine is tried.", remote=False)
    provider_pause_seconds: float = setting(2.0, "First pause before it is asked again; it doubles.", remote=False)
    provider_timeout_seconds: float = setting(20.0, "For one answer of a provider.", remote=False)
    provider_confirm_seconds: float = setting(
        30.0, "Until an accepted stop must show in the machine's state.", remote=False
    )
