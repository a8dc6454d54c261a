"""The parts of a report besides its charts and its ribbon: figures, tables, provenance."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from mismartera.bars.instants import to_datetime
from mismartera.report.console import percentage
from mismartera.report.document.about import About
from mismartera.report.document.coverage import CELL_US, Coverage
from mismartera.report.document.digest import Digest, Entry
from mismartera.report.document.markup import Markup, element, left_out, section, table
from mismartera.report.document.series import duration

SYMBOLS_MAX, HEAT_MAX, CELLS_MAX = 300, 60, 48
NOT_KNOWN = "not in the events file"
_COUNT_NAMES = ("accepted", "duplicate", "revised", "late", "out_of_hours", "rejected")


def cards(digest: Digest, about: About) -> Markup:
    """The figures that one looks for first."""
    counts, line = digest.counts, digest.timeline
    states = [symbol.state for symbol in digest.symbols.values()]
    lag, symbol, _ = digest.max_lag
    dates = line.first_date if line.first_date == line.last_date else f"{line.first_date} to {line.last_date}"
    failed = f", {n:,} failed" if (n := states.count("failed")) else ""
    return element(
        "div",
        _card("Sessions", f"{line.sessions:,}", dates),
        _card("Symbols", f"{len(states):,}", f"{states.count('loaded'):,} loaded at the end{failed}"),
        _card("Bars delivered", f"{counts['bar']:,}", ", ".join(f"{n:,} of {i}" for i, n in digest.bars.items())),
        _card("Deactivations", f"{counts['session_deactivated'] - digest.closes:,}",
              f"without closes; {duration(line.inactive_us / 1e6)} inactive in sessions"),
        _card("Highest lag", duration(lag), f"of {symbol}" if symbol else "no bar was late"),
        _quality_card(digest, about),
        _card("Signals", f"{counts['signal']:,}", _names(digest)),
        _card("Strategy errors", f"{counts['strategy_error']:,}", "", bad=counts["strategy_error"] > 0),
        class_="cards",
    )  # fmt: skip


def counts_section(about: About) -> Markup:
    """R1: every received bar has one fate."""
    title = "Counts that balance"
    if about.summary is None:
        return section(title, element("p", f"Received bars and their fates are {NOT_KNOWN}: a summary has them."))
    counts = about.summary["counts"]
    totals = {n: sum(one.get(n, 0) for one in counts.values()) for n in ("received", *_COUNT_NAMES)}
    rows = [_balance(symbol, one) for symbol, one in list(counts.items())[:SYMBOLS_MAX]]
    columns = [
        "symbol",
        "received",
        *(f"{'=' if k == 0 else '+'} {n.replace('_', ' ')}" for k, n in enumerate(_COUNT_NAMES)),
        "",
    ]
    whole = table(columns, [_balance("all", totals), *rows], caption="Bars by fate", numbers=range(1, 8))
    return section(title, whole, note=left_out(len(rows), len(counts), "symbols", "first"))


def heat_section(digest: Digest, about: About) -> Markup:
    """Symbols by time of day."""
    coverage, title = digest.coverage, "Quality by time of day"
    order = coverage.worst()
    cells = coverage.cells()[:CELLS_MAX]
    if not order or not cells:
        return section(title, element("p", "No session was closed: quality is measured at the close."))
    opens = digest.timeline.tracks[0].open_us
    heads = [f"{to_datetime(opens + cell * CELL_US, about.zone):%H:%M}" for cell in cells]
    rows = [[symbol, *(_cell(coverage, symbol, cell) for cell in cells)] for symbol in order[:HEAT_MAX]]
    note = (
        f"Percent of the expected base bars per half hour since the open ({about.zone_name} time of the first "
        "session), over all closed sessions at whose close the symbol was loaded; a session that was begun after "
        "its open counts from there. Minutes that are confirmed without trades lack nothing. Most missing bars "
        "first. " + left_out(len(rows), coverage.measured, "symbols", "first")
    )
    return section(title, element("div", table(["symbol", *heads], rows, caption=title), class_="heat"), note=note)


def symbols_section(digest: Digest) -> Markup:
    """What became of each symbol."""
    rows = [
        (
            symbol, element("span", one.state, class_=f"state st-{one.state}"), one.reason, f"{one.bars:,}",
            one.joins, duration(one.max_lag_seconds), f"{digest.coverage.gaps[symbol]:,}",
            f"{digest.coverage.missing[symbol]:,}", f"{one.revisions:,}",
        )
        for symbol, one in list(digest.symbols.items())[:SYMBOLS_MAX]
    ]  # fmt: skip
    columns = ("symbol", "state", "reason", "bars", "joins", "highest lag", "gaps", "missing bars", "revisions")
    note = left_out(len(rows), len(digest.symbols), "symbols", "first")
    return section("Symbols", table(columns, rows, caption="Symbols of the run", numbers=range(3, 9)), note=note)


def strategies_section(digest: Digest, about: About) -> Markup:
    """Errors first, then signals."""
    parts: list[Markup] = []
    if digest.errors:
        parts += [element("h3", "Errors"), _list(digest.errors, about, ("time", "strategy", "error"), "Errors")]
        parts += [_note(left_out(len(digest.errors), digest.counts["strategy_error"], "errors", "first"))]
    if digest.signal_counts:
        rows = [(strategy, name, f"{n:,}") for (strategy, name), n in digest.signal_counts.most_common()]
        parts.append(element("h3", "Signals by name"))
        parts.append(table(("strategy", "signal", "times"), rows, caption="Signals by name", numbers=[2]))
        detail = _list(digest.signals, about, ("time", "strategy", "signal", "value"), "Signals in order")
        note = _note(left_out(len(digest.signals), digest.counts["signal"], "signals", "first"))
        parts.append(element("details", element("summary", "Signals in order"), note, detail))
    return section("Strategies", *(parts or [element("p", "No signals, no errors.")]))


def events_section(digest: Digest, about: About) -> Markup:
    """What happened, without bars, gaps, signals."""
    listed = _list(digest.events, about, ("time", "event", "symbol", "details"), "Events in order")
    kinds = {"bar", "gap", "quiet", "revision", "backfilled", "signal", "strategy_error"}
    total = sum(n for name, n in digest.counts.items() if name not in kinds)
    note = left_out(len(digest.events), total, "events", "first")
    return section("Events", element("details", element("summary", f"{total:,} events"), listed), note=note)


def provenance_section(digest: Digest, about: About) -> Markup:
    """How to get the same result again."""
    store = NOT_KNOWN
    if about.summary is not None:
        store = str(about.summary["store_version"]) if about.summary["store_version"] is not None else "no store"
    facts: list[tuple[str, object]] = [
        ("Events from", about.source), ("Ended", about.ending or about.ended),
        ("Store version", store), ("Times", f"{about.zone_name} (the events are in UTC)"),
        ("Events", ", ".join(f"{n:,} {name}" for name, n in sorted(digest.counts.items()))),
    ]  # fmt: skip
    facts += [("Versions", ", ".join(f"{name} {v}" for name, v in about.versions.items()) or NOT_KNOWN)]
    facts += [("Command", element("code", about.command, class_="command") if about.command else NOT_KNOWN)]
    rows = element("dl", *(element("div", element("dt", k), element("dd", v)) for k, v in facts))
    config: Markup = element("p", f"The configuration is {NOT_KNOWN}.")
    if about.config is not None:
        text = json.dumps(about.config, indent=2, sort_keys=True)
        config = element("details", element("summary", "Configuration"), element("pre", text, tabindex=0))
    return section("Provenance", rows, config)


def _card(title: str, figure: str, detail: str, *, bad: bool = False) -> Markup:
    return element(
        "div", element("h3", title), element("p", figure, class_="figure"), element("p", detail, class_="detail"),
        class_="card bad" if bad else "card",
    )  # fmt: skip


def _quality_card(digest: Digest, about: About) -> Markup:
    gaps = f"{sum(digest.coverage.gaps.values()):,} gaps, {sum(digest.coverage.missing.values()):,} bars missing"
    if quiet := digest.counts["quiet"]:
        gaps += f", {quiet:,} minutes confirmed quiet"
    if about.summary is None:
        return _card("Quality", "-", f"{gaps}; percent is {NOT_KNOWN}")
    figures = [f for days in about.summary["quality"].values() for day in days.values() for f in day.values()]
    expected, present = (sum(figure[key] for figure in figures) for key in ("expected", "present"))
    return _card("Quality", percent(present, expected), gaps)


def percent(present: int, expected: int) -> str:
    """100 % means that nothing is missing."""
    return f"{percentage(present, expected):g} %" if expected else "-"


def _balance(symbol: str, one: dict[str, int]) -> Sequence[object]:
    fates = [one.get(name, 0) for name in _COUNT_NAMES]
    received = one.get("received", 0)
    verdict = "balances" if received == sum(fates) else f"off by {received - sum(fates):,}"
    return (symbol, f"{received:,}", *(f"{n:,}" for n in fates), verdict)


def _cell(coverage: Coverage, symbol: str, cell: int) -> Markup:
    value = coverage.percent(symbol, cell)
    if value is None:
        return element("td", class_="q")
    # Rounded down, so that only what lacks nothing is 100.
    return element("td", int(value + 1e-9), class_=f"q q{int((value + 1e-9) // 10)}")


def _list(entries: Iterable[Entry], about: About, columns: Sequence[str], caption: str) -> Markup:
    rows = [
        (
            f"{to_datetime(e.at_us, about.zone):%Y-%m-%d %H:%M:%S}",
            e.name,
            *((e.symbol,) if len(columns) > 3 else ()),
            e.text,
        )
        for e in entries
    ]
    return table(columns, rows, caption=caption)


def _note(text: str) -> Markup:
    return element("p", text, class_="note") if text else Markup("")


def _names(digest: Digest) -> str:
    strategies = len({strategy for strategy, _ in digest.signal_counts})
    return (
        f"{len(digest.signal_counts):,} names of {strategies:,} {'strategy' if strategies == 1 else 'strategies'}"
        if strategies
        else ""
    )
