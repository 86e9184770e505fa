"""Values of LMS rows as we can keep them: installations differ in the types of their columns.

Most values are of the expected type, and a backlog has many: for those nothing is done that takes time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from lms_bot.core.activities import UNREADABLE
from lms_bot.core.clock import to_utc
from lms_bot.lms.driver import Unreadable

EARLIEST_YEAR = 1990
FURTHEST_AHEAD = timedelta(days=366)
LARGEST_ID = 2**63 - 1
NAME_LENGTH, TITLE_LENGTH = 255, 500
"""Characters kept of what the LMS sends, which is cut there already (`Snapshot.cut`), but not so short."""

LONGEST_VALUE = 1000
UNQUESTIONED = frozenset((str, int, bool, type(None)))
"""Types whose every value can be kept, but for its length."""

WORDS = {True: "pass", False: "fail"}  # for a result that is true or false


class RowProblem(Exception):
    """Why a row cannot become an activity, in plain words."""

    def __init__(self, problem: str, reason: str) -> None:
        super().__init__(reason)
        self.problem = problem


def read_key(value: Any) -> str:
    """A row's key as text, the same whether its column is of whole numbers or of others that happen to be whole."""
    is_whole = isinstance(value, Decimal) and value.is_finite() and value == value.to_integral_value()
    return str(int(value)) if is_whole else str(value)


def read_id(name: str, value: Any) -> int:
    """A whole number of at most 64 bits; of a numeric or text column, too. Raises RowProblem."""
    if type(value) is not int:
        value = _to_whole_number(name, value)
    if abs(value) > LARGEST_ID:
        raise RowProblem(UNREADABLE, f"{name}: {value} is larger than can be kept")
    return int(value)


def _to_whole_number(name: str, value: Any) -> int:
    try:
        number = Decimal(str(value).strip()) if isinstance(value, (str, Decimal, float)) else Decimal("NaN")
        if number.is_finite() and number == number.to_integral_value():
            return int(number)
    except ArithmeticError:  # no number at all, or one without end
        pass
    raise RowProblem(UNREADABLE, f"{name}: {_show(value)} is no whole number")


def read_text(value: Any, length: int = NAME_LENGTH) -> str | None:
    """A text of at most so many characters; a list as its parts, translations as the English or first one."""
    text = value if type(value) is str else _to_clean_text(value)
    return text if text is None or len(text) <= length else f"{text[: length - 1]}…"


def _to_clean_text(value: Any) -> str | None:
    """Without what JSON can say and no store can keep: NUL, halves of characters."""
    text = _to_text(value)
    return None if text is None else text.replace("\0", "").encode(errors="replace").decode()


def _to_text(value: Any) -> str | None:
    if value is None or isinstance(value, Unreadable):
        return None
    if isinstance(value, Mapping):
        found = value.get("en") or next(filter(None, value.values()), None)
        return None if found is None else str(found)
    if isinstance(value, (list, tuple)):
        return ", ".join(str(part) for part in value if part is not None) or None
    return bytes(value).decode(errors="replace") if isinstance(value, (bytes, memoryview)) else str(value)


def read_word(value: Any) -> str:
    """A state or result as it is compared: one space between words, no case; true is `pass`."""
    text = WORDS.get(value, "") if isinstance(value, bool) else _to_text(value) or ""
    return " ".join(text.casefold().replace("_", " ").replace("-", " ").split())


def read_moment(name: str, value: Any, lms_now: datetime) -> datetime | None:
    """When something happened, aware, also where it is kept as a date or as text in ISO's form. Raises RowProblem."""
    if isinstance(value, str):
        value = _parse_moment(name, value)
    elif isinstance(value, date) and not isinstance(value, datetime):
        value = datetime.combine(value, time())
    if value is None:
        return None
    if isinstance(value, Unreadable):
        raise RowProblem(UNREADABLE, f"{name}: {value.problem}")
    if not isinstance(value, datetime):
        raise RowProblem(UNREADABLE, f"{name}: {_show(value)} is no moment")
    _check_year(name, value, lms_now)
    return to_utc(value)


def _parse_moment(name: str, text: str) -> datetime | None:
    if not text.strip():
        return None
    try:
        return datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
    except ValueError:
        raise RowProblem(UNREADABLE, f"{name}: {_show(text)} is no moment") from None


def _check_year(name: str, value: datetime, lms_now: datetime) -> None:
    if EARLIEST_YEAR <= value.year <= lms_now.year:  # nearly all are; what follows takes time
        return
    if value.year < EARLIEST_YEAR or value.year > lms_now.year + 2 or to_utc(value) > lms_now + FURTHEST_AHEAD:
        raise RowProblem(UNREADABLE, f"{name}: {value:%Y-%m-%d} cannot be when it happened")


def check_value(name: str, value: Any, lms_now: datetime) -> None:
    """Raises RowProblem for what cannot be kept, or cannot be meant, whatever it is used for."""
    if isinstance(value, datetime):
        _check_year(name, value, lms_now)
    elif isinstance(value, Unreadable):
        raise RowProblem(UNREADABLE, f"{name}: {value.problem}")
    elif isinstance(value, (float, Decimal)) and not math.isfinite(value):
        raise RowProblem(UNREADABLE, f"{name}: {value} is no number that can be kept")


def read_plain(value: Any) -> Any:
    """A checked value as JSON can hold it, for what is kept beside an event."""
    if type(value) in UNQUESTIONED:
        return value
    if isinstance(value, (float, Decimal)):
        return _to_number(value)
    if isinstance(value, datetime):
        return to_utc(value).isoformat()
    return read_text(value, LONGEST_VALUE)


def _to_number(value: float | Decimal) -> float | int:
    if isinstance(value, float):
        return value
    return int(value) if value == value.to_integral_value() and abs(value) < 2**53 else float(value)


def _show(value: Any) -> str:
    """What was found, short enough for a reason."""
    return f"“{read_text(value, 50)}”"
