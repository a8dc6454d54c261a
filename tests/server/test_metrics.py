"""The metrics: what Prometheus' own parser reads, and what the figures are."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families
from tests.runs import config
from tests.server.conftest import MakeStand, Stand


def samples(stand: Stand) -> dict[tuple[str, ...], float]:
    found = {}
    for family in text_string_to_metric_families(stand.client.get("/metrics").text):
        assert family.documentation
        for sample in family.samples:
            found[(sample.name, *sample.labels.values())] = sample.value
    return found


def test_the_metrics_are_those_of_the_session(stands: MakeStand) -> None:
    stand = stands(config("AAA", "FIFTEEN", schedule=[("09:45", "add", "UNKNOWN")]))
    found = samples(stand)
    assert found["mismartera_lag_seconds", "FIFTEEN"] == 840
    assert found["mismartera_lag_seconds", "AAA"] == 0
    assert found["mismartera_backlog_bars",] == 14
    assert found["mismartera_session_state", "active"] == 1
    assert found["mismartera_session_state", "closed"] == 0
    assert found["mismartera_session_state_seconds_total", "active"] == 1800
    assert found["mismartera_symbols", "loaded"] == 2
    assert found["mismartera_symbols", "failed"] == 1
    assert found["mismartera_bars_total", "accepted"] == 45
    assert found["mismartera_bars_streamed_total",] == 45
    assert found["mismartera_feed_reconnects_total",] == 0
    assert not any("journal" in name for name, *_ in found), "a backtest keeps none"


def test_counters_do_not_fall_over_a_close(stands: MakeStand) -> None:
    stand = stands(config("AAA", dates=("2024-07-02", "2024-07-03")), until=None)
    seen = []
    for moment in ("10:00", "16:00", "09:45", "12:00"):
        stand.system.run_until(moment)
        seen.append(samples(stand)["mismartera_bars_total", "accepted"])
    stand.system.resume()
    stand.system.wait()
    seen.append(samples(stand)["mismartera_bars_total", "accepted"])
    assert seen == [30, 390, 405, 540, 600]


def test_a_label_is_escaped(stands: MakeStand) -> None:
    stand = stands(config("AAA"))
    text = stand.client.get("/metrics").text
    assert text.endswith("\n")
    assert 'mismartera_lag_seconds{symbol="AAA"} 0' in text
