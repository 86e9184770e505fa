"""Values PostgreSQL holds and Python cannot: one of them must not cost the other rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg2
from psycopg2.extensions import PYDATETIME, PYDATETIMETZ, connection, cursor, new_type, register_type

TIMESTAMP, TIMESTAMPTZ = 1114, 1184  # type oids, from pg_type.dat
TEXT_TYPES = (18, 19, 25, 1042, 1043)


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
