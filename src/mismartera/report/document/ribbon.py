"""The session's state as a ribbon: a row per session, drawn to one scale of time since the open."""

from __future__ import annotations

from datetime import tzinfo

from mismartera.bars.instants import HOUR_US, MINUTE_US, to_datetime
from mismartera.report.document.markup import Markup, element, left_out
from mismartera.report.document.timeline import SessionTrack, Timeline

_STATES = {
    "active": "active", "catching_up": "catching up", "stale": "stale", "paused": "paused", "closed": "closed",
}  # fmt: skip
_MOMENTS = ("added", "loaded", "removed", "failed")
_NARROWEST = 0.35
"""Percent of the row: what lasts no time can be seen, too."""


def ribbon(timeline: Timeline, zone: tzinfo) -> Markup:
    """All rows, an axis in the zone's time of the first session, and a legend."""
    tracks = timeline.tracks
    if not tracks:
        return element("p", "No session was opened.")
    span_us = max(1, *(track.end_us - track.open_us for track in tracks))
    rows = [_row(track, span_us, zone) for track in tracks]
    cut = sum(track.left_out for track in tracks)
    notes = [left_out(len(tracks), timeline.sessions, "sessions", "first")]
    if cut:
        notes.append(f"{cut:,} further changes of crowded sessions are not drawn.")
    said = " ".join(filter(None, notes))
    return element(
        "div", element("div", *rows, _axis(tracks[0], span_us, zone), class_="ribbon"), _legend(),
        *([element("p", said, class_="note")] if said else []),
    )  # fmt: skip


def _row(track: SessionTrack, span_us: int, zone: tzinfo) -> Markup:
    ends = [change.at_us for change in track.changes[1:]] + [track.end_us]
    drawn = []
    for change, end_us in zip(track.changes, ends, strict=False):
        at = _percent(change.at_us, track, span_us)
        width = _percent(end_us, track, span_us) - at
        if change.state == "closed" and width <= 0:
            continue
        text = f"{_clock(change.at_us, zone)} {_STATES.get(change.state, change.state)} ({change.text})"
        kind = change.state if change.state in _STATES else "closed"
        drawn.append((kind, element("rect", element("title", text), x=f"{at:.2f}%", y="4", height="16",
                                    width=f"{max(width, _NARROWEST):.2f}%", class_=f"s-{kind}")))  # fmt: skip
    # What is inactive is drawn over what is active: it may be a moment only.
    drawn.sort(key=lambda item: item[0] != "active")
    marks = [_mark(at_us, kind, symbol, track, span_us, zone) for at_us, kind, symbol in track.moments]
    said = f"{track.date}: {len(track.changes)} changes of state"
    picture = element("svg", *(shape for _, shape in drawn), *marks, role="img", aria_label=said, class_="row")
    return element("div", element("span", track.date, class_="day"), picture, class_="line")


def _mark(at_us: int, kind: str, symbol: str, track: SessionTrack, span_us: int, zone: tzinfo) -> Markup:
    at = _percent(at_us, track, span_us)
    title = element("title", f"{_clock(at_us, zone)} {symbol} {kind}")
    top = "0" if kind in {"added", "loaded"} else "18"
    return element("rect", title, x=f"{at:.2f}%", y=top, width="3", height="6", class_=f"m-{kind}")


def _axis(track: SessionTrack, span_us: int, zone: tzinfo) -> Markup:
    step_us = next(
        (s for s in (15 * MINUTE_US, 30 * MINUTE_US, HOUR_US, 2 * HOUR_US) if span_us <= 8 * s), 4 * HOUR_US
    )
    ticks = [
        element("text", _clock(track.open_us + at_us, zone)[:5], x=f"{100.0 * at_us / span_us:.2f}%", y="12")
        for at_us in range(0, span_us - step_us // 3, step_us)
    ]
    return element(
        "div",
        element("span", class_="day"),
        element("svg", *ticks, class_="axis", aria_hidden="true"),
        class_="line",
    )


def _legend() -> Markup:
    states = [element("span", element("i", class_=f"s-{name}"), text) for name, text in _STATES.items()]
    moments = [element("span", element("i", class_=f"m-{name}"), f"symbol {name}") for name in _MOMENTS]
    return element("p", *states, *moments, class_="legend")


def _percent(at_us: int, track: SessionTrack, span_us: int) -> float:
    return min(max(100.0 * (at_us - track.open_us) / span_us, 0.0), 100.0)


def _clock(at_us: int, zone: tzinfo) -> str:
    return f"{to_datetime(at_us, zone):%H:%M:%S}"
