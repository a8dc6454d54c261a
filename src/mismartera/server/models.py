"""What requests and answers look like: for the check of requests, and for the API's description."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from mismartera.server.limits import SYMBOLS_MAX

Name = Annotated[str, Field(min_length=1, max_length=64)]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class AddSymbols(_Request):
    """``symbols`` to be added, or one ``symbol``; ``streams`` of their own, or the session's."""

    symbols: Annotated[list[Name], Field(max_length=SYMBOLS_MAX)] | None = None
    symbol: Name | None = None
    streams: Annotated[list[Name], Field(min_length=1, max_length=16)] | None = None


class Speed(_Request):
    """Seconds of the session's clock per second of the wall."""

    speed: Annotated[float, Field(gt=0, le=1_000_000, allow_inf_nan=False)]


class SignIn(_Request):
    """The code of the URL that ``serve`` prints, once; or the token."""

    code: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    token: Annotated[str, Field(min_length=1, max_length=200)] | None = None


class Nothing(_Request):
    """An empty object."""


class Fault(BaseModel):
    """``code`` is for programs, ``message`` for people."""

    code: str
    message: str
    request_id: str
    fields: list[dict[str, str]] = []


class Error(BaseModel):
    """Every answer that is an error."""

    error: Fault


class SignedIn(BaseModel):
    """``csrf`` goes into the header X-Mismartera-CSRF of a page's commands."""

    csrf: str
    who: str


class Outcome(BaseModel):
    """What became of one symbol."""

    outcome: str
    reason: str | None


class Command(BaseModel):
    """A command: ``outcome`` is pending, loaded, failed, removed, done, or mixed for several symbols."""

    command: str
    action: str
    outcome: str
    reason: str | None
    symbols: dict[str, Outcome]
    status_url: str


class Session(BaseModel):
    """How the session stands."""

    model_config = ConfigDict(extra="allow")

    run: str
    seq: int
    name: str
    mode: str
    outcome: str
    is_over: bool
    date: str | None
    open: str | None
    close: str | None
    zone: str
    now: str
    state: str
    reason: str
    is_active: bool
    is_paused: bool
    lag_seconds: float
    speed: float | None
    can_step: bool
    can_set_speed: bool


class States(BaseModel):
    """The session's states over time."""

    now: str
    states: list[dict[str, str]]
    seconds: dict[str, float]


class Symbol(BaseModel):
    """One symbol's row."""

    model_config = ConfigDict(extra="allow")

    symbol: str
    state: str
    reason: str | None
    is_active: bool
    generation: int
    intervals: list[str]
    end: str | None
    lag_seconds: float | None
    close: float | None
    change_percent: float | None
    quality_percent: float | None
    caught_up: float | None


class Symbols(BaseModel):
    """All symbols, in rank order."""

    run: str
    outcome: str
    seq: int
    symbols: list[Symbol]


class SeriesBars(BaseModel):
    """Bars of a series. ``bars`` is null if they may not be read now; ``reason`` says why, or why it is empty."""

    run: str
    outcome: str
    symbol: str
    interval: str
    generation: int
    reason: str | None
    bars: list[dict[str, Any]] | None


class Indicators(BaseModel):
    """The newest values, by interval and name; null as a whole if they may not be read now."""

    run: str
    outcome: str
    symbol: str
    reason: str | None
    indicators: dict[str, dict[str, float | None]] | None


class QualityMap(BaseModel):
    """Quality by symbol, as a whole and in bins of the session."""

    model_config = ConfigDict(extra="allow", populate_by_name=True)

    now: str
    symbols: dict[str, dict[str, Any]]


class Events(BaseModel):
    """Events in order. ``missed``: some after the number asked for are no longer kept."""

    run: str
    seq: int
    oldest: int
    missed: bool
    events: list[dict[str, Any]]


class Health(BaseModel):
    """A sign of life, without content."""

    status: str
