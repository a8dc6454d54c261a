"""The terminal view: state, symbols and events at a glance, and the same commands as the page."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from datetime import datetime
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widgets import DataTable, Footer, Input, RichLog, Static

from mismartera.errors import UsageError
from mismartera.remote.client import Remote
from mismartera.remote.follow import Follower, Frame

COLORS = {
    "active": "green", "catching_up": "yellow", "stale": "dark_orange", "paused": "slate_blue1",
    "closed": "grey50", "waiting": "grey50", "over": "grey50",
}  # fmt: skip
_COLUMNS = ("Symbol", "State", "Close", "Change", "Lag", "Quality", "")


class SessionView(App[None]):
    """Shows the session of ``remote``, as ``follower`` tells it."""

    TITLE = "mismartera"
    CSS = """
    #head { height: 3; padding: 0 1; background: $panel; }
    #lost { height: 1; background: $error; color: $text; padding: 0 1; display: none; }
    #lost.shown { display: block; }
    #symbols { width: 2fr; min-width: 50; }
    #events { width: 3fr; border-left: solid $panel-lighten-1; padding: 0 1; }
    #add { display: none; } #add.shown { display: block; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "ask", "add"), Binding("d,delete", "remove", "remove"),
        Binding("space", "pause", "pause / resume"), Binding("full_stop", "step", "step"),
        Binding("q", "quit", "quit"),
        Binding("escape", "close", show=False),
    ]  # fmt: skip

    def __init__(self, remote: Remote, make_follower: Callable[[], Follower]) -> None:
        super().__init__()
        self._remote = remote
        self._make_follower = make_follower
        self.session: dict[str, Any] = {}
        self.rows: dict[str, dict[str, Any]] = {}

    def compose(self) -> ComposeResult:
        """The parts of the view."""
        yield Static(id="head")
        yield Static(id="lost")
        with Horizontal():
            yield DataTable(id="symbols", cursor_type="row", zebra_stripes=True)
            yield RichLog(id="events", max_lines=500, wrap=True)
        yield Input(id="add", placeholder="Symbols to add, then Enter (Esc: never mind)")
        yield Footer()

    def on_mount(self) -> None:
        """Begin to follow."""
        self.query_one(DataTable).add_columns(*((name, name) for name in _COLUMNS))
        self.query_one(DataTable).focus()
        self.run_worker(self._follow(), exclusive=True)

    async def _follow(self) -> None:
        async with aclosing(self._make_follower().frames()) as frames:  # with the view its connection ends
            async for frame in frames:
                self.show(frame)

    def show(self, frame: Frame) -> None:
        """Take in what the stream tells."""
        kind = frame["type"]
        lost = self.query_one("#lost", Static)
        if kind == "lost":
            since = self.session.get("now", "")
            lost.update(f"stale since {self._clock(since)}: {frame['why']}; connecting again ...")
            lost.add_class("shown")
        elif kind == "session":
            lost.remove_class("shown")
            self.session = frame
            self.query_one("#head", Static).update(self._head())
        elif kind == "rows":
            self._show_rows(frame["rows"], frame["gone"])
        elif kind == "events":
            log = self.query_one(RichLog)
            for event in frame["events"]:
                log.write(self._line(event))
        elif kind == "reset":
            self.query_one(RichLog).write(Text(frame["reason"], "yellow"))

    def _head(self) -> Text:
        s = self.session
        state = "over" if s["is_over"] else "paused" if s["is_paused"] else s["state"]
        shown = f"over: {s['outcome']}" if s["is_over"] else state.replace("_", " ")
        text = Text.assemble(
            (f" {s['name']} ", "bold"), f"  {s['date'] or ''} {self._clock(s['now'])}  ",
            (f" {shown} ", f"bold reverse {COLORS[state]}"), f"  lag {s['lag_seconds']:.1f} s   ",
            f"{s['bars_streamed'] + s['derived_bars']:,} bars   ",
        )  # fmt: skip
        counts = s["symbols"]
        on_way = counts["pending"] + counts["loading"]
        text.append(f"\n {counts['loaded']} loaded, {on_way} on their way, {counts['failed']} failed", "dim")
        text.append(f"   because: {s['reason'].replace('_', ' ')}", "dim")
        return text

    def _show_rows(self, rows: list[dict[str, Any]], gone: list[str]) -> None:
        table = self.query_one(DataTable)
        for symbol in gone:
            if self.rows.pop(symbol, None) is not None:
                table.remove_row(symbol)
        for row in rows:
            symbol, cells = row["symbol"], _cells(row)
            if symbol not in self.rows:
                table.add_row(*cells, key=symbol)
            else:
                for column, cell in zip(_COLUMNS, cells, strict=True):
                    table.update_cell(symbol, column, cell)
            self.rows[symbol] = row

    def _line(self, event: dict[str, Any]) -> Text:
        name = str(event["event"])
        bad = "error" in name or "failed" in name
        style = "red" if bad else "yellow" if "deactivated" in name or "disconnected" in name else "bold"
        rest = [
            f"{value}" if key in {"symbol", "reason", "date"} else f"{key} {value}"
            for key, value in event.items()
            if key not in {"seq", "time", "event"} and value is not None
        ]
        return Text.assemble(
            (self._clock(event["time"]), "dim"), "  ", (name.replace("_", " "), style), "  ", ", ".join(rest)
        )

    def _clock(self, moment: str) -> str:
        if not moment:
            return "--:--:--"
        return f"{datetime.fromisoformat(moment).astimezone(ZoneInfo(self.session.get('zone', 'UTC'))):%H:%M:%S}"

    # Commands

    def action_ask(self) -> None:
        """Open the line for symbols."""
        box = self.query_one(Input)
        box.add_class("shown")
        box.focus()

    def action_close(self) -> None:
        """Close it."""
        self.query_one(Input).remove_class("shown")
        self.query_one(DataTable).focus()

    async def on_input_submitted(self, event: Input.Submitted) -> None:
        """Add what was typed."""
        symbols = event.value.replace(",", " ").split()
        event.input.value = ""
        self.action_close()
        if symbols:
            await self._send(lambda: self._remote.add(symbols, None))

    async def action_remove(self) -> None:
        """Remove the symbol of the line that is chosen."""
        table = self.query_one(DataTable)
        if table.row_count:
            symbol = str(table.coordinate_to_cell_key(table.cursor_coordinate).row_key.value)
            await self._send(lambda: self._remote.remove(symbol))

    async def action_pause(self) -> None:
        """Pause, or go on."""
        what = "resume" if self.session.get("is_paused") else "pause"
        await self._send(lambda: self._remote.steer(what))

    async def action_step(self) -> None:
        """Show the next instant."""
        await self._send(lambda: self._remote.steer("step"))

    async def _send(self, command: Callable[[], object]) -> None:
        try:
            await asyncio.to_thread(command)
        except UsageError as error:
            self.notify(str(error), severity="error")


def _cells(row: dict[str, Any]) -> tuple[Text, ...]:
    state, change, quality = row["state"], row["change_percent"], row["quality_percent"]
    lag = row["lag_seconds"]  # None of a symbol that failed
    shown = state if row["caught_up"] is None else f"{state} {row['caught_up']:.0%}"
    tone = {"loaded": "green" if row["is_active"] else "yellow", "failed": "red"}.get(state, "yellow")
    return (
        Text(row["symbol"], "bold"),
        Text(shown, tone),
        Text("-" if row["close"] is None else f"{row['close']:,.2f}", justify="right"),
        Text(
            "" if change is None else f"{change:+.2f} %", "red" if (change or 0) < 0 else "green", justify="right"
        ),
        Text("" if lag is None else f"{lag:,.0f} s", "dark_orange" if (lag or 0) > 60 else "", justify="right"),
        Text("" if quality is None else f"{quality:.1f} %", justify="right"),
        Text(row["reason"] or "", "dim"),
    )
