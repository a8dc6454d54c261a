"""Indicators by TA-Lib's names: values, columns, warm-up, and what is refused."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.typing import NDArray

from mismartera.indicators import INPUTS, IndicatorSpec, indicator_names, resolve_indicator

Floats = NDArray[np.float64]
Columns = tuple[Floats, Floats, Floats, Floats, Floats]
BARS = 160


def walk(seed: int, bars: int = BARS) -> Columns:
    """Open, high, low, close and volume of a random walk on a price grid, with minutes that stand still."""
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(size=bars) * 0.01))
    open_ = np.concatenate(([100.0], close[:-1]))
    high = np.maximum(open_, close) * (1 + np.abs(rng.normal(size=bars)) * 0.003)
    low = np.minimum(open_, close) * (1 - np.abs(rng.normal(size=bars)) * 0.003)
    volume = rng.integers(0, 5000, bars).astype(np.float64)
    still = slice(bars // 2, bars // 2 + 20)
    for column in (open_, high, low, close):
        column[still] = column[bars // 2]
    volume[still] = 0
    return open_, high, low, close, volume


def same(left: float, right: float) -> bool:
    """Equal bit for bit, with one NaN as good as another."""
    return np.float64(left).tobytes() == np.float64(right).tobytes() or (np.isnan(left) and np.isnan(right))


def prefix(columns: Columns, bars: int) -> Columns:
    open_, high, low, close, volume = (column[:bars] for column in columns)
    return open_, high, low, close, volume


def resolve(name: str, input: str = "close", **params: float) -> IndicatorSpec:
    return resolve_indicator(name, "5m", params, input)


def test_every_function_of_talib_but_mavp_is_available() -> None:
    import talib

    known = set(talib.get_functions())  # type: ignore[no-untyped-call]
    assert known - set(indicator_names()) == {"MAVP"}
    assert list(indicator_names()) == sorted(indicator_names())


@pytest.mark.parametrize("name", indicator_names())
def test_a_value_depends_on_the_past_only_and_equals_the_stream(name: str) -> None:
    spec = resolve(name)
    columns = walk(seed=7)
    whole = spec.compute(*columns)
    assert len(whole) == len(spec.columns)
    for bars in range(1, BARS + 1):
        part = spec.compute(*prefix(columns, bars))
        last = spec.compute_last(*prefix(columns, bars))
        for column, until, streamed in zip(whole, part, last, strict=True):
            assert same(column[bars - 1], until[-1]), (name, bars)
            assert same(column[bars - 1], streamed), (name, bars)


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("MACDEXT", {"fastmatype": 1, "slowmatype": 8, "signalmatype": 4, "signalperiod": 1}),
        ("STOCH", {"fastk_period": 1, "slowk_period": 2, "slowk_matype": 7, "slowd_matype": 6}),
        ("BBANDS", {"timeperiod": 2, "nbdevup": 0, "matype": 9}),
        ("RSI", {"timeperiod": 2}),
        ("MA", {"timeperiod": 1, "matype": 3}),
        ("LINEARREG", {"timeperiod": 2}),
        ("SAREXT", {"startvalue": -1, "offsetonreverse": 0.1}),
    ],
)
@pytest.mark.parametrize("seed", range(3))
def test_other_parameters_keep_that_law(name: str, params: Mapping[str, float], seed: int) -> None:
    spec = resolve_indicator(name, "1m", params)
    columns = walk(seed)
    whole = spec.compute(*columns)
    for bars in range(1, BARS + 1):
        part = spec.compute(*prefix(columns, bars))
        last = spec.compute_last(*prefix(columns, bars))
        assert all(same(a[bars - 1], b[-1]) for a, b in zip(whole, part, strict=True))
        assert all(same(a[bars - 1], b) for a, b in zip(whole, last, strict=True))


@pytest.mark.parametrize("name", indicator_names())
def test_outputs_are_doubles_as_long_as_the_input_and_nan_until_warm(name: str) -> None:
    spec = resolve(name)
    for bars in sorted({0, 1, spec.lookback, spec.lookback + 1, spec.lookback + 5}):
        columns = walk(3, bars) if bars else prefix(walk(3), 0)
        for column in spec.compute(*columns):
            assert column.dtype == np.float64
            assert column.shape == (bars,)
            assert np.isnan(column[: spec.lookback]).all()
            if name not in {"ACOS", "ASIN"}:  # not defined for a price above 1
                assert not np.isnan(column[spec.lookback :]).any()
        if bars <= spec.lookback:
            assert np.isnan(spec.compute_last(*columns)).all()


def test_a_candlestick_has_no_value_before_it_is_warm() -> None:
    spec = resolve("CDLDOJI")
    (column,) = spec.compute(*walk(1))
    assert spec.lookback == 10
    assert np.isnan(column[:10]).all()
    assert set(column[10:]) <= {0.0, 100.0}


def test_a_moving_average_is_that_of_its_input() -> None:
    open_, high, low, close, volume = walk(2)
    (of_close,) = resolve("SMA", timeperiod=2).compute(open_, high, low, close, volume)
    (of_volume,) = resolve("SMA", "volume", timeperiod=2).compute(open_, high, low, close, volume)
    np.testing.assert_allclose(of_close[1:], (close[1:] + close[:-1]) / 2, rtol=1e-12)
    np.testing.assert_allclose(of_volume[1:], (volume[1:] + volume[:-1]) / 2, rtol=1e-12, atol=1e-9)


def test_inputs_reach_a_function_in_its_own_order() -> None:
    open_, high, low, close, volume = walk(2)
    (typical,) = resolve("TYPPRICE").compute(open_, high, low, close, volume)
    np.testing.assert_allclose(typical, (high + low + close) / 3, rtol=1e-12)
    (on_balance,) = resolve("OBV").compute(open_, high, low, close, volume)
    steps = np.sign(np.diff(close)) * volume[1:]
    np.testing.assert_allclose(on_balance, volume[0] + np.concatenate(([0.0], np.cumsum(steps))), rtol=1e-12)


def test_two_series_default_to_high_and_low() -> None:
    open_, high, low, close, volume = walk(2)
    (total,) = resolve("ADD").compute(open_, high, low, close, volume)
    assert (total == high + low).all()


def test_read_only_and_strided_columns_are_taken() -> None:
    columns = walk(4)
    expected = resolve("ATR").compute(*columns)
    table = np.column_stack(columns)
    table.flags.writeable = False
    open_, high, low, close, volume = (table[:, at] for at in range(5))
    (found,) = resolve("ATR").compute(open_, high, low, close, volume)
    assert found.tobytes() == expected[0].tobytes()


@pytest.mark.parametrize(
    ("name", "params", "input", "columns"),
    [
        ("SMA", {"timeperiod": 20}, "close", ("SMA_20",)),
        ("SMA", {}, "close", ("SMA_30",)),
        ("SMA", {"timeperiod": 20}, "volume", ("SMA_20_volume",)),
        ("SMA", {"timeperiod": 20.0}, "close", ("SMA_20",)),
        (
            "MACD", {"slowperiod": 26}, "close",
            ("MACD_12_26_9_macd", "MACD_12_26_9_macdsignal", "MACD_12_26_9_macdhist"),
        ),
        (
            "BBANDS", {"nbdevup": 2, "nbdevdn": 2.5}, "high",
            ("BBANDS_20_2_2.5_0_upperband_high", "BBANDS_20_2_2.5_0_middleband_high",
             "BBANDS_20_2_2.5_0_lowerband_high"),
        ),
        ("OBV", {}, "close", ("OBV",)),
        ("SAR", {}, "close", ("SAR_0.02_0.2",)),
        ("CDLDOJI", {}, "close", ("CDLDOJI",)),
    ],
)  # fmt: skip
def test_columns_carry_all_parameters(
    name: str, params: Mapping[str, float], input: str, columns: tuple[str, ...]
) -> None:
    spec = resolve_indicator(name, "5m", params, input)
    assert spec.columns == columns
    assert spec.interval == "5m"


def test_params_stand_in_talibs_order_with_defaults() -> None:
    spec = resolve("MACD", signalperiod=5)
    assert list(spec.params.items()) == [("fastperiod", 12), ("slowperiod", 26), ("signalperiod", 5)]
    assert isinstance(resolve("BBANDS", nbdevup=2).params["nbdevup"], float)
    assert isinstance(resolve("SMA", timeperiod=20.0).params["timeperiod"], int)


def test_equal_requests_give_equal_specs() -> None:
    assert resolve("SMA", timeperiod=30) == resolve("SMA")
    assert hash(resolve("SMA", timeperiod=30)) == hash(resolve("SMA"))
    assert resolve("SMA", timeperiod=30) != resolve("SMA", timeperiod=31)
    assert resolve("SMA") != resolve_indicator("SMA", "1m", {})


@pytest.mark.parametrize(
    ("name", "params", "input", "message"),
    [
        ("FOO_BAR_BAZ", {}, "close", "'FOO_BAR_BAZ' is not a function of TA-Lib: for example SMA, RSI or ATR"),
        ("sma", {}, "close", "did you mean SMA?"),
        ("STOCK", {}, "close", "did you mean STOCH"),
        ("MAVP", {}, "close", "'MAVP' cannot be used: it needs an input 'periods'"),
        ("SMA", {"period": 20}, "close", "no parameter 'period': allowed are timeperiod (default 30)"),
        ("OBV", {"timeperiod": 20}, "close", "no parameter 'timeperiod': allowed are none"),
        ("SMA", {"timeperiod": 0}, "close", "timeperiod of indicator SMA is 0: allowed are 1 to 100000"),
        ("SMA", {"timeperiod": 100001}, "close", "allowed are 1 to 100000"),
        ("SMA", {"timeperiod": 2**31}, "close", "allowed are 1 to 100000"),
        ("SMA", {"timeperiod": -(2**31)}, "close", "allowed are 1 to 100000"),
        ("STDDEV", {"timeperiod": 1}, "close", "allowed are 2 to 100000"),
        ("MA", {"matype": 14}, "close", "matype of indicator MA is 14: allowed are 0 to 13"),
        ("SAR", {"acceleration": -0.5}, "close", "acceleration of indicator SAR is -0.5: allowed are 0 to 3e+37"),
        ("T3", {"vfactor": 1.5}, "close", "vfactor of indicator T3 is 1.5: allowed are 0 to 1"),
        ("BBANDS", {"nbdevup": -4e37}, "close", "nbdevup of indicator BBANDS is -4e+37: allowed are -3e+37"),
        ("SMA", {"timeperiod": True}, "close", "is an integer: found True"),
        ("SMA", {"timeperiod": "20"}, "close", "is an integer: found '20'"),
        ("SMA", {"timeperiod": 2.5}, "close", "is an integer: found 2.5"),
        ("SMA", {"timeperiod": None}, "close", "is an integer: found None"),
        ("SMA", {"timeperiod": float("inf")}, "close", "is an integer: found inf"),
        ("BBANDS", {"nbdevup": float("nan")}, "close", "is a finite number: found nan"),
        ("BBANDS", {"nbdevup": 10**400}, "close", "is a finite number: found 1000"),
        ("SMA", {}, "vwap", "input 'vwap' of indicator SMA is not a column of a bar: allowed are 'open', 'high'"),
        ("ATR", {}, "open", "ATR always reads 'high', 'low', 'close': found input 'open'"),
        ("BETA", {}, "volume", "BETA always reads 'high', 'low': found input 'volume'"),
    ],
)
def test_a_wrong_indicator_is_refused_with_what_is_allowed(
    name: str, params: Mapping[str, float], input: str, message: str
) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011 (the message is checked below)
        resolve_indicator(name, "5m", params, input)
    assert message in str(error.value)


def test_a_refusal_is_not_forgotten_for_an_equal_number() -> None:
    assert resolve("SMA", timeperiod=1).columns == ("SMA_1",)
    with pytest.raises(ValueError, match="found True"):
        resolve("SMA", timeperiod=True)


def test_inputs_are_the_columns_of_a_bar() -> None:
    assert INPUTS == ("open", "high", "low", "close", "volume")


def _run(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_resolving_imports_neither_pandas_nor_polars() -> None:
    program = (
        "import sys; from mismartera.indicators import resolve_indicator; "
        "assert not any(name.startswith('talib') for name in sys.modules); "
        "resolve_indicator('SMA', '5m', {}); "
        "print([name for name in ('pandas', 'polars') if name in sys.modules])"
    )
    assert _run(program) == "[]"


def test_a_strategy_that_uses_talib_itself_gets_the_usual_package() -> None:
    program = (
        "import numpy as np; from mismartera.indicators import resolve_indicator; "
        "spec = resolve_indicator('SMA', '5m', {'timeperiod': 2}); "
        "import talib, pandas as pd, polars as pl; from talib import abstract, stream; "
        "print(talib.SMA(pd.Series([1.0, 3.0]), 2).iloc[1], talib.SMA(pl.Series([1.0, 3.0]), 2)[1]); "
        "column = np.array([1.0, 3.0]); "
        "print(abstract.SMA({'close': column}, 2)[1], stream.SMA(column, 2).value); "
        "print(spec.compute(*[column] * 5)[0][1])"
    )
    assert _run(program).split() == ["2.0"] * 5


def test_an_earlier_import_of_talib_is_used_as_it_is() -> None:
    program = (
        "import talib, pandas as pd; from mismartera.indicators import resolve_indicator; "
        "resolve_indicator('SMA', '5m', {}); import talib as again; "
        "print(talib is again, talib.SMA(pd.Series([1.0, 3.0]), 2).iloc[1])"
    )
    assert _run(program) == "True 2.0"


def test_threads_may_resolve_at_once() -> None:
    program = (
        "import sys, threading; from mismartera.indicators import resolve_indicator\n"
        "start = threading.Barrier(8); found = []\n"
        "def work():\n"
        "    start.wait(); found.append(resolve_indicator('RSI', '5m', {}))\n"
        "threads = [threading.Thread(target=work) for _ in range(8)]\n"
        "[t.start() for t in threads]; [t.join() for t in threads]\n"
        "print(len(found), len(set(found)), 'pandas' in sys.modules)"
    )
    assert _run(program) == "8 1 False"


def test_threads_may_compute_at_once() -> None:
    spec = resolve("MACD")
    columns = walk(5, 2000)
    expected = [column.tobytes() for column in spec.compute(*columns)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: [column.tobytes() for column in spec.compute(*columns)], range(40)))
    assert found == [expected] * 40
