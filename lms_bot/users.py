"""LMS people <-> Zulip people: who is to be told of a student, and who is asking."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from time import monotonic
from typing import TYPE_CHECKING, Any

from lms_bot.clock import utc_now
from lms_bot.config import UserMapRow
from lms_bot.exceptions import LMSBotError, LMSRefused, LMSUnavailable
from lms_bot.gateway import ZulipUser
from lms_bot.lms.people import Mentor, Student
from lms_bot.store.models import Fact, KnownStudents

if TYPE_CHECKING:
    from lms_bot.app import App

PEOPLE_SECONDS = 60.0  # how old an answer about who belongs to whom may be
ZULIP_USERS_SECONDS = 300.0
KNOWN_SERVE = timedelta(days=1)  # how long the last known pairs serve while the LMS is away
MOST_CACHED = 50_000
MENTORS_FACT = "mentors"

NO_MENTOR = "the student has no mentor in the LMS"
ZULIP_UNREAD = "Zulip's list of people could not be read yet"


@dataclass(frozen=True)
class StudentsOfMentor:
    """`is_stale`: the LMS is away, and these are the last known, as of `as_of`."""

    students: tuple[Student, ...]
    as_of: datetime
    is_stale: bool


@dataclass(frozen=True)
class Unmapped:
    """A mentor nobody in Zulip could be found for, and why."""

    mentor: Mentor
    reason: str


class UserMapper:
    """Finds people by the map file, then by `delivery_email`, then by `email`, case-folded.

    An address two people share matches nobody. Override `get_notification_recipients` to tell others.
    """

    def __init__(self, *, app: App | None = None) -> None:
        from lms_bot.app import get_app

        self._app = app or get_app()
        self._lock = threading.RLock()
        self._cache: dict[tuple[str, Any], tuple[float, Any]] = {}
        self._users_problem: str | None = None

    # -- what the events need ------------------------------------------------------------------------------

    def get_notification_recipients(self, student_id: int) -> list[ZulipUser]:
        """The Zulip users to tell of this student: all of the student's mentors that could be found."""
        found = [self._zulip_user_of(mentor)[0] for mentor in self.get_mentors_for_student(student_id)]
        return list({user.user_id: user for user in found if user is not None}.values())

    def get_missing_recipients(self, student_id: int) -> list[tuple[str, str]]:
        """(`mentor:KEY` or `nobody`, reason) for everyone who should be told but could not be found."""
        mentors = self.get_mentors_for_student(student_id)
        if not mentors:
            return [("nobody", NO_MENTOR)]
        return [
            (f"mentor:{mentor.key}", reason)
            for mentor in mentors
            for user, reason in [self._zulip_user_of(mentor)]
            if user is None
        ]

    def get_mentor_for_student(self, student_id: int) -> tuple[int | None, str] | None:
        """(mentor_id, username) of the student's first mentor by mentors.id, or None."""
        mentors = self.get_mentors_for_student(student_id)
        return (mentors[0].mentor_id, mentors[0].username) if mentors else None

    def get_mentors_for_student(self, student_id: int) -> list[Mentor]:
        self.prefetch({student_id})
        return self._cached("mentors of", student_id) or []

    def get_zulip_user_for_student(self, student_id: int) -> ZulipUser | None:
        self.prefetch({student_id})
        student: Student | None = self._cached("student", student_id)
        if student is None:
            return None
        user, _ = self._match("student", student.username, student.email)
        if user is None or student.email is None or self._is_by_map("student", student.username):
            return user
        return None if self._is_shared_by_students(student.email) else user

    def get_zulip_user_for_mentor(self, mentor_id: int) -> ZulipUser | None:
        for mentor in self._mentors():
            if mentor.mentor_id == mentor_id:
                return self._zulip_user_of(mentor)[0]
        return None

    def prefetch(self, student_ids: Collection[int]) -> None:
        """Asks the LMS about many students at once, where the answers are not cached."""
        wanted = [one for one in student_ids if not self._is_cached("mentors of", one)]
        if not wanted:
            return
        mentors = self._app.people.fetch_mentors_of_students(wanted)
        students = {one.student_id: one for one in self._app.people.fetch_students(wanted)}
        for student_id in wanted:
            self._remember("student", student_id, students.get(student_id), PEOPLE_SECONDS)
            self._remember("mentors of", student_id, mentors.get(student_id, []), PEOPLE_SECONDS)

    # -- what the chat needs -------------------------------------------------------------------------------

    def get_zulip_user(self, user_id: int) -> ZulipUser | None:
        """Someone in Zulip by id. Asks Zulip again for a person it does not know."""
        user = self._users_by_id().get(user_id)
        if user is None:
            self._forget("zulip users", None)
            user = self._users_by_id().get(user_id)
        return user

    def get_mentors_for_zulip_user(self, user: ZulipUser) -> list[Mentor]:
        """The LMS mentors this person is: those that would be told under this id."""
        return [one for one in self._mentors() if _is_same(self._zulip_user_of(one)[0], user)]

    def get_students_of_mentor(self, mentor: Mentor) -> StudentsOfMentor:
        """A mentor's students, from the LMS; while it is away the last known, for up to a day.

        Raises LMSUnavailable or LMSRefused where nothing recent enough is known.
        """
        known = self._cached("students of", mentor.key)
        if known is not None:
            return StudentsOfMentor(*known, is_stale=False)
        now = utc_now()
        try:
            students = tuple(self._app.people.fetch_students_of_mentor(mentor.key))
        except (LMSUnavailable, LMSRefused):
            return self._last_known_students(mentor, now)
        self._remember("students of", mentor.key, (students, now), PEOPLE_SECONDS)
        self._keep_students(mentor, students, now)
        return StudentsOfMentor(students, now, is_stale=False)

    def get_unmapped_mentors(self) -> list[Unmapped]:
        """Mentors nobody in Zulip could be found for. Raises LMSUnavailable or LMSRefused."""
        matches = ((mentor, *self._zulip_user_of(mentor)) for mentor in self._mentors())
        return [Unmapped(mentor, reason) for mentor, user, reason in matches if user is None]

    def get_mapping_stats(self) -> dict[str, int]:
        """How many students and mentors the LMS has, and how many of them were found in Zulip."""
        mentors = self._mentors()
        students = self._app.people.fetch_all_students()
        shared = _shared(student.email for student in students)
        return {
            "total_students": len(students),
            "total_mentors": len(mentors),
            "mapped_students": sum(self._is_student_mapped(one, shared) for one in students),
            "mapped_mentors": sum(self._zulip_user_of(one)[0] is not None for one in mentors),
        }

    def clear_cache(self, student_id: int | None = None, mentor_id: int | None = None) -> None:
        """Forgets what was cached of a student, of a mentor, or of everybody."""
        if student_id is None and mentor_id is None:
            with self._lock:
                self._cache.clear()
        if student_id is not None:
            self._forget("student", student_id)
            self._forget("mentors of", student_id)
        if mentor_id is not None:
            for mentor in self._cached("mentors", None) or []:
                if mentor.mentor_id == mentor_id:
                    self._forget("students of", mentor.key)
            self._forget("mentors", None)

    # -- matching ------------------------------------------------------------------------------------------

    def _zulip_user_of(self, mentor: Mentor) -> tuple[ZulipUser | None, str]:
        user, reason = self._match("mentor", mentor.username, mentor.email)
        if user is None or self._is_by_map("mentor", mentor.username):
            return user, reason
        if _folded(mentor.email) in _shared(one.email for one in self._mentors()):
            return None, f"mentor {mentor.username} shares the e-mail address with another mentor"
        return user, ""

    def _match(self, kind: str, username: str, email: str | None) -> tuple[ZulipUser | None, str]:
        """The Zulip user of an LMS person, else why there is none."""
        users = self._users_by_id()
        if self._users_problem is not None and not users:
            return None, self._users_problem
        mapped = self._map_row(kind, username)
        if mapped is not None:
            user = users.get(mapped.zulip_user) if isinstance(mapped.zulip_user, int) else None
            if isinstance(mapped.zulip_user, str):
                user = self._by_address(mapped.zulip_user)
            return user, "" if user else f"the user map names a Zulip user for {kind} {username} whom Zulip has not"
        if not _folded(email):
            return None, f"{kind} {username} has no e-mail address in the LMS"
        user = self._by_address(email)
        return user, "" if user else f"no Zulip user has the e-mail address of {kind} {username}"

    def _by_address(self, address: str | None) -> ZulipUser | None:
        for index in self._addresses():
            found = index.get(_folded(address), [])
            if found:
                return found[0] if len(found) == 1 else None
        return None

    def _map_row(self, kind: str, username: str) -> UserMapRow | None:
        rows = self._app.settings.user_map_rows
        return next((row for row in rows if (row.lms_kind, _folded(row.lms_username)) == (kind, _folded(username))), None)

    def _is_by_map(self, kind: str, username: str) -> bool:
        return self._map_row(kind, username) is not None

    def _is_shared_by_students(self, email: str) -> bool:
        key = _folded(email)
        if not self._is_cached("is shared", key):
            is_shared = bool(self._app.people.fetch_shared_student_emails([key]))
            self._remember("is shared", key, is_shared, ZULIP_USERS_SECONDS)
        return bool(self._cached("is shared", key))

    def _is_student_mapped(self, student: Student, shared: set[str]) -> bool:
        user, _ = self._match("student", student.username, student.email)
        return user is not None and (
            _folded(student.email) not in shared or self._is_by_map("student", student.username)
        )

    # -- where it comes from -------------------------------------------------------------------------------

    def _users_by_id(self) -> dict[int, ZulipUser]:
        return self._zulip_users()[0]

    def _addresses(self) -> tuple[dict[str, list[ZulipUser]], dict[str, list[ZulipUser]]]:
        return self._zulip_users()[1]

    def _zulip_users(self) -> Any:
        """(by id, (by delivery_email, by email)) of Zulip's people, cached; the last known while Zulip is away."""
        cached = self._cached("zulip users", None)
        if cached is not None:
            return cached
        last = self._cached("last zulip users", None) or ({}, ({}, {}))
        if self._app.gateway is None:
            self._users_problem = "the bot runs without Zulip"
            return last
        try:
            users = self._app.gateway.fetch_users()
        except LMSBotError:
            self._users_problem = ZULIP_UNREAD
            self._remember("zulip users", None, last, 5.0)
            return last
        self._users_problem = None
        found = ({one.user_id: one for one in users}, _index([one for one in users if not one.is_bot]))
        self._remember("zulip users", None, found, ZULIP_USERS_SECONDS)
        self._remember("last zulip users", None, found, float("inf"))
        return found

    def _mentors(self) -> list[Mentor]:
        """All mentors, from the LMS; while it is away the last known, for up to a day."""
        mentors: list[Mentor] | None = self._cached("mentors", None)
        if mentors is not None:
            return mentors
        try:
            mentors = self._app.people.fetch_mentors()
        except (LMSUnavailable, LMSRefused):
            return self._last_known_mentors()
        self._remember("mentors", None, mentors, PEOPLE_SECONDS)
        if mentors != self._cached("kept mentors", None):
            with self._app.store.transaction():
                Fact.put(MENTORS_FACT, [asdict(one) for one in mentors])
            self._remember("kept mentors", None, mentors, KNOWN_SERVE.total_seconds() / 4)
        return mentors

    def _last_known_mentors(self) -> list[Mentor]:
        with self._app.store.session():
            row = Fact.get_or_none(Fact.name == MENTORS_FACT)
        if row is None or utc_now() - row.updated_at > KNOWN_SERVE:
            raise LMSUnavailable("the LMS is away, and who its mentors are is not known well enough")
        return [Mentor(**one) for one in row.value]

    def _keep_students(self, mentor: Mentor, students: tuple[Student, ...], now: datetime) -> None:
        with self._app.store.transaction():
            KnownStudents.insert(
                mentor_key=mentor.key, students=[asdict(one) for one in students], fetched_at=now
            ).on_conflict(
                conflict_target=[KnownStudents.mentor_key],
                preserve=[KnownStudents.students, KnownStudents.fetched_at],
            ).execute()

    def _last_known_students(self, mentor: Mentor, now: datetime) -> StudentsOfMentor:
        with self._app.store.session():
            row = KnownStudents.get_or_none(KnownStudents.mentor_key == mentor.key)
        if row is None or now - row.fetched_at > KNOWN_SERVE:
            raise LMSUnavailable("the LMS is away, and whose students are whose is not known well enough")
        return StudentsOfMentor(tuple(Student(**one) for one in row.students), row.fetched_at, is_stale=True)

    # -- the cache -----------------------------------------------------------------------------------------

    def _is_cached(self, kind: str, key: Any) -> bool:
        with self._lock:
            found = self._cache.get((kind, key))
            return found is not None and found[0] > monotonic()

    def _cached(self, kind: str, key: Any) -> Any:
        with self._lock:
            found = self._cache.get((kind, key))
            return found[1] if found is not None and found[0] > monotonic() else None

    def _remember(self, kind: str, key: Any, value: Any, seconds: float) -> None:
        with self._lock:
            if len(self._cache) > MOST_CACHED:
                self._cache.clear()
            self._cache[kind, key] = (monotonic() + seconds, value)

    def _forget(self, kind: str, key: Any) -> None:
        with self._lock:
            self._cache.pop((kind, key), None)


def _folded(address: str | None) -> str:
    return (address or "").strip().casefold()


def _shared(addresses: Iterable[str | None]) -> set[str]:
    """Addresses that occur more than once."""
    counts: dict[str, int] = defaultdict(int)
    for address in addresses:
        counts[_folded(address)] += 1
    return {address for address, count in counts.items() if count > 1 and address}


def _index(users: list[ZulipUser]) -> tuple[dict[str, list[ZulipUser]], dict[str, list[ZulipUser]]]:
    by_delivery, by_email = defaultdict(list), defaultdict(list)
    for user in users:
        if user.delivery_email:
            by_delivery[_folded(user.delivery_email)].append(user)
        by_email[_folded(user.email)].append(user)
    return dict(by_delivery), dict(by_email)


def _is_same(found: ZulipUser | None, user: ZulipUser) -> bool:
    return found is not None and found.user_id == user.user_id
