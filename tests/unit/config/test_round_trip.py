"""Laws: what is written is read back the same, and whatever is read gives a configuration or a ConfigError."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.config.configs import full

from mismartera.config import SessionConfig
from mismartera.errors import ConfigError

SYMBOLS = st.lists(
    st.from_regex(r"[A-Z0-9][A-Za-z0-9._-]{0,9}(/[A-Z]{1,4})?", fullmatch=True), max_size=5, unique=True
)
INTERVALS = st.lists(st.sampled_from(["1s", "1m", "5m", "15m", "1h", "1d"]), min_size=1, max_size=4, unique=True)
SCALARS = (
    st.none() | st.booleans() | st.integers(-(2**80), 2**80) | st.floats(allow_nan=False, allow_infinity=False)
)
JSON = st.recursive(
    SCALARS | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text(max_size=8), JSON, max_size=3)
POSITIVE = st.floats(min_value=1, max_value=3e7) | st.integers(1, 10**6)
TIMES = st.builds(
    lambda day, minute, offset: f"2024-07-{day:02}T{minute // 60:02}:{minute % 60:02}{offset}",
    st.integers(1, 31), st.integers(0, 1439), st.sampled_from(["", ":30", ":00Z", "-04:00", ":01.5+08:00"]),
)  # fmt: skip
STREAMING = st.fixed_dictionaries(
    {},
    optional={
        "catchup_threshold_seconds": POSITIVE,
        "catchup_check_interval": st.integers(1, 100),
        "catchup_scope": st.sampled_from(["session", "symbol"]),
        "load_timeout_seconds": POSITIVE,
        "bar_grace_seconds": POSITIVE,
        "command_timeout_seconds": POSITIVE,
    },
)
HISTORICAL = st.fixed_dictionaries(
    {
        "data": st.lists(
            st.fixed_dictionaries(
                {"trailing_days": st.integers(35, 99)}, optional={"intervals": INTERVALS, "apply_to": SYMBOLS}
            ),
            min_size=1,
            max_size=3,
        )
    },
    optional={
        "enable_quality": st.booleans(),
        "indicators": st.dictionaries(
            st.from_regex(r"[a-z_ ]{2,9}x", fullmatch=True),
            st.fixed_dictionaries(
                {
                    "type": st.sampled_from(["trailing_average", "trailing_max", "trailing_min"]),
                    "period": st.sampled_from(["1d", "35d", "1w", "5w"]),
                },
                optional={"field": st.sampled_from(["open", "high", "low", "close", "volume"])},
            ),
            max_size=3,
        ),
    },
)
SESSION_DATA = st.fixed_dictionaries(
    {"symbols": SYMBOLS},
    optional={
        "streams": INTERVALS,
        "hours": st.sampled_from(["regular", {"open": "00:00", "close": "24:00"}]),
        "derived_bars": st.sampled_from(["any", "complete"]),
        "streaming": STREAMING,
        "historical": HISTORICAL,
        "gap_filler": st.fixed_dictionaries({}, optional={"max_retries": st.integers(0, 9)}),
    },
)
ENTRIES = st.fixed_dictionaries({"at": TIMES, "add": st.just("A.B")}, optional={"streams": INTERVALS}) | (
    st.fixed_dictionaries({"at": TIMES, "remove": st.just("A/B")})
)
CONFIGS = st.fixed_dictionaries(
    {
        "session_data_config": SESSION_DATA,
        "backtest_config": st.fixed_dictionaries(
            {"start_date": st.just("2024-02-29"), "end_date": st.dates(dt.date(2024, 2, 29)).map(str)},
            optional={"speed_multiplier": st.floats(0, 1e6), "prefetch_days": st.integers(0, 9)},
        ),
    },
    optional={
        "session_name": st.text(min_size=1, max_size=9).filter(str.strip),
        "exchange_group": st.sampled_from(["US_EQUITY", "HK_EQUITY", "CRYPTO"]),
        "schedule": st.lists(ENTRIES, max_size=3),
        "analysis": st.fixed_dictionaries(
            {
                "strategies": st.lists(
                    st.fixed_dictionaries({"class": st.just("a.b:C"), "params": OBJECTS}), max_size=2
                )
            }
        ),
        "trading_config": st.fixed_dictionaries({}, optional={"max_per_trade": POSITIVE}),
        "metadata": OBJECTS,
    },
)


@given(CONFIGS)
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_what_is_written_is_read_back_the_same(data: dict[str, Any]) -> None:
    config = SessionConfig.from_dict(data)
    written = config.to_dict()
    assert SessionConfig.from_dict(written) == config
    through_text = SessionConfig.from_dict(json.loads(json.dumps(written)))
    assert through_text == config
    assert hash(through_text) == hash(config)
    assert through_text.to_dict() == written


def test_the_full_configuration_is_written_as_it_was_given() -> None:
    given_data = full()
    written = SessionConfig.from_dict(given_data).to_dict()
    assert written.pop("schedule")[0] == {"at": "2024-07-02T10:00:00", "add": "AZO", "streams": ["1m"]}
    del given_data["schedule"]
    for indicator in given_data["session_data_config"]["indicators"]:
        indicator.setdefault("input", "close")
    assert written == given_data


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in pairs for place in _places(item, (*path, key)))]


PLACES = _places(full())[1:]
HOSTILE = JSON | st.sampled_from(
    [float("nan"), float("inf"), 10**400, "\ud800", "", [], {}, {"class": 1}, b"x", object]
)


@given(st.lists(st.tuples(st.sampled_from(PLACES), HOSTILE), min_size=1, max_size=4))
@settings(max_examples=150, deadline=None)
def test_anything_anywhere_gives_a_configuration_or_a_config_error(
    changes: list[tuple[tuple[Any, ...], Any]],
) -> None:
    config = full()
    for place, value in changes:
        holder: Any = config
        for part in place[:-1]:
            try:
                holder = holder[part]
            except (KeyError, IndexError, TypeError):
                break
        if isinstance(holder, dict) or (
            isinstance(holder, list) and isinstance(place[-1], int) and place[-1] < len(holder)
        ):
            holder[place[-1]] = value
    read = _read(config)
    if isinstance(read, SessionConfig):
        assert SessionConfig.from_dict(read.to_dict()) == read
    else:
        assert read
        assert all(problem.isascii() for problem in read)
        assert len(set(read)) == len(read)


def _read(config: dict[str, Any]) -> SessionConfig | list[str]:
    try:
        return SessionConfig.from_dict(config)
    except ConfigError as error:
        return error.problems
