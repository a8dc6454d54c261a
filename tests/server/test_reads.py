"""The reads of the API: what they tell, that they obey the gate, and that they say why they are empty."""

from __future__ import annotations

import math
from io import BytesIO

import polars as pl
import pytest
from tests.runs import config
from tests.server.conftest import MakeStand

from mismartera import Bar, Strategy
from mismartera.session.gate import GateState

SMA = [{"name": "SMA", "interval": "5m", "params": {"timeperiod": 3}}]


def test_the_session_tells_how_it_stands(stands: MakeStand) -> None:
    found = stands(config("AAA", "BBB", streams=("1m", "5m"))).get("/api/session")
    assert found["date"] == "2024-07-02"
    assert found["now"] == "2024-07-02T14:00:00+00:00"
    assert (found["state"], found["is_active"], found["is_paused"]) == ("active", True, True)
    assert found["symbols"] == {"pending": 0, "loading": 0, "loaded": 2, "failed": 0}
    assert (found["speed"], found["can_step"], found["can_set_speed"]) == (0.0, True, False)


def test_bars_come_as_json_with_their_indicators(stands: MakeStand) -> None:
    found = stands(config("AAA", streams=("1m", "5m"), indicators=SMA)).get("/api/bars/AAA/5m?limit=2")
    assert found["reason"] is None
    assert [bar["end"] for bar in found["bars"]] == ["2024-07-02T13:55:00+00:00", "2024-07-02T14:00:00+00:00"]
    last = found["bars"][-1]
    assert (last["open"], last["close"], last["bar_count"]) == (125.0, 130.0, 5)
    assert last["indicators"] == {"SMA_3": 125.0}


def test_bars_after_an_instant_are_the_new_ones(stands: MakeStand) -> None:
    stand = stands(config("AAA"))
    found = stand.get("/api/bars/AAA/1m", params={"after": 1719928620_000_000})
    assert [bar["end"] for bar in found["bars"]] == [
        "2024-07-02T13:58:00+00:00", "2024-07-02T13:59:00+00:00", "2024-07-02T14:00:00+00:00",
    ]  # fmt: skip


def test_bars_come_as_arrow_and_as_csv(stands: MakeStand) -> None:
    stand = stands(config("AAA"))
    reply = stand.client.get("/api/bars/AAA/1m", headers={"accept": "application/vnd.apache.arrow.stream"})
    frame = pl.read_ipc_stream(BytesIO(reply.content))
    assert frame.height == 30
    assert frame["close"].to_list()[-1] == 130.0
    reply = stand.client.get("/api/bars/AAA/1m", headers={"accept": "text/csv"})
    assert pl.read_csv(BytesIO(reply.content))["volume"].to_list() == frame["volume"].to_list()


class SaysHalfACharacter(Strategy):
    def on_bar(self, bar: Bar) -> None:
        self.session.emit("half \ud800", "of \udc00")
        raise ValueError("what is left: \udce9")


def test_what_strategies_say_is_told_whatever_characters_it_has(stands: MakeStand) -> None:
    stand = stands(config("AAA"), SaysHalfACharacter())
    events = {event["event"]: event for event in stand.get("/api/events")["events"]}
    assert (events["signal"]["name"], events["signal"]["value"]) == (r"half \ud800", r"of \udc00")
    assert events["strategy_error"]["error"] == r"ValueError: what is left: \udce9"
    with stand.stream(0) as stream:
        assert r"left: \\udce9" in " ".join(str(stream.recv(timeout=10)) for _ in range(2))


def test_a_kind_that_we_do_not_have_is_406(stands: MakeStand) -> None:
    reply = stands(config("AAA")).client.get("/api/bars/AAA/1m", headers={"accept": "image/png"})
    assert reply.status_code == 406
    assert "text/csv" in reply.json()["error"]["message"]


@pytest.mark.parametrize("path", ["BTC%2FUSD/1m", "BTC/USD/1m"])
def test_a_symbol_may_hold_a_slash(stands: MakeStand, path: str) -> None:
    stand = stands(config("AAA"))
    stand.add("BTC/USD")
    found = stand.get(f"/api/bars/{path}")
    assert found["symbol"] == "BTC/USD"
    assert found["bars"] is None
    assert found["reason"].startswith("failed: ")


def test_an_unknown_symbol_is_404_and_an_interval_that_was_not_requested_422(stands: MakeStand) -> None:
    stand = stands(config("AAA"))
    unknown = stand.client.get("/api/bars/ZZZ/1m")
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "unknown_symbol")
    asked = stand.client.get("/api/bars/AAA/5m")
    assert (asked.status_code, asked.json()["error"]["code"]) == (422, "bad_interval")
    assert "streams are 1m" in asked.json()["error"]["message"]
    assert "allowed are" in stand.client.get("/api/bars/AAA/5x").json()["error"]["message"]


def test_reads_are_withheld_while_the_session_is_deactivated_and_say_why(stands: MakeStand) -> None:
    stand = stands(config("AAA"), until=None)
    found = stand.get("/api/session")
    assert (found["state"], found["outcome"]) == ("waiting", "not started")
    assert stand.get("/api/bars/AAA/1m")["reason"] == "the run has not started"
    stand.system.run_until("10:00")
    stand.system.coordinator._parts.streamer.hold(GateState.STALE, "stale")
    found = stand.get("/api/bars/AAA/1m")
    assert (found["bars"], found["reason"]) == (None, "deactivated: stale")
    row = stand.get("/api/symbols")["symbols"][0]
    assert (row["close"], row["is_active"], row["reason"]) == (None, False, "deactivated: stale")
    reply = stand.client.get("/api/bars/AAA/1m", headers={"accept": "text/csv"})
    assert (reply.status_code, reply.json()["error"]["code"]) == (409, "withheld")
    assert stand.get("/api/quality")["symbols"]["AAA"]["reason"] == "deactivated: stale"


def test_a_symbol_on_its_way_is_not_readable_yet(stands: MakeStand) -> None:
    stand = stands(config("AAA"))
    stand.add("NONE")
    assert stand.get("/api/bars/NONE/1m")["reason"].startswith("failed: ")


def test_a_session_without_a_bar_yet_answers_none_and_says_so(stands: MakeStand) -> None:
    found = stands(config("AAA"), until="09:30").get("/api/bars/AAA/1m")
    assert (found["bars"], found["reason"]) == ([], "no bar yet")


def test_indicators_are_null_until_warm(stands: MakeStand) -> None:
    stand = stands(config("AAA", streams=("1m", "5m"), indicators=SMA), until="09:40")
    assert stand.get("/api/indicators?symbol=AAA")["indicators"] == {"5m": {"SMA_3": None}}
    bars = stand.get("/api/bars/AAA/5m")["bars"]
    assert bars[0]["indicators"] == {"SMA_3": None}
    stand.system.run_until("10:00")
    value = stand.get("/api/indicators?symbol=AAA")["indicators"]["5m"]["SMA_3"]
    assert math.isclose(value, 125.0)


def test_quality_is_told_in_bins_of_the_session(stands: MakeStand) -> None:
    found = stands(config("AAA", "FIFTEEN"), until="10:30").get("/api/quality?bins=13")["symbols"]
    assert found["AAA"]["percent"] == 100.0
    assert found["FIFTEEN"]["bins"] == [50.0, 0.0] + [None] * 11
    assert (found["FIFTEEN"]["expected"], found["FIFTEEN"]["present"]) == (60, 15)


def test_quality_of_an_unknown_symbol_is_404(stands: MakeStand) -> None:
    stand = stands(config("AAA"))
    assert list(stand.get("/api/quality?symbol=AAA")["symbols"]) == ["AAA"]
    reply = stand.client.get("/api/quality?symbol=AAA&symbol=NOPE")
    assert (reply.status_code, reply.json()["error"]["code"]) == (404, "unknown_symbol")


@pytest.mark.parametrize(
    "path", ["/api/symbols", "/api/session", "/healthz", "/", "/docs", "/openapi.json", "/metrics"]
)
def test_every_read_can_be_asked_for_its_head_alone(stands: MakeStand, path: str) -> None:
    stand = stands(config("AAA"))
    reply = stand.client.head(path)
    assert (reply.status_code, reply.content) == (200, b"")
    assert reply.headers["content-type"] == stand.client.get(path).headers["content-type"]


def test_rows_tell_lag_and_sparkline(stands: MakeStand) -> None:
    rows = {row["symbol"]: row for row in stands(config("AAA", "FIFTEEN")).get("/api/symbols?spark=3")["symbols"]}
    assert rows["AAA"]["spark"] == [128.0, 129.0, 130.0]
    assert rows["AAA"]["lag_seconds"] == 0
    assert rows["FIFTEEN"]["lag_seconds"] == 14 * 60
    assert rows["AAA"]["change_percent"] == 30.0


def test_a_symbol_that_failed_has_no_lag(stands: MakeStand) -> None:
    stand = stands(config("AAA"))
    assert stand.add("UNKNOWN")["outcome"] == "failed"
    row = stand.get("/api/symbols/UNKNOWN")
    assert (row["state"], row["lag_seconds"]) == ("failed", None)


def test_events_are_read_on_from_a_number(stands: MakeStand) -> None:
    stand = stands(config("AAA"))
    found = stand.get("/api/events?after=0")
    assert [event["event"] for event in found["events"]] == [
        "session_opened",
        "symbol_pending",
        "symbol_loaded",
        "session_activated",
    ]
    assert [event["seq"] for event in found["events"]] == [1, 2, 3, 4]
    stand.add("BBB")
    later = stand.get("/api/events", params={"after": found["seq"]})
    names = [event["event"] for event in later["events"]]
    assert names[-1] == "symbol_loaded"
    assert sorted(names) == sorted(
        ["command", "symbol_pending", "session_deactivated", "session_activated", "symbol_loaded"]
    )
    assert not later["missed"]


def test_states_over_time_and_the_time_in_each(stands: MakeStand) -> None:
    found = stands(config("AAA", schedule=[("09:45", "add", "BBB")])).get("/api/states")
    assert [(span["state"], span["reason"]) for span in found["states"]] == [
        ("active", "open"), ("catching_up", "lag"), ("active", "caught_up"),
    ]  # fmt: skip
    assert found["seconds"]["active"] == 1800.0


def test_a_session_that_is_over_can_be_read_and_says_so(stands: MakeStand) -> None:
    stand = stands(config("AAA"))
    stand.system.resume()
    stand.system.wait()
    found = stand.get("/api/bars/AAA/1m?limit=1")
    assert found["outcome"] == "finished"
    assert found["bars"][0]["close"] == 490.0
    assert stand.get("/api/session")["is_over"]
