"""Fixtures that the tests of sessions share."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest
from tests.runs import Log, write_market

from mismartera import DataManager, SessionConfig, Strategy, SystemManager
from mismartera.timing import Clock

MakeSystem = Callable[..., SystemManager]


@pytest.fixture(scope="session")
def market(tmp_path_factory: pytest.TempPathFactory) -> DataManager:
    """The store of :func:`tests.runs.write_market`; nobody writes to it."""
    return write_market(tmp_path_factory.mktemp("market"))


@pytest.fixture
def make_system(market: DataManager) -> Iterator[MakeSystem]:
    """Makes systems on the market; all are stopped after the test, and none may leave a thread behind."""
    made: list[SystemManager] = []

    def make(
        config: SessionConfig, *strategies: Strategy, log: Log | None = None, clock: Clock | None = None,
        data: DataManager = market,
    ) -> SystemManager:  # fmt: skip
        system = SystemManager(
            config, data_manager=data, strategies=strategies, sinks=[log] if log else [], clock=clock
        )
        made.append(system)
        return system

    yield make
    for system in made:
        system.stop()
    assert [thread.name for thread in threading.enumerate() if thread.name == "mismartera-engine"] == []
