"""Outcome: how a run stands or ended."""

from __future__ import annotations

from enum import StrEnum


class Outcome(StrEnum):
    """How a run ended, or that it has not."""

    NOT_STARTED = "not started"
    RUNNING = "running"
    FINISHED = "finished"
    STOPPED = "stopped"
    INTERRUPTED = "interrupted"
    FAILED = "failed"
