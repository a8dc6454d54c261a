"""The document: a pure function of events, and of what is known of the run."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from importlib.resources import files
from typing import Any

from mismartera.report.document.about import About
from mismartera.report.document.charts import chart_data
from mismartera.report.document.digest import CANDLES_MAX, Digest
from mismartera.report.document.markup import Markup, element, escaped, left_out, script_json, section
from mismartera.report.document.parts import (
    cards,
    counts_section,
    events_section,
    heat_section,
    provenance_section,
    strategies_section,
    symbols_section,
)
from mismartera.report.document.reading import take_events
from mismartera.report.document.ribbon import ribbon

_LIBRARY = "lightweight-charts.standalone.production.js"


def build_report(records: Iterable[Mapping[str, Any]], about: About) -> str:
    """The report of these event records, as HTML: the same text for the same input.

    The records are read once, in order, and not kept. DataError names a record that is no event of this version.
    """
    digest = Digest()
    take_events(records, digest, about.source)
    return render(digest, about)


def render(digest: Digest, about: About) -> str:
    """The report of a digest that is finished."""
    title = about.title
    library, script, style = _asset(_LIBRARY), _asset("report.js"), _asset("report.css")
    head = [
        element("title", f"{title} - session report"),
        Markup(f"<style>{style}</style>"),
    ]
    body = [
        _header(digest, about),
        element("main", *_sections(digest, about)),
        _footer(),
        Markup(f'<script type="application/json" id="data">{script_json(chart_data(digest, about))}</script>'),
        Markup(f"<script>{library}</script>\n<script>{script}</script>"),
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{escaped(_policy(library, script))}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n<meta name="referrer" content="no-referrer">\n'
        + "\n".join(head)
        + "\n</head>\n<body>\n"
        + "\n".join(body)
        + "\n</body>\n</html>\n"
    )


def _sections(digest: Digest, about: About) -> list[Markup]:
    state = (
        "One row per session, drawn to scale from its open, or from the run's start after it. A moment that took "
        "no time on the clock is a narrow stripe: in a backtest the clock waits while a symbol catches up."
    )
    return [
        cards(digest, about),
        section("State of the session", ribbon(digest.timeline, about.zone), note=state),
        _candles(digest),
        _lag(about),
        heat_section(digest, about),
        counts_section(about),
        symbols_section(digest),
        strategies_section(digest, about),
        events_section(digest, about),
        provenance_section(digest, about),
    ]


def _header(digest: Digest, about: About) -> Markup:
    line = digest.timeline
    dates = line.first_date if line.first_date == line.last_date else f"{line.first_date} to {line.last_date}"
    ended = [element("p", about.ending, class_="ending", role="status")] if about.ending else []
    return element(
        "header", element("p", "mismartera session report", class_="kind"), element("h1", about.title),
        element("p", f"{dates or 'no session'}, times in {about.zone_name}", class_="dates"), *ended,
    )  # fmt: skip


def _candles(digest: Digest) -> Markup:
    with_bars = sum(1 for one in digest.symbols.values() if one.bars or one.chart is not None)
    note = (
        f"Bars as they were delivered, at most {CANDLES_MAX:,} candles a symbol: longer series are drawn in "
        "coarser ones. " + left_out(digest.charts, with_bars, "symbols with bars", "first")
    )
    if not digest.charts:
        return section("Candles", element("p", "No bar was delivered."))
    find = Markup('<input type="search" id="find" placeholder="find a symbol" aria-label="find a symbol">')
    controls = element(
        "div", find, element("select", id="symbol", aria_label="symbol"),
        element("button", "Previous", id="previous", type="button"),
        element("button", "Next", id="next", type="button"),
        element("button", "Whole time", id="fit", type="button"), class_="controls",
    )  # fmt: skip
    return section(
        "Candles", controls, element("p", id="legend", class_="readout", aria_live="polite"),
        element("div", id="candles", class_="chart", tabindex=0, role="img",
                aria_label="candles; arrow keys move, plus and minus zoom"),
        element("ul", id="moments", class_="moments"),
        element("details", element("summary", "Figures of this chart"), element("div", id="figures"), id="more"),
        element("noscript", "The charts need JavaScript; everything else is below."), note=note,
    )  # fmt: skip


def _lag(about: About) -> Markup:
    threshold = about.threshold_seconds
    said = "not in the events file" if threshold is None else f"{threshold:g} s"
    note = (
        "Highest lag of any symbol at each moment at which something was measured or delivered. Threshold: "
        f"{said}. Above it the session is deactivated, and no such bar is delivered."
    )
    chart = element("div", id="lag", class_="chart low", tabindex=0, role="img", aria_label="lag over time")
    return section("Lag", element("p", id="lag-legend", class_="readout"), chart, note=note)


def _footer() -> Markup:
    link = element("a", "TradingView", href="https://www.tradingview.com/", rel="noopener noreferrer")
    return element(
        "footer",
        element("p", "Charts: TradingView Lightweight Charts™, Copyright (c) 2026 TradingView, Inc., "
                "Apache License 2.0. ", link),
    )  # fmt: skip


def _policy(*scripts: str) -> str:
    """Nothing is fetched and nothing is sent; only our own two scripts run. The charts make their own styles."""
    digests = (base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii") for text in scripts)
    allowed = " ".join(f"'sha256-{digest}'" for digest in digests)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
        "form-action 'none'"
    )


def _asset(name: str) -> str:
    return (files("mismartera") / "assets" / name).read_text("utf-8").strip()
