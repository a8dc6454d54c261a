"""The journal's tables. An instant is an int64 of microseconds since the epoch, UTC.

``seq`` numbers the entries of a session through all tables, in the order in which they were made durable.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Integer, LargeBinary, MetaData, Table, Text

REVISION = "0001"
"""The newest migration: what this version of the package reads and writes."""

metadata = MetaData()


def _of_session(name: str, *columns: Column[object]) -> Table:
    """Entries of a session."""
    return Table(
        name,
        metadata,
        Column("session_id", Integer, ForeignKey("sessions.id"), primary_key=True),
        Column("seq", BigInteger, primary_key=True, autoincrement=False),
        *columns,
    )


sessions = Table(
    "sessions", metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("name", Text, nullable=False),
    Column("began_us", BigInteger, nullable=False),
    Column("ended_us", BigInteger),
    Column("outcome", Text),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("config", Text, nullable=False),
    Column("folder", Text, nullable=False),
    Column("versions", Text, nullable=False),
    Column("began_with", Text, nullable=False),
    Column("store", Text, nullable=False),
    Column("store_version", BigInteger),
    Column("until_us", BigInteger),
    Column("resumed", Integer),
)  # fmt: skip

events = _of_session(
    "events",
    Column("time_us", BigInteger, nullable=False),
    Column("name", Text, nullable=False),
    Column("symbol", Text),
    Column("fields", Text, nullable=False),
)

commands = _of_session(
    "commands",
    Column("number", BigInteger, nullable=False),
    Column("time_us", BigInteger, nullable=False),
    Column("what", Text, nullable=False),
    Column("symbol", Text),
    Column("streams", Text),
    Column("who", Text, nullable=False),
    Column("accepted", Boolean, nullable=False),
)

counts = _of_session(
    "counts",
    Column("date", Text, nullable=False),
    Column("symbol", Text, nullable=False),
    Column("counts", Text, nullable=False),
)

arrivals = _of_session(
    "arrivals",
    Column("kind", Text, nullable=False),
    Column("arrived_us", BigInteger),
    Column("bars", Integer, nullable=False),
    Column("payload", LargeBinary, nullable=False),
)

traces = _of_session(
    "traces",
    Column("stream", Text, nullable=False),
    Column("payload", LargeBinary, nullable=False),
)

ENTRIES = (events, commands, counts, arrivals, traces)
"""The tables that share a session's ``seq``."""
