"""The one connection to the LMS's PostgreSQL: read-only, short-tempered, and shared by all threads."""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from typing import Any

import psycopg2
from psycopg2.extensions import ISOLATION_LEVEL_REPEATABLE_READ, TRANSACTION_STATUS_IDLE, connection, cursor

from lms_bot.core.errors import LMSRefused, LMSUnavailable
from lms_bot.lms.driver import BROKEN, cut_columns, register_patient_types, to_lms_error

logger = logging.getLogger(__name__)

APPLICATION_NAME = "lms_bot"
PROBE_SECONDS = 1.0
PATIENCE_SECONDS = 2.0  # of who asks for somebody that waits for an answer
IDLE_SECONDS = 5.0  # after which a connection is asked whether it still is one, before anything hangs on it
FROZEN_SECONDS = 35.0  # without an answer, where `statement_timeout` should long have brought one
OLDEST_SERVER = 140000  # TID range scans, on which the complete look rests, came with PostgreSQL 14
SESSION_OPTIONS = (
    "-c statement_timeout=30s -c lock_timeout=5s -c idle_in_transaction_session_timeout=60s"
    " -c idle_session_timeout=0 -c max_parallel_workers_per_gather=0 -c timezone=UTC"
)


class LMSConnection:
    """A guest's connection: SELECT in read-only REPEATABLE READ transactions, one at a time.

    `generation` counts the connections made; state that only holds for one server session is tied to it.
    `interruption` says what became of the connection before this one, if there was one.
    """

    def __init__(self, dsn: str | None) -> None:
        self._dsn = dsn
        self._lock = threading.RLock()
        self._is_waited_for = False
        self._connection: connection | None = None
        self._used_at = 0.0
        self._server: tuple[datetime, datetime] | None = None  # when it started, when we met it
        self._cut_selects: dict[str, str] = {}
        self.generation = 0
        self.interruption: str | None = None

    @contextmanager
    def snapshot(self, patience_seconds: float | None = None) -> Iterator[Snapshot]:
        """One read-only transaction that sees the LMS at one moment.

        Raises LMSUnavailable (away, restarting, too slow) or LMSRefused (password, rights, missing tables). With
        `patience_seconds`, what others ask is not waited for longer than that, nor a server that is frozen.
        """
        with self._turn(patience_seconds):
            try:
                connected = self._connected()
                is_within = connected.info.transaction_status != TRANSACTION_STATUS_IDLE  # a look of this thread
                block = nullcontext() if is_within else _transaction(connected)
                with block, connected.cursor() as open_cursor:
                    yield Snapshot(connected, open_cursor, self._cut_selects)
            except psycopg2.Error as error:
                if not self.is_open or isinstance(error, BROKEN):
                    self._drop()
                raise to_lms_error(error) from error
            finally:
                self._used_at = monotonic()

    @contextmanager
    def _turn(self, patience_seconds: float | None) -> Iterator[None]:
        """The connection, for this thread alone."""
        patience = -1 if patience_seconds is None else 0 if self._is_waited_for else patience_seconds
        if not self._lock.acquire(timeout=patience):
            self._is_waited_for = True  # by somebody; nobody else need
            raise LMSUnavailable("the LMS is too slow: it is still busy with what it was asked before")
        try:
            with self._cut_if_frozen() if patience_seconds is not None else nullcontext():
                yield
        finally:
            self._is_waited_for = False
            self._lock.release()

    @contextmanager
    def _cut_if_frozen(self) -> Iterator[None]:
        """A server that is frozen keeps no timeout of its own, while its machine keeps the connection alive."""
        timer = threading.Timer(FROZEN_SECONDS, self._cut)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _cut(self) -> None:
        connected = self._connection
        with suppress(psycopg2.Error, OSError):  # it may have gone by itself
            if connected is not None:
                with socket.socket(fileno=os.dup(connected.fileno())) as link:
                    link.shutdown(socket.SHUT_RDWR)

    def is_reachable(self) -> bool:
        """Whether somebody listens where the LMS should be. Costs the LMS nothing: no session is opened."""
        if self._dsn is None:
            return False
        place = psycopg2.extensions.parse_dsn(self._dsn)
        hosts = (place.get("hostaddr") or place.get("host") or "localhost").split(",")
        ports = place.get("port", "5432").split(",")
        return any(map(_listens, hosts, ports if len(ports) > 1 else ports * len(hosts)))

    def close(self) -> None:
        with self._lock:
            self._drop()

    @property
    def server(self) -> str | None:
        """When the server we speak to was started: another one, or one restored from a backup, was so later."""
        return self._server and self._server[0].isoformat()

    @property
    def is_open(self) -> bool:
        return self._connection is not None and not self._connection.closed

    def _connected(self) -> connection:
        if self._dsn is None:
            raise LMSRefused("no LMS is set up: LMS_DB_NAME and LMS_DB_USER, or LMS_DB_URL, are not set")
        if self.is_open and monotonic() - self._used_at > IDLE_SECONDS:
            self._drop_if_broken()
        if self._connection is None or self._connection.closed:
            self._connection = _connect(self._dsn)
            self.generation += 1
            self._cut_selects = {}
            self._meet(self._connection)
        return self._connection

    def _drop_if_broken(self) -> None:
        """A link that was dropped while it idled, by the server or on the way, is made anew at once."""
        idle = self._connection
        if idle is None or idle.info.transaction_status != TRANSACTION_STATUS_IDLE:  # in the midst of a look
            return
        try:
            with _transaction(idle), idle.cursor() as asked:
                asked.execute("SELECT 1")
        except psycopg2.Error:
            self._drop()

    def _meet(self, connected: connection) -> None:
        """Notes which server this is, and so what interrupted us."""
        with _transaction(connected), connected.cursor() as asked:
            asked.execute("SELECT pg_postmaster_start_time(), now()")
            started_at, now = asked.fetchone() or ()
        if self._server is not None:
            happened = _what_happened(*self._server, started_at)
            self.interruption = f"{happened}; connected again at {now:%Y-%m-%d %H:%M} UTC"
            logger.info("%s", self.interruption)
        self._server = started_at, now

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


@dataclass(frozen=True)
class Snapshot:
    """What a transaction can be asked."""

    connection: connection
    cursor: cursor
    cut_selects: dict[str, str]

    def cut(self, select: str, parameters: Mapping[str, Any]) -> str:
        """The SELECT with values of at most LONGEST_TEXT characters: texts are cut, other long things are null.

        It is looked at once for each connection, since installations differ in the types of their columns.
        """
        if select not in self.cut_selects:
            self.cursor.execute(f"SELECT * FROM ({select}) AS found LIMIT 0", parameters)
            self.cut_selects[select] = cut_columns(select, [one.type_code for one in self.cursor.description or ()])
        return self.cut_selects[select]

    def fetch_all(self, sql: str, parameters: Mapping[str, Any] | Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        self.cursor.execute(sql, parameters)
        return self.cursor.fetchall()

    def fetch_one(self, sql: str, parameters: Mapping[str, Any] | Sequence[Any] = ()) -> tuple[Any, ...]:
        """Of a query that always has one row."""
        (row,) = self.fetch_all(sql, parameters)
        return row

    def fetch_pages(self, sql: str, parameters: Mapping[str, Any], page_size: int) -> Iterator[list[tuple[Any, ...]]]:
        """Rows in pages through a cursor on the server, so that memory does not grow with the table."""
        with self.connection.cursor("lms_bot_pages") as server_cursor:
            server_cursor.execute(sql, parameters)
            while page := server_cursor.fetchmany(page_size):
                yield page


@contextmanager
def _transaction(connected: connection) -> Iterator[None]:
    """As psycopg2's own `with connected`, but a rollback that fails does not hide what went wrong before."""
    try:
        yield
    except BaseException:
        with suppress(psycopg2.Error):
            connected.rollback()
        raise
    connected.commit()


def _what_happened(started_before: datetime, met_before: datetime, started_at: datetime) -> str:
    if started_at == started_before:
        return "the connection to the LMS was dropped"
    if started_at < met_before:
        return "another server took the place of the LMS's (failover)"
    return "the LMS's database was restarted"


def _listens(host: str, port: str) -> bool:
    number = int(port or 5432)
    try:
        if host.startswith("/"):
            with socket.socket(socket.AF_UNIX) as door:
                door.settimeout(PROBE_SECONDS)
                door.connect(f"{host}/.s.PGSQL.{number}")
        else:
            socket.create_connection((host or "localhost", number), PROBE_SECONDS).close()
    except OSError:
        return False
    return True


def _connect(dsn: str) -> connection:
    connected = psycopg2.connect(
        dsn,
        application_name=APPLICATION_NAME,
        client_encoding="UTF8",
        connect_timeout=10,
        options=SESSION_OPTIONS,
        keepalives=1,
        keepalives_idle=30,
        keepalives_interval=10,
        keepalives_count=3,
        tcp_user_timeout=60_000,
    )
    if connected.server_version < OLDEST_SERVER:
        version = connected.server_version // 10000
        connected.close()
        raise LMSRefused(f"the LMS runs PostgreSQL {version}; 14 or newer is needed")
    connected.set_session(isolation_level=ISOLATION_LEVEL_REPEATABLE_READ, readonly=True)
    register_patient_types(connected)
    return connected
