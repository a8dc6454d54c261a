from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.journal.desks import Desk


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A journal in a file, whose writer has not begun."""
    made = Desk(tmp_path)
    yield made
    made.close()
