"""Time as the program keeps it: aware, in UTC."""

from __future__ import annotations

from datetime import datetime, timezone, tzinfo
from zoneinfo import ZoneInfo

UTC = timezone.utc


def utc_now() -> datetime:
    return datetime.now(UTC)


def to_utc(moment: datetime) -> datetime:
    """The same moment, aware and in UTC; a naive one is taken as UTC."""
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC)


def find_zone(name: str | None) -> tzinfo:
    """The time zone of that IANA name; UTC where there is no such zone."""
    try:
        return ZoneInfo(name) if name else UTC
    except (LookupError, ValueError, OSError):  # unknown, absurd, or the name of a folder of zones
        return UTC
