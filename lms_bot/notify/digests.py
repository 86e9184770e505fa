"""Digests -> messages: once on each school day each mentor is told who needs them, and the sums of the rest."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo

from lms_bot.core.clock import utc_now
from lms_bot.core.errors import LMSBotError
from lms_bot.insight.concerns.reads import get_open_concerns
from lms_bot.insight.concerns.tellings import get_first_told, get_told_numbers, mark_told
from lms_bot.insight.digest import Digest, gather_digest, get_needs
from lms_bot.insight.school_calendar import SchoolCalendar
from lms_bot.lms.people import Student
from lms_bot.notify.digest_message import MAX_DIGEST_LENGTH, fit_digest, get_shown, name_students
from lms_bot.notify.digest_times import find_due_digest, find_start
from lms_bot.notify.person_news import change_person, lock_person
from lms_bot.notify.preference_book import PreferenceBook
from lms_bot.notify.preferences import Preferences
from lms_bot.notify.welcome import BELOW, format_welcome
from lms_bot.outbox.draft import Draft
from lms_bot.outbox.outbox import Outbox
from lms_bot.people.rosters import Roster
from lms_bot.people.users import UserMapper
from lms_bot.store.concerns import URGENT_KINDS, Concern, PersonNews
from lms_bot.store.database import Store
from lms_bot.store.messages import NEWS, Lane

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class DigestParts:
    """`get_zone` is a person's time zone, None where it cannot be known now; `is_ready` whether the record of
    concerns is complete."""

    store: Store
    outbox: Outbox
    preferences: PreferenceBook
    users: UserMapper
    calendar: SchoolCalendar
    get_zone: Callable[[int], tzinfo | None]
    is_ready: Callable[[], bool]
    escalate_days: int


class DigestWriter:
    """`step` may be called as often as one likes, in any number of processes: each digest is written once."""

    def __init__(self, parts: DigestParts) -> None:
        self.parts = parts
        self._store = parts.store

    def step(self, now: datetime | None = None) -> int:
        """Writes the digests that are due. Returns how many. Raises LMSBotError where nobody can be found now."""
        now = now or utc_now()
        if not self.parts.is_ready():
            return 0
        people = list(self.parts.users.get_mentors_in_zulip())
        with self._store.session():
            known = {one.zulip_user_id: one.digest_at for one in PersonNews.select()}
        preferences = self.parts.preferences.get_all(people)
        written = 0
        for person in people:
            zone = self.parts.get_zone(person)
            if zone is None:
                continue
            due_at = find_due_digest(preferences[person], known.get(person), zone, self.parts.calendar, now)
            if due_at is not None:
                written += self._write(person, preferences[person], due_at, now)
        if written:
            self.parts.outbox.wake(NEWS)
        return written

    def make(self, person: int, preferences: Preferences, since: datetime | None, now: datetime) -> Digest:
        """The digest as it would be now, of what happened since; nothing is told with it.

        Raises LMSBotError where whose students are whose cannot be known.
        """
        users = self.parts.users
        user = users.get_zulip_user(person)
        mentors = users.get_mentors_for_zulip_user(user) if user is not None else []
        roster = users.get_roster(mentors)
        with self._store.session():
            return self._gather(person, preferences, roster, since or now - timedelta(days=1), now)

    def _write(self, person: int, preferences: Preferences, due_at: datetime, now: datetime) -> bool:
        try:
            with self._store.session():
                found: PersonNews | None = PersonNews.get_or_none(PersonNews.zulip_user_id == person)
            start = find_start(preferences, None if found is None else found.digest_at, due_at)
            digest = self.make(person, preferences, start, now)
        except LMSBotError as error:
            logger.info("a digest has to wait: %s", error)
            return False
        with self._store.transaction():
            known = lock_person(self._store, person)
            if known.digest_at is not None and known.digest_at >= due_at:
                return False  # another process has written it
            quiet_told_at = (known.quiet_told_at or now) if digest.silent_everywhere else None
            if known.quiet_told_at:  # that it is quiet everywhere is told once
                digest = replace(digest, silent_everywhere=0)
            welcome = "" if known.welcomed_at else BELOW + format_welcome(preferences)
            text, rows = fit_digest(digest, MAX_DIGEST_LENGTH - len(welcome))
            change_person(known, digest_at=due_at, quiet_told_at=quiet_told_at)
            if not text:
                return False
            text += welcome
            change_person(known, welcomed_at=known.welcomed_at or now)
            message = self.parts.outbox.write(Draft(person, text, Lane.ROUTINE), now)
            # What was so when the bot came is told at once, be it as a number; what is new is told by name.
            shown = [one for one in get_shown(digest, rows) if one not in digest.old]
            mark_told(person, [*digest.old, *shown], message, now)
            mark_told(person, digest.escalated[:rows], message, now, to_supervisor=True)
            return True

    def _gather(
        self, person: int, preferences: Preferences, roster: Roster, start: datetime, end: datetime
    ) -> Digest:
        own = {key: one for key, one in roster.students.items() if key not in roster.below and one.is_active}
        heard = [one for one in own if preferences.get_end_of_mutes(one, end) <= end]
        digest = gather_digest(person, heard, start, end, get_needs(heard, end))
        escalated = self._find_escalated(person, roster, end)
        return replace(digest, escalated=escalated, names=_name(digest, escalated, roster.students))

    def _find_escalated(self, person: int, roster: Roster, now: datetime) -> Sequence[Concern]:
        """Urgent concerns of students of mentors below, told long ago and seen to by nobody; each once."""
        open_ones = get_open_concerns(roster.below) if roster.below else []
        urgent = [one for one in open_ones if one.kind in URGENT_KINDS and one.seen_at is None]
        told_at = get_first_told([one.concern_id for one in urgent])
        before = get_told_numbers(person, urgent, to_supervisor=True)
        calendar = self.parts.calendar
        return [
            one
            for one in urgent
            if one.concern_id in told_at
            and before.get(one.concern_id, -1) < one.number
            and calendar.count_school_days(calendar.get_date(told_at[one.concern_id]), calendar.get_date(now))
            >= self.parts.escalate_days
        ]


def _name(digest: Digest, escalated: Sequence[Concern], students: Mapping[int, Student]) -> Mapping[int, str]:
    """Of those who are named."""
    named: Collection[int] = {
        one.student_id
        for group in (digest.fresh, digest.old, digest.failed, digest.recovered, digest.best, digest.back, escalated)
        for one in group
    }
    known = (students[one] for one in named if one in students)
    return name_students((one.student_id, one.username, one.display_name) for one in known)
