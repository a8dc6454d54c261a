"""The kinds of values in a configuration: what each allows, for people (errors) and editors (JSON Schema)."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainValidator,
    WithJsonSchema,
)
from pydantic_core import CoreSchema, core_schema

from mismartera.config.frozen import FrozenDict, freeze_json
from mismartera.config.problems import shown

# bars/ brings NumPy along (a tenth of a second), which `mismartera --help` must not pay for:
# it is imported where a symbol or an interval is checked.

_MOMENT_PATTERN = (
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:[0-9]{2})?"
)
_TIME_PATTERN = r"([01][0-9]|2[0-3]):[0-5][0-9]|24:00"
_CALENDAR_PATTERN = r"[A-Z0-9]{4}|24/[57]"
_PERIOD_PATTERN = r"[1-9][0-9]{0,3}[dw]"
_CLASS_PATTERN = r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*:[A-Za-z_][A-Za-z0-9_]*"
_INTERVAL_PATTERN = r"[1-9][0-9]{0,4}[smh]|1d"
_LOOPBACK = re.compile(r"localhost|127(\.[0-9]{1,3}){3}|::1")
BUS_NAME_PATTERN = r"[A-Za-z0-9_-]{1,32}"
_NUMBER_MAX = 1e300
SECONDS_MAX = 365 * 86_400
"""The longest time that can be asked for: a year, which no session sees the end of."""
DAYS_MAX = 10_000
"""The most days: more than any calendar knows of."""
COUNT_MAX = 1_000_000
"""The most of anything that is counted."""
BUS_STREAM = "mismartera"
"""The name of a bus's stream where none is given."""

_NumberT = TypeVar("_NumberT", int, float)


@dataclass(frozen=True)
class Bounds:
    """The range of a number: ``low`` to ``high``, both allowed; ``above`` instead of ``low``: more than that."""

    low: float | None = None
    high: float | None = None
    above: float | None = None

    def check(self, value: _NumberT) -> _NumberT:
        """``value`` itself; ValueError if it is out of range."""
        if (self.low is not None and value < self.low) or (self.above is not None and value <= self.above):
            raise ValueError(f"{shown(value)} is below the minimum; allowed: {self}")
        if self.high is not None and value > self.high:
            raise ValueError(f"{shown(value)} is above the maximum; allowed: {self}")
        return value

    def __str__(self) -> str:
        if self.above is not None:
            return f"more than {self.above:g}" + ("" if self.high is None else f", at most {self.high:,.10g}")
        return f"{self.low:g} or more" if self.high is None else f"{self.low:g} to {self.high:,.10g}"

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        limits = {"minimum": self.low, "maximum": self.high, "exclusiveMinimum": self.above}
        return handler(schema) | {key: limit for key, limit in limits.items() if limit is not None}


@dataclass(frozen=True)
class Pattern:
    """The form of a text, and how to say it."""

    regex: str
    allowed: str

    def check(self, text: str) -> str:
        """``text`` itself; ValueError if it has another form."""
        if not re.fullmatch(self.regex, text):
            raise ValueError(f"{shown(text)} has a wrong form; allowed: {self.allowed}")
        return text

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return handler(schema) | {"pattern": f"^({self.regex})$"}


def check_symbol_name(name: str) -> str:
    """``name`` itself; ValueError if it is no symbol."""
    from mismartera.bars.symbol import check_symbol

    return check_symbol(name)


def _symbol_schema(schema: dict[str, Any]) -> None:
    from mismartera.bars.symbol import SYMBOL_LENGTH_MAX, SYMBOL_PATTERN

    schema.update(pattern=f"^{SYMBOL_PATTERN}$", maxLength=SYMBOL_LENGTH_MAX)


def _check_interval(label: str) -> str:
    from mismartera.bars.interval import parse_interval

    # Cut, for the error quotes it; no interval has so long a name.
    return parse_interval(label if len(label) <= 20 else f"{label[:20]}...").label


def interval_length_us(label: str) -> int:
    """The length of a checked interval: ``60m`` and ``1h`` are one interval."""
    from mismartera.bars.interval import parse_interval

    return parse_interval(label).length_us


def is_interval(label: str) -> bool:
    """True if ``label`` names an interval."""
    try:
        _check_interval(label)
    except ValueError:
        return False
    return True


def _not_empty(items: tuple[str, ...]) -> tuple[str, ...]:
    if not items:
        raise ValueError('the list is empty; allowed: at least one interval, for example ["1m"]')
    return items


def _text(value: str) -> str:
    if not value.strip():
        raise ValueError(f"{shown(value)} is empty; allowed: text")
    return value


def _day(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
            return dt.date.fromisoformat(value)
        reason = ""
    except ValueError as error:
        reason = f" ({error})"
    raise ValueError(f"{shown(value)} is not a date; allowed: YYYY-MM-DD{reason}")


def _moment(value: object) -> object:
    """A datetime whose offset, if it has one, is a fixed one: those of two zones compare by their instant."""
    reason = ""
    if isinstance(value, str):
        try:
            moment = dt.datetime.fromisoformat(value) if re.fullmatch(_MOMENT_PATTERN, value) else None
        except ValueError as error:
            moment, reason = None, f" ({error})"
        if moment is None:
            raise ValueError(
                f"{shown(value)} is not a date and time; allowed: YYYY-MM-DDTHH:MM in exchange time, "
                "seconds and a zone offset may follow, for example 2024-07-02T10:00 or 2024-07-02T10:00-04:00"
                + reason
            )
        value = moment
    if not isinstance(value, dt.datetime):
        return value
    offset = value.utcoffset()
    return value.replace(tzinfo=None if offset is None else dt.timezone(offset), fold=0)


def _number(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{shown(value)} is not a number; allowed: a number")  # noqa: TRY004 (pydantic reports it)
    if not -_NUMBER_MAX <= value <= _NUMBER_MAX:
        raise ValueError(f"{shown(value)} is out of range; allowed: {-_NUMBER_MAX:g} to {_NUMBER_MAX:g}")
    return value


def check_url(url: str, *, secure: str, plain: str, path_allowed: bool) -> str | None:
    """What is wrong with ``url``, or None. ``secure`` and ``plain`` are its schemes, ``plain`` on loopback only.

    The answer does not repeat an URL that holds a password.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError as error:
        return f"{shown(url)} is not an URL ({error}); allowed: {secure}://host"
    if parts.username is not None or parts.password is not None:
        return "the URL holds a user name or password; allowed: none, keys come from the environment"
    if parts.scheme not in {secure, plain} or not host:
        return f"{shown(url)} is not an URL of this kind; allowed: {secure}://host, or {plain}://host on loopback"
    if parts.scheme == plain and not _LOOPBACK.fullmatch(host):
        return f"{shown(url)} is not encrypted; allowed: {secure}://, and {plain}:// on loopback only"
    if not path_allowed and (parts.path or parts.query or parts.fragment):
        return f"{shown(url)} has a path; allowed: {secure}://host or {secure}://host:port"
    return None


Text = Annotated[str, AfterValidator(_text), Field(json_schema_extra={"minLength": 1})]
Symbol = Annotated[str, AfterValidator(check_symbol_name), Field(json_schema_extra=_symbol_schema)]
IntervalLabel = Annotated[
    str, AfterValidator(_check_interval), Field(json_schema_extra={"pattern": f"^({_INTERVAL_PATTERN})$"})
]
Intervals = Annotated[
    tuple[IntervalLabel, ...], AfterValidator(_not_empty), Field(json_schema_extra={"minItems": 1})
]
Day = Annotated[dt.date, BeforeValidator(_day)]
Moment = Annotated[
    dt.datetime, BeforeValidator(_moment), WithJsonSchema({"type": "string", "pattern": f"^{_MOMENT_PATTERN}$"})
]
TimeOfDay = Annotated[str, Pattern(_TIME_PATTERN, "HH:MM from 00:00 to 24:00")]
CalendarCode = Annotated[str, Pattern(_CALENDAR_PATTERN, "an ISO 10383 code such as XNYS or XLON, or 24/7")]
Period = Annotated[str, Pattern(_PERIOD_PATTERN, "a number of sessions '<n>d' or weeks '<n>w', such as 10d or 2w")]
ClassPath = Annotated[str, Pattern(_CLASS_PATTERN, "'module:Class', for example my_strategies:Momentum")]
BusName = Annotated[str, Pattern(BUS_NAME_PATTERN, "1 to 32 letters, digits, - and _")]
FunctionName = Annotated[str, Pattern(r"[A-Za-z][A-Za-z0-9_]{0,31}", "a function of TA-Lib such as SMA or RSI")]
Number = Annotated[int | float, PlainValidator(_number, json_schema_input_type=float)]
Numbers = Annotated[Mapping[str, Number], AfterValidator(FrozenDict)]
JsonObject = Annotated[Mapping[str, Any], AfterValidator(freeze_json)]
