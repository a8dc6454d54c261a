"""Entry: one symbol's stay in one live session, on the intake's side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from msgspec import Struct, field
from numpy.typing import NDArray

from mismartera.bars import SOURCES, Interval, SeriesInfo
from mismartera.live.batch import LiveBatch
from mismartera.session.history import SymbolHistory
from mismartera.session.symbols import Member

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Codes = NDArray[np.uint8]

LIVE, BACKFILL, REVISED = range(len(SOURCES))
LET_IN = -1
NOT_KNOWN: Final[tuple[float, ...]] = ()
"""Stands for the values that a correction has replaced which came first for its minute."""


class Mark:
    """What is known of one minute of one symbol. A mark from HAS_BAR on says where its bar comes from.

    Plain numbers, no enumeration: they are compared with columns, and a member of one costs a look-up each time.
    """

    UNKNOWN: Final = 0
    QUIET: Final = 1
    HAS_BAR: Final = 2


class Rows(Struct, eq=False):
    """Base bars of one symbol: their windows, sorted, each once; a row of prices each for open ... volume."""

    window: Ints
    prices: Floats
    sources: Codes

    def __len__(self) -> int:
        return len(self.window)


class Held(Struct, frozen=True, eq=False):
    """A bar that arrived while its symbol's earlier ones were still being fetched."""

    window: int
    prices: tuple[float, ...]
    is_correction: bool


class Entry(Struct, eq=False):
    """``index``: its row in the ledger's tables. ``held`` is None unless bars are kept back for a splice.

    ``batch`` is None until it has joined; ``row`` is its place there. ``halted_us``: since when trading is halted.
    ``admission``: :attr:`Flow.admissions` when it joined, if the stream kept it from being loaded; else LET_IN.
    """

    member: Member
    streams: Sequence[Interval]
    info: SeriesInfo
    index: int
    history: SymbolHistory = field(default_factory=SymbolHistory)
    batch: LiveBatch | None = None
    row: int = -1
    held: list[Held] | None = []
    halted_us: int | None = None
    is_told_halted: bool = False
    attempts: int = 0
    admission: int = LET_IN
    counts: dict[str, int] = {}
    """By fate, the bars that were counted one by one; see :meth:`DayLedger.counts_of`."""
    corrected: dict[int, list[tuple[float, ...]]] = {}
    """By window of which the stream has sent a correction, the values that it has replaced."""
    rejected: dict[int, int] = {}
    """By their start, how many bars of the vendor's store cannot be used."""

    @property
    def symbol(self) -> str:
        """The symbol's name."""
        return self.member.symbol

    def is_halted(self, start_us: int) -> bool:
        """True if there is no trading in a minute that begins then; the one in which a halt began had some."""
        return self.halted_us is not None and start_us >= self.halted_us

    @property
    def is_plain(self) -> bool:
        """True if its bars are simply shown as they come."""
        return self.held is None and self.batch is not None and not self.is_told_halted

    @property
    def has_joined(self) -> bool:
        """True once its bars are the session's."""
        return self.batch is not None
