"""``mismartera live`` in a process of its own: how it ends, what it prints, and what it leaves in the store."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.live.command import KEYS, Command
from tests.live.markets import SYMBOLS, draw
from tests.runs import moment, us

from mismartera import DataManager
from mismartera.bars.instants import MINUTE_US

MakeCommand = Callable[..., Command]


@pytest.fixture
def make_command(tmp_path: Path) -> Iterator[MakeCommand]:
    made: list[Command] = []

    def make(*args: object, **options: object) -> Command:
        command = Command(tmp_path / "run", *args, **options)  # type: ignore[arg-type]
        made.append(command)
        return command

    yield make
    for command in made:
        command.__exit__()


def stored(command: Command, symbol: str = "AAA") -> int:
    """How many minutes of the day the store has, which must open."""
    data = DataManager(command.folder / "store")
    return len(data.get_bars(symbol, "1m", moment("09:30"), moment("16:00")))


def test_a_run_to_its_end_obeys_the_laws_and_fills_the_store(make_command: MakeCommand) -> None:
    command = make_command(draw())
    command.run()
    command.check()
    assert command.summary["symbols_loaded"] == list(SYMBOLS)
    assert [stored(command, symbol) for symbol in SYMBOLS] == [40] * 3


def test_serve_runs_a_vendor_s_session_and_its_page_stays(make_command: MakeCommand) -> None:
    command = make_command(draw(), command=("serve", "--port", "0"))
    command.start()
    assert command.process is not None
    assert command.process.stderr is not None
    said = [""]
    while "its page stays until Ctrl-C" not in said[-1]:
        said.append(command.process.stderr.readline())
        assert said[-1], f"it has ended before: {''.join(said)}"
    command.process.send_signal(signal.SIGINT)
    command.finish()
    command.check()
    assert command.summary["symbols_loaded"] == list(SYMBOLS)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def test_an_interrupted_run_leaves_its_store_whole(make_command: MakeCommand, number: signal.Signals) -> None:
    command = make_command(draw(), until="10:40")
    command.start()
    command.wait_until("10:06:30")
    assert command.process is not None
    command.process.send_signal(number)
    command.finish(status=128 + number)
    lines = command.lines()
    bars = [line for line in lines if line["event"] == "bar" and line["interval"] == "1m"]
    until_us = max(bar["end_us"] for bar in bars)
    assert stored(command) >= (until_us - us("09:30")) // MINUTE_US, "all that was delivered is stored"
    assert command.summary["sessions"] == 1


def test_a_killed_run_leaves_a_store_that_opens_with_all_but_the_last_minutes(make_command: MakeCommand) -> None:
    command = make_command(draw(), until="10:40", speed=200)
    command.start()
    command.wait_until("10:06:30")
    assert command.process is not None
    command.process.kill()
    command.process.communicate()
    assert stored(command) >= 33


def test_refused_keys_are_told_without_the_keys(make_command: MakeCommand) -> None:
    command = make_command(draw(), keys=KEYS | {"APCA_API_SECRET_KEY": "another"})
    command.run_here(status=1)
    assert "APCA_API_KEY_ID" in command.err
    assert "another" not in command.err
    assert [line for line in command.lines() if line["event"] == "feed_failed"]
    assert command.server.handshakes <= 3


def test_a_host_that_nobody_answers_at_is_told(make_command: MakeCommand) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: nobody else gets it, and it refuses
        port = taken.getsockname()[1]
        command = make_command(
            draw(), feed={"stream_url": f"ws://127.0.0.1:{port}/v2/iex", "data_url": f"http://127.0.0.1:{port}"}
        )
        command.run_here(status=1)
    assert "could not be reached" in command.err


def test_all_symbols_unknown_is_a_failed_run(make_command: MakeCommand) -> None:
    command = make_command(draw(), symbols=["NOPE", "NONE"])
    command.server.faults.bad_symbols = frozenset({"NOPE"})
    command.run_here(status=1)
    assert "NOPE" in command.err
    assert "NONE" in command.err


def test_one_unknown_symbol_is_in_the_summary_and_the_others_go_on(make_command: MakeCommand) -> None:
    command = make_command(draw(), symbols=["AAA", "NOPE", "CCC"], until="10:05")
    command.run_here()
    assert list(command.summary["symbols_failed"]) == ["NOPE"]
    assert command.summary["symbols_loaded"] == ["AAA", "CCC"]
    assert command.summary["bars_delivered"] > 0
