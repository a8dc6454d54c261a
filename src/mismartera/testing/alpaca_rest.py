"""The REST half of the fake Alpaca server: pages of bars, and the ways in which they go wrong."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import parse_qsl, urlsplit

import msgspec

from mismartera.bars.instants import MINUTE_US
from mismartera.feeds.alpaca.stamps import parse_text
from mismartera.testing.alpaca_market import AlpacaFaults, AlpacaMarket, JsonDict, MarketBar


@dataclass(frozen=True, slots=True)
class RestRequest:
    """A request as it came: its path, its query, and the keys in its headers."""

    path: str
    query: dict[str, str]
    keys: tuple[str, str]


@dataclass(frozen=True, slots=True)
class RestAnswer:
    """Status, body and headers of an answer."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


def request_of(target: str, keys: tuple[str, str]) -> RestRequest:
    """The request for ``target``, a path with a query."""
    parts = urlsplit(target)
    return RestRequest(parts.path, dict(parse_qsl(parts.query)), keys)


def answer(
    request: RestRequest, market: AlpacaMarket, faults: AlpacaFaults, now_us: int, keys: tuple[str, str]
) -> RestAnswer:
    """What the service says at ``now_us`` to whoever has these ``keys``."""
    code = faults.code("rest_status")
    if code is not None:
        headers = (("Retry-After", faults.retry_after),) if faults.retry_after else ()
        return _message(code, HTTPStatus(code).phrase, headers)
    if request.keys != keys:
        return _message(403, "forbidden.")
    if request.path not in {"/v2/stocks/bars", "/v1beta3/crypto/us/bars"}:
        return _message(404, "not found")
    symbols = [symbol for symbol in request.query.get("symbols", "").split(",") if symbol]
    bad = [symbol for symbol in symbols if symbol in faults.bad_symbols]
    if bad or not symbols or request.query.get("timeframe") != "1Min":
        return _message(400, f"invalid symbol: {bad[0]}" if bad and faults.names_bad_symbols else "bad request")
    body = msgspec.json.encode(_page(request.query, sorted(symbols), market, faults, now_us))
    return RestAnswer(200, body[: len(body) // 2] if faults.take("rest_garbage") else body)


def _message(status: int, text: str, headers: tuple[tuple[str, str], ...] = ()) -> RestAnswer:
    return RestAnswer(status, msgspec.json.encode({"message": text}), headers)


def _page(
    query: dict[str, str], symbols: list[str], market: AlpacaMarket, faults: AlpacaFaults, now_us: int
) -> JsonDict:
    rows = _rows(query, symbols, market, faults, now_us)
    size = min(faults.page_size, int(query.get("limit", "1000")))
    token = query.get("page_token")
    if faults.empty_page and token is None:
        return {"bars": {}, "next_page_token": "0"}
    first = int(token or 0)
    last = first + size
    page = rows[max(first - 1, 0) if faults.repeat_boundary else first : last]
    bars: dict[str, list[JsonDict]] = {}
    for row in reversed(page) if faults.reverse_pages else page:
        bars.setdefault(row.symbol, []).append(row.fields())
    return {"bars": bars, "next_page_token": str(last) if last < len(rows) else None}


def _rows(
    query: dict[str, str], symbols: list[str], market: AlpacaMarket, faults: AlpacaFaults, now_us: int
) -> list[MarketBar]:
    """The service goes symbol by symbol, each by time, and includes both ends of the range."""
    start_us, end_us = parse_text(query["start"]), parse_text(query["end"])
    known_us = now_us - faults.rest_lag_bars * MINUTE_US + (MINUTE_US if faults.forming else 0)
    return [row for symbol in symbols for row in market.bars(symbol, start_us, end_us, known_us)]
