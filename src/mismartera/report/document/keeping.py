"""A report on its way into a file: found unwriteable before a run, and complete or not there after it."""

from __future__ import annotations

from contextlib import suppress
from datetime import tzinfo
from pathlib import Path

from mismartera.config import SessionConfig
from mismartera.errors import RunFailedError, UsageError
from mismartera.report.document.about import About, versions
from mismartera.report.document.build import render
from mismartera.report.document.digest import Digest
from mismartera.system.summary import Summary


class ReportFile:
    """The file at ``path``, written beside its place and renamed: nothing half-written stands under its name."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._draft = path.with_name(f".{path.name}.partial")

    def prepare(self) -> None:
        """UsageError if no file can be made there. What stands there already is left alone."""
        try:
            if self._path.is_dir():
                raise UsageError(
                    f"the report cannot be written to {self._path}: it is a folder; name a file in it"
                )
            self._draft.touch()
            self._draft.unlink()
        except OSError as error:
            raise UsageError(f"the report cannot be written to {self._path}: {_reason(error)}") from error

    def write(self, document: str) -> None:
        """Put ``document`` there, in place of what was; RunFailedError if that fails, and the old one stays."""
        try:
            self._draft.write_bytes(document.encode("utf-8", "replace"))
            self._draft.replace(self._path)
        except OSError as error:
            with suppress(OSError):
                self._draft.unlink(missing_ok=True)
            raise RunFailedError(f"the report cannot be written to {self._path}: {_reason(error)}") from error


class ReportKeeper:
    """A run's report: its ``digest`` listens to the run, and :meth:`write` is called once, at the end."""

    def __init__(self, path: Path, zone: tzinfo, config: SessionConfig, command: str) -> None:
        self.digest = Digest()
        self._file = ReportFile(path)
        self._zone, self._config, self._command = zone, config, command

    def prepare(self) -> None:
        """UsageError if no report can be written."""
        self._file.prepare()

    def write(self, summary: Summary, ending: str) -> None:
        """Write the report of a run that has ended; RunFailedError if that fails."""
        about = About(
            title=self._config.session_name, source="the run itself", zone=self._zone,
            config=self._config.to_dict(), summary=summary, versions=versions(), command=self._command,
            ending=ending,
        )  # fmt: skip
        self.digest.finish()
        self._file.write(render(self.digest, about))


def _reason(error: OSError) -> str:
    return error.strerror or str(error)
