"""What the vendor, and the store, answer when a symbol is brought into a live session."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from mismartera.errors import FeedRefusedError, KeysRefusedError
from mismartera.feeds.port import BackfillResult, Feed
from mismartera.live.entry import Entry
from mismartera.session.history import SymbolHistory
from mismartera.timing import TradingSession


class Past(Struct, frozen=True, eq=False):
    """What is known of symbols before a session; ``unknown`` have no bar in its last sessions."""

    histories: Mapping[str, SymbolHistory]
    unknown: frozenset[str]


class PastSource(Protocol):
    """Answers for what lies before the session. Blocks: called in the background."""

    def load(self, symbols: Sequence[str], traded: frozenset[str], session: TradingSession) -> Past:
        """The history of ``symbols``, of which ``traded`` have bars in this session."""
        ...


class Answer(Struct, frozen=True, eq=False):
    """The bars of a splice, up to the moment of asking; of symbols that join the past, too."""

    asked_us: int
    result: BackfillResult | None
    refused: Mapping[str, str]
    past: Past | None


class Denials:
    """The vendor's store may say that there is no such symbol, of one that has traded today: it is not believed
    until it has said so for ``patience_us``; never, if it says so of all of them.
    """

    def __init__(self, patience_us: int) -> None:
        self._patience_us = patience_us
        self._since_us: dict[Entry, int] = {}

    def told_apart(
        self, entries: Sequence[Entry], answer: Answer, now_us: int, *, is_all: bool
    ) -> tuple[list[Entry], list[Entry]]:
        """Those that ``answer`` is taken for an answer of, and the others. ``is_all``: the session has no more."""
        says_nothing = is_all and answer.result is None
        found: list[Entry] = []
        denied: list[Entry] = []
        for entry in entries:
            if entry.symbol not in answer.refused:
                self.forget(entry)
            elif entry.has_joined and (says_nothing or now_us - self._since(entry, now_us) < self._patience_us):
                denied.append(entry)
                continue
            found.append(entry)
        return found, denied

    def _since(self, entry: Entry, now_us: int) -> int:
        return self._since_us.setdefault(entry, now_us)

    def forget(self, entry: Entry) -> None:
        """It has left, or is there after all."""
        self._since_us.pop(entry, None)


def fetch(
    feed: Feed, past: PastSource | None, symbols: Sequence[str], session: TradingSession, span_us: tuple[int, int],
    asked_us: int,
) -> Answer:  # fmt: skip
    """Ask for the bars of ``span_us``, and for the past if there is one to be asked. Blocks.

    KeysRefusedError and FeedUnavailableError go through: they say nothing of the symbols.
    """
    first_us, last_us = span_us
    try:
        result = feed.backfill(symbols, "1m", first_us, last_us) if first_us < last_us else None
    except KeysRefusedError:
        raise
    except FeedRefusedError as error:
        return Answer(asked_us, None, dict.fromkeys(symbols, str(error)), None)
    refused = dict(result.refused) if result else {}
    asked = [symbol for symbol in symbols if symbol not in refused]
    return Answer(asked_us, result, refused, None if past is None else past.load(asked, _traded(result), session))


def _traded(result: BackfillResult | None) -> frozenset[str]:
    if result is None:
        return frozenset()
    sizes = result.block.rows_per_symbol.tolist()
    return frozenset(s for s, size in zip(result.block.symbols, sizes, strict=True) if size)
