"""Who is who in the LMS: mentors, students, and which belong together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from lms_bot.core.clock import to_utc
from lms_bot.core.errors import LMSRefused
from lms_bot.lms.connection import PATIENCE_SECONDS, LMSConnection
from lms_bot.lms.values import RowProblem, read_id, read_text

Person = TypeVar("Person")


@dataclass(frozen=True)
class Mentor:
    """`key` is mentors.id; `mentor_id` is mentors.user_id, the id used everywhere else, null for some.

    `supervisor_key` is the `key` of the mentor's own mentor, if any.
    """

    key: int
    mentor_id: int | None
    username: str
    email: str | None
    name: str | None
    supervisor_key: int | None = None


@dataclass(frozen=True)
class Student:
    """`display_name` is the name to show, see `display_name` below. Who is not active is expected to do nothing."""

    student_id: int
    username: str
    email: str | None
    display_name: str | None
    first_name: str | None
    last_name: str | None
    is_active: bool = True


@dataclass(frozen=True)
class PeopleSelects:
    """The SELECTs of one kind of LMS.

    Mentors come as (id, user_id, username, email, display, first, last name) and, where there are supervisors,
    their id; students as (id, username, email, display, first, last name) and, where that is known, whether they are
    active; who is whose as (student id, mentor …) or (mentor id, student …). `students_called` finds students by
    username or e-mail, both lower case; without it they cannot ask the bot anything. `enrolled` gives (id, since
    when) of the active students who have a mentor, and `enrolled_ids` the ids alone, for a role that may not read
    since when; without them, everybody active is taken as enrolled.
    """

    mentors: str
    mentors_of_students: str
    students: str
    students_of_mentors: str
    all_students: str
    shared_student_emails: str
    students_called: str | None = None
    enrolled: str | None = None
    enrolled_ids: str | None = None


@dataclass
class PeopleReader:
    """Asks the LMS about people. Every method raises LMSUnavailable or LMSRefused."""

    connection: LMSConnection
    selects: PeopleSelects

    def fetch_mentors(self) -> list[Mentor]:
        return list(_read_each(_mentor, self._fetch(self.selects.mentors)))

    def fetch_mentors_of_students(self, student_ids: Collection[int]) -> dict[int, list[Mentor]]:
        """The mentors of each of these students, the first by mentors.id first."""
        found: dict[int, list[Mentor]] = defaultdict(list)
        for student_id, *mentor in self._fetch(self.selects.mentors_of_students, student_ids=list(student_ids)):
            found[student_id] += _read_each(_mentor, [mentor])
        return found

    def fetch_students(self, student_ids: Collection[int]) -> list[Student]:
        return list(_read_each(_student, self._fetch(self.selects.students, student_ids=list(student_ids))))

    def fetch_students_of_mentors(self, mentor_keys: Collection[int]) -> dict[int, list[Student]]:
        """The students of each of these mentors, by `Mentor.key`."""
        found: dict[int, list[Student]] = defaultdict(list)
        for mentor_key, *student in self._fetch(self.selects.students_of_mentors, mentor_keys=list(mentor_keys)):
            found[mentor_key] += _read_each(_student, [student])
        return found

    def fetch_all_students(self) -> list[Student]:
        return list(_read_each(_student, self._fetch(self.selects.all_students)))

    def fetch_enrolled(self) -> dict[int, datetime | None]:
        """The active students who have a mentor, and since when the LMS knows them, aware, where it says so."""
        if self.selects.enrolled is None:
            return {one.student_id: None for one in self.fetch_all_students() if one.is_active}
        try:
            rows = self._fetch(self.selects.enrolled)
        except LMSRefused:
            if self.selects.enrolled_ids is None:
                raise
            rows = [(student_id, None) for (student_id,) in self._fetch(self.selects.enrolled_ids)]
        return dict(_read_each(_enrolled, rows))

    def fetch_students_called(self, usernames: Collection[str], emails: Collection[str]) -> list[Student]:
        """The students with one of these usernames or addresses (lower case)."""
        if self.selects.students_called is None:
            return []
        rows = self._fetch(self.selects.students_called, usernames=list(usernames), emails=list(emails))
        return list(_read_each(_student, rows))

    def fetch_shared_student_emails(self, emails: Collection[str]) -> set[str]:
        """Which of these addresses (lower case) more than one student has."""
        return {email for (email,) in self._fetch(self.selects.shared_student_emails, emails=list(emails))}

    def _fetch(self, sql: str, **parameters: Any) -> list[tuple[Any, ...]]:
        with self.connection.snapshot(PATIENCE_SECONDS) as snapshot:
            return snapshot.fetch_all(snapshot.cut(sql, parameters), parameters)


def display_name(display: Any, first: Any, last: Any) -> str | None:
    """The name to show beside the username: the display name, else first and last name, else None."""
    shown = (read_text(display) or "").strip()
    if shown:
        return shown
    return " ".join(filter(None, ((read_text(name) or "").strip() for name in (first, last)))) or None


def _read_each(read: Callable[[Any], Person], rows: Iterable[Any]) -> Iterator[Person]:
    """Whose id cannot be kept is left out."""
    for row in rows:
        with suppress(RowProblem):
            yield read(row)


def _mentor(row: Any) -> Mentor:
    key, mentor_id, username, email, *names = row[:7]
    return Mentor(
        key=read_id("mentors.id", key),
        mentor_id=None if mentor_id is None else read_id("mentors.user_id", mentor_id),
        username=read_text(username) or f"mentor {key}",
        email=read_text(email),
        name=display_name(*names),
        supervisor_key=None if not row[7:] or row[7] is None else read_id("mentors.supervisor_id", row[7]),
    )


def _enrolled(row: Any) -> tuple[int, datetime | None]:
    student_id, created = row
    return read_id("students.id", student_id), None if created is None else to_utc(created)


def _student(row: Any) -> Student:
    student_id, username, email, display, first, last, *active = row
    return Student(
        student_id=read_id("students.id", student_id),
        username=read_text(username) or f"student {student_id}",
        email=read_text(email),
        display_name=display_name(display, first, last),
        first_name=read_text(first),
        last_name=read_text(last),
        is_active=active != [False],
    )
