"""The reports of one live session: by the session itself, by its replay, and from its journal."""

from __future__ import annotations

import json
from pathlib import Path

from tests.runs import DAY

from mismartera.cli.main import main

KINDS = ("live", "replay", "journal")


def write_live_reports(folder: Path, store: Path) -> dict[str, Path]:
    """Twelve minutes of a day of the market, live: the connection drops, BBB leaves, CCC joins.

    A report of each of :data:`KINDS`.
    """
    settings = {
        "session_name": "Live", "mode": "live",
        "feed": {"type": "replay", "date": DAY, "faults": [{"kind": "drop", "at": "09:43", "until": "09:44"}]},
        "session_data_config": {"symbols": ["AAA", "BBB"], "streams": ["1m", "5m"]},
        "schedule": [{"at": f"{DAY}T09:46", "remove": "BBB"}, {"at": f"{DAY}T09:48", "add": "CCC"}],
    }  # fmt: skip
    config, journal = folder / "c.json", folder / "journal.db"
    config.write_text(json.dumps(settings))
    where = ["--data", str(store), "--journal", str(journal)]
    reports = {kind: folder / f"{kind}.html" for kind in KINDS}
    rehearsal = ["--clock", f"{DAY}T09:40@300", "--until", "09:52", "--quiet"]
    assert main(["live", str(config), *where, *rehearsal, "--report", str(reports["live"])]) == 0
    assert main(["replay", "last", *where, "--quiet", "--report", str(reports["replay"])]) == 0
    assert main(["report", "last", *where, "--out", str(reports["journal"])]) == 0
    return reports
