"""Which peers there are, what to install for them, what they do and do not do, and what can be asked of them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Peer:
    """A peer, driven by ``benchmarks.peers.drive_<name>``.

    ``requirements``: for pip. ``workloads``: those that it can do; the reason for the others is in ``lacks``.
    ``modes``: ways to drive it, each with a row of its own. ``does`` and ``lacks`` stand beside its figures.
    """

    name: str
    requirements: tuple[str, ...]
    workloads: tuple[str, ...]
    does: str
    lacks: str
    modes: tuple[str, ...] = ("",)


PEERS = {
    peer.name: peer
    for peer in (
        Peer(
            "nautilus_trader",
            ("nautilus_trader==1.221.0", "pandas<3", "polars"),
            ("W1", "W2", "W3", "W4", "W7"),
            "merges; derived bars anchored in UTC; indicators by registration; orders and fills (switched off)",
            "trading hours, half days; gate on stale data; whole instants",
        ),
        Peer(
            "backtrader",
            ("backtrader", "polars"),
            ("W1", "W2", "W4", "W7"),
            "merges; derived bars anchored at the open; indicators; orders and fills (idle)",
            "half days; gate (next() runs on delayed data); symbols added later",
        ),
        Peer(
            "basana",
            ("basana", "polars"),
            ("W1", "W4"),
            "merges; with its exchange: orders and fills (idle)",
            "hours; derived bars, indicators; gate; symbols added later",
            modes=("dispatcher", "exchange"),
        ),
        Peer(
            "akquant",
            ("akquant", "polars"),
            ("W1", "W2", "W4", "W7"),
            "merges; derived bars by clock, shown one base bar late; indicators; orders and fills (idle)",
            "half days; gate; symbols added later",
        ),
        Peer(
            "zipline_reloaded",
            ("zipline-reloaded", "polars"),
            ("W1", "W4"),
            "whole instants of all assets; calendars and half days; orders and fills (idle)",
            "derived bars (windows of history are asked for); gate; symbols added later",
        ),
    )
}
