"""The watch as the engine holds it: counts the queue, takes leases, tells each alert once, rests when nothing goes on."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from comfystow.core.alerts.view import alerts_view, history_view, metrics_text, system_view
from comfystow.core.alerts.watch import Watch, Watched
from comfystow.core.config import Settings
from comfystow.core.downloads.view import download_json
from comfystow.core.events import EventBus
from comfystow.core.metrics.reading import Reading
from comfystow.core.records.download import Download, DownloadRequest, DownloadState, ErrorInfo, Verified
from comfystow.core.records.event import Event, Topic
from comfystow.core.records.sample import GpuPoint, HistoryPoint
from comfystow.core.records.session import HostState

SHORT = Settings(alert_interval_seconds=0.05)


class Engine:
    """The parts of an engine that the watch reads."""

    def __init__(self, settings: Settings) -> None:
        self.rows: dict[str, Download] = {}
        self.hosts: dict[str, HostState] = {}
        self.events = EventBus()
        self.heard: list[Event] = []
        watched = Watched(
            downloads=lambda: list(self.rows.values()), states=lambda: self.hosts, roots=lambda: [Path("/")]
        )
        self.watch = Watch(settings, self.events, watched, version="1.2.3")

    def change(self, identity: str, **changes: object) -> None:
        blank = Download(id=identity, request=DownloadRequest(source="s"), state=DownloadState.QUEUED, source="s")
        self.rows[identity] = replace(self.rows.get(identity, blank), **changes)
        self.events.publish(Event(Topic.DOWNLOADS, {"downloads": [download_json(self.rows[identity])]}))

    def value(self, name: str, *labels: str) -> float | None:
        return {(row.name, row.labels): row.value for row in self.watch.readings()}.get((name, labels))

    def told(self) -> list[tuple[str, bool]]:
        return [
            (event.data["alert"]["name"], event.data["alert"]["firing"])
            for event in self.heard
            if event.data.get("kind") == "alert"
        ]


@asynccontextmanager
async def engine(settings: Settings = SHORT) -> AsyncIterator[Engine]:
    made = Engine(settings)

    async def listen() -> None:
        with made.events.subscribe() as subscription:
            while True:
                made.heard.append(await subscription.get())

    listener = asyncio.create_task(listen())
    made.watch.open()
    await asyncio.sleep(0)
    try:
        yield made
    finally:
        await made.watch.close()
        listener.cancel()


async def until(condition) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


async def test_queue_is_counted_by_state_bytes_errors_and_proof() -> None:
    async with engine() as made:
        made.change("a", state=DownloadState.RUNNING, rate_bytes_per_second=5.0)
        made.change("a", bytes_done=70)
        made.change("b", state=DownloadState.COMPLETED, bytes_done=1000, linked=True)
        made.change("c", state=DownloadState.COMPLETED, bytes_done=30, verified=Verified.DIGEST)
        failed = ErrorInfo(code="stalled", message="m")
        made.change("d", state=DownloadState.FAILED, error=failed)
        made.change("d", state=DownloadState.FAILED, error=failed)
        await until(lambda: made.value("download_errors", "stalled") == 1)
        assert made.value("download_bytes") == 100
        assert made.value("downloads_completed", "digest") == 1
        assert made.value("downloads_completed", "none") == 1
        assert made.value("download_errors", "checksum_mismatch") == 0
        assert (made.value("downloads", "running"), made.value("downloads", "completed")) == (1, 2)
        assert made.value("download_rate_bytes_per_second") == 5.0


async def test_failed_download_is_told_once_as_a_notice_and_in_the_log(caplog) -> None:
    async with engine() as made:
        # The first event of all, after a long quiet: it was submitted and failed within a quarter of a second.
        made.change("a", state=DownloadState.FAILED, error=ErrorInfo(code="stalled", message="m"))
        await until(made.told)
        await asyncio.sleep(0.3)
        assert made.told() == [("DownloadFailed", True)]
        assert "alert DownloadFailed: a download failed: stalled" in caplog.text
        assert [row["name"] for row in alerts_view(made.watch)["alerts"]] == ["DownloadFailed"]


async def test_failure_is_told_soon_though_another_download_goes_on() -> None:
    async with engine(Settings(alert_interval_seconds=3600.0)) as made:
        made.change("a", state=DownloadState.RUNNING, rate_bytes_per_second=5.0, bytes_done=1)
        await until(lambda: made.watch._timer is not None)
        made.change("b", state=DownloadState.FAILED, error=ErrorInfo(code="stalled", message="m"))
        await until(made.told)


async def test_stalled_download_is_seen_though_no_event_comes(monkeypatch) -> None:
    monkeypatch.setattr("comfystow.core.alerts.tally._QUIET_SECONDS", 0.1)
    async with engine() as made:
        made.change("a", state=DownloadState.RUNNING, rate_bytes_per_second=5.0, bytes_done=1)
        await until(lambda: made.value("download_rate_bytes_per_second") == 5.0)
        await until(lambda: made.value("download_rate_bytes_per_second") == 0.0)
        await until(lambda: [alert.name for alert in made.watch.active] == ["DownloadsStalled"])


async def test_by_default_nothing_is_sampled_and_no_timer_runs() -> None:
    async with engine(Settings()) as made:
        await asyncio.sleep(0.1)
        assert not made.watch.sampler.sampling
        assert made.watch._timer is None
        assert not [thread for thread in threading.enumerate() if thread.name.startswith("comfystow")]


async def test_sampled_alert_that_is_opted_into_holds_a_slow_lease_and_fires(monkeypatch) -> None:
    settings = Settings(alerts=("MemoryAlmostFull=0.0001",), alert_interval_seconds=1.0)
    async with engine(settings) as made:
        assert made.watch.sampler.holders == ("alerts",)
        await until(lambda: [alert.name for alert in made.watch.active] == ["MemoryAlmostFull"])
        assert not made.watch.active[0].firing  # its two minutes have not passed


async def test_history_switch_keeps_sampling_without_a_viewer() -> None:
    async with engine(Settings(monitor_history=True, monitor_history_seconds=1.0)) as made:
        assert made.watch.sampler.holders == ("history",)
        await until(lambda: made.watch.sampler.history())


async def test_scrape_takes_a_lease_and_waits_for_its_first_sample() -> None:
    async with engine() as made:
        assert made.value("memory_used_bytes") is None
        await made.watch.sampled("scrape", 60, 5)
        assert made.value("memory_used_bytes")
        text = metrics_text(made.watch).decode()
        assert 'comfystow_build_info{version="1.2.3"} 1.0' in text
        assert "comfystow_memory_used_bytes" in text


async def test_system_view_joins_sample_hosts_and_alerts() -> None:
    async with engine() as made:
        made.hosts["server-1"] = HostState(queue_running=1)
        assert system_view(made.watch)["sample"] is None
        await made.watch.sampled("viewer", 60, 1)
        made.watch.report("idle", [Reading("machine_cost_per_hour", 0.69)])
        view = system_view(made.watch)
        assert view["sampling"] is True
        assert view["age_seconds"] < 5
        assert view["sample"]["host"]["memory_used_bytes"]
        assert view["hosts"] == [{"server_id": "server-1", "state": view["hosts"][0]["state"]}]
        assert view["hosts"][0]["state"]["queue_running"] == 1
        assert view["cost_per_hour"] == 0.69
        assert view["alerts"] == []


async def test_report_of_another_part_is_judged_and_forgotten_when_it_grows_old() -> None:
    settings = replace(SHORT, alerts=("SlowStart=1",))
    async with engine(settings) as made:
        made.watch.report("pod", [Reading("service_startup_seconds", 9, ("comfyui",))])
        await until(made.told)
        assert made.told() == [("SlowStart", True)]
        assert made.value("service_startup_seconds", "comfyui") == 9
        made.watch.report("pod", [Reading("service_startup_seconds", 9, ("comfyui",))], valid_seconds=0)
        assert made.value("service_startup_seconds", "comfyui") is None
        await until(lambda: made.told()[-1] == ("SlowStart", False))


@pytest.mark.parametrize(
    "reading", [Reading("surprise", 1), Reading("service_up", 1), Reading("idle_seconds", 1, ("x",))]
)
async def test_reading_that_would_spoil_every_scrape_is_refused(reading: Reading) -> None:
    async with engine() as made:
        with pytest.raises((KeyError, ValueError)):
            made.watch.report("pod", [reading])
        assert metrics_text(made.watch)


async def test_event_that_cannot_be_counted_ends_nothing(caplog) -> None:
    async with engine() as made:
        made.events.publish(Event(Topic.DOWNLOADS, {"downloads": [{"id": "odd"}]}))
        made.change("a", state=DownloadState.COMPLETED, verified=Verified.DIGEST)
        await until(lambda: made.value("downloads_completed", "digest") == 1)
        assert "an event could not be counted" in caplog.text


async def test_full_disk_is_told_without_its_path() -> None:
    settings = Settings(alerts=("DiskLow=2",), alert_interval_seconds=1.0)
    async with engine(settings) as made:
        made.watch.judge._rules = tuple(
            replace(rule, alert=replace(rule.alert, for_seconds=0)) for rule in made.watch.rules
        )
        made.watch.report("test", [Reading("disk_free_bytes", 1, ("/mnt/secret/vol",)), Reading("disk_total_bytes", 9, ("/mnt/secret/vol",))])  # fmt: skip
        await until(lambda: any("vol" in str(event.data) for event in made.heard))
        assert "secret" not in str([event.data for event in made.heard])


async def test_setting_that_names_no_alert_is_shown_and_switches_off_nothing_else(caplog) -> None:
    async with engine(Settings(alerts=("Nonsense",), alert_webhook_url="ftp://x")) as made:
        view = alerts_view(made.watch)
        assert len(view["problems"]) == 2
        assert "Nonsense" in caplog.text
        assert "DownloadFailed" in {rule["name"] for rule in view["rules"]}
        assert view["webhook"] is None


async def test_all_alerts_can_be_switched_off() -> None:
    async with engine(Settings(alerts=("-all",))) as made:
        assert alerts_view(made.watch)["rules"] == []
        assert not made.watch.lasting


def test_history_is_thinned_to_columns_and_keeps_the_newest() -> None:
    points = [
        HistoryPoint(taken_at=float(second), cpu_utilization_ratio=0.5, gpus=(GpuPoint(uuid="a", power_watts=second),))
        for second in range(1000)
    ]
    view = history_view(points, most=100)
    assert len(view["times"]) == 100
    assert view["times"][-1] == 999.0
    assert view["gpus"]["a"]["power_watts"][-1] == 999
    assert len(view["cpu_utilization_ratio"]) == 100
