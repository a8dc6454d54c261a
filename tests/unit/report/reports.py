"""Events for tests of the report, and what they look like as a document."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.runs import Log
from tests.unit.report.sessions import config, store

from mismartera import SessionConfig, Strategy, SystemManager
from mismartera.report.document.about import About
from mismartera.report.document.build import build_report
from mismartera.report.events import EventLog

ABOUT = About(title="A test", source="test")
HOSTILE = "</script><script>alert(1)</script><!-- <img src=x onerror=alert(1)> \u2028"
OPEN, CLOSE = "2024-07-02T13:30:00+00:00", "2024-07-02T20:00:00+00:00"


def event(name: str, time: str = OPEN, /, **fields: Any) -> dict[str, Any]:
    return {"event": name, "time": time, **fields}


def bar(symbol: str, minute: int, *, lag: float = 0.0, interval: str = "1m") -> dict[str, Any]:
    """A bar that starts so many minutes after 13:30 UTC."""
    start, end = (f"2024-07-02T{(810 + m) // 60:02}:{(810 + m) % 60:02}:00+00:00" for m in (minute, minute + 1))
    prices = {"open": 10.0 + minute, "high": 12.0 + minute, "low": 9.0, "close": 11.0 + minute, "volume": 100.0}
    return event("bar", end, symbol=symbol, interval=interval, start=start, end=end, lag_seconds=lag, **prices)


def chart_of(document: str) -> Any:
    """The data of the charts."""
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', document, re.DOTALL)
    assert found is not None
    return json.loads(found[1])


def section_of(document: str, title: str) -> str:
    """The text of a section, without its tags."""
    name = title.lower().replace(" ", "-")
    found = re.search(rf'<section aria-labelledby="part-{name}">(.*?)</section>', document, re.DOTALL)
    assert found is not None, f"no section {title}"
    return html.unescape(re.sub(r"<[^>]*>", "|", found[1]))


def document(*records: Mapping[str, Any], about: About = ABOUT) -> str:
    return build_report(records, about)


def write_events(folder: Path, *strategies: Strategy, **settings: Any) -> tuple[Path, SystemManager]:
    """The events file of a run in which BBB has gaps and CCC joins at 10:00."""
    data = store(folder / "data", {"AAA": range(390), "BBB": [*range(100), *range(200, 390)], "CCC": range(390)})
    path = folder / "events.jsonl"
    log = EventLog(path)
    log.open()
    whole = config(["AAA", "BBB"]) | {"schedule": [{"at": "2024-07-02T10:00", "add": "CCC"}]} | settings
    system = SystemManager(
        SessionConfig.from_dict(whole), data_manager=data, strategies=strategies, sinks=[log, Log()]
    )
    system.run()
    log.close()
    return path, system
