"""The reads of the API. They obey the gate as strategies do, and say why they are empty."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Response

from mismartera.bars import Bars
from mismartera.server import models
from mismartera.server.answers import answer, errors
from mismartera.server.formats import ARROW, CSV, JSON, arrow, choose, csv, records
from mismartera.server.heat import quality_map
from mismartera.server.limits import BARS_MAX, SYMBOLS_MAX
from mismartera.server.metrics import CONTENT_TYPE, Metrics
from mismartera.server.refusal import Refusal
from mismartera.server.rows import symbol_row, symbol_rows
from mismartera.server.views import SessionView

_INT_MAX = 1 << 53
_BARS: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {ARROW: {"schema": {"type": "string", "format": "binary"}}, CSV: {"schema": {"type": "string"}}}
    }
}


def read_routes(view: SessionView, metrics: Metrics) -> APIRouter:
    """``/api`` without the commands, and ``/metrics``."""
    routes = APIRouter(tags=["reads"])
    _session_routes(routes, view)
    _series_routes(routes, view)
    _symbol_routes(routes, view)

    @routes.get("/metrics", responses=errors(), response_class=Response)
    async def get_metrics() -> Response:
        """Prometheus' text format."""
        return Response(metrics.text(), headers={"content-type": CONTENT_TYPE})

    return routes


def _about(view: SessionView) -> dict[str, Any]:
    return {"run": view.run, "outcome": str(view.system.outcome)}


def _session_routes(routes: APIRouter, view: SessionView) -> None:
    @routes.get("/api/session", response_model=models.Session, responses=errors())
    async def get_session() -> Response:
        """How the session stands: its clock, state, lag, speed, and how far it is."""
        return answer(view.session())

    @routes.get("/api/states", response_model=models.States, responses=errors())
    async def get_states() -> Response:
        """The session's states over time, and how long it was in each."""
        return answer(view.states())

    @routes.get("/api/events", response_model=models.Events, responses=errors())
    async def get_events(
        after: Annotated[
            int, Query(ge=0, le=_INT_MAX, description="The number of the last event that you have.")
        ] = 0,
        limit: Annotated[int, Query(ge=1, le=5_000)] = 1_000,
    ) -> Response:
        """What has happened after a number: all events but bars and gaps."""
        return answer(view.events(after, limit))


def _symbol_routes(routes: APIRouter, view: SessionView) -> None:
    @routes.get("/api/symbols", response_model=models.Symbols, responses=errors())
    async def get_symbols(
        spark: Annotated[int, Query(ge=0, le=200, description="So many newest closes of each.")] = 0,
    ) -> Response:
        """All symbols with state, lag, quality and newest close, in rank order."""
        return answer({**_about(view), "seq": view.recent.seq, "symbols": symbol_rows(view, spark)})

    @routes.get("/api/symbols/{symbol:path}", response_model=models.Symbol, responses=errors(404))
    async def get_symbol(symbol: str) -> Response:
        """One symbol."""
        return answer(symbol_row(view, view.standing(symbol)))


def _series_routes(routes: APIRouter, view: SessionView) -> None:
    @routes.get(
        "/api/bars/{symbol:path}/{interval}", response_model=models.SeriesBars,
        responses={**errors(404, 406, 409), **_BARS},
    )  # fmt: skip
    async def get_bars(
        symbol: str, interval: str,
        limit: Annotated[int, Query(ge=1, le=BARS_MAX, description="The newest so many.")] = 1_000,
        after: Annotated[int | None, Query(ge=0, le=_INT_MAX, description="Bars that end later (us).")] = None,
        accept: Annotated[str, Header(max_length=500)] = JSON,
    ) -> Response:  # fmt: skip
        """The visible bars of this session with their indicators, as JSON, Arrow IPC or CSV.

        While they may not be read, JSON has null in their place and the reason; the others answer 409.
        """
        kind = choose(accept)
        bars, reason = view.bars(symbol, interval)
        if bars is not None:
            first = 0 if after is None else int(bars.end_us.searchsorted(after, side="right"))
            bars = bars[max(first, len(bars) - limit) :]
        if kind == JSON:
            return _json_bars(view, symbol, interval, bars, reason)
        if bars is None:
            raise Refusal(409, "withheld", f"bars of {symbol} may not be read now: {reason}")
        return Response(arrow(bars) if kind == ARROW else csv(bars), media_type=kind)

    @routes.get("/api/indicators", response_model=models.Indicators, responses=errors(404))
    async def get_indicators(symbol: Annotated[str, Query(min_length=1, max_length=64)]) -> Response:
        """The newest values of a symbol's indicators; null until warm."""
        found = view.indicators(symbol)
        reason = view.why_empty(symbol) if found is None else None
        return answer({**_about(view), "symbol": symbol, "reason": reason, "indicators": found})

    @routes.get("/api/quality", response_model=models.QualityMap, responses=errors(404))
    async def get_quality(
        bins: Annotated[int, Query(ge=1, le=500)] = 39,
        symbol: Annotated[list[str] | None, Query(max_length=SYMBOLS_MAX)] = None,
    ) -> Response:
        """How complete the bars are that were due by now: per symbol, and in equal stretches of the session."""
        for one in symbol or ():
            view.standing(one)
        return answer({**_about(view), **quality_map(view, bins, symbol)})


def _json_bars(view: SessionView, symbol: str, interval: str, bars: Bars | None, reason: str | None) -> Response:
    standing = view.system.coordinator.standing(symbol)
    return answer({
        **_about(view), "symbol": symbol, "interval": interval,
        "generation": standing.generation if standing else 0, "reason": reason,
        "bars": None if bars is None else records(bars), "seq": view.recent.seq,
    })  # fmt: skip
