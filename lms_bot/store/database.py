"""Opening the store: SQLite by default, PostgreSQL where one machine is not enough."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import peewee
from peewee import DatabaseProxy, PostgresqlDatabase, SqliteDatabase
from playhouse.migrations import Runner

from lms_bot.core.configured import get_configured
from lms_bot.core.errors import StoreUnavailable, first_line
from lms_bot.store.statements import from_stored, to_stored

MIGRATIONS = Path(__file__).parent / "migrations"
MIGRATION_LOCK = 0x6C6D73  # any number, the same in every process of the bot
BUSY_TIMEOUT_SECONDS = 15
OLDEST_SQLITE = (3, 38, 0)  # the first with `->>`
NO_SUCH_FOLDER = "unable to open database file"  # SQLite's words
TOO_OLD = f"and {'.'.join(map(str, OLDEST_SQLITE))} is needed; take a newer Python, or keep the store in PostgreSQL"

EVENT_IDS = "event ids"
"""The lock shared by who takes ids for events and has not committed these yet."""

READ_ONLY_TRANSACTION = "25006"  # https://www.postgresql.org/docs/current/errcodes-appendix.html
CONNECTION_ERRORS = (peewee.OperationalError, peewee.InterfaceError)


class _ConfiguredDatabase(DatabaseProxy):
    """The database behind the models; opened from the configuration when nobody opened one."""

    def __getattr__(self, name: str) -> Any:
        if self.obj is None and not name.startswith("__"):
            get_configured(Store)
        return super().__getattr__(name)


database = _ConfiguredDatabase()


class UTCDateTimeField(peewee.DateTimeField):
    """An aware moment in UTC: `timestamptz` on PostgreSQL, sortable ISO text on SQLite."""

    field_type = "TIMESTAMPTZ"

    def db_value(self, value: Any) -> Any:
        return to_stored(value) if isinstance(value, datetime) else value

    def python_value(self, value: Any) -> datetime | None:
        return None if value is None else from_stored(value)


class Store:
    """The opened store. Threads share it; each has a connection of its own."""

    def __init__(self, url: str) -> None:
        self.database = _connect_to(url)
        self.is_postgresql = isinstance(self.database, PostgresqlDatabase)

    @contextmanager
    def session(self) -> Iterator[peewee.Database]:
        """A working connection for this thread. A broken one is dropped, so that the next try is fresh.

        Raises StoreUnavailable in place of the driver's connection errors.
        """
        if self.database.in_transaction():  # the outermost block answers for the connection
            yield self.database
            return
        try:
            self.database.connect(reuse_if_open=True)
            yield self.database
        except peewee.PeeweeException as error:  # InterfaceError: a closed connection
            if not _is_about_connection(error):
                raise
            self.close_thread()
            raise StoreUnavailable(f"the store does not answer: {first_line(error)}") from error

    @contextmanager
    def transaction(self, patience_seconds: float | None = None) -> Iterator[peewee.Database]:
        """All of the block's changes, or none.

        Raises StoreUnavailable where a lock cannot be had within `patience_seconds`; at most and by default these
        are BUSY_TIMEOUT_SECONDS, but on PostgreSQL by default as many as a statement may take.
        """
        with self.session() as db, self._patience(patience_seconds), db.atomic():
            yield db

    @contextmanager
    def _patience(self, seconds: float | None) -> Iterator[None]:
        if seconds is None or self.database.in_transaction():
            yield
            return
        setting = "SET lock_timeout" if self.is_postgresql else "PRAGMA busy_timeout"
        usual = 0 if self.is_postgresql else BUSY_TIMEOUT_SECONDS
        seconds = min(seconds, BUSY_TIMEOUT_SECONDS)
        self.database.execute_sql(f"{setting} = {max(1, int(seconds * 1000))}")  # 0 would be for ever
        try:
            yield
        finally:
            with suppress(peewee.PeeweeException):  # a connection that broke is not used again
                self.database.execute_sql(f"{setting} = {usual * 1000}")

    def lock(self, duty: str, *, is_shared: bool = False) -> None:
        """Within a transaction, until its end: one process at a time. SQLite's transactions take turns anyway.

        Those who share the lock wait only for one who does not, and that one for all of them.
        """
        if self.is_postgresql:
            function = "pg_advisory_xact_lock_shared" if is_shared else "pg_advisory_xact_lock"
            self.database.execute_sql(f"SELECT {function}(hashtext(%s))", ("lms_bot:" + duty,))

    def migrate(self) -> list[str]:
        """Brings the tables up to date; safe when several processes start at once. Returns what was applied."""
        with self.session() as db, db.atomic(*([] if self.is_postgresql else ["EXCLUSIVE"])):
            if self.is_postgresql:
                db.execute_sql("SELECT pg_advisory_xact_lock(%s)", (MIGRATION_LOCK,))
            return list(Runner(db, str(MIGRATIONS), table_name="lms_schema_migrations").up())

    def close_thread(self) -> None:
        """Closes this thread's connection, also one that broke in the middle of a transaction."""
        while self.database.in_transaction():
            self.database.pop_transaction()
        with suppress(peewee.PeeweeException):
            self.database.close()


def open_store(url: str) -> Store:
    """Opens and migrates the store at `url` and makes it the one the models speak to.

    Raises StoreUnavailable, which names the setting, where it cannot be reached.
    """
    try:
        store = Store(url)
        store.migrate()
    except StoreUnavailable as error:
        hint = " (its folder must be there and writable)" if str(error).endswith(NO_SUCH_FOLDER) else ""
        raise StoreUnavailable(f"LMS_BOT_STORE: {error}{hint}") from error
    except peewee.PeeweeException as error:  # a file that is no database, a role that may not create tables, …
        raise StoreUnavailable(f"LMS_BOT_STORE: the store cannot be opened: {first_line(error)}") from error
    database.initialize(store.database)
    return store


def _is_about_connection(error: peewee.PeeweeException) -> bool:
    """Also SQLite's plain DatabaseError, for a file that is no database; its subclasses are our mistakes.

    And a PostgreSQL that became a replica, or was made read-only: another connection may lead to the right one.
    """
    if isinstance(error, peewee.InternalError):
        return getattr(error.__context__, "pgcode", None) == READ_ONLY_TRANSACTION
    return isinstance(error, CONNECTION_ERRORS) or type(error) is peewee.DatabaseError


def rows(query: Any) -> list[tuple[Any, ...]]:
    """A query's rows as plain tuples."""
    return list(query.tuples())


def _connect_to(url: str) -> peewee.Database:
    if url.startswith("sqlite:///"):
        if sqlite3.sqlite_version_info < OLDEST_SQLITE:
            raise StoreUnavailable(f"this Python has SQLite {sqlite3.sqlite_version}, {TOO_OLD}")
        return SqliteDatabase(
            unquote(url.removeprefix("sqlite:///")),
            pragmas={"journal_mode": "wal", "synchronous": "normal", "foreign_keys": 1, "cache_size": -32_000},
            lock_type="IMMEDIATE",
            timeout=BUSY_TIMEOUT_SECONDS,
        )
    return PostgresqlDatabase(url, options="-c timezone=UTC -c statement_timeout=60s -c jit=off", connect_timeout=10)
