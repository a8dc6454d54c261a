"""Traces: what the threads of a live session have seen, so exactly that the session can be played again."""

from mismartera.trace.playing import Player
from mismartera.trace.recording import Recorder

__all__ = ["Player", "Recorder"]
