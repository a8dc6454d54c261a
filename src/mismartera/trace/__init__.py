"""Traces: what the threads of a live session have seen, so exactly that the session can be played again."""

from mismartera.trace.playing import DepartedError, Player, TraceEndedError
from mismartera.trace.recording import Recorder

__all__ = ["DepartedError", "Player", "Recorder", "TraceEndedError"]
