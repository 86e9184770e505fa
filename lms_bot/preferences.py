"""What one person wants to be told, and when. Pure, but for loading and saving at the end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime, time, timedelta, tzinfo
from enum import Enum
from typing import Any

from lms_bot.activities import ActivityType
from lms_bot.clock import utc_now
from lms_bot.store.database import Store
from lms_bot.store.models import Preference

DAILY_AT = time(18, 0)  # local time of the daily message: when the day's work is done
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
FOR_EVER = "for ever"


class When(str, Enum):
    """How soon events of a type are told."""

    NOW = "now"
    HOURLY = "hourly"
    DAILY = "daily"
    OFF = "off"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class Preferences:
    """`notify`: event type -> When, for those that differ from `default`. `mutes`: student id -> until when (ISO)
    or FOR_EVER. `quiet`: local times `HH:MM` from and to, may span midnight. `workdays`: three-letter days."""

    default: Mapping[str, str] = field(default_factory=dict)
    notify: Mapping[str, str] = field(default_factory=dict)
    mutes: Mapping[str, str] = field(default_factory=dict)
    muted_until: str | None = None
    quiet: tuple[str, str] | None = None
    workdays: tuple[str, ...] | None = None
    failed_pass: bool = False
    """Failed exams are told in quiet times, too."""

    def get_when(self, event_type: str) -> When:
        return When(self.notify.get(event_type) or self.default.get(event_type) or When.NOW)

    def get_due(self, event_type: str, student_id: int, since: datetime, zone: tzinfo) -> datetime | None:
        """When an event that could be told at `since` is to be told at the earliest; None: not at all.

        What is held back by a mute without an end is due in the far future.
        """
        when = self.get_when(event_type)
        if when is When.OFF:
            return None
        due = _next_round(since.astimezone(zone), when)
        due = max(due, self._end_of_mutes(student_id, since))
        if self.failed_pass and event_type == ActivityType.EXAM_FAILED.value:
            return due
        return self._end_of_quiet(due.astimezone(zone))

    def _end_of_mutes(self, student_id: int, since: datetime) -> datetime:
        ends = [since]
        for until in (self.muted_until, self.mutes.get(str(student_id))):
            if until is not None:
                ends.append(_FAR if until == FOR_EVER else datetime.fromisoformat(until))
        return max(ends)

    def _end_of_quiet(self, due: datetime) -> datetime:
        """The first moment from `due` on (local time) that is neither quiet nor outside the work days."""
        for _ in range(16):  # a night and a weekend at a time; the days of a week suffice
            later = self._after_quiet_time(self._after_free_days(due))
            if later == due:
                break
            due = later
        return due

    def _after_free_days(self, due: datetime) -> datetime:
        if not self.workdays:
            return due
        while WEEKDAYS[due.weekday()] not in self.workdays:
            due = datetime.combine(due.date() + timedelta(days=1), time(0), due.tzinfo)
        return due

    def _after_quiet_time(self, due: datetime) -> datetime:
        if self.quiet is None:
            return due
        start, end = (time.fromisoformat(one) for one in self.quiet)
        now = due.time()
        if start == end or not (start <= now < end if start < end else now >= start or now < end):
            return due
        day = due.date() + timedelta(days=1 if start > end and now >= start else 0)
        return datetime.combine(day, end, due.tzinfo)


_FAR = datetime(9999, 1, 1, tzinfo=utc_now().tzinfo)


def _next_round(since: datetime, when: When) -> datetime:
    """The next full hour, or the next time of the daily message, in the zone of `since`."""
    if when is When.HOURLY:
        return since.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    if when is When.DAILY:
        today = datetime.combine(since.date(), DAILY_AT, since.tzinfo)
        return today if since <= today else _on(since.date() + timedelta(days=1), since.tzinfo)
    return since


def _on(day: date, zone: tzinfo | None) -> datetime:
    return datetime.combine(day, DAILY_AT, zone)


class PreferenceBook:
    """Everybody's preferences, in the store. `default` is what the admin chose for who chose nothing."""

    def __init__(self, store: Store, default: Mapping[str, str]) -> None:
        self._store = store
        self._default = dict(default)

    def get(self, zulip_user_id: int) -> Preferences:
        with self._store.session():
            row = Preference.get_or_none(Preference.zulip_user_id == zulip_user_id)
        return self._of(row.choices if row is not None else {})

    def change(self, zulip_user_id: int, **choices: Any) -> Preferences:
        """Changes some of a person's preferences and returns all of them."""
        with self._store.transaction():
            changed = replace(self.get(zulip_user_id), **choices)
            kept = {name: value for name, value in asdict(changed).items() if name != "default"}
            row = {"choices": kept, "updated_at": utc_now()}
            Preference.insert(zulip_user_id=zulip_user_id, **row).on_conflict(
                conflict_target=[Preference.zulip_user_id], preserve=[Preference.choices, Preference.updated_at]
            ).execute()
        return changed

    def _of(self, choices: Mapping[str, Any]) -> Preferences:
        known = {name: value for name, value in choices.items() if name in Preferences.__dataclass_fields__}
        for name in ("quiet", "workdays"):
            if known.get(name) is not None:
                known[name] = tuple(known[name])
        return Preferences(default=self._default, **known)
