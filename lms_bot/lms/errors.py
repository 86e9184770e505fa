"""What the LMS's failures mean, classed by what helps."""

from __future__ import annotations

import psycopg2
from psycopg2 import errorcodes

from lms_bot.core.errors import LMSBotError, LMSRefused, LMSUnavailable, first_line

BROKEN = (psycopg2.OperationalError, psycopg2.InterfaceError)
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
    return None


def _describe_absence(code: str, said: str, *, is_broken: bool) -> str:
    if code in (errorcodes.QUERY_CANCELED, errorcodes.LOCK_NOT_AVAILABLE):
        return f"the LMS is too slow: {said}"
    if "Connection refused" in said or "could not translate host name" in said or "timeout expired" in said:
        return "the LMS's database cannot be reached: nobody answers at its host and port"
    if is_broken:
        return f"the connection to the LMS broke, and is made anew: {said}"
    return f"the connection to the LMS failed: {said}"
