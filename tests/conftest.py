"""Fixtures that the tests of sessions share, and one profile for all property tests.

The same examples are drawn at every run, so that a red build can be repeated. The profile stands at the root
because a test takes its settings when it is imported, and some are imported from other folders.
"""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, Phase, settings
from tests.runs import Log, write_market

from mismartera import DataManager, SessionConfig, Strategy, SystemManager
from mismartera.timing import Clock

EXAMPLES = int(os.environ.get("MISMARTERA_EXAMPLES", "0"))
"""Examples per test for a hunt (drawn at random); 0: the fixed ones."""

settings.register_profile(
    "mismartera",
    derandomize=not EXAMPLES,
    deadline=None,
    max_examples=EXAMPLES or 30,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
    print_blob=False,
    phases=[Phase.generate] if os.environ.get("MISMARTERA_NO_SHRINK") else list(Phase),
)
settings.load_profile("mismartera")

MakeSystem = Callable[..., SystemManager]


def pytest_configure() -> None:
    """What is collected stays until the end: no garbage is looked for among it, neither now nor in the tests."""
    gc.disable()


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


_WALL_SECONDS = 10.0


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
    left = [thread for thread in threading.enumerate() if thread.name == "mismartera-engine"]
    for thread in left:
        thread.join(_WALL_SECONDS)  # it has told of its end, and may still be on the way out
    assert [thread for thread in left if thread.is_alive()] == []
