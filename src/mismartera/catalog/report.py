"""What became of rows that were offered to the store. The counts always balance."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

EXAMPLES_PER_RULE = 3


class Rejections:
    """Collects the rows that were refused: how many per rule, and the first few of each in words."""

    def __init__(self) -> None:
        self.reasons: dict[str, int] = {}
        self._examples: dict[str, list[str]] = {}

    def add(self, rule: str, count: int, examples: list[str]) -> None:
        """Charge ``count`` rows to ``rule``; of ``examples`` the first few per rule are kept."""
        if count == 0:
            return
        self.reasons[rule] = self.reasons.get(rule, 0) + count
        kept = self._examples.setdefault(rule, [])
        kept.extend(examples[: EXAMPLES_PER_RULE - len(kept)])

    def merge(self, other: Rejections) -> None:
        """Take over what ``other`` has collected."""
        for rule, count in other.reasons.items():
            self.add(rule, count, other._examples[rule])

    def of(self, source: str) -> Rejections:
        """The same, each example with the ``source`` of its row."""
        named = Rejections()
        for rule, count in self.reasons.items():
            named.add(rule, count, [f"{source}: {text}" for text in self._examples[rule]])
        return named

    @property
    def count(self) -> int:
        """All rejected rows."""
        return sum(self.reasons.values())

    @property
    def examples(self) -> tuple[str, ...]:
        """The kept examples, by rule in the order in which the rules were first met."""
        return tuple(text for kept in self._examples.values() for text in kept)


class WriteReport(Struct, frozen=True):
    """What a write did: ``rows == accepted + duplicate + revised + rejected``, always.

    ``accepted`` is a new key (symbol, interval, timestamp), ``revised`` is a known key with other values,
    ``duplicate`` changed nothing, ``rejected`` broke a rule and was not written. Of several rows of one key the
    last one stays: if the store knew the key, it alone is judged, and the others are duplicates; otherwise each is
    held against the one before. ``reasons`` counts the rejected rows by rule, ``examples`` shows some of them.
    ``version`` is the store's version after the write; it is the one before if nothing changed, None if there is
    no store yet.
    """

    rows: int = 0
    accepted: int = 0
    duplicate: int = 0
    revised: int = 0
    rejected: int = 0
    reasons: Mapping[str, int] = {}
    examples: tuple[str, ...] = ()
    version: int | None = None

    def __post_init__(self) -> None:
        kept = self.accepted + self.duplicate + self.revised
        assert self.rows == kept + self.rejected, f"the counts of {self} do not balance"
        assert self.rejected == sum(self.reasons.values()), f"the reasons of {self} do not add up"
