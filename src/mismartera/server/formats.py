"""Bars as JSON, Arrow IPC or CSV, whichever the client takes."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from mismartera.bars import Bars
from mismartera.bars.instants import to_iso
from mismartera.server.refusal import Refusal

JSON, ARROW, CSV = "application/json", "application/vnd.apache.arrow.stream", "text/csv"
OFFERED = (JSON, ARROW, CSV)


def choose(accept: str) -> str:
    """The best of what we offer; Refusal if the client takes none of it."""
    wanted: list[tuple[float, int, str]] = []
    for order, part in enumerate((accept or "*/*").split(",")):
        kind, *parameters = (piece.strip().lower() for piece in part.split(";"))
        weight = next((_weight(p[2:]) for p in parameters if p.startswith("q=")), 1.0)
        for offered in OFFERED:
            if weight > 0 and kind in {offered, "*/*", offered.partition("/")[0] + "/*"}:
                wanted.append((-weight, order, offered))
                break
    if not wanted:
        raise Refusal(406, "not_offered", f"bars come as {', '.join(OFFERED)}")
    return min(wanted)[2]


def _weight(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def records(bars: Bars) -> list[dict[str, Any]]:
    """One object a bar; a number that is not finite becomes null when it is encoded."""
    columns: dict[str, list[Any]] = {
        "start": [to_iso(us) for us in bars.start_us.tolist()],
        "end": [to_iso(us) for us in bars.end_us.tolist()],
        "open": bars.open.tolist(), "high": bars.high.tolist(), "low": bars.low.tolist(),
        "close": bars.close.tolist(), "volume": bars.volume.tolist(), "bar_count": bars.bar_count.tolist(),
    }  # fmt: skip
    names = bars.indicator_names
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    if names:
        values = zip(*(bars.indicator(name).tolist() for name in names), strict=True)
        for row, found in zip(rows, values, strict=True):
            row["indicators"] = dict(zip(names, found, strict=True))
    return rows


def arrow(bars: Bars) -> bytes:
    """An Arrow IPC stream with the columns of ``Bars.to_polars``."""
    out = BytesIO()
    bars.to_polars().write_ipc_stream(out)
    return out.getvalue()


def csv(bars: Bars) -> bytes:
    """The same as CSV, with a header."""
    return bars.to_polars().write_csv().encode()
