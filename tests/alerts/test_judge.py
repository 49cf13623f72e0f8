"""The in-process judge: agrees with Prometheus on every trace, and is not fooled by gaps and clocks."""

from __future__ import annotations

import pytest
from comfystow.core.alerts.judge import Judge
from comfystow.core.alerts.rules import Rule, choose_rules
from comfystow.core.errors import ConfigError
from comfystow.core.metrics.reading import Reading
from comfystow.core.records.alert_catalogue import ALERTS, ALERTS_BY_NAME
from comfystow.core.records.catalogue import metric_of
from support.alert_traces import MINUTES, TRACES, Trace

WALL = 1_800_000_000.0


def readings_at(trace: Trace, minute: int) -> list[Reading]:
    return [
        Reading(metric_of(name).name, values[minute], tuple(value for _, value in labels))
        for (name, labels), values in trace.series.items()
    ]


def judge_of(name: str) -> Judge:
    return Judge([Rule(ALERTS_BY_NAME[name], ALERTS_BY_NAME[name].threshold)])


def gpu(celsius: float) -> list[Reading]:
    return [Reading("gpu_temperature_celsius", celsius, ("GPU-a", "Test"))]


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_fires_in_the_same_minute_as_in_prometheus(alert) -> None:
    judge, trace = judge_of(alert.name), TRACES[alert.name]
    fired = [
        minute
        for minute in range(MINUTES)
        for change in judge.observe(minute * 60.0, WALL, readings_at(trace, minute))
        if change.firing
    ]
    assert fired[0] == trace.fires_at
    assert len(fired) == 1, "told once, not with every look"


def test_all_alerts_together_are_silent_on_a_machine_that_measures_nothing() -> None:
    judge = Judge(choose_rules(["all"]))
    assert [judge.observe(minute * 60.0, WALL, []) for minute in range(20)] == [()] * 20


def test_tells_the_end_once_with_its_time() -> None:
    judge = judge_of("GpuHot")
    changes = [
        change
        for second, celsius in ((0, 90), (60, 91), (120, 92), (180, 92), (240, 60), (300, 60))
        for change in judge.observe(second, WALL + second, gpu(celsius))
    ]
    began, ended = changes
    assert (began.firing, began.value, began.since, began.resolved_at) == (True, 92, WALL, None)
    assert began.summary == "GPU GPU-a is at 92 °C"
    assert (ended.firing, ended.resolved_at) == (False, WALL + 240)
    assert judge.active == ()


def test_short_peak_is_no_alert() -> None:
    judge = judge_of("GpuHot")
    for second, celsius in ((0, 90), (60, 90), (90, 80), (100, 90), (160, 90)):
        assert judge.observe(second, WALL, gpu(celsius)) == ()
    assert [alert.firing for alert in judge.active] == [False]


@pytest.mark.parametrize("jump", [-500.0, 4000.0])
def test_clock_that_jumps_proves_no_duration(jump: float) -> None:
    judge = judge_of("GpuHot")
    judge.observe(1000.0, WALL, gpu(90))
    assert judge.observe(1000.0 + jump, WALL, gpu(90)) == ()
    assert judge.observe(1000.0 + jump + 60, WALL, gpu(90)) == ()
    assert len(judge.observe(1000.0 + jump + 120, WALL, gpu(90))) == 1


@pytest.mark.parametrize("jump", [-500.0, 4000.0])
def test_what_fires_survives_a_jump_and_is_not_told_twice(jump: float) -> None:
    judge = judge_of("GpuHot")
    for second in (0.0, 60.0, 120.0):
        judge.observe(second, WALL, gpu(90))
    assert judge.observe(120 + jump, WALL, gpu(90)) == ()
    assert judge.active[0].firing
    (ended,) = judge.observe(180 + jump, WALL, gpu(50))
    assert ended.resolved_at == WALL


def test_gpu_that_is_gone_ends_its_alert_and_not_the_others() -> None:
    judge = judge_of("GpuHot")
    both = [*gpu(90), Reading("gpu_temperature_celsius", 95, ("GPU-b", "Test"))]
    for second in (0.0, 120.0):
        judge.observe(second, WALL, both)
    (ended,) = judge.observe(180.0, WALL, gpu(90))
    assert (ended.labels["gpu"], ended.firing) == ("GPU-b", False)
    assert [alert.labels["gpu"] for alert in judge.active] == ["GPU-a"]


def test_counter_that_starts_anew_is_no_growth() -> None:
    judge = judge_of("OomKill")
    for second, kills in ((0, 7), (60, 0), (120, 0)):
        assert judge.observe(second, WALL, [Reading("oom_kills", kills)]) == ()


def test_event_is_over_when_its_window_has_passed() -> None:
    judge = judge_of("DownloadFailed")
    told = [
        (minute, change.firing)
        for minute in range(20)
        for change in judge.observe(minute * 60.0, WALL, [Reading("download_errors", minute >= 2, ("stalled",))])
    ]
    assert told == [(2, True), (12, False)]


def test_series_without_end_are_left_out_and_cost_no_memory() -> None:
    judge = judge_of("ServiceDown")
    for second in range(100):
        judge.observe(second, WALL, [Reading("service_up", 0, (f"{second}-{name}",)) for name in range(100)])
    assert len(judge.active) <= 256


def test_rules_follow_the_setting() -> None:
    default = {rule.alert.name for rule in choose_rules([])}
    assert default == {alert.name for alert in ALERTS if alert.on}
    chosen = {rule.alert.name: rule.threshold for rule in choose_rules(["GpuHot=90", "DiskLow", "-DownloadFailed"])}
    assert chosen["GpuHot"] == 90
    assert chosen["DiskLow"] == 0.1
    assert "DownloadFailed" not in chosen
    assert len(choose_rules(["all"])) == len(ALERTS)
    assert choose_rules(["-all"]) == ()


@pytest.mark.parametrize("entry", ["Nonsense", "GpuHot=warm", "OomKill=3", ""])
def test_setting_that_names_no_alert_says_so(entry: str) -> None:
    with pytest.raises(ConfigError, match=r"alert|number") as caught:
        choose_rules([entry])
    assert caught.value.hint
