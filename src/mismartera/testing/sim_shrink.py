"""What of a long list of events is needed to see a failure again: delta debugging.

After Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", IEEE TSE 28(2), 2002.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence


def shrunk(names: Sequence[str], fails: Callable[[Sequence[str]], bool], *, runs_max: int = 300) -> list[str]:
    """A part of ``names``, in their order, with which it still ``fails``; if that asks for no more than so many
    runs, one of which no single name can be left out.
    """
    kept, runs, parts = list(names), 0, 1
    while kept and runs < runs_max:
        size = -(-len(kept) // parts)
        for first in range(0, len(kept), size):
            fewer = kept[:first] + kept[first + size :]
            runs += 1
            if fails(fewer):
                kept, parts = fewer, max(parts - 1, 1)
                break
            if runs >= runs_max:
                break
        else:
            if size == 1:
                break
            parts = min(2 * parts, len(kept))
    return kept
