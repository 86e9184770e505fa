"""A year of a school's events, told and half of them seen to, written into a store as fast as it takes them."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from benchmarks.measuring import doing
from lms_bot.core.activities import Activity, ActivityType
from lms_bot.outbox.draft import name_conversation
from lms_bot.store.attempts import AttemptBook
from lms_bot.store.messages import Lane
from lms_bot.store.statements import Statements, to_stored
from lms_bot.watch.recorder import DELIVERY_COLUMNS, EVENT_COLUMNS

if TYPE_CHECKING:
    from lms_bot.app import App

EVENTS_PER_STUDENT, STUDENTS_PER_MENTOR = 1000, 40
MENTORS_IN_ZULIP = 199  # of those in `world` one is an admin without students
EVENTS_AT_ONCE = 20_000
EVENTS_IN_A_MESSAGE = 4
SUBJECTS = (
    "Algebra", "Geometry", "Calculus", "Statistics", "Biology", "Chemistry", "Physics", "Geography", "History",
    "Literature", "Philosophy", "Economics", "Programming", "Networks", "Databases", "Música", "Français", "Español",
)  # fmt: skip
PARTS = ("Introduction to", "Foundations of", "Exercises in", "Advanced", "Final of", "Review of")
TITLES = [f"{part} {subject} {number}" for part in PARTS for subject in SUBJECTS for number in range(1, 5)]
LEFT_PART, EXAM_PART = 0.03, 0.4

PEOPLE_SQL = """
TRUNCATE mentors, students CASCADE;
INSERT INTO mentors (id, username, user_id, email)
SELECT i, 'mentor' || i, 9000 + i, 'mentor' || i || CASE WHEN i < 200 THEN '@school.example' ELSE '@nowhere' END
FROM generate_series(1, %(mentors)s) AS i;
INSERT INTO students (id, username, first_name, last_name, email)
SELECT i, 'student' || i, 'Given' || i, 'Family' || i, 'student' || i || '@students.example'
FROM generate_series(1, %(students)s) AS i;
INSERT INTO "_MentorToStudent" SELECT 1 + (i - 1) / %(each)s, i FROM generate_series(1, %(students)s) AS i;
"""

LOG_COLUMNS = ("event_id", "notification_sent", "notification_message_id", "error_message", "processed_at")
MESSAGE_COLUMNS = (
    "message_id", "zulip_user_id", "conversation", "content", "state", "lane", "tries", "not_before",
    "zulip_message_id", "created_at", "sent_at", "is_gathered",
)  # fmt: skip
SEEN_COLUMNS = ("event_id", "zulip_user_id", "seen_at", "by_reaction")
TOLD_SQL = """
INSERT INTO lms_student_counts (span, day, student_id, exam_started, exam_completed, exam_passed, exam_failed,
    content_started, content_completed, content_watched, other, told)
SELECT 0, 0, student_id, 0, 0, 0, 0, 0, 0, 0, 0, count(*) FROM lms_activity_events GROUP BY student_id
"""


@dataclass(frozen=True)
class Year:
    """How much happens: `events` up to `until`; 1,000 of each student, 40 students of each mentor."""

    events: int
    until: datetime

    @property
    def students(self) -> int:
        return max(2, self.events // EVENTS_PER_STUDENT)

    @property
    def mentors(self) -> int:
        return -(-self.students // STUDENTS_PER_MENTOR)

    @property
    def students_in_sight(self) -> int:
        """So many, from the first on, have a mentor in Zulip."""
        return min(self.students, MENTORS_IN_ZULIP * STUDENTS_PER_MENTOR)

    @property
    def people(self) -> dict[str, int]:
        return {"mentors": self.mentors, "students": self.students, "each": STUDENTS_PER_MENTOR}

    def get_mentor(self, student_id: int) -> int:
        return 1 + (student_id - 1) // STUDENTS_PER_MENTOR


def write_year(app: App, year: Year, zulip_ids: dict[int, int]) -> None:
    """Fills an empty store; `zulip_ids` are those of the mentors who are in Zulip, by their ids in the LMS."""
    doing(f"writing a year of {year.events:,} events")
    statements = Statements(app.store.database)
    for first, rows in _make_pages(year):
        with app.store.transaction():
            _write_page(statements, year, zulip_ids, first, rows)
            _write_attempts(AttemptBook(app.store.database), rows)
    with app.store.transaction():
        statements.execute(TOLD_SQL)
    if app.store.is_postgresql:  # as autovacuum has done to tables that are there for long
        with app.store.session():
            statements.execute("VACUUM ANALYZE")


Happened = tuple[datetime, str, int, int, str, dict[str, Any]]
"""When, what type of event, of whom, which attempt, its title and metadata."""


def _make_pages(year: Year) -> Iterator[tuple[int, list[Happened]]]:
    """The events in their order, with the id of the first of each page."""
    chance = random.Random(year.events)
    pending: list[Happened] = []
    written, attempt = 0, 0
    step = timedelta(days=365) / year.events
    while written + len(pending) < year.events:
        attempt += 1
        at = _at_school(year.until - timedelta(days=365) + step * (written + len(pending)), chance)
        pending += _make_attempt(year, attempt, min(at, year.until), chance)
        if len(pending) >= EVENTS_AT_ONCE:
            pending.sort(key=lambda one: one[0])
            yield written + 1, pending
            written, pending = written + len(pending), []
    yield written + 1, sorted(pending, key=lambda one: one[0])[: year.events - written]


def _at_school(moment: datetime, chance: random.Random) -> datetime:
    """On a weekday, in the hours in which people learn."""
    day = moment - timedelta(days=max(0, moment.weekday() - 4))
    return day.replace(hour=6, minute=0) + timedelta(minutes=chance.randrange(14 * 60))


def _make_attempt(year: Year, attempt: int, at: datetime, chance: random.Random) -> Iterator[Happened]:
    student_id = chance.randint(1, year.students)
    title = f"{chance.choice(PARTS)} {chance.choice(SUBJECTS)} {chance.randint(1, 4)}"
    is_exam = chance.random() < EXAM_PART
    percentage = min(100, max(0, round(chance.gauss(65, 18))))
    start: dict[str, Any] = {"content_type": "Video", "state": "started", "course_title": title[:12]}
    end = start | {"state": "watched"}
    if is_exam:
        start = {"score": None, "percentage": None, "result": None, "time_taken": None}
        end = {"score": percentage * 2, "percentage": percentage, "time_taken": "0:45:00", "correct_answers": 12}
    kind = "exam" if is_exam else "content"
    yield at, f"{kind}_started", student_id, attempt, title, start
    if chance.random() >= LEFT_PART:
        what = ("passed" if percentage >= 50 else "failed") if is_exam else chance.choice(("completed", "watched"))
        yield min(at + timedelta(minutes=45), year.until), f"{kind}_{what}", student_id, attempt, title, end


def _get_stream(kind: str) -> str:
    return "attempts" if kind.startswith("exam") else "content_attempts"


def _get_activity_id(title: str) -> int:
    return 1 + TITLES.index(title)


def _write_attempts(book: AttemptBook, rows: list[Happened]) -> None:
    """As if each row was read twice: when it began, and when it had ended."""
    for is_start in (True, False):
        for stream in ("attempts", "content_attempts"):
            those = [_make_activity(row) for row in rows if row[1].endswith("_started") == is_start]
            book.follow(stream, [one for one in those if one.stream == stream], rows[-1][0])


def _make_activity(row: Happened) -> Activity:
    at, kind, student_id, attempt, title, metadata = row
    return Activity(
        stream=_get_stream(kind),
        row_key=str(attempt),
        event_type=ActivityType(kind),
        student_id=student_id,
        student_username=f"student{student_id}",
        student_display_name=f"Given{student_id} Family{student_id}",
        activity_id=_get_activity_id(title),
        activity_title=title,
        activity_metadata=metadata,
        happened_at=at,
        attempt_id=attempt,
        started_at=at if kind.endswith("_started") else None,
    )


def _write_page(
    statements: Statements, year: Year, zulip_ids: dict[int, int], first: int, rows: list[Happened]
) -> None:
    events, deliveries, logs, messages, seen = [], [], [], [], []
    for event_id, (at, kind, student_id, attempt, title, metadata) in enumerate(rows, first):
        moment, mentor = to_stored(at), year.get_mentor(student_id)
        person, message_id = zulip_ids.get(mentor, 9000 + mentor), 1 + event_id // EVENTS_IN_A_MESSAGE
        names = (f"student{student_id}", f"Given{student_id} Family{student_id}", mentor, f"mentor{mentor}")
        stream = _get_stream(kind)
        source = (None, f"{stream}:{attempt}:{kind}", True, True, False, stream, attempt, False)
        about = (_get_activity_id(title), title, json.dumps(metadata), moment, moment)
        events.append((event_id, kind, student_id, *names, *about, False, *source))
        deliveries.append((event_id, f"zulip:{person}", person, "sent", None, moment, moment, message_id))
        logs.append((event_id, True, message_id, "user is deactivated" if event_id % 200 == 0 else None, moment))
        if event_id % EVENTS_IN_A_MESSAGE == 0 or event_id == first:
            told = (person, name_conversation((person,)), "…", "sent", Lane.ROUTINE.value, 0, moment)
            messages.append((message_id, *told, message_id, moment, moment, True))
        if event_id % 2:
            seen.append((event_id, person, moment, False))
    statements.insert("lms_activity_events", EVENT_COLUMNS, events)
    statements.merge("lms_messages", MESSAGE_COLUMNS, messages)
    statements.insert("lms_deliveries", (*DELIVERY_COLUMNS, "message_id"), deliveries)
    statements.insert("lms_event_logs", LOG_COLUMNS, logs)
    statements.insert("lms_seen_events", SEEN_COLUMNS, seen)
