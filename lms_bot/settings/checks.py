"""The kinds of values a setting can have: what is allowed, and what is said about what is not."""

from __future__ import annotations

import re
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import psycopg2
from psycopg2.extensions import parse_dsn
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from lms_bot.core.activities import ActivityType
from lms_bot.core.typos import find_nearest

YEAR_SECONDS = 31_536_000
SIMILAR = 75
"""How similar a typo must be to what was meant: 100 is the same."""

NOTIFY_WORDS = ("calm", "digest", "everything", "now", "hourly", "daily", "off")
NOTIFY_ALLOWED = f"it is one of {', '.join(NOTIFY_WORDS)}, or event types with one each, like exam_started=off, calm"
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
SCHOOL_DAYS_ALLOWED = "days of the week like mon-fri or sun,mon,tue"
EVENT_TYPES = [event_type.value for event_type in ActivityType]
ALL_TYPES = "all"

# A text in `Annotated` says what is allowed, for the message about a value that is not.

POSTGRES_URL_ALLOWED = (
    "must be like postgresql://user:password@host:5432/name, "
    "with special characters in each part percent-encoded (@ as %40, / as %2F, % as %25)"
)
STORE_ALLOWED = (
    "must be sqlite:///relative/file.db, sqlite:////absolute/file.db or postgresql://user:password@host/name"
)


def _check_postgres_url(url: SecretStr) -> SecretStr:
    """Refuse, without quoting it, what libpq would read otherwise than it was meant."""
    text = url.get_secret_value()
    try:
        parts = parse_dsn(text)
    except (psycopg2.Error, ValueError):
        raise ValueError(POSTGRES_URL_ALLOWED) from None
    is_url = text.startswith(("postgresql://", "postgres://"))
    # An unescaped @ or / in a password makes libpq take the rest of the password for a host or
    # a port, and name it in its errors.
    is_torn = "@" in parts.get("host", "") + parts.get("dbname", "") or re.search(r"[^\d,]", parts.get("port", ""))
    if not is_url or is_torn:
        raise ValueError(POSTGRES_URL_ALLOWED)
    return url


def _check_store_url(url: SecretStr) -> SecretStr:
    scheme, _, rest = url.get_secret_value().partition("://")
    if scheme in ("postgresql", "postgres"):
        return _check_postgres_url(url)
    if scheme != "sqlite" or not rest.startswith("/") or rest.endswith("/"):
        raise ValueError(STORE_ALLOWED)
    if rest == "/:memory:":
        raise ValueError("must outlive a restart, so it cannot be in memory; " + STORE_ALLOWED)
    return url


def suggestion(word: str, known: list[str]) -> str:
    closest = find_nearest(word.lower(), known, 1, SIMILAR)
    return f" (did you mean {closest[0]}?)" if closest else ""


def _split(value: Any) -> Any:
    """The parts of a comma-separated text; anything else as it is."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _check_event_types(names: frozenset[str]) -> frozenset[str]:
    names = frozenset(name.lower() for name in names)
    unknown = sorted(names.difference(EVENT_TYPES))
    if unknown or not names:
        listed = ", ".join(f"{name!r}{suggestion(name, EVENT_TYPES)}" for name in unknown)
        what = f"unknown event type {listed}" if unknown else "names no event type"
        raise ValueError(f"{what}; known are {', '.join(EVENT_TYPES)}")
    return names


def _parse_default_notify(value: str) -> dict[str, str]:
    """Event type -> one of NOTIFY_WORDS; under ALL_TYPES what holds for the types not named."""
    chosen: dict[str, str] = {}
    general = "calm"
    for part in _split(value.lower()):
        event_type, has_type, when = part.rpartition("=")
        event_type, when = event_type.strip(), when.strip()
        if when not in NOTIFY_WORDS or (has_type and event_type not in EVENT_TYPES):
            raise ValueError(f"{part!r} is not understood; {NOTIFY_ALLOWED}")
        if has_type:
            chosen[event_type] = when
        else:
            general = when
    return {ALL_TYPES: general} | chosen


def _parse_school_days(value: str) -> frozenset[str]:
    """Three-letter days, out of single days and ranges, which may go over the weekend."""
    found: set[str] = set()
    for part in _split(value.lower()):
        first, has_end, last = (one.strip()[:3] for one in part.partition("-"))
        last = last if has_end else first
        if first not in WEEKDAYS or last not in WEEKDAYS:
            raise ValueError(f"{part!r} is not understood; it is {SCHOOL_DAYS_ALLOWED}")
        begin = WEEKDAYS.index(first)
        found.update((WEEKDAYS * 2)[begin : begin + (WEEKDAYS.index(last) - begin) % 7 + 1])
    if not found:
        raise ValueError(f"names no day; it is {SCHOOL_DAYS_ALLOWED}")
    return frozenset(found)


def _check_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (LookupError, ValueError, OSError):
        raise ValueError(f"{name!r} is no time zone that this machine knows; it is like Europe/Berlin") from None
    return name


def zulip_person(text: str) -> int | str:
    """A Zulip user id, or an e-mail address, casefolded."""
    if re.fullmatch("[0-9]{1,15}", text):
        return int(text)
    if re.fullmatch(r"[^@\s]+@[^@\s]+", text):
        return text.casefold()
    raise ValueError("must be a Zulip user id or an e-mail address")


def _check_admins(people: frozenset[int | str]) -> frozenset[int | str]:
    try:
        return frozenset(zulip_person(str(person)) for person in people)
    except ValueError:
        raise ValueError("must be e-mail addresses or Zulip user ids, separated by commas") from None


def _check_dotted_path(path: str) -> str:
    names = path.split(".")
    if len(names) < 2 or not all(name.isidentifier() for name in names):
        raise ValueError(f"{path!r} must be the dotted path of a class, like package.module.ClassName")
    return path


YesOrNo = Annotated[bool, "true or false"]
Port = Annotated[int, Field(ge=1, le=65535), "a whole number from 1 to 65535"]
PollSeconds = Annotated[float, Field(ge=0.2, le=YEAR_SECONDS), f"a number from 0.2 to {YEAR_SECONDS}"]
Seconds = Annotated[float, Field(ge=0, le=YEAR_SECONDS), f"a number from 0 to {YEAR_SECONDS}"]
GroupSeconds = Annotated[float | None, Field(ge=0, le=YEAR_SECONDS), f"a number from 0 to {YEAR_SECONDS}"]
SchoolDayCount = Annotated[int, Field(ge=1, le=365), "a whole number from 1 to 365"]
Hours = Annotated[float, Field(gt=0, le=8760), "a number above 0, to 8760"]
Milliseconds = Annotated[int, Field(ge=1, le=60_000), "a whole number from 1 to 60000"]
PostgresURL = Annotated[SecretStr, AfterValidator(_check_postgres_url)]
StoreURL = Annotated[SecretStr, AfterValidator(_check_store_url)]
EventTypes = Annotated[frozenset[str], BeforeValidator(_split), AfterValidator(_check_event_types)]
ZulipPeople = Annotated[frozenset[int | str], BeforeValidator(_split), AfterValidator(_check_admins)]
DefaultNotify = Annotated[dict[str, str], BeforeValidator(_parse_default_notify)]
SchoolDays = Annotated[frozenset[str], BeforeValidator(_parse_school_days)]
TimeZone = Annotated[str, AfterValidator(_check_zone)]
Holidays = Annotated[tuple[str, ...], BeforeValidator(_split)]
OptionalDottedPath = Annotated[str | None, AfterValidator(lambda path: path and _check_dotted_path(path))]
DottedPath = Annotated[str, AfterValidator(_check_dotted_path)]
