"""Small hand-made tables of bars, and events as short lines that a reader can check by eye."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from mismartera.bars.instants import to_datetime, to_us
from mismartera.config import SessionConfig
from mismartera.testing.reference import RefBar, ReferenceResult, reference_run
from mismartera.timing import TimeManager

NEW_YORK = ZoneInfo("America/New_York")
DAY = "2024-07-02"


def us(text: str, zone: ZoneInfo = NEW_YORK) -> int:
    """``2024-07-02 09:30`` (or ``09:30`` on that day) of exchange time, as microseconds."""
    moment = datetime.fromisoformat(text if "-" in text else f"{DAY} {text}")
    return to_us(moment.replace(tzinfo=zone))


def row(text: str, price: float = 10.0, volume: float = 100.0, zone: ZoneInfo = NEW_YORK) -> RefBar:
    """A flat bar that starts at ``text``."""
    return RefBar(us(text, zone), price, price, price, price, volume)


def rows(*texts: str, day: str = DAY) -> list[RefBar]:
    """Flat bars at the given times of ``day``."""
    return [row(f"{day} {text}") for text in texts]


def minutes(first: str, count: int, day: str = DAY) -> list[RefBar]:
    """``count`` flat bars of one minute without a hole, the first at ``first``."""
    start = us(f"{day} {first}")
    return [RefBar(start + at * 60_000_000, 10.0, 10.0, 10.0, 10.0, 100.0) for at in range(count)]


def config(
    symbols: Sequence[str] = ("A",),
    streams: Sequence[str] = ("1m",),
    *,
    hours: tuple[str, str] | None = ("09:30", "09:40"),
    dates: tuple[str, str] = (DAY, DAY),
    schedule: Iterable[Mapping[str, Any]] = (),
    group: str = "US_EQUITY",
    calendar: str | None = None,
    **data: Any,
) -> SessionConfig:
    """A backtest of ten minutes a day; ``data`` are further keys of ``session_data_config``."""
    exchange = {"exchange_group": group} if calendar is None else {"calendar": calendar}
    return SessionConfig.from_dict({
        "session_name": "Table", **exchange, "asset_class": "EQUITY", "mode": "backtest",
        "backtest_config": {"start_date": dates[0], "end_date": dates[1], "speed_multiplier": 0},
        "session_data_config": {
            "symbols": list(symbols), "streams": list(streams),
            "hours": {"open": hours[0], "close": hours[1]} if hours else "regular", **data,
        },
        "schedule": [dict(entry) for entry in schedule],
    })  # fmt: skip


def at(time: str, day: str = DAY, **action: Any) -> dict[str, Any]:
    """A schedule entry: ``at("09:37", add="B")``."""
    return {"at": f"{day}T{time}", **action}


def run(settings: SessionConfig, stored: Mapping[tuple[str, str], Sequence[RefBar]]) -> ReferenceResult:
    """The reference run of ``settings`` on its own calendar."""
    return reference_run(settings, stored, TimeManager(settings.calendar_code))


def lines(result: ReferenceResult, zone: ZoneInfo = NEW_YORK) -> list[str]:
    """One short line for each event, in exchange time."""
    return [_line(event, zone) for event in result.events]


def after(result: ReferenceResult, text: str, zone: ZoneInfo = NEW_YORK) -> list[str]:
    """The lines behind the first one that is ``text``."""
    told = lines(result, zone)
    return told[told.index(text) + 1 :]


def bars_of(result: ReferenceResult, symbol: str) -> list[str]:
    """The lines of the bars of ``symbol``."""
    return [line for line in lines(result) if f" bar {symbol} " in line]


def _line(event: Mapping[str, Any], zone: ZoneInfo) -> str:
    def clock(text: str) -> str:
        moment = to_datetime(to_us(datetime.fromisoformat(text)), zone)
        return moment.strftime("%H:%M:%S" if moment.second else "%H:%M")

    name = event["event"]
    words = [clock(event["time"]), name]
    if name == "bar":
        words += [event["symbol"], event["interval"], f"{clock(event['start'])}-{clock(event['end'])}"]
        words += [f"x{event['bar_count']}", f"lag {event['lag_seconds']:g}"]
        words += [f"g{event['generation']}"] if event["generation"] > 1 else []
    elif name == "gap":
        words += [event["symbol"], event["interval"], f"{clock(event['from'])}-{clock(event['to'])}"]
        words += [str(event["missing"])]
    elif name in {"session_opened", "session_closed"}:
        words += [date.fromisoformat(event["date"]).isoformat()]
    elif name.endswith("activated"):
        words += [event["reason"], f"{event['lag_seconds']:g}", event["symbol"] or "-"]
    else:
        words += [event["symbol"]] + ([event["reason"]] if name != "symbol_failed" else [])
    return " ".join(words)
