"""``mismartera data``: import, ls, check, vacuum, sample: their options."""

from __future__ import annotations

import re
from datetime import date, datetime

import click

from mismartera.cli.status import data_option, json_option, log_level_option

_DAY = click.DateTime(formats=["%Y-%m-%d"])


@click.group()
def data() -> None:
    """Fill the bar store, list it, and hold it against the calendar."""


@data.command("import")
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@data_option
@click.option("--symbol", metavar="S", help="The symbol of all bars, if files or their paths do not tell it.")
@click.option("--interval", metavar="I", help="The interval of all bars, for example 1m.")
@click.option(
    "--layout", metavar="PATTERN", help="What paths tell, for example '{symbol}/{interval}/{date}.parquet'."
)
@click.option(
    "--timestamps",
    type=click.Choice(["start", "end"]),
    default="start",
    show_default=True,
    help="Whether a bar is labelled by its start or its end.",
)
@click.option("--tz", metavar="ZONE", default="UTC", show_default=True, help="Zone of timestamps without one.")
@click.option("--columns", metavar="OLD=NEW,...", help="Names of columns in the files, and ours.")
@json_option
@log_level_option
def import_(
    paths: tuple[str, ...], store: str, symbol: str | None, interval: str | None, layout: str | None,
    timestamps: str, tz: str, columns: str | None, *, as_json: bool,
) -> int:  # fmt: skip
    """Import Parquet and CSV files, and folders of them, into the bar store.

    Files are committed in batches, each whole or not at all; importing again changes nothing. A file that cannot
    be used is named, loses no other, and makes the exit status 2.
    """
    from mismartera.cli.importing import ImportOptions, import_paths  # heavy: Polars and Delta Lake

    mapping = _column_mapping(columns)
    is_end = timestamps == "end"
    options = ImportOptions(symbol, interval, layout, "end" if is_end else "start", tz, mapping, as_json=as_json)
    return import_paths(store, paths, options)


@data.command("ls")
@data_option
@json_option
@log_level_option
def ls(store: str, *, as_json: bool) -> None:
    """List what there is of each symbol and interval."""
    from mismartera.cli.inspecting import list_bars  # heavy: Polars and Delta Lake

    list_bars(store, as_json=as_json)


@data.command("check")
@data_option
@click.option("--symbols", metavar="S,...", help="Only these.")
@click.option("--calendar", metavar="CODE", default="XNYS", show_default=True, help="The exchange's calendar.")
@click.option("--hours", metavar="FROM-TO", help="Hours that replace the regular ones, for example 04:00-20:00.")
@click.option("--start", type=_DAY, metavar="DATE", help="First day, YYYY-MM-DD.")
@click.option("--end", type=_DAY, metavar="DATE", help="Last day, included.")
@click.option("--repair", is_flag=True, help="Take damaged files out of the store, and mend its log.")
@json_option
@log_level_option
def check(
    store: str, symbols: str | None, calendar: str, hours: str | None, start: datetime | None,
    end: datetime | None, *, repair: bool, as_json: bool,
) -> int:  # fmt: skip
    """Verify the store's files, and hold the bars of each symbol and day against what the calendar expects.

    Gaps are no error. Files that are damaged are named, and make the exit status 1; with --repair they are moved
    aside and taken out of the store.
    """
    from mismartera.cli.inspecting import CheckOptions, check_bars  # heavy: Polars and Delta Lake

    names = None if symbols is None else _names(symbols)
    span = _day(start), _day(end)
    return check_bars(store, CheckOptions(names, calendar, _hours(hours), *span, repair=repair, as_json=as_json))


@data.command("vacuum")
@data_option
@click.option(
    "--older-than",
    metavar="AGE",
    default="7d",
    show_default=True,
    help="Forget versions that were replaced so long ago: 7d, 12h, 30m, or 0.",
)
@click.option("--keep", type=int, metavar="VERSION", multiple=True, help="Keep this one, now and later.")
@click.option("--release", type=int, metavar="VERSION", multiple=True, help="Keep this one no longer.")
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@json_option
@log_level_option
def vacuum(
    store: str, older_than: str, keep: tuple[int, ...], release: tuple[int, ...], *, dry_run: bool, as_json: bool
) -> None:
    """Remove the files of old versions of the store, and the log that only they need.

    What a running session reads is never removed, nor are the versions that were current in the time given.
    """
    from mismartera.cli.inspecting import VacuumOptions, vacuum_store  # heavy: Polars and Delta Lake

    vacuum_store(store, VacuumOptions(_seconds(older_than), keep, release, dry_run=dry_run, as_json=as_json))


@data.command("sample")
@data_option
@click.option(
    "--seed", type=click.IntRange(min=0), default=7, show_default=True, help="The same seed, the same bars."
)
@click.option("--symbols", type=click.IntRange(1, 9999), default=8, show_default=True, help="How many symbols.")
@click.option("--calendar", metavar="CODE", default="XNYS", show_default=True, help="The exchange's calendar.")
@click.option("--start", type=_DAY, metavar="DATE", default="2024-07-01", show_default=True, help="First day.")
@click.option(
    "--end", type=_DAY, metavar="DATE", default="2024-07-05", show_default=True, help="Last day, included."
)
@json_option
@log_level_option
def sample(
    store: str, seed: int, symbols: int, calendar: str, start: datetime, end: datetime, *, as_json: bool
) -> None:  # fmt: skip
    """Generate bars that look like an exchange's, to try things out.

    The bars are made up: they are nobody's prices. The store marks them as generated, for good.
    """
    from mismartera.cli.sampling import SampleOptions, generate  # heavy: Polars and Delta Lake

    generate(store, SampleOptions(seed, symbols, calendar, start.date(), end.date(), as_json=as_json))


def _column_mapping(text: str | None) -> dict[str, str] | None:
    if text is None:
        return None
    pairs = [part.partition("=") for part in text.split(",")]
    bad = [old + equals + new for old, equals, new in pairs if not (equals and new.strip())]
    if bad:
        raise click.BadParameter(
            f"found {bad[0]!r}; allowed: OLD=NEW,... for example 't=timestamp,o=open'", param_hint="--columns"
        )
    mapping = {old.strip(): new.strip() for old, _, new in pairs}
    if len(mapping) < len(pairs):
        raise click.BadParameter("a column is named twice; allowed: once", param_hint="--columns")
    return mapping


def _names(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))


def _hours(text: str | None) -> tuple[str, str] | None:
    if text is None:
        return None
    opens, dash, closes = text.partition("-")
    if not dash:
        raise click.BadParameter(
            f"found {text!r}; allowed: FROM-TO, for example 04:00-20:00", param_hint="--hours"
        )
    return opens.strip(), closes.strip()


def _seconds(text: str) -> float:
    match = re.fullmatch(r"(\d+)([dhm]?)", text.strip())
    if match is None or (not match[2] and int(match[1])):
        raise click.BadParameter(
            f"found {text!r}; allowed: a number of days, hours or minutes, for example 7d, 12h, 30m, or 0",
            param_hint="--older-than",
        )
    return int(match[1]) * {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "": 0.0}[match[2]]


def _day(moment: datetime | None) -> date | None:
    return None if moment is None else moment.date()
