"""The first tables."""

from alembic import op
from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Integer, LargeBinary, Text

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """From nothing."""
    op.create_table(
        "sessions",
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
    )
    _entries(
        "events",
        Column("time_us", BigInteger, nullable=False),
        Column("name", Text, nullable=False),
        Column("symbol", Text),
        Column("fields", Text, nullable=False),
    )
    _entries(
        "commands",
        Column("number", BigInteger, nullable=False),
        Column("time_us", BigInteger, nullable=False),
        Column("what", Text, nullable=False),
        Column("symbol", Text),
        Column("streams", Text),
        Column("who", Text, nullable=False),
        Column("accepted", Boolean, nullable=False),
    )
    _entries(
        "counts",
        Column("date", Text, nullable=False),
        Column("symbol", Text, nullable=False),
        Column("counts", Text, nullable=False),
    )
    _entries(
        "arrivals",
        Column("kind", Text, nullable=False),
        Column("arrived_us", BigInteger),
        Column("bars", Integer, nullable=False),
        Column("payload", LargeBinary, nullable=False),
    )
    _entries(
        "traces",
        Column("stream", Text, nullable=False),
        Column("payload", LargeBinary, nullable=False),
    )


def _entries(name: str, *columns: Column[object]) -> None:
    op.create_table(
        name,
        Column("session_id", Integer, ForeignKey("sessions.id"), primary_key=True),
        Column("seq", BigInteger, primary_key=True, autoincrement=False),
        *columns,
    )
