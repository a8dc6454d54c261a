"""From a name and parameters, as users write them, to an IndicatorSpec, or to an error that helps."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

from mismartera.indicators.library import plain_function, talib_library
from mismartera.indicators.spec import INPUTS, IndicatorSpec

_INT_MIN, _INT_MAX = -(2**31), 2**31 - 1
_REAL_MAX = 3e37  # TA_REAL_MAX of ta_defs.h; -4e37 stands for "default" there, as the smallest int does
_DOUBLE_MAX = sys.float_info.max
_Values = tuple[int | float, ...]


class _Param(NamedTuple):
    name: str
    default: int | float
    is_integer: bool


class _Function(NamedTuple):
    """What TA-Lib's abstract interface says of a function."""

    inputs: tuple[str, ...]
    has_free_input: bool
    params: tuple[_Param, ...]
    outputs: tuple[str, ...]


def resolve_indicator(
    name: str, interval: str, params: Mapping[str, int | float], input: str = "close"
) -> IndicatorSpec:
    """The TA-Lib function ``name`` on bars of ``interval`` with ``params`` (missing ones get their defaults).

    ``input`` is the column of a bar that a function of a single price reads (``close`` by default); functions
    with inputs of their own (high and low, say) take no other. Raises ValueError for an unknown or unusable name,
    an unknown parameter, one of a wrong type or out of TA-Lib's range, or a wrong input; the message says what
    is allowed.
    """
    function = _function(name)
    values = _complete(name, function, params)
    lookback = _lookback(name, function, values)
    if lookback is None:
        raise ValueError(_range_problem(name, function, values))
    return _spec(name, interval, values, _check_input(name, function, input), lookback)


@lru_cache(maxsize=1)
def indicator_names() -> tuple[str, ...]:
    """The names that :func:`resolve_indicator` takes, sorted."""
    names = sorted(talib_library().__TA_FUNCTION_NAMES__)
    return tuple(name for name in names if _missing_inputs(_describe(name)) == ())


@lru_cache(maxsize=256)
def _spec(name: str, interval: str, values: _Values, input: str, lookback: int) -> IndicatorSpec:
    function = _describe(name)
    inputs = (input,) if function.has_free_input else function.inputs
    stem = "_".join([name, *(f"{value:g}" for value in values)])
    stems = [stem] if len(function.outputs) == 1 else [f"{stem}_{output}" for output in function.outputs]
    ending = "" if input == "close" else f"_{input}"
    return IndicatorSpec(
        name=name,
        interval=interval,
        params=MappingProxyType({param.name: value for param, value in zip(function.params, values, strict=True)}),
        input=input,
        columns=tuple(stem + ending for stem in stems),
        lookback=lookback,
        _batch=plain_function(name),
        _stream=getattr(talib_library(), f"{name}_Stream"),
        _inputs=tuple(INPUTS.index(column) for column in inputs),
    )


def _function(name: str) -> _Function:
    names = talib_library().__TA_FUNCTION_NAMES__
    if name not in names:
        upper = str(name).upper()
        near = [upper] if upper in names else get_close_matches(upper, sorted(names), n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else "for example SMA, RSI or ATR"
        raise ValueError(f"indicator {name!r} is not a function of TA-Lib: {hint}")
    function = _describe(name)
    missing = _missing_inputs(function)
    if missing:
        raise ValueError(
            f"indicator {name!r} cannot be used: it needs an input {', '.join(map(repr, missing))}, "
            f"and a bar has only {', '.join(INPUTS)}"
        )
    return function


@lru_cache(maxsize=256)
def _describe(name: str) -> _Function:
    library = talib_library()
    handle = library.Function(name, plain_function(name))
    inputs = tuple(
        column
        for columns in handle.input_names.values()
        for column in (columns if isinstance(columns, list) else [columns])
    )
    params = tuple(
        _Param(param, default, isinstance(default, int)) for param, default in handle.parameters.items()
    )
    return _Function(inputs, tuple(handle.input_names) == ("price",), params, tuple(handle.output_names))


def _missing_inputs(function: _Function) -> tuple[str, ...]:
    return tuple(column for column in function.inputs if column not in INPUTS)


def _check_input(name: str, function: _Function, input: str) -> str:
    if input not in INPUTS:
        raise ValueError(
            f"input {input!r} of indicator {name} is not a column of a bar: allowed are {_list(INPUTS)}"
        )
    if input != "close" and not function.has_free_input:
        raise ValueError(
            f"indicator {name} always reads {_list(function.inputs)}: found input {input!r}, leave it out"
        )
    return input


def _complete(name: str, function: _Function, params: Mapping[str, int | float]) -> _Values:
    known = [param.name for param in function.params]
    unknown = [key for key in params if key not in known]
    if unknown:
        allowed = ", ".join(f"{param.name} (default {param.default:g})" for param in function.params)
        raise ValueError(f"indicator {name} has no parameter {_list(unknown)}: allowed are {allowed or 'none'}")
    return tuple(_checked(name, param, params.get(param.name, param.default)) for param in function.params)


def _checked(name: str, param: _Param, value: object) -> int | float:
    """``value`` as an int or a double, whichever TA-Lib wants."""
    wanted = "an integer" if param.is_integer else "a finite number"
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _DOUBLE_MAX:
        if not param.is_integer:
            return float(value)
        if value == int(value):
            return int(value)
    raise ValueError(f"parameter {param.name} of indicator {name} is {wanted}: found {value!r}")


def _lookback(name: str, function: _Function, values: _Values) -> int | None:
    """Bars before the first value, or None if TA-Lib refuses ``values``."""
    pairs = list(zip(function.params, values, strict=True))
    if any(_is_beyond(param, value) for param, value in pairs):
        return None
    handle = talib_library().Function(name, plain_function(name))
    handle.set_parameters({param.name: value for param, value in pairs})
    lookback = int(handle.lookback)
    return lookback if lookback >= 0 else None


def _is_beyond(param: _Param, value: float) -> bool:
    """True for what cannot be handed to TA-Lib: too large for it, or a mark by which it means "the default"."""
    return not _INT_MIN < value <= _INT_MAX if param.is_integer else abs(value) > _REAL_MAX


def _range_problem(name: str, function: _Function, values: _Values) -> str:
    """Which of ``values`` is out of range, and what the range is."""
    defaults = tuple(param.default for param in function.params)
    for at, (param, value) in enumerate(zip(function.params, values, strict=True)):

        def allows(tried: float, at: int = at) -> bool:
            return _lookback(name, function, (*defaults[:at], tried, *defaults[at + 1 :])) is not None

        if not allows(value):
            low, high = (_last_allowed(allows, param, towards) for towards in _ends(param))
            return (
                f"parameter {param.name} of indicator {name} is {value:g}: allowed are {low:.10g} to {high:.10g}"
            )
    shown = ", ".join(f"{param.name}={value:g}" for param, value in zip(function.params, values, strict=True))
    return f"indicator {name} cannot be computed with {shown} together: TA-Lib refuses the combination"


def _ends(param: _Param) -> _Values:
    return (_INT_MIN, _INT_MAX + 1) if param.is_integer else (-2 * _REAL_MAX, 2 * _REAL_MAX)


def _last_allowed(allows: Callable[[float], bool], param: _Param, refused: float) -> float:
    """The last allowed value on the way from the default to ``refused`` (TA-Lib does not export its ranges)."""
    good: float = param.default
    while True:
        middle = (good + refused) // 2 if param.is_integer else (good + refused) / 2
        if middle in {good, refused} or (param.is_integer and abs(refused - good) == 1):
            return good + 0  # turns -0.0 into 0.0
        good, refused = (middle, refused) if allows(middle) else (good, middle)


def _list(words: Iterable[str]) -> str:
    return ", ".join(repr(word) for word in words)
