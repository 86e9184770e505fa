"""Who is who in the LMS: mentors, students, and which belong together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from lms_bot.lms.connection import PATIENCE_SECONDS, LMSConnection
from lms_bot.lms.driver import Unreadable


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
    """`display_name` is the name to show, see `display_name` below."""

    student_id: int
    username: str
    email: str | None
    display_name: str | None
    first_name: str | None
    last_name: str | None


@dataclass(frozen=True)
class PeopleSelects:
    """The SELECTs of one kind of LMS.

    Mentors come as (id, user_id, username, email, display, first, last name) and, where there are supervisors,
    their id; students as (id, username, email, display, first, last name); who is whose as (student id, mentor …)
    or (mentor id, student …). `students_called` finds students by username or e-mail, both lower case, each with
    whether they are active first; without it they cannot ask the bot anything.
    """

    mentors: str
    mentors_of_students: str
    students: str
    students_of_mentors: str
    all_students: str
    shared_student_emails: str
    students_called: str | None = None


@dataclass
class PeopleReader:
    """Asks the LMS about people. Every method raises LMSUnavailable or LMSRefused."""

    connection: LMSConnection
    selects: PeopleSelects

    def fetch_mentors(self) -> list[Mentor]:
        return [_mentor(row) for row in self._fetch(self.selects.mentors)]

    def fetch_mentors_of_students(self, student_ids: Collection[int]) -> dict[int, list[Mentor]]:
        """The mentors of each of these students, the first by mentors.id first."""
        found: dict[int, list[Mentor]] = defaultdict(list)
        for student_id, *mentor in self._fetch(self.selects.mentors_of_students, student_ids=list(student_ids)):
            found[student_id].append(_mentor(mentor))
        return found

    def fetch_students(self, student_ids: Collection[int]) -> list[Student]:
        return [_student(row) for row in self._fetch(self.selects.students, student_ids=list(student_ids))]

    def fetch_students_of_mentors(self, mentor_keys: Collection[int]) -> dict[int, list[Student]]:
        """The students of each of these mentors, by `Mentor.key`."""
        found: dict[int, list[Student]] = defaultdict(list)
        for mentor_key, *student in self._fetch(self.selects.students_of_mentors, mentor_keys=list(mentor_keys)):
            found[mentor_key].append(_student(student))
        return found

    def fetch_all_students(self) -> list[Student]:
        return [_student(row) for row in self._fetch(self.selects.all_students)]

    def fetch_students_called(
        self, usernames: Collection[str], emails: Collection[str]
    ) -> list[tuple[Student, bool]]:
        """The students with one of these usernames or addresses (lower case), each with whether they are active."""
        if self.selects.students_called is None:
            return []
        rows = self._fetch(self.selects.students_called, usernames=list(usernames), emails=list(emails))
        return [(_student(student), is_active) for is_active, *student in rows]

    def fetch_shared_student_emails(self, emails: Collection[str]) -> set[str]:
        """Which of these addresses (lower case) more than one student has."""
        return {email for (email,) in self._fetch(self.selects.shared_student_emails, emails=list(emails))}

    def _fetch(self, sql: str, **parameters: Any) -> list[tuple[Any, ...]]:
        with self.connection.snapshot(PATIENCE_SECONDS) as snapshot:
            return snapshot.fetch_all(sql, parameters)


def display_name(display: str | None, first: str | None, last: str | None) -> str | None:
    """The name to show beside the username: the display name, else first and last name, else None."""
    return (display or "").strip() or " ".join(filter(None, ((first or "").strip(), (last or "").strip()))) or None


def _mentor(row: Any) -> Mentor:
    key, mentor_id, username, email, display, first, last, *supervisor = map(_readable, row)
    name = display_name(display, first, last)
    return Mentor(key, mentor_id, username or f"mentor {key}", email, name, *supervisor)


def _student(row: Any) -> Student:
    student_id, username, email, display, first, last = map(_readable, row)
    name = display_name(display, first, last)
    return Student(student_id, username or f"student {student_id}", email, name, first, last)


def _readable(value: Any) -> Any:
    return None if isinstance(value, Unreadable) else value
