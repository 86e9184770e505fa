"""Whose students are whose, as the LMS says: asked again within a minute, and at once where it is seen to differ."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from peewee import chunked

from lms_bot.core.cache import ExpiringCache
from lms_bot.core.clock import utc_now
from lms_bot.core.errors import LMSRefused, LMSUnavailable, StoreUnavailable
from lms_bot.lms.people import Mentor, PeopleReader, Student
from lms_bot.store.database import Store
from lms_bot.store.models import KeyValue, KnownStudents

PEOPLE_SECONDS = 50.0  # how old an answer may be: a minute at most, and asking takes time too
LMS_AWAY_SECONDS = 5.0  # before an LMS that is away is asked again
KNOWN_SERVE = timedelta(days=1)  # how long the last known rosters serve while the LMS is away
KEPT_SECONDS = 600.0  # before what has not changed is kept again for that time
MENTORS_KEY = "mentors"
ALL = "all"
ROWS_AT_ONCE = 300


@dataclass(frozen=True)
class StudentAndMentors:
    """A student, and the student's mentors, the first by mentors.id first."""

    student: Student | None
    mentors: tuple[Mentor, ...]


@dataclass(frozen=True)
class StudentsOfMentor:
    """One mentor's own, by id. `is_stale`: the LMS is away, and these are the last known, as of `as_of`."""

    students: Mapping[int, Student]
    as_of: datetime
    is_stale: bool


@dataclass(frozen=True)
class Roster:
    """The students somebody has as a mentor, by id; `below`: those that only mentors below them have.

    `is_stale` and `as_of` as in `StudentsOfMentor`, of the oldest.
    """

    students: Mapping[int, Student]
    below: frozenset[int]
    as_of: datetime | None
    is_stale: bool


class Rosters:
    """Asks the LMS, remembers for a while, and keeps the last answers in the store for when the LMS is away.

    Methods raise LMSUnavailable or LMSRefused.
    """

    def __init__(self, reader: PeopleReader, store: Store) -> None:
        self._reader = reader
        self._store = store
        self._mentors: ExpiringCache[str, list[Mentor]] = ExpiringCache()
        self._around: ExpiringCache[int, StudentAndMentors] = ExpiringCache()
        self._students: ExpiringCache[int, StudentsOfMentor] = ExpiringCache()
        self._kept_mentors: ExpiringCache[str, list[Mentor]] = ExpiringCache()
        self._kept_students: ExpiringCache[int, Mapping[int, Student]] = ExpiringCache()

    def get_mentors(self) -> list[Mentor]:
        """All mentors; while the LMS is away the last known, for up to a day."""
        cached = self._mentors.get(ALL)
        if cached is not None:
            return cached
        try:
            mentors = self._reader.fetch_mentors()
        except (LMSUnavailable, LMSRefused):
            return self._mentors.put(ALL, self._last_known_mentors(), LMS_AWAY_SECONDS)
        self._keep_mentors(mentors)
        return self._mentors.put(ALL, mentors, PEOPLE_SECONDS)

    def get_student_and_mentors(self, student_id: int) -> StudentAndMentors:
        self.prefetch([student_id])
        return self._around.get(student_id) or StudentAndMentors(None, ())

    def prefetch(self, student_ids: Collection[int]) -> None:
        """Asks about many students at once, where the answers are not remembered."""
        wanted = [one for one in student_ids if self._around.get(one) is None]
        if not wanted:
            return
        mentors = self._reader.fetch_mentors_of_students(wanted)
        students = {one.student_id: one for one in self._reader.fetch_students(wanted)}
        fresh = {one: StudentAndMentors(students.get(one), tuple(mentors.get(one, ()))) for one in wanted}
        self._drop_contradicted_by_around(fresh)
        self._drop_contradicted_of_last_known(fresh)
        for student_id, around in fresh.items():
            self._around.put(student_id, around, PEOPLE_SECONDS)

    def get_mentors_below(self, mentors: Iterable[Mentor]) -> list[Mentor]:
        """The mentors whom these supervise, at any depth, nearest first."""
        own, by_key = [mentor.key for mentor in mentors], {mentor.key: mentor for mentor in self.get_mentors()}
        return [by_key[key] for key in find_below(own, by_key.values())]

    def get_roster(self, mentors: Sequence[Mentor]) -> Roster:
        """The students of these mentors and of all mentors below them, at any depth.

        While the LMS is away the last known, for up to a day; LMSUnavailable where those are not known of each.
        """
        own = [mentor.key for mentor in mentors]
        found = self._get_students([*own, *(mentor.key for mentor in self.get_mentors_below(mentors))])
        if not all(key in found for key in own):
            raise LMSUnavailable("the LMS is away, and whose students are whose is not known well enough")
        students = {student_id: one for key in found for student_id, one in found[key].students.items()}
        return Roster(
            students,
            below=frozenset(students).difference(*(found[key].students for key in own)),
            as_of=min((one.as_of for one in found.values()), default=None),
            is_stale=any(one.is_stale for one in found.values()),
        )

    def forget(self, student_id: int | None = None, mentor_id: int | None = None) -> None:
        """What is remembered of a student, of a mentor (by mentor_id), or of everybody."""
        if student_id is None and mentor_id is None:
            for cache in (self._mentors, self._around, self._students, self._kept_mentors, self._kept_students):
                cache.clear()
        if student_id is not None:
            self._around.forget(student_id)
        if mentor_id is not None:
            for mentor in self._mentors.get(ALL) or ():
                if mentor.mentor_id == mentor_id:
                    self._students.forget(mentor.key)
            self._mentors.forget(ALL)

    def _get_students(self, keys: Sequence[int]) -> dict[int, StudentsOfMentor]:
        """The own students of each of these mentors, in their order; a mentor is missing where they are not known."""
        known = {key: self._students.get(key) for key in keys}
        missing = [key for key in keys if known[key] is None]
        if missing:
            known |= dict.fromkeys(missing) | self._read_students(missing)
        return {key: one for key, one in known.items() if one is not None}

    def _read_students(self, keys: list[int]) -> dict[int, StudentsOfMentor]:
        try:
            found = self._reader.fetch_students_of_mentors(keys)
        except (LMSUnavailable, LMSRefused):
            students, seconds = self._last_known_students(keys), LMS_AWAY_SECONDS
        else:
            now, seconds = utc_now(), PEOPLE_SECONDS
            students = {key: StudentsOfMentor(_by_id(found.get(key, ())), now, is_stale=False) for key in keys}
            self._drop_contradicted_by_students(students)
            self._keep_students(students)
        for key, one in students.items():
            self._students.put(key, one, seconds)
        return students

    # -- where a fresh answer differs from a remembered one ------------------------------------------------------

    def _drop_contradicted_by_around(self, fresh: Mapping[int, StudentAndMentors]) -> None:
        students_of: dict[int, set[int]] = defaultdict(set)
        for student_id, around in fresh.items():
            for mentor in around.mentors:
                students_of[mentor.key].add(student_id)
        for key, remembered in self._students.items():
            if remembered.students.keys() & fresh.keys() != students_of.get(key, set()):
                self._students.forget(key)
        mentors = {mentor.key: mentor for mentor in self._mentors.get(ALL) or ()}
        if any(mentors.get(one.key) != one for around in fresh.values() for one in around.mentors):
            self._mentors.forget(ALL)

    def _drop_contradicted_of_last_known(self, fresh: Mapping[int, StudentAndMentors]) -> None:
        """Whom a mentor has no more is not theirs either once the LMS is away."""
        known = KnownStudents
        mentors_of = {one: {mentor.key for mentor in around.mentors} for one, around in fresh.items()}
        with suppress(StoreUnavailable), self._store.session():
            for row in known.select().where(known.fetched_at >= utc_now() - KNOWN_SERVE):
                key = row.mentor_key
                left = [one for one in row.students if key in mentors_of.get(one["student_id"], {key})]
                if len(left) < len(row.students):
                    is_same = (known.mentor_key == key) & (known.fetched_at == row.fetched_at)
                    known.update(students=left).where(is_same).execute()
                    self._kept_students.forget(key)

    def _drop_contradicted_by_students(self, fresh: Mapping[int, StudentsOfMentor]) -> None:
        mentors_of: dict[int, set[int]] = defaultdict(set)
        for key, one in fresh.items():
            for student_id in one.students:
                mentors_of[student_id].add(key)
        for student_id, around in self._around.items():
            if fresh.keys() & {mentor.key for mentor in around.mentors} != mentors_of.get(student_id, set()):
                self._around.forget(student_id)

    # -- for when the LMS is away --------------------------------------------------------------------------------

    def _keep_mentors(self, mentors: list[Mentor]) -> None:
        if self._kept_mentors.get(ALL) != mentors:
            with suppress(StoreUnavailable), self._store.transaction():
                KeyValue.put(MENTORS_KEY, list(map(vars, mentors)))
                self._kept_mentors.put(ALL, mentors, KEPT_SECONDS)

    def _last_known_mentors(self) -> list[Mentor]:
        with self._store.session():
            row = KeyValue.get_or_none(KeyValue.name == MENTORS_KEY)
        if row is None or utc_now() - row.updated_at > KNOWN_SERVE:
            raise LMSUnavailable("the LMS is away, and who its mentors are is not known well enough")
        return [Mentor(**one) for one in row.value]

    def _keep_students(self, fresh: Mapping[int, StudentsOfMentor]) -> None:
        changed = {key: one for key, one in fresh.items() if self._kept_students.get(key) != one.students}
        rows = [
            {"mentor_key": key, "students": list(map(vars, one.students.values())), "fetched_at": one.as_of}
            for key, one in changed.items()
        ]
        if not rows:
            return
        with suppress(StoreUnavailable), self._store.transaction():
            for some in chunked(rows, ROWS_AT_ONCE):
                KnownStudents.insert_many(some).on_conflict(
                    conflict_target=[KnownStudents.mentor_key],
                    preserve=[KnownStudents.students, KnownStudents.fetched_at],
                ).execute()
            for key, one in changed.items():
                self._kept_students.put(key, one.students, KEPT_SECONDS)

    def _last_known_students(self, keys: list[int]) -> dict[int, StudentsOfMentor]:
        known, found = KnownStudents, {}
        with self._store.session():
            for row in known.select().where(known.mentor_key.in_(keys), known.fetched_at >= utc_now() - KNOWN_SERVE):
                students = _by_id(Student(**one) for one in row.students)
                found[row.mentor_key] = StudentsOfMentor(students, row.fetched_at, is_stale=True)
        return found


def _by_id(students: Iterable[Student]) -> dict[int, Student]:
    return {one.student_id: one for one in students}


def find_below(keys: Sequence[int], mentors: Iterable[Mentor]) -> list[int]:
    """The keys of the mentors below these at any depth, nearest first. Supervisors may go round in circles."""
    supervised: dict[int | None, list[int]] = defaultdict(list)
    for mentor in mentors:
        supervised[mentor.supervisor_key].append(mentor.key)
    waiting, found = list(keys), set(keys)
    for key in waiting:  # which grows meanwhile
        below = [one for one in supervised[key] if one not in found]
        found.update(below)
        waiting += below
    return waiting[len(keys) :]
