"""The terminal view: what it shows of a served session, and what its keys do."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from tests.runs import config
from tests.server.conftest import TOKEN, MakeStand, Stand
from textual.pilot import Pilot
from textual.widgets import DataTable, Input, RichLog, Static

from mismartera.remote.client import Remote
from mismartera.remote.follow import Follower
from mismartera.remote.view import SessionView

Act = Callable[[Pilot[Any], SessionView], Awaitable[None]]


def watched(stand: Stand, act: Act) -> None:
    """Run the view of ``stand`` and ``act`` on it."""
    url = stand.server.url

    async def run() -> None:
        with Remote(url, TOKEN) as remote:
            view = SessionView(remote, lambda: Follower(url, TOKEN))
            async with view.run_test(size=(130, 40)) as pilot:
                await until(pilot, lambda: bool(view.session) and bool(view.rows))
                await act(pilot, view)

    asyncio.run(run())


async def until(pilot: Pilot[Any], reached: Callable[[], bool]) -> None:
    for _ in range(300):
        if reached():
            return
        await pilot.pause(0.05)
    raise AssertionError("in vain")


def head(view: SessionView) -> str:
    return str(view.query_one("#head", Static).render())


def test_the_view_shows_state_symbols_and_events(stands: MakeStand) -> None:
    async def act(pilot: Pilot[Any], view: SessionView) -> None:
        assert "paused" in head(view) and "10:00:00" in head(view) and "2 loaded" in head(view)
        table = view.query_one(DataTable)
        assert [str(cell) for cell in table.get_row("AAA")][:4] == ["AAA", "loaded", "130.00", "+30.00 %"]
        await until(pilot, lambda: len(view.query_one(RichLog).lines) >= 4)

    watched(stands(config("AAA", "FIFTEEN")), act)


def test_a_symbol_is_added_and_removed_by_keys(stands: MakeStand) -> None:
    stand = stands(config("AAA"))

    async def act(pilot: Pilot[Any], view: SessionView) -> None:
        await pilot.press("a")
        assert view.query_one(Input).has_focus
        await pilot.press(*"BBB", "enter")
        await until(pilot, lambda: view.rows.get("BBB", {}).get("state") == "loaded")
        await pilot.press("down", "d")
        await until(pilot, lambda: "BBB" not in view.rows)
        assert view.query_one(DataTable).row_count == 1

    watched(stand, act)
    assert [row[0] for row in stand.audit.rows] == ["add BBB", "remove BBB"]


def test_a_symbol_that_failed_is_shown_with_its_reason_and_without_a_lag(stands: MakeStand) -> None:
    stand = stands(config("AAA"))
    stand.add("UNKNOWN")

    async def act(pilot: Pilot[Any], view: SessionView) -> None:
        await until(pilot, lambda: "UNKNOWN" in view.rows)
        cells = [str(cell) for cell in view.query_one(DataTable).get_row("UNKNOWN")]
        assert cells[:6] == ["UNKNOWN", "failed", "-", "", "", ""]
        assert cells[6] == "UNKNOWN is unknown to the store"

    watched(stand, act)


def test_step_and_resume_by_keys(stands: MakeStand) -> None:
    stand = stands(config("AAA"))

    async def act(pilot: Pilot[Any], view: SessionView) -> None:
        await pilot.press("full_stop")
        await until(pilot, lambda: "10:01:00" in head(view) and view.rows["AAA"]["close"] == 131.0)
        await pilot.press("space")
        await until(pilot, lambda: "over: finished" in head(view))

    watched(stand, act)
    assert stand.get("/api/session")["outcome"] == "finished"


def test_a_lost_connection_is_said(stands: MakeStand) -> None:
    stand = stands(config("AAA"))

    async def act(pilot: Pilot[Any], view: SessionView) -> None:
        await asyncio.to_thread(stand.server.stop)
        await until(pilot, lambda: view.query_one("#lost", Static).has_class("shown"))
        assert "stale since 10:00:00" in str(view.query_one("#lost", Static).render())
        await pilot.press("full_stop")
        await until(pilot, lambda: any("no server answers" in n.message for n in view._notifications))

    watched(stand, act)


def test_what_the_session_says_is_no_markup(stands: MakeStand) -> None:
    stand = stands(config("AAA"))
    stand.desk.view.recent.note("signal", {"strategy": "[bold]x[/]", "name": "[red]y", "value": 1})

    async def act(pilot: Pilot[Any], view: SessionView) -> None:
        lines = view.query_one(RichLog).lines
        await until(pilot, lambda: any("[red]y" in line.text for line in lines))
        seen.append("as it was said")

    seen: list[str] = []
    watched(stand, act)
    assert seen == ["as it was said"]
