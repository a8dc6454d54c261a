"""Beginning: what a session has besides its configuration when it goes on where another one has ended."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from msgspec import Struct


class Beginning(Struct, frozen=True):
    """``streams``: those of symbols that have their own. ``generations``: how many stays each symbol has had.
    ``acted``: the labels of the schedule's entries that have acted.
    """

    streams: Mapping[str, tuple[str, ...]] = {}
    generations: Mapping[str, int] = {}
    acted: Collection[str] = ()


FROM_NOTHING = Beginning()
"""That of a session which goes on with no other."""
