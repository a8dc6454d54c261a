"""F1: time: trading sessions, exchange calendars, clocks. The only package that reads the wall clock."""

from mismartera.timing.calendar import ExchangeCalendar
from mismartera.timing.clock import Clock, PacedClock, SteppedClock, make_clock
from mismartera.timing.live_clock import LiveClock
from mismartera.timing.manager import TimeManager
from mismartera.timing.session import TradingSession
from mismartera.timing.timetable import user_cache_dir
from mismartera.timing.wall import RehearsalClock, SystemClock, WallClock

__all__ = [
    "Clock", "ExchangeCalendar", "LiveClock", "PacedClock", "RehearsalClock", "SteppedClock", "SystemClock",
    "TimeManager", "TradingSession", "WallClock", "make_clock", "user_cache_dir",
]  # fmt: skip
