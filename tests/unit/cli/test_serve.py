"""``serve``, ``--serve`` and the commands to a served session: what they say, and how they end."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.processes import call
from tests.runs import DAY, config
from tests.server.conftest import TOKEN, MakeStand, stands

from mismartera import DataManager
from mismartera.cli.main import main
from mismartera.remote.places import Place, servers_dir

__all__ = ["stands"]
PYTHON = [sys.executable, "-m", "mismartera"]


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own for the words of servers."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.delenv("MISMARTERA_TOKEN", raising=False)
    return servers_dir({"XDG_RUNTIME_DIR": str(tmp_path / "run")})


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    path = tmp_path / "session.json"
    path.write_text(json.dumps(config("AAA", "BBB").to_dict()))
    return path


@pytest.fixture
def served(settings: Path, market: DataManager) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """``mismartera serve`` as a process, paused at the open, and the address that it prints."""
    command = [*PYTHON, "serve", str(settings), "--data", str(market.path), "--port", "0", "--paused"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        yield process, process.stderr.readline()
        process.kill()


def test_serve_prints_an_address_that_signs_one_browser_in(
    served: tuple[subprocess.Popen[str], str], capsys: pytest.CaptureFixture[str], places: Path
) -> None:
    process, line = served
    found = re.search(r"(http://127\.0\.0\.1:\d+)/#code=(\S+)", line)
    assert found
    url, code = found.groups()
    reply = httpx.post(f"{url}/api/login", json={"code": code})
    assert reply.status_code == 200
    assert httpx.post(f"{url}/api/login", json={"code": code}).status_code == 401
    assert main(["status"]) == 0
    assert "paused" in capsys.readouterr().out
    assert main(["resume", "--url", url]) == 0
    assert process.stderr is not None
    stays(process)
    assert main(["status", "--url", url, "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["session"]["outcome"] == "finished"
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "1 session" in out
    assert list(places.glob("*.json")) == []


LIVE = {
    "mode": "live", "feed": {"type": "replay", "date": DAY},
    "session_data_config": {"symbols": ["AAA", "BBB"], "streams": ["1m"]},
}  # fmt: skip


@pytest.fixture
def live_settings(tmp_path: Path) -> Path:
    path = tmp_path / "live.json"
    path.write_text(json.dumps(LIVE))
    return path


def stays(process: subprocess.Popen[str]) -> None:
    """Wait until ``process`` says that its run is over and its page stays."""
    assert process.stderr is not None
    for line in process.stderr:
        if "its page stays until Ctrl-C" in line:
            return
    raise AssertionError(f"it has ended with {process.wait()}")


def test_serve_runs_a_live_session_with_the_options_of_live(
    live_settings: Path, market: DataManager, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    journal, report = tmp_path / "journal.db", tmp_path / "live.html"
    command = [
        *PYTHON, "serve", str(live_settings), "--data", str(market.path), "--port", "0",
        "--clock", f"{DAY}T09:40@1200", "--until", "09:50", "--journal", str(journal), "--report", str(report),
    ]  # fmt: skip
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        stays(process)
        assert "<html" in report.read_text("utf-8"), "it is there as soon as the run is over"
        assert main(["status", "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert told["session"] | {"mode": "live", "outcome": "finished", "can_step": False} == told["session"]
    assert [row["close"] for row in told["symbols"]] == [120.0, 220.0], "of the minute that ended at 09:50"
    assert "1 session" in out
    assert main(["sessions", "--journal", str(journal), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["sessions"][0]["outcome"] == "finished"


@pytest.mark.parametrize("option", ["--clock", "--until", "--feed", "--journal", "--no-journal", "--resume"])
def test_an_option_of_live_sessions_is_refused_for_a_backtest(
    settings: Path, market: DataManager, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    value = {"--feed": ["replay"], "--no-journal": [], "--resume": []}.get(option, ["x"])
    assert main(["serve", str(settings), "--data", str(market.path), option, *value]) == 2
    said = capsys.readouterr().err
    assert f"error: {option} is of a live session, and {settings} is a backtest" in said


@pytest.mark.parametrize("option", ["--speed", "--store-version"])
def test_an_option_of_backtests_is_refused_for_a_live_session(
    live_settings: Path, market: DataManager, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", str(live_settings), "--data", str(market.path), option, "3"]) == 2
    assert f"error: {option} is of a backtest, and {live_settings} is a live session" in capsys.readouterr().err


def test_the_page_of_a_run_that_fails_stays_too(
    tmp_path: Path, market: DataManager, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.py").write_text(
        "from mismartera import Strategy\n\n\nclass Bad(Strategy):\n"
        "    def on_bar(self, bar):\n        raise ValueError('boom')\n"
    )
    path = tmp_path / "bad.json"
    analysis = {"strategies": [{"class": "bad:Bad"}], "on_strategy_error": "stop"}
    path.write_text(json.dumps(config("AAA").to_dict() | {"analysis": analysis}))
    command = [*PYTHON, "serve", str(path), "--data", str(market.path), "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        stays(process)
        assert main(["status"]) == 0
        assert "over: failed" in capsys.readouterr().out
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "boom" in said


def test_run_serves_meanwhile_and_ends_with_the_run(settings: Path, market: DataManager, places: Path) -> None:
    command = ["run", settings, "--data", market.path, "--quiet", "--serve", 0]
    assert "the session is at http://127.0.0.1:" in call(command, settings.parent).err
    assert list(places.glob("*.json")) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--bind", "0.0.0.0"], "needs a token of yours, with --token-file"),  # noqa: S104  # refused
        (["--port", "70000"], "--port is a number from 0 to 65535"),
        (["--token-file", "none"], "cannot be read"),
    ],
)
def test_what_cannot_be_served_is_one_message_and_exit_2(
    settings: Path, market: DataManager, options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", str(settings), "--data", str(market.path), *options]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert "Traceback" not in said


def test_a_taken_port_is_exit_2(
    stands: MakeStand, settings: Path, market: DataManager, capsys: pytest.CaptureFixture[str]
) -> None:
    port = stands(config("AAA")).server.port
    assert main(["run", str(settings), "--data", str(market.path), "--serve", str(port)]) == 2
    assert f"port {port} of 127.0.0.1 is taken" in capsys.readouterr().err


def test_the_extra_is_named_where_it_is_missing(
    settings: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [name for name in sys.modules if name.startswith(("mismartera.server", "mismartera.cli.serving"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "fastapi", None)
    assert main(["serve", str(settings)]) == 2
    assert "pip install 'mismartera[server]'" in capsys.readouterr().err


def test_add_waits_until_symbols_are_caught_up_and_tells_each(
    stands: MakeStand, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stand = stands(config("AAA"))
    monkeypatch.setenv("MISMARTERA_TOKEN", TOKEN)
    url = ["--url", stand.server.url]
    assert main(["add", "BBB", "CCC", *url]) == 0
    assert capsys.readouterr().out.splitlines() == ["BBB loaded", "CCC loaded"]
    assert main(["add", "DDD", "UNKNOWN", *url]) == 1
    told = capsys.readouterr()
    assert told.out == "DDD loaded\n"
    assert told.err.startswith("UNKNOWN failed: ")
    assert main(["status", *url]) == 0
    assert [line.split()[:2] for line in capsys.readouterr().out.splitlines() if "UNKNOWN" in line] == [
        ["UNKNOWN", "failed"]
    ]
    assert main(["remove", "BBB", *url]) == 0
    assert main(["remove", "BBB", *url]) == 2
    assert "error: the session does not have 'BBB'" in capsys.readouterr().err


def test_the_token_that_serve_has_left_is_found_by_the_port(
    stands: MakeStand, places: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stand = stands(config("AAA"))
    Place(places, stand.server.port).write(stand.server.url, TOKEN)
    assert main(["status", "--url", stand.server.url]) == 0
    assert main(["status"]) == 0
    assert main(["pause"]) == 0
    assert "paused at 2024-07-02T14:00:00" in capsys.readouterr().out


def test_a_token_is_not_sent_to_another_machine(places: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Place(places, 8787).write("http://127.0.0.1:8787", TOKEN)
    assert main(["status", "--url", "http://192.0.2.1:8787"]) == 2
    assert "there is no token for http://192.0.2.1:8787" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://127.0.0.1:1", "no server answers at http://127.0.0.1:1"),
        ("ftp://127.0.0.1", "--url is the address of a server"),
        ("http://127.0.0.1:99999", "--url 'http://127.0.0.1:99999'"),
    ],
)
def test_a_wrong_address_is_one_message_and_exit_2(
    url: str, message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MISMARTERA_TOKEN", TOKEN)
    for command in (["status", "--url", url], ["watch", url], ["add", "AAA", "--url", url]):
        assert main(command) == 2
        assert message in capsys.readouterr().err


def test_a_wrong_token_and_a_session_that_is_over_are_one_message(
    stands: MakeStand, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stand = stands(config("AAA"))
    monkeypatch.setenv("MISMARTERA_TOKEN", TOKEN[:-1])
    assert main(["status", "--url", stand.server.url]) == 2
    assert "the token is not that of the server" in capsys.readouterr().err
    monkeypatch.setenv("MISMARTERA_TOKEN", TOKEN)
    stand.system.resume()
    stand.system.wait()
    assert main(["add", "BBB", "--url", stand.server.url]) == 2
    assert "the run has finished: it can be read, and takes no commands any more" in capsys.readouterr().err


def test_without_a_server_the_commands_say_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status"]) == 2
    assert "no server runs here: start one with 'mismartera serve CONFIG'" in capsys.readouterr().err
