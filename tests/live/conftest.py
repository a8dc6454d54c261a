"""The stage of each test, and the check that nothing of it is left."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.live.stage import Stage

MakeStage = Callable[..., Stage]


@pytest.fixture
def make_stage(tmp_path: Path) -> Iterator[MakeStage]:
    """Makes a :class:`Stage`; it is closed after the test, and leaves no thread behind."""
    before = set(threading.enumerate())
    made: list[Stage] = []

    def make(*args: object, **options: object) -> Stage:
        stage = Stage(tmp_path / str(len(made)), *args, **options)  # type: ignore[arg-type]
        made.append(stage)
        return stage

    yield make
    for stage in made:
        stage.close()
    left = {t.name for t in threading.enumerate() if t not in before and t.is_alive()}
    assert not left, "a run leaves no thread behind"
