"""Commands: one effect each, whatever is sent twice; their outcome can be asked for; every one is audited."""

from __future__ import annotations

import threading

import pytest
from tests.runs import SimulatedPace, config
from tests.server.conftest import TOKEN, MakeStand, make_stand

from mismartera import Bar, DataManager, Strategy
from mismartera.server.service import Binding


def test_an_added_symbol_is_loaded_and_the_command_says_so(stands: MakeStand) -> None:
    stand = stands(config("AAA"))
    reply = stand.post("/api/symbols", {"symbols": ["BBB"]})
    assert reply.status_code == 202
    assert reply.headers["location"] == reply.json()["status_url"]
    done = stand.add("CCC")
    assert (done["outcome"], done["symbols"]) == ("loaded", {"CCC": {"outcome": "loaded", "reason": None}})
    assert stand.get("/api/bars/CCC/1m?limit=1")["bars"][0]["close"] == 330.0


def test_an_unknown_symbol_fails_with_its_reason(stands: MakeStand) -> None:
    done = stands(config("AAA")).add("UNKNOWN")
    assert done["outcome"] == "failed"
    assert done["reason"].startswith("UNKNOWN is unknown") or "UNKNOWN" in done["reason"]


def test_s07_one_bad_symbol_of_three_does_not_keep_the_others_out(stands: MakeStand) -> None:
    stand = stands(config("AAA"))
    reply = stand.post("/api/symbols", {"symbols": ["BBB", "../etc/x", "CCC", "BBB"]})
    assert reply.status_code == 202
    stand.wait_for(lambda: stand.get(reply.json()["status_url"])["outcome"] != "pending")
    done = stand.get(reply.json()["status_url"])
    assert {s: o["outcome"] for s, o in done["symbols"].items()} == {
        "BBB": "loaded", "../etc/x": "failed", "CCC": "loaded",
    }  # fmt: skip
    assert done["outcome"] == "mixed"


def test_s07_an_empty_list_is_nothing_to_do_and_a_long_one_is_refused(stands: MakeStand) -> None:
    stand = stands(config("AAA"))
    assert stand.post("/api/symbols", {"symbols": []}).json()["outcome"] == "done"
    reply = stand.post("/api/symbols", {"symbols": [f"S{k}" for k in range(20_000)]})
    assert reply.status_code in {413, 422}
    reply = stand.post("/api/symbols", {"symbols": [f"S{k}" for k in range(101)]})
    assert reply.status_code == 422
    assert "100" in str(reply.json()["error"]["fields"])


def test_a_symbol_has_its_own_streams_if_it_is_asked_for_with_them(stands: MakeStand) -> None:
    stand = stands(config("AAA"))
    reply = stand.post("/api/symbols", {"symbol": "BBB", "streams": ["10m"]})
    stand.wait_for(lambda: stand.get(reply.json()["status_url"])["outcome"] == "loaded")
    assert len(stand.get("/api/bars/BBB/10m")["bars"]) == 3
    assert stand.post("/api/symbols", {"symbol": "CCC", "streams": ["10x"]}).status_code == 422


def test_a07_the_same_key_is_the_same_answer_and_one_effect(stands: MakeStand) -> None:
    stand = stands(config("AAA"))
    first = stand.post("/api/symbols", {"symbols": ["BBB"]}, Idempotency_Key="k1").json()
    again = stand.post("/api/symbols", {"symbols": ["BBB"]}, Idempotency_Key="k1").json()
    assert first["command"] == again["command"]
    assert [row[0] for row in stand.audit.rows] == ["add BBB"]
    other = stand.post("/api/symbols", {"symbols": ["CCC"]}, Idempotency_Key="k1")
    assert (other.status_code, other.json()["error"]["code"]) == (422, "key_reused")
    assert "CCC" not in stand.system.coordinator.get_loaded_symbols()


def test_a07_a_step_that_is_sent_twice_with_one_key_is_one_step(stands: MakeStand) -> None:
    stand = stands(config("AAA"))
    for _ in range(3):
        assert stand.post("/api/session/step", Idempotency_Key="step-1").status_code == 200
    assert stand.get("/api/session")["now"] == "2024-07-02T14:01:00+00:00"


def test_a07_a_removal_that_is_sent_twice_with_one_key_is_answered_the_same(stands: MakeStand) -> None:
    stand = stands(config("AAA", "BBB"))
    headers = {"idempotency-key": "r"}
    first = stand.client.delete("/api/symbols/BBB", headers=headers)
    again = stand.client.delete("/api/symbols/BBB", headers=headers)
    assert (first.status_code, first.json()) == (202, again.json())
    assert first.json()["outcome"] == "removed"
    assert stand.client.delete("/api/symbols/BBB").status_code == 404
    assert stand.client.get("/api/bars/BBB/1m").status_code == 404


def test_a11_the_outcome_of_an_add_is_visible_after_the_server_was_restarted(stands: MakeStand) -> None:
    stand = stands(config("AAA"))
    command = stand.post("/api/symbols", {"symbols": ["BBB"]}, Idempotency_Key="before").json()
    stand.server.stop()
    again = stand.desk.server(Binding())
    again.start()
    try:
        client = stand.anonymous(authorization=f"Bearer {TOKEN}")
        client.base_url = again.url
        stand.wait_for(lambda: client.get(command["status_url"]).json()["outcome"] == "loaded")
        states = {row["symbol"]: row["state"] for row in client.get("/api/symbols").json()["symbols"]}
        assert states == {"AAA": "loaded", "BBB": "loaded"}
        headers = {"content-type": "application/json", "idempotency-key": "before"}
        repeated = client.post("/api/symbols", content='{"symbols": ["BBB"]}', headers=headers)
        assert repeated.json()["command"] == command["command"]
    finally:
        again.stop()


def test_pause_resume_step_and_speed(stands: MakeStand) -> None:
    stand = stands(config("AAA", speed=60), clock=SimulatedPace(60))
    assert stand.get("/api/session")["is_paused"]
    assert stand.post("/api/session/step").json()["outcome"] == "done"
    assert stand.get("/api/session")["now"].startswith("2024-07-02T14:01:00")
    assert stand.post("/api/session/speed", {"speed": 600}).status_code == 200
    assert stand.get("/api/session")["speed"] == 600
    assert stand.post("/api/session/resume").status_code == 200
    stand.system.wait()
    assert stand.get("/api/session")["outcome"] == "finished"


def test_a_step_without_a_pause_and_a_speed_of_a_stepped_run_are_refused_with_what_to_do(
    stands: MakeStand,
) -> None:
    stand = stands(config("AAA"), until=None)
    reply = stand.post("/api/session/step")
    assert (reply.status_code, reply.json()["error"]["message"]) == (
        409, "a step goes on from a pause: pause the run first",
    )  # fmt: skip
    assert "--speed 60" in stand.post("/api/session/speed", {"speed": 2}).json()["error"]["message"]
    for speed in (0, "60", True, None, 1e7):
        assert stand.post("/api/session/speed", {"speed": speed}).status_code == 422


def test_commands_to_a_session_that_is_over_are_refused_with_a_clear_message(stands: MakeStand) -> None:
    stand = stands(config("AAA"))
    stand.system.resume()
    stand.system.wait()
    for reply in (stand.post("/api/symbols", {"symbols": ["BBB"]}), stand.post("/api/session/pause"),
                  stand.client.delete("/api/symbols/AAA")):  # fmt: skip
        assert (reply.status_code, reply.json()["error"]["code"]) == (409, "session_over")
        assert "the run has finished" in reply.json()["error"]["message"]


def test_every_command_is_audited_with_who_and_with_what_result(stands: MakeStand) -> None:
    stand = stands(config("AAA"))
    stand.add("BBB")
    stand.client.delete("/api/symbols/NOPE")
    page = stand.page()
    page.post("/api/session/resume", json={})
    rows = [(command, who.split("@")[0].split("-")[0], result) for command, who, result in stand.audit.rows]
    assert rows == [
        ("add BBB", "token", "accepted"),
        ("remove NOPE", "token", "refused: the session does not have 'NOPE'"),
        ("resume", "page", "accepted"),
    ]
    told = [event for event in stand.get("/api/events")["events"] if event["event"] == "command"]
    assert [event["command"] for event in told] == ["add BBB", "remove NOPE", "resume"]


def test_a_pause_that_waits_for_a_slow_callback_does_not_keep_reads_waiting(market: DataManager) -> None:
    entered, leave = threading.Event(), threading.Event()

    class Slow(Strategy):
        def on_bar(self, bar: Bar) -> None:
            entered.set()
            leave.wait(30)

    stand = make_stand(market, config("AAA", streaming={"command_timeout_seconds": 1}), Slow(), until=None)
    try:
        stand.system.start()
        assert entered.wait(15)
        done: list[str | None] = []
        pausing = threading.Thread(target=lambda: done.append(stand.post("/api/session/pause").json()["reason"]))
        pausing.start()
        assert stand.get("/api/session")["outcome"] == "running"
        pausing.join(15)
        assert done and "still busy" in str(done[0])
    finally:
        leave.set()
        stand.system.stop()
        stand.server.stop()
        stand.client.close()


@pytest.mark.parametrize(
    "body",
    [
        {}, {"symbols": ["A"], "symbol": "B"}, {"symbols": "A"}, {"symbols": [1]}, [], "A", {"symbol": ""},
        {"symbols": ["A"], "class": "os:system"},
    ],
)  # fmt: skip
def test_a_body_that_is_not_as_it_has_to_be_is_422(stands: MakeStand, body: object) -> None:
    reply = stands(config("AAA")).post("/api/symbols", body)
    assert reply.status_code == 422
    assert reply.json()["error"]["request_id"] == reply.headers["x-request-id"]
