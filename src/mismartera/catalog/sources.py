"""Which files an import reads, and what their paths say, as in ``{symbol}/{interval}/{date}.parquet``."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date
from pathlib import Path

from msgspec import Struct

from mismartera.bars import decode_symbol, parse_interval
from mismartera.errors import DataError

SUFFIXES = (".parquet", ".pq", ".csv", ".csv.gz")
USUAL_LAYOUT = "{symbol}/{interval}/{date}"
_FIELDS = ("symbol", "interval", "date")
_DATE = re.compile(r"(\d{4})-?(\d{2})-?(\d{2})")


class PathFacts(Struct, frozen=True):
    """What a path says of the bars in its file; None where it says nothing."""

    symbol: str | None = None
    interval: str | None = None
    day: date | None = None


class Layout:
    """A pattern of paths with ``{symbol}``, ``{interval}``, ``{date}`` and ``*`` (any text but a slash).

    It is held against the end of a path, so it need not begin at the folder that was given. Without an extension
    it fits all. The symbol in a path is percent-encoded (``BTC%2FUSD``). DataError for a pattern without meaning.
    """

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        fields = re.findall(r"\{([^{}]*)\}", pattern)
        unknown = [name for name in fields if name not in _FIELDS]
        if (
            unknown
            or not fields
            or len(set(fields)) != len(fields)
            or re.sub(r"\{[^{}]*\}", "", pattern).count("{")
        ):
            raise DataError(
                f"the layout {pattern!r} is not allowed: it needs some of {{symbol}}, {{interval}} and {{date}}, "
                "each once, for example '{symbol}/{interval}/{date}.parquet'"
            )
        suffix = "" if pattern.lower().endswith(SUFFIXES) else f"(?:{'|'.join(map(re.escape, SUFFIXES))})"
        body = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+?)", re.escape(pattern.strip("/")))
        self._regex = re.compile(f"(?:^|.*/){body.replace(re.escape('*'), '[^/]*')}{suffix}", re.IGNORECASE)

    def match(self, path: Path) -> PathFacts | None:
        """What ``path`` says, None if it does not fit; DataError if it holds a bad symbol or interval."""
        match = self._regex.fullmatch(path.absolute().as_posix())
        if match is None:
            return None
        found = match.groupdict()
        try:
            symbol = decode_symbol(found["symbol"]) if "symbol" in found else None
            interval = parse_interval(found["interval"]).canonical if "interval" in found else None
        except ValueError as error:
            raise DataError(f"by the layout {self.pattern!r}: {error}") from error
        return PathFacts(symbol, interval, _date(found.get("date")))


def _date(text: str | None) -> date | None:
    match = _DATE.search(text or "")
    if match is None:
        return None
    try:
        return date(int(match[1]), int(match[2]), int(match[3]))
    except ValueError:
        return None


def facts_of(path: Path, layout: Layout | None) -> PathFacts:
    """What the path of a file says by ``layout`` (DataError if it does not fit), or else by the usual one."""
    if layout is not None:
        facts = layout.match(path)
        if facts is None:
            raise DataError(f"the path does not fit the layout {layout.pattern!r}")
        return facts
    try:
        return Layout(USUAL_LAYOUT).match(path) or PathFacts()
    except DataError:
        return PathFacts()


def find_files(paths: Iterable[str | Path]) -> tuple[list[Path], list[tuple[str, str]]]:
    """The files under ``paths``, sorted within each, each once; and the paths of no use, with the reason."""
    found: dict[Path, None] = {}
    failed: list[tuple[str, str]] = []
    for path in map(Path, paths):
        if path.is_dir():
            inside = sorted(
                file for file in path.rglob("*") if _is_data(file.relative_to(path)) and file.is_file()
            )
            if (path / "_delta_log").exists():
                failed.append(
                    (str(path), "it is a Delta table, not a folder of files: name it with --data instead")
                )
            elif not inside:
                failed.append((str(path), f"the folder holds no file that ends with {', '.join(SUFFIXES)}"))
            else:
                found.update(dict.fromkeys(inside))
        elif not path.exists():
            failed.append((str(path), "there is no such file or folder"))
        elif not path.name.lower().endswith(SUFFIXES):
            failed.append((str(path), f"its name must end with one of {', '.join(SUFFIXES)}"))
        else:
            found[path] = None
    return list(found), failed


def _is_data(relative: Path) -> bool:
    """Hidden files, and those that tools mark as their own by an underscore, are no data."""
    hidden = any(part.startswith((".", "_")) for part in relative.parts)
    return not hidden and relative.name.lower().endswith(SUFFIXES)
