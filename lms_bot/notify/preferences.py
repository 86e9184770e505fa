"""What one person wants to be told, and when. Pure, but for loading and saving at the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, time, timedelta, tzinfo
from enum import Enum
from typing import Any

from lms_bot.core.activities import ActivityType
from lms_bot.core.clock import UTC, to_utc, utc_now
from lms_bot.store.database import Store
from lms_bot.store.models import Preference

DAILY_AT = time(18, 0)  # local time of the daily message: when the day's work is done
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
FOR_EVER = "for ever"
FAR_FUTURE = datetime(9000, 1, 1, tzinfo=UTC)
"""Later than anything; far enough from the end of the calendar for time zones and weekends."""

_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)


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

    @property
    def depend_on_zone(self) -> bool:
        """Whether it matters where the person lives."""
        rounds = {When.HOURLY.value, When.DAILY.value}
        is_rounded = not rounds.isdisjoint([*self.default.values(), *self.notify.values()])
        return bool(self.quiet or self.workdays or is_rounded)

    def get_due(
        self, event_type: str, student_id: int, since: datetime, zone: tzinfo, now: datetime | None = None
    ) -> datetime | None:
        """When an event that could be told at `since` is to be told at the earliest, in UTC; None: not at all.

        What is due at `now` already but was not told, since the bot or Zulip was away, keeps quiet times, too.
        What is held back by a mute without an end is due at FAR_FUTURE or later.
        """
        when = self.get_when(event_type)
        if when is When.OFF:
            return None
        due = self._next_round(max(since, self._end_of_mutes(student_id, since)).astimezone(zone), when)
        if self.failed_pass and event_type == ActivityType.EXAM_FAILED.value:
            return to_utc(due)
        due = to_utc(self._end_of_quiet(due))
        if now is not None and due < now:
            later = to_utc(self._end_of_quiet(now.astimezone(zone)))
            return later if later > now else due
        return due

    def _end_of_mutes(self, student_id: int, since: datetime) -> datetime:
        mutes = (self.muted_until, self.mutes.get(str(student_id)))
        return max([since, *(get_end_of_mute(until) for until in mutes if until is not None)])

    def _next_round(self, since: datetime, when: When) -> datetime:
        """The next full hour, or the next time of the daily message on a work day; local time."""
        if when is When.HOURLY:
            into_hour = timedelta(minutes=since.minute, seconds=since.second, microseconds=since.microsecond)
            # Real time, not the clock's: it may be put back within the hour.
            return since if not into_hour else (to_utc(since) + _HOUR - into_hour).astimezone(since.tzinfo)
        if when is When.DAILY:
            today = datetime.combine(since.date(), DAILY_AT, since.tzinfo)
            return self._after_free_days(today if since <= today else today + _DAY, DAILY_AT)
        return since

    def _end_of_quiet(self, due: datetime) -> datetime:
        """The first moment from `due` on (local time) that is neither quiet nor outside the work days.

        Where the clock is put forward over the end of a quiet time, that ends so much later.
        """
        for _ in range(16):  # a night and a weekend at a time; the days of a week suffice
            later = self._after_quiet_time(self._after_free_days(due, time(0)))
            if later == due:
                break
            due = later
        return due

    def _after_free_days(self, due: datetime, at: time) -> datetime:
        """`due`, or on the next work day `at` that time."""
        days = [due.date() + timedelta(days=ahead) for ahead in range(len(WEEKDAYS))]
        works = [day for day in days if WEEKDAYS[day.weekday()] in (self.workdays or WEEKDAYS)]
        if not works or works[0] == due.date():
            return due
        return datetime.combine(works[0], at, due.tzinfo)

    def _after_quiet_time(self, due: datetime) -> datetime:
        if self.quiet is None:
            return due
        start, end = (time.fromisoformat(one) for one in self.quiet)
        now = due.time()
        if start == end or not (start <= now < end if start < end else now >= start or now < end):
            return due
        if start > end and now >= start:
            return datetime.combine(due.date() + _DAY, end, due.tzinfo)
        # An hour that comes twice, since the clock is put back, has a second end, too.
        return datetime.combine(due.date(), end, due.tzinfo).replace(fold=due.fold)


def get_end_of_mute(until: str) -> datetime:
    """When a mute ends, in UTC; FAR_FUTURE where that is only when the person says so."""
    return FAR_FUTURE if until == FOR_EVER else min(to_utc(datetime.fromisoformat(until)), FAR_FUTURE)


def _read_until(until: str) -> str:
    get_end_of_mute(until)
    return until


def _read_quiet(quiet: Sequence[str]) -> tuple[str, str]:
    start, end = (time.fromisoformat(one).strftime("%H:%M") for one in quiet)
    return start, end


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "notify": lambda notify: {kind: When(when).value for kind, when in notify.items()},
    "mutes": lambda mutes: {str(int(key)): _read_until(until) for key, until in mutes.items()},
    "muted_until": _read_until,
    "quiet": _read_quiet,
    "workdays": lambda days: tuple(day for day in WEEKDAYS if day in list(days)),
    "failed_pass": bool,
}
"""How each choice is read from the store's JSON; what raises cannot be read."""


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
        """What cannot be read, e.g. since a newer version wrote it, is as if it were not chosen."""
        known: dict[str, Any] = {}
        for name, read in _READERS.items():
            if choices.get(name) is not None:
                with suppress(TypeError, ValueError, AttributeError, OverflowError):
                    known[name] = read(choices[name])
        return Preferences(default=self._default, **known)
