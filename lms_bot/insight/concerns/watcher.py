"""When to look for concerns: at whom something changed, at once, and at all once a day of the school's."""

from __future__ import annotations

import logging
from bisect import bisect_right
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any, Protocol

from lms_bot.core.errors import LMSRefused, LMSUnavailable
from lms_bot.insight.concerns.daily import DailyPass, Enrolled
from lms_bot.insight.concerns.looks import Looker
from lms_bot.insight.concerns.rules import Calendar, Thresholds, find_silent_since
from lms_bot.store.database import Store
from lms_bot.store.models import Cursor, KeyValue
from lms_bot.store.statements import Statements, from_stored, to_stored
from lms_bot.store.student_totals import LOCK

logger = logging.getLogger(__name__)

CHANGED_AT_ONCE = 100  # who records waits meanwhile
LMS_AWAY = timedelta(minutes=1)
ENROLLED_SERVES = timedelta(minutes=10)
LEFT_OPEN_EVERY = timedelta(minutes=5)
LEFT_OPEN_REACH = timedelta(days=1)  # what was left open longer ago is found by the daily pass
DUTY = "concerns"

LOOKED, BEGAN, DAY = "concerns_looked", "concerns_began", "concerns_day"
"""How far the first look at all records is, when all that was so before the bot was found, and how far today's is."""

BATCH_SQL = "SELECT student_id, last_at FROM lms_standings WHERE {condition} ORDER BY student_id LIMIT {limit}"
TAKE_SQL = "UPDATE lms_standings SET is_changed = FALSE WHERE is_changed AND {condition}"
LEFT_OPEN_SQL = """
SELECT DISTINCT student_id FROM lms_attempts
WHERE is_shown AND outcome = 'started' AND is_exam AND started_at > ? AND started_at <= ? AND student_id IS NOT NULL
"""
CHANGED_SQL = "UPDATE lms_standings SET is_changed = TRUE WHERE {condition}"


class Enrolment(Protocol):
    """What is asked of a `UserMapper`."""

    def get_enrolled(self) -> Enrolled: ...


class ConcernWatch:
    """Any number of processes may take steps, and any may be killed between or within them.

    The first look waits until the LMS was looked through once; what it finds `is_old`. `streams` are the names of
    those that are to be read before. Until it is over, what changes waits for it.
    """

    def __init__(
        self,
        store: Store,
        users: Enrolment,
        calendar: Calendar,
        thresholds: Thresholds,
        streams: Collection[str] = (),
    ) -> None:
        self._store = store
        self._users = users
        self._calendar = calendar
        self.thresholds = thresholds
        self._streams = frozenset(streams)
        self._statements = Statements(store.database)
        self._looker = Looker(store.database, calendar, thresholds)
        self._daily = DailyPass(store.database, calendar, thresholds)
        self._has_looked = False
        self._over: dict[str, Any] | None = None  # the day's pass that is known to be over
        self._enrolled: tuple[datetime, Enrolled] | None = None
        self._ask_lms_at: datetime | None = None
        self._left_open_upto: datetime | None = None

    def step(self, now: datetime) -> bool:
        """Takes one batch of students. Whether there may be more to do. Raises StoreUnavailable."""
        if not self._has_looked and not self._is_first_look_over():
            return self._is_lms_read() and self._look_first(now)
        self._note_left_open(now)
        return self._look_at_changed(now) or self._look_daily(now)

    def look_at_changed(self, now: datetime) -> bool:
        """As `step`, but only at whom something changed, which is quick."""
        return (self._has_looked or self._is_first_look_over()) and self._look_at_changed(now)

    def is_ready(self) -> bool:
        """Whether all that was so before the bot came is found."""
        with self._store.session():
            return KeyValue.find(BEGAN) is not None

    def has_unlooked(self, student_ids: Collection[int]) -> bool:
        """Whether something changed of these students that was not looked at yet; within the caller's session.

        False until the first look: what that finds is told as old.
        """
        if not student_ids or not (self._has_looked or self._is_first_look_over()):
            return False
        condition, parameters = self._statements.among("student_id", list(student_ids))
        sql = f"SELECT 1 FROM lms_standings WHERE is_changed AND {condition} LIMIT 1"
        return bool(self._statements.execute(sql, parameters))

    # -- the first look at what the record says ------------------------------------------------------------------

    def _is_first_look_over(self) -> bool:
        with self._store.session():
            self._has_looked = (KeyValue.find(LOOKED) or {}).get("is_over", False)
        return self._has_looked

    def _is_lms_read(self) -> bool:
        with self._store.session():
            positions = {one.stream: one.position for one in Cursor.select()}
        are_over = [one.get("baseline_at") is None for one in positions.values()]
        return bool(are_over) and all(are_over) and positions.keys() >= self._streams

    def _look_first(self, now: datetime) -> bool:
        with self._store.transaction():
            self._store.lock(DUTY)
            state = KeyValue.find(LOOKED) or {"after": None, "is_over": False}
            if state["is_over"]:
                return True
            after = state["after"]
            batch = self._take("1 = 1" if after is None else "student_id > ?", () if after is None else (after,))
            self._looker.look(batch, now, is_old=True)
            is_over = len(batch) < CHANGED_AT_ONCE
            KeyValue.put(LOOKED, {"after": None if is_over else max(batch), "is_over": is_over})
        return True

    # -- what changed --------------------------------------------------------------------------------------------

    def _look_at_changed(self, now: datetime) -> bool:
        with self._store.session():
            if not self._statements.execute("SELECT 1 FROM lms_standings WHERE is_changed LIMIT 1"):
                return False
        with self._store.transaction():
            self._store.lock(DUTY)
            batch = self._take("is_changed", ())
            self._looker.look(batch, now, is_old=False)
        return len(batch) == CHANGED_AT_ONCE

    def _take(self, condition: str, parameters: tuple[Any, ...]) -> dict[int, datetime]:
        """Some students, with when each was active last; what changes of them from now on is another change."""
        if self._store.is_postgresql:
            self._statements.execute(LOCK)  # else those who record and we could wait for each other's rows
        sql = BATCH_SQL.format(condition=condition, limit=CHANGED_AT_ONCE)
        batch = {one: from_stored(last_at) for one, last_at in self._statements.execute(sql, parameters)}
        among, ids = self._statements.among("student_id", list(batch))
        self._statements.execute(TAKE_SQL.format(condition=among), ids)
        return batch

    def _note_left_open(self, now: datetime) -> None:
        """Whose exams have been open for too long since we looked last are looked at as if something had changed."""
        upto = now - timedelta(hours=self.thresholds.open_hours)
        after = self._left_open_upto or upto - LEFT_OPEN_REACH
        if upto - after < LEFT_OPEN_EVERY or not self.is_ready():
            return
        with self._store.session():
            limits = (to_stored(after), to_stored(upto))
            students = [one for (one,) in self._statements.execute(LEFT_OPEN_SQL, limits)]
        if students:
            condition, parameters = self._statements.among("student_id", students)
            with self._store.transaction():
                self._store.lock(DUTY)
                if self._store.is_postgresql:
                    self._statements.execute(LOCK)
                self._statements.execute(CHANGED_SQL.format(condition=condition), parameters)
        self._left_open_upto = upto

    # -- what did not happen -------------------------------------------------------------------------------------

    def _look_daily(self, now: datetime) -> bool:
        wanted = self._describe_pass(now)
        if wanted == self._over:
            return False
        with self._store.session():
            state = KeyValue.find(DAY)
        if state is not None and state["day"] > wanted["day"]:  # by another process, whose clock is ahead
            return False
        if _is_over(state, wanted):
            self._over, self._enrolled = wanted, None
            return False
        enrolled = self._ask_who_is_enrolled(now)
        if enrolled is None:
            return False
        with self._store.transaction():
            self._store.lock(DUTY)
            if KeyValue.find(DAY) == state:  # else another process went on
                self._look_at_batch(state, wanted, enrolled, now)
        return True

    def _look_at_batch(
        self, state: dict[str, Any] | None, wanted: dict[str, Any], enrolled: Enrolled, now: datetime
    ) -> None:
        is_begun = state is not None and all(state.get(name) == value for name, value in wanted.items())
        after = state["after"] if state is not None and is_begun else None
        ids = list(enrolled)
        upto = self._daily.find_end(after, ids)
        first = 0 if after is None else bisect_right(ids, after)
        end = len(ids) if upto is None else bisect_right(ids, upto)
        has_begun = KeyValue.find(BEGAN) is not None
        self._daily.look(after, upto, {one: enrolled[one] for one in ids[first:end]}, now, is_old=not has_begun)
        KeyValue.put(DAY, wanted | {"after": upto, "is_over": upto is None})
        if upto is None and not has_begun:
            KeyValue.put(BEGAN, now.isoformat())

    def _describe_pass(self, now: datetime) -> dict[str, Any]:
        """One is done for each of these. A holiday that is declared for days gone by moves `silent_since`."""
        today = self._calendar.get_date(now)
        silent_since = find_silent_since(today, self._calendar, self.thresholds.silent_days)
        thresholds = {
            "silent_since": silent_since and silent_since.isoformat(),
            "open_hours": self.thresholds.open_hours,
        }
        return {"day": today.isoformat(), "thresholds": thresholds}

    def _ask_who_is_enrolled(self, now: datetime) -> Enrolled | None:
        """In order of their ids. None while the LMS does not say; it is asked again after a while."""
        if self._enrolled is not None and now - self._enrolled[0] < ENROLLED_SERVES:
            return self._enrolled[1]
        if self._ask_lms_at is not None and now < self._ask_lms_at:
            return None
        try:
            self._enrolled = now, dict(sorted(self._users.get_enrolled().items()))
        except (LMSUnavailable, LMSRefused) as error:
            logger.info("who is enrolled is not known, so that nobody is looked for who does nothing: %s", error)
            self._ask_lms_at = now + LMS_AWAY
            return None
        return self._enrolled[1]


def _is_over(state: dict[str, Any] | None, wanted: dict[str, Any]) -> bool:
    return state is not None and state == wanted | {"after": None, "is_over": True}
