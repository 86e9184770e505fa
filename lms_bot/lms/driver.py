"""psycopg2's errors and values in our terms: failures classed by what helps, and values that Python cannot hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg2
from psycopg2 import errorcodes
from psycopg2.extensions import PYDATETIME, PYDATETIMETZ, connection, cursor, new_type, register_type

from lms_bot.core.errors import LMSBotError, LMSRefused, LMSUnavailable, first_line

TIMESTAMP, TIMESTAMPTZ = 1114, 1184  # type oids, from pg_type.dat
TEXT_TYPES = (18, 19, 25, 1042, 1043)
SHORT_TYPES = (16, 20, 21, 23, 26, 700, 701, 1082, 1083, 1114, 1184, 1186, 1266, 1700, 2950)
"""Numbers, moments and the like, which are never long."""

LONGEST_TEXT = 1334  # Moodle has names of 1,333 characters; one more, so that what is cut is seen to be
LONGEST_OTHER = 20_000  # bytes of what is no text and cannot be cut: JSON, lists

BROKEN = (psycopg2.OperationalError, psycopg2.InterfaceError)
TABLES_DIFFER = ("22", "42")  # classes of errors: of data, and of what a statement says of tables
_ENDED = (
    "",  # the server said nothing any more
    errorcodes.ADMIN_SHUTDOWN,
    errorcodes.CRASH_SHUTDOWN,
    errorcodes.IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
    errorcodes.IDLE_SESSION_TIMEOUT,
)
_RESTARTING = ("is starting up", "is shutting down", "in recovery mode", "not yet accepting connections")


def to_lms_error(error: psycopg2.Error) -> LMSBotError:
    """The driver's error in plain words, classed by what helps. Never holds the connection string."""
    code, said = error.pgcode or "", first_line(error)
    refusal = _describe_refusal(code, said)
    if refusal is not None:
        return LMSRefused(refusal)
    if code == errorcodes.CANNOT_CONNECT_NOW or any(words in said for words in _RESTARTING):
        # Refusing us costs it nothing, and it will be back soon.
        return LMSUnavailable(f"the LMS's database is restarting: {said}", retry_after_seconds=0.0)
    is_broken = isinstance(error, BROKEN) and code in _ENDED and not said.startswith("connection to server")
    return LMSUnavailable(_describe_absence(code, said, is_broken=is_broken))


def _describe_refusal(code: str, said: str) -> str | None:
    if "password authentication failed" in said or code.startswith("28") or "no pg_hba.conf entry" in said:
        return "the LMS refuses our login: the password or user name no longer works"
    if "is not permitted to log in" in said:
        return "the LMS refuses our login: the role may not log in"
    if code == errorcodes.INSUFFICIENT_PRIVILEGE:
        return f"the LMS lets us in but not read: {said}; see the GRANT statements in the README"
    if code in (errorcodes.UNDEFINED_TABLE, errorcodes.UNDEFINED_COLUMN) or "does not exist" in said:
        return f"the LMS lacks something we read: {said}"
    if code.startswith(TABLES_DIFFER):
        return f"the LMS has something in a form that we cannot read: {said}"
    return None


def _describe_absence(code: str, said: str, *, is_broken: bool) -> str:
    if code in (errorcodes.QUERY_CANCELED, errorcodes.LOCK_NOT_AVAILABLE):
        return f"the LMS is too slow: {said}"
    if "Connection refused" in said or "could not translate host name" in said or "timeout expired" in said:
        return "the LMS's database cannot be reached: nobody answers at its host and port"
    if is_broken:
        return f"the connection to the LMS broke, and is made anew: {said}"
    return f"the connection to the LMS failed: {said}"


def cut_columns(select: str, types: Sequence[int]) -> str:
    """The SELECT, whose columns have these type oids, without values that are long: they fill the memory."""
    names = [f"c{number}" for number in range(len(types))]
    columns = ", ".join(map(_cut_column, names, types))
    return f"SELECT {columns} FROM ({select}) AS found ({', '.join(names)})"


def _cut_column(name: str, kind: int) -> str:
    if kind in TEXT_TYPES:
        return f"left({name}, {LONGEST_TEXT})"
    return name if kind in SHORT_TYPES else f"CASE WHEN octet_length({name}::text) <= {LONGEST_OTHER} THEN {name} END"


@dataclass(frozen=True)
class Unreadable:
    """A value PostgreSQL holds and Python cannot: a year before Christ, bytes that are no text."""

    problem: str


def register_patient_types(connected: connection) -> None:
    """One value that Python cannot hold must not cost the other rows: it is read as `Unreadable`."""
    register_type(new_type((TIMESTAMP,), "PATIENT_TIMESTAMP", _patient(PYDATETIME)), connected)
    register_type(new_type((TIMESTAMPTZ,), "PATIENT_TIMESTAMPTZ", _patient(PYDATETIMETZ)), connected)
    if connected.info.parameter_status("server_encoding") == "SQL_ASCII":
        # Such a server stores any bytes and converts nothing. Latin 1 lets all of them through to our own look.
        connected.set_client_encoding("LATIN1")
        register_type(new_type(TEXT_TYPES, "PATIENT_TEXT", _text_of_any_bytes), connected)


def _patient(convert: Any) -> Any:
    def cast(value: str | None, open_cursor: cursor) -> Any:
        try:
            return convert(value, open_cursor)
        except (ValueError, OverflowError, psycopg2.DataError):
            return Unreadable(f"{value} is no date that can be kept")

    return cast


def _text_of_any_bytes(value: Any, _: cursor) -> Any:
    if value is None:
        return None
    try:
        return value.encode("latin-1").decode("utf-8")
    except UnicodeDecodeError:
        return Unreadable("text that is not valid UTF-8")
