"""What a report says that no event tells: versions, configuration, figures and command of the run."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Mapping
from datetime import UTC, tzinfo
from typing import Any

from msgspec import Struct

from mismartera.system.summary import Summary

_PACKAGES = ("mismartera", "polars", "deltalake", "TA-Lib")


class About(Struct, frozen=True):
    """What is known of the run besides its events; what is None is told as not known.

    ``zone`` is that of the times in the report. ``ending``: how the run ended, if not by itself; ``ended`` is said
    in the provenance if it did, or nobody knows. ``source`` is where
    the events come from, in words.
    """

    title: str
    source: str
    zone: tzinfo = UTC
    config: Mapping[str, Any] | None = None
    summary: Summary | None = None
    versions: Mapping[str, str] = {}
    command: str | None = None
    ending: str = ""
    ended: str = "by itself"

    @property
    def zone_name(self) -> str:
        """The zone by its name."""
        return getattr(self.zone, "key", None) or str(self.zone)

    @property
    def threshold_seconds(self) -> float | None:
        """The configured threshold of lag."""
        if self.config is None:
            return None
        value = self.config["session_data_config"]["streaming"]["catchup_threshold_seconds"]
        return float(value)


def versions() -> dict[str, str]:
    """The versions of what makes the results."""
    found = {"mismartera": importlib.metadata.version("mismartera"), "Python": platform.python_version()}
    return found | {name: importlib.metadata.version(name) for name in _PACKAGES}
