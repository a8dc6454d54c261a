"""F0: bars, intervals, symbols, instants and the rules that make a bar valid."""

from mismartera.bars.bar import (
    SOURCES,
    Bar,
    SeriesInfo,
    Span,
    make_bar,
    make_bars,
    make_bars_of_instants,
    marked,
    with_lag,
)
from mismartera.bars.block import BarBlock
from mismartera.bars.interval import BASE_INTERVALS, Interval, parse_interval
from mismartera.bars.symbol import check_symbol, decode_symbol, encode_symbol
from mismartera.bars.view import Bars

__all__ = [
    "BASE_INTERVALS", "SOURCES", "Bar", "BarBlock", "Bars", "Interval", "SeriesInfo", "Span",
    "check_symbol", "decode_symbol", "encode_symbol", "make_bar", "make_bars",
    "make_bars_of_instants", "marked", "parse_interval", "with_lag",
]  # fmt: skip
