"""Database: where a journal is kept. SQLite in a file by default, PostgreSQL by its URL."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Self

from sqlalchemy import Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, OperationalError, SQLAlchemyError

from mismartera.errors import JournalError
from mismartera.journal.tables import REVISION

JOURNAL_FOLDER, JOURNAL_FILE = "_journal", "journal.db"
"""Of a store without a database URL; a leading underscore hides the folder from every reader of Delta tables."""
_BUSY_MS = 5_000
_SOUND_SQLITE = (3, 51, 3)
_LIVENESS: Final[Mapping[str, int]] = MappingProxyType({
    "connect_timeout": 10, "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
})  # fmt: skip
"""Of PostgreSQL, unless the URL says otherwise: how soon it is noticed that a server has vanished."""
_VERSION_TABLE, _TABLES = "alembic_version", frozenset({"sessions", "events"})
"""What makes a database a journal, of whatever revision."""
_MIGRATIONS = Path(__file__).parent / "migrations"


class Database:
    """One journal's database. ``label`` names it in messages, without a password."""

    def __init__(self, url: URL) -> None:
        self.url = url
        self.is_sqlite = url.get_backend_name() == "sqlite"
        self.label = str(url.database) if self.is_sqlite else url.render_as_string(hide_password=True)
        self.engine = _make_engine(url, is_sqlite=self.is_sqlite)

    @classmethod
    def at(cls, where: Path | str) -> Self:
        """That in the file, or behind the URL, ``where``. JournalError for a URL that is none of ours."""
        return cls(_url_of(where))

    @property
    def path(self) -> Path | None:
        """The file, if it is one."""
        return Path(str(self.url.database)) if self.is_sqlite else None

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that only reads. JournalError for whatever goes wrong."""
        try:
            with self.engine.connect() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise JournalError(f"the journal {self.label} cannot be read: {reason_of(error)}") from error

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that writes; durable after the block. SQLAlchemyError goes through."""
        with self.engine.connect() as connection, connection.begin():
            if self.is_sqlite:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection

    def revision(self) -> str | None:
        """The migration at which it stands; None for an empty database."""
        with self.reading() as connection:
            names = set(inspect(connection).get_table_names())
            is_journal = _VERSION_TABLE in names and names.issuperset(_TABLES)
            if is_journal:
                return str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar())
            # A server's database may serve others, too: only names that we would use are in the way there.
            if names if self.is_sqlite else names & {_VERSION_TABLE, *_TABLES}:
                raise JournalError(
                    f"{self.label} has tables, but is no journal of mismartera: name another database"
                )
            return None

    def check(self) -> None:
        """JournalError unless it stands at the revision of this version."""
        found = self.revision()
        if found == REVISION:
            return
        if found is None:
            raise JournalError(
                f"{self.label} is empty: 'mismartera live' or 'mismartera db upgrade' makes a journal"
            )
        remedy = (
            "run 'mismartera db upgrade'" if _is_known(found) else "use the version that wrote it, or a newer one"
        )
        raise JournalError(
            f"the journal {self.label} is of revision {found}, and this version of mismartera needs {REVISION}: "
            f"{remedy}"
        )

    def upgrade(self) -> tuple[str | None, str]:
        """Bring it to the newest revision; the one before and the one after. JournalError if it is newer."""
        from alembic import command, config  # 0.2 s that only a new or an old journal needs

        before = self.revision()
        if before == REVISION:
            return before, REVISION
        if before is not None and not _is_known(before):
            self.check()
        settings = config.Config()
        settings.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
        try:
            with self.writing() as connection:
                settings.attributes["connection"] = connection
                command.upgrade(settings, "head")
        except SQLAlchemyError as error:
            raise JournalError(f"the journal {self.label} cannot be upgraded: {reason_of(error)}") from error
        return before, REVISION

    @property
    def fault(self) -> str | None:
        """What the library that writes it is known to do wrong; None if it is sound."""
        if not self.is_sqlite or sqlite3.sqlite_version_info >= _SOUND_SQLITE:
            return None
        return (
            f"SQLite {sqlite3.sqlite_version} may damage what several connections write (mended in 3.51.3); "
            f"ours is the only one that writes {self.label}: let no other program do so"
        )

    def wal_bytes(self) -> int | None:
        """The size of the write-ahead log of a file; None of a server."""
        path = self.path
        if path is None:
            return None
        try:
            return path.with_name(f"{path.name}-wal").stat().st_size
        except FileNotFoundError:
            return 0

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def open_database(where: Path | str, *, make: bool) -> Database:
    """The journal in the file, or behind the URL, ``where``; ``make``: an empty one is made.

    JournalError if it is not there, is damaged or of another version.
    """
    database = Database.at(where)
    path = database.path
    try:
        if path is not None and not path.exists():
            _make_room(path, make=make)
        if make and database.revision() is None:
            database.upgrade()
        database.check()
    except OSError as error:
        database.close()
        raise JournalError(f"the journal {database.label} cannot be made: {error.strerror or error}") from error
    except BaseException:
        database.close()
        raise
    return database


def _make_room(path: Path, *, make: bool) -> None:
    if not make:
        raise JournalError(f"there is no journal at {path}: 'mismartera live' makes one")
    path.parent.mkdir(parents=True, exist_ok=True)


def reason_of(error: SQLAlchemyError) -> str:
    """What the database says, in one line, without statements or values."""
    said = str(error.orig) if isinstance(error, DBAPIError) and error.orig is not None else str(error)
    return " ".join(said.split()) or type(error).__name__


def is_of_database(error: BaseException) -> bool:
    """True for what another attempt may mend: the connection, a lock, the disk."""
    return isinstance(error, (OperationalError, DBAPIError, OSError))


def _url_of(where: Path | str) -> URL:
    if isinstance(where, Path):
        return URL.create("sqlite", database=str(where))
    try:
        url = make_url(where)
    except ArgumentError as error:
        raise JournalError(
            "the database URL cannot be read; allowed: sqlite:///FILE or postgresql://USER@HOST/NAME"
        ) from error
    backend = url.get_backend_name()
    if backend == "sqlite" and url.database and url.database != ":memory:":
        return url
    if backend == "postgresql":
        return url.set(drivername="postgresql+psycopg")
    raise JournalError(
        f"the database URL is of {backend!r}; allowed: sqlite:///FILE or postgresql://USER@HOST/NAME"
    )


def _make_engine(url: URL, *, is_sqlite: bool) -> Engine:
    asked = {} if is_sqlite else {name: value for name, value in _LIVENESS.items() if name not in url.query}
    try:
        engine = create_engine(url, connect_args=asked, pool_pre_ping=not is_sqlite)
    except (ImportError, NoSuchModuleError) as error:
        raise JournalError(
            "a journal in PostgreSQL needs the extra 'postgres': pip install 'mismartera[postgres]'"
        ) from error
    event.listen(engine, "connect", _settle_sqlite if is_sqlite else _settle_postgres)
    return engine


def _settle_sqlite(connection: Any, record: object) -> None:  # noqa: ARG001  # the signature of a listener
    connection.isolation_level = None  # BEGIN is ours to say
    names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if names and not (names.issuperset({_VERSION_TABLE, *_TABLES}) and _is_known(_version_of(connection))):
        return  # it is not ours, or of a newer version: not even its journal mode is changed
    for pragma in ("journal_mode=WAL", "synchronous=FULL", f"busy_timeout={_BUSY_MS}", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _version_of(connection: sqlite3.Connection) -> str:
    try:
        return str((connection.execute("SELECT version_num FROM alembic_version").fetchone() or ("",))[0])
    except sqlite3.OperationalError:  # a table of that name, and of something else
        return ""


def _settle_postgres(connection: Any, record: object) -> None:  # noqa: ARG001  # the signature of a listener
    # A server, or a role, may be set to answer before a commit is on its disk; whatever is stricter stays.
    connection.execute(
        "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
    )
    connection.commit()


def _is_known(revision: str) -> bool:
    return any(file.name.startswith(f"m{revision}_") for file in (_MIGRATIONS / "versions").glob("m*.py"))
