"""Carrying out ``mismartera report``."""

from __future__ import annotations

import json
import os
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Any, cast

import msgspec
from msgspec import Struct

from mismartera.cli.outputs import check_outputs
from mismartera.config import SessionConfig
from mismartera.errors import ConfigError, DataError
from mismartera.report.document.about import About
from mismartera.report.document.build import render
from mismartera.report.document.digest import Digest
from mismartera.report.document.dumped import draw_dump
from mismartera.report.document.keeping import ReportFile
from mismartera.report.document.reading import read_events, take_events
from mismartera.system.rehearsal import make_session_time
from mismartera.system.summary import Summary


class ReportOptions(Struct, frozen=True):
    """The options of ``mismartera report``."""

    out: Path
    dump: Path | None
    summary: Path | None
    config: str | None
    store: str


def report_events(events: Path, options: ReportOptions) -> None:
    """Write the report; whatever is wrong with its input is raised before anything is written."""
    config = None if options.config is None else Path(options.config)
    inputs = {"the events": events, "the summary": options.summary, "the configuration": config}
    check_outputs({"--out": options.out}, inputs, options.store)
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
        try:
            zone = make_session_time(found, os.environ).zone
        except ConfigError as error:
            raise ConfigError(error.problems, source=options.config) from error
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
