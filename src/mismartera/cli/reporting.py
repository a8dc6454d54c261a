"""Carrying out ``mismartera report``."""

from __future__ import annotations

import json
import os
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Any, cast

import msgspec
from msgspec import Struct

from mismartera.config import SessionConfig
from mismartera.errors import DataError, UsageError
from mismartera.report.document.about import About
from mismartera.report.document.build import render
from mismartera.report.document.digest import Digest
from mismartera.report.document.dumped import draw_dump
from mismartera.report.document.keeping import ReportFile
from mismartera.report.document.reading import read_events, take_events
from mismartera.system.summary import Summary
from mismartera.timing import ExchangeCalendar, user_cache_dir


class ReportOptions(Struct, frozen=True):
    """The options of ``mismartera report``."""

    out: Path
    dump: Path | None
    summary: Path | None
    config: str | None


def report_events(events: Path, options: ReportOptions) -> None:
    """Write the report; whatever is wrong with its input is raised before anything is written."""
    if options.out.absolute() == events.absolute():
        raise UsageError(f"the report would be written over its events, {events}: name another file with --out")
    file = ReportFile(options.out)
    file.prepare()
    about = _about(events, options)
    digest = Digest()
    take_events(read_events(events), digest, events.name)
    if options.dump is not None:
        draw_dump(options.dump, digest)
    file.write(render(digest, about))


def _about(events: Path, options: ReportOptions) -> About:
    config, zone, title = None, cast("tzinfo", UTC), events.stem
    if options.config is not None:
        found = SessionConfig.from_file(options.config)
        config, title = found.to_dict(), found.session_name
        zone = ExchangeCalendar(found.calendar_code, cache_dir=user_cache_dir(os.environ)).zone
    summary = None if options.summary is None else read_summary(options.summary)
    ending = "not in the events file"
    return About(title=title, source=events.name, zone=zone, config=config, summary=summary, ended=ending)


def read_summary(path: Path) -> Summary:
    """The summary in the JSON file at ``path``; DataError if it holds none."""
    try:
        found: Any = json.loads(path.read_bytes())
        return msgspec.convert(found, Summary)
    except OSError as error:
        raise DataError(f"the summary cannot be read from {path}: {error.strerror or error}") from error
    except (ValueError, msgspec.ValidationError) as error:
        raise DataError(f"{path} is no summary as 'mismartera run CONFIG --json' prints it: {error}") from error
