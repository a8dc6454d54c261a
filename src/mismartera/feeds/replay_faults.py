"""Scripted faults of a replay, and the table of what it sends and when."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from mismartera.bars import BarBlock, Interval
from mismartera.bars.instants import MINUTE_US, SECOND_US
from mismartera.errors import ConfigError
from mismartera.feeds.port import Floats, Ints

KINDS: Final = ("mute", "drop", "delay", "revise", "duplicate")
_KEYS: Final = frozenset({"kind", "at", "until", "seconds", "symbols"})
_DELAY_SECONDS: Final = 20.0


class ReplayFault(Struct, frozen=True):
    """What goes wrong with the bars that are due in ``[start_us, end_us)``.

    ``mute``: they are not sent. ``drop``: the connection is away, and they are not sent. ``delay``: they come
    ``seconds`` later. ``revise``: they come with a wrong close and volume, and ``seconds`` later as corrections.
    ``duplicate``: they come twice. A backfill has them all, when they were due. ``symbols``: none means all.
    """

    kind: str
    start_us: int
    end_us: int
    seconds: float = _DELAY_SECONDS
    symbols: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        assert self.kind in KINDS, f"{self.kind} is no kind of fault"
        assert self.start_us < self.end_us and self.seconds >= 0, "a fault lasts for some time"


def read_faults(objects: Sequence[Mapping[str, Any]], instant_of: Callable[[str], int]) -> tuple[ReplayFault, ...]:
    """The faults of a configuration: ``{"kind": "drop", "at": "10:00", "until": "10:05"}``.

    ``until`` is a minute after ``at`` by default. ``instant_of`` reads a time of the replayed day, or raises
    ValueError. ConfigError names everything that is wrong.
    """
    faults: list[ReplayFault] = []
    problems: list[str] = []
    for k, fault in enumerate(objects):
        found = list(_problems(fault, instant_of))
        problems += [f"feed.faults[{k}].{problem}" for problem in found]
        if not found:
            start_us = instant_of(fault["at"])
            end_us = instant_of(fault["until"]) if "until" in fault else start_us + MINUTE_US
            seconds, symbols = float(fault.get("seconds", _DELAY_SECONDS)), frozenset(fault.get("symbols", ()))
            faults.append(ReplayFault(fault["kind"], start_us, end_us, seconds, symbols))
    if problems:
        raise ConfigError(problems, source="feed")
    return tuple(faults)


def _problems(fault: Mapping[str, Any], instant_of: Callable[[str], int]) -> Iterator[str]:
    for key in sorted(fault.keys() - _KEYS):
        yield f"{key}: not a key of a fault; allowed: {', '.join(sorted(_KEYS))}"
    if fault.get("kind") not in KINDS:
        yield f"kind: found {fault.get('kind')!r}; allowed: {', '.join(KINDS)}"
    seconds, symbols = fault.get("seconds", 0), fault.get("symbols", ())
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < 86_400:
        yield f"seconds: found {seconds!r}; allowed: a number from 0 to a day"
    if not isinstance(symbols, list | tuple) or not all(isinstance(symbol, str) for symbol in symbols):
        yield f"symbols: found {symbols!r}; allowed: a list of symbols"
    times: dict[str, int] = {}
    for key in ("at", "until"):
        if key == "at" or key in fault:
            try:
                times[key] = instant_of(fault.get(key, ""))
            except (ValueError, TypeError) as error:
                yield f"{key}: {error}"
    if times.get("until", 2**62) <= times.get("at", 0):
        yield "until: not after 'at'"


class ReplayTable(Struct, frozen=True, eq=False):
    """Rows in the order in which they are sent, at ``release_us``; ``prices`` has a row of five per bar."""

    release_us: Ints
    symbols: tuple[str, ...]
    start_us: Ints
    prices: Floats
    corrections: NDArray[np.bool_]

    def sent_by(self, us: int) -> int:
        """How many rows are due by ``us``."""
        return int(self.release_us.searchsorted(us, "right"))

    @classmethod
    def of(cls, block: BarBlock, interval: Interval, faults: Sequence[ReplayFault]) -> ReplayTable:
        """The rows of ``block``, each due at its end, with the faults of that moment."""
        names = np.array([block.symbols[row] for row in block.row_symbols().tolist()], np.object_)
        due = block.start + interval.length_us
        sent = _Sent(
            np.arange(len(block)), due.copy(), np.zeros(len(block), np.bool_), np.zeros(len(block), np.bool_)
        )
        for fault in faults:
            sent = sent.suffer(fault, (fault.start_us <= due) & (due < fault.end_us) & _named(names, fault))
        prices = np.column_stack(block.columns)[sent.rows]
        prices[sent.wrong, 3] = prices[sent.wrong, 0]
        prices[sent.wrong, 4] /= 2
        kept = np.flatnonzero(~_silenced(sent.release_us, names[sent.rows], faults))
        order = kept[np.argsort(sent.release_us[kept], kind="stable")]
        rows = sent.rows[order]
        return cls(
            sent.release_us[order], tuple(names[rows].tolist()), block.start[rows], prices[order],
            sent.corrections[order],
        )  # fmt: skip


class _Sent(Struct, frozen=True, eq=False):
    """What is sent: ``rows`` of the block, some of them with wrong values, or as corrections of such."""

    rows: NDArray[np.intp]
    release_us: Ints
    wrong: NDArray[np.bool_]
    corrections: NDArray[np.bool_]

    def suffer(self, fault: ReplayFault, hit: NDArray[np.bool_]) -> _Sent:
        """The same after ``fault`` has hit these rows of the block."""
        at = np.flatnonzero(hit[self.rows])
        late_us = round(fault.seconds * SECOND_US)
        if fault.kind == "delay":
            release_us = self.release_us.copy()
            release_us[at] += late_us
            return replace(self, release_us=release_us)
        if fault.kind not in {"duplicate", "revise"}:
            return self
        revised = fault.kind == "revise"
        wrong = self.wrong.copy()
        wrong[at] |= revised
        return _Sent(
            np.concatenate([self.rows, self.rows[at]]),
            np.concatenate([self.release_us, self.release_us[at] + (late_us if revised else 0)]),
            np.concatenate([wrong, self.wrong[at]]),
            np.concatenate([self.corrections, self.corrections[at] | revised]),
        )


def _named(names: NDArray[np.object_], fault: ReplayFault) -> NDArray[np.bool_]:
    if not fault.symbols:
        return np.ones(len(names), np.bool_)
    return np.array([name in fault.symbols for name in names.tolist()], np.bool_)


def _silenced(release: Ints, names: NDArray[np.object_], faults: Sequence[ReplayFault]) -> NDArray[np.bool_]:
    """Rows that would be sent while the feed is mute or away."""
    silenced = np.zeros(len(release), np.bool_)
    for fault in faults:
        if fault.kind in {"mute", "drop"}:
            inside = (fault.start_us <= release) & (release < fault.end_us)
            silenced |= inside & _named(names, fault)
    return silenced
