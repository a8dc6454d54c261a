"""Supply: where a session's bars come from. The store is one; a live feed is another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from mismartera.session.loading import Loading, SymbolLoader
from mismartera.session.symbols import Member
from mismartera.session.tape import Tape
from mismartera.timing import TradingSession


class Supply(Protocol):
    """What the coordinator asks for bars. All on the engine's thread; none of it waits for anybody outside.

    What is not there at once, a live supply brings later, through the inbox.
    """

    def expect(self, session: TradingSession) -> None:
        """``session`` is the next one, and has not begun yet."""
        ...

    def begin(self, members: Sequence[Member], session: TradingSession, *, is_late: bool) -> tuple[Tape, Loading]:
        """The session opens: its tape, and what came of loading ``members`` (in rank order) so far.

        ``is_late``: the open has passed already.
        """
        ...

    def join(self, members: Sequence[Member], session: TradingSession) -> Loading:
        """``members`` join; the same for them."""
        ...

    def leave(self, member: Member) -> None:
        """``member`` was removed."""
        ...

    def is_settled(self, until_us: int) -> bool:
        """True once nothing more is waited for that ends by ``until_us``. If not, the inbox will be told."""
        ...

    def is_complete(self) -> bool:
        """True once all that can be known of the session that has ended is known. If not: as above."""
        ...

    def end(self) -> None:
        """The run is over."""
        ...


class StoredSupply:
    """The store: everything is there at once."""

    def __init__(self, loader: SymbolLoader) -> None:
        self._loader = loader

    def expect(self, session: TradingSession) -> None:
        """Nothing: it is read when it opens."""

    def begin(
        self,
        members: Sequence[Member],
        session: TradingSession,
        *,
        is_late: bool,  # noqa: ARG002  # see Supply
    ) -> tuple[Tape, Loading]:
        """Read the session's day; the next ones are read ahead."""
        loading = self._loader.load(members, session, ahead=True)
        return Tape([loading.lane] if loading.lane else []), loading

    def join(self, members: Sequence[Member], session: TradingSession) -> Loading:
        """Read the day of ``members``."""
        return self._loader.load(members, session, ahead=False)

    def leave(self, member: Member) -> None:
        """Nothing: its bars are on the tape only."""

    def is_settled(self, until_us: int) -> bool:  # noqa: ARG002  # see Supply
        """True."""
        return True

    def is_complete(self) -> bool:
        """True."""
        return True

    def end(self) -> None:
        """Nothing is open."""
