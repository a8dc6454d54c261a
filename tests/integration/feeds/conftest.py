"""Real sockets, and vendors whose day goes by hundreds of times as fast as the wall."""

from __future__ import annotations

from pathlib import Path

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What a busy machine makes late is tried again, as in the live tests. A fault of the code fails each time."""
    folder = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(folder):
            item.add_marker(pytest.mark.flaky(reruns=3))
