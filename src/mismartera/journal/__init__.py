"""The journal: what happened in live sessions, so durably that nothing acknowledged is ever lost."""

from mismartera.journal.database import Database, open_database
from mismartera.journal.entries import Arrival, Command, Counts, Entry, Event, Trace
from mismartera.journal.reader import JournalReader, PastSession
from mismartera.journal.state import JournalState
from mismartera.journal.writer import JournalWriter

__all__ = [
    "Database", "open_database",
    "JournalWriter", "Entry", "Event", "Command", "Counts", "Arrival", "Trace",
    "JournalReader", "PastSession", "JournalState",
]  # fmt: skip
