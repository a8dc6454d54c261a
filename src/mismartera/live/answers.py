"""What the vendor, and the store, answer when a symbol is brought into a live session."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from mismartera.feeds.port import BackfillResult
from mismartera.session.history import SymbolHistory
from mismartera.timing import TradingSession


@dataclass(frozen=True, slots=True, eq=False)
class Past:
    """What is known of symbols before a session; ``unknown`` have no bar in its last sessions."""

    histories: Mapping[str, SymbolHistory]
    unknown: frozenset[str]


class PastSource(Protocol):
    """Answers for what lies before the session. Blocks: called in the background."""

    def load(self, symbols: Sequence[str], traded: frozenset[str], session: TradingSession) -> Past:
        """The history of ``symbols``, of which ``traded`` have bars in this session."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """The bars of a splice, up to the moment of asking; of symbols that join the past, too."""

    asked_us: int
    result: BackfillResult | None
    refused: Mapping[str, str]
    past: Past | None
