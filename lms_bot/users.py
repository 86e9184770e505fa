"""LMS people <-> Zulip people: who is to be told of a student, and who is asking."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from lms_bot.cache import ExpiringCache
from lms_bot.clock import utc_now
from lms_bot.exceptions import LMSBotError, LMSRefused, LMSUnavailable, StoreUnavailable, ZulipUnavailable
from lms_bot.gateway import ZulipUser
from lms_bot.lms.people import Mentor, Student
from lms_bot.matching import MENTOR, STUDENT, Match, Matcher, fold, shared_addresses
from lms_bot.store.models import Fact, KnownStudents
from lms_bot.store.recording import Recipients

if TYPE_CHECKING:
    from lms_bot.app import App

PEOPLE_SECONDS = 60.0  # how old an answer about who belongs to whom may be
ZULIP_USERS_SECONDS = 60.0
ZULIP_AWAY_SECONDS = 5.0  # before Zulip's list is asked for again
ZULIP_PATIENCE_SECONDS = 1.0  # with a slow Zulip, where its last list can serve meanwhile
KNOWN_SERVE = timedelta(days=1)  # how long the last known pairs serve while the LMS is away
MENTORS_FACT = "mentors"

NO_MENTOR = "the student has no mentor in the LMS"
ZULIP_UNREAD = "Zulip's list of people could not be read yet"
NO_ZULIP = "the bot runs without Zulip"


@dataclass(frozen=True)
class StudentsOfMentor:
    """`is_stale`: the LMS is away, and these are the last known, as of `as_of`."""

    students: tuple[Student, ...]
    as_of: datetime
    is_stale: bool


@dataclass(frozen=True)
class UnmappedMentor:
    """A mentor nobody in Zulip could be found for, and why."""

    mentor: Mentor
    reason: str


class UserMapper:
    """Finds people by the map file, then by `delivery_email`, then by `email`, case-folded.

    An address two people share matches nobody. Override `get_notification_recipients` to tell others.
    Methods that ask the LMS raise LMSUnavailable or LMSRefused.
    """

    def __init__(self, *, app: App | None = None) -> None:
        from lms_bot.app import get_app

        self._app = app or get_app()
        self._cache = ExpiringCache()
        self._last_users: list[ZulipUser] = []
        self._reading: threading.Thread | None = None
        self._begins_to_read = threading.Lock()

    # -- who is to be told -----------------------------------------------------------------------------------

    def get_notification_recipients(self, student_id: int) -> list[ZulipUser]:
        """The Zulip users to tell of this student: all of the student's mentors that could be found."""
        found = (self._match_mentor(mentor).user for mentor in self.get_mentors_for_student(student_id))
        return list({user.user_id: user for user in found if user is not None}.values())

    def get_missing_recipients(self, student_id: int) -> list[tuple[str, str]]:
        """(`mentor:KEY` or `nobody`, reason) for everyone who should be told but could not be found."""
        mentors = self.get_mentors_for_student(student_id)
        if not mentors:
            return [("nobody", NO_MENTOR)]
        matches = ((mentor, self._match_mentor(mentor)) for mentor in mentors)
        return [(f"mentor:{mentor.key}", match.reason) for mentor, match in matches if match.user is None]

    def get_fallback_recipients(self) -> list[ZulipUser]:
        """The Zulip users of LMS_FALLBACK_RECIPIENTS, those that could be found."""
        return self._find_people(self._app.settings.lms_fallback_recipients)

    def get_admins(self) -> list[ZulipUser]:
        """Who is told of the bot's own troubles: LMS_ADMINS, else the organization's owners and administrators."""
        users = self._matcher().by_id.values()
        return self._find_people(self._app.settings.admins) or [
            user for user in users if user.is_admin and user.is_active and not user.is_bot
        ]

    def _find_people(self, names: Iterable[int | str]) -> list[ZulipUser]:
        found = (self._matcher().find_person(name) for name in sorted(names, key=str))
        return [user for user in found if user is not None]

    def get_mentor_for_student(self, student_id: int) -> tuple[int | None, str] | None:
        """(mentor_id, username) of the student's first mentor by mentors.id, or None."""
        mentors = self.get_mentors_for_student(student_id)
        return (mentors[0].mentor_id, mentors[0].username) if mentors else None

    def get_mentors_for_student(self, student_id: int) -> list[Mentor]:
        """All of the student's mentors, the first by mentors.id first."""
        return self._people_around(student_id)[1]

    def get_zulip_user_for_student(self, student_id: int) -> ZulipUser | None:
        student, _ = self._people_around(student_id)
        if student is None:
            return None
        user = self._matcher().find(STUDENT, student.username, student.email).user
        if user is None or self._matcher().is_mapped_by_hand(STUDENT, student.username):
            return user
        return None if self._is_shared_by_students(fold(student.email)) else user

    def get_zulip_user_for_mentor(self, mentor_id: int) -> ZulipUser | None:
        """By the LMS's mentor_id (mentors.user_id)."""
        found = (mentor for mentor in self._mentors() if mentor.mentor_id == mentor_id)
        return next((self._match_mentor(mentor).user for mentor in found), None)

    def prefetch(self, student_ids: Collection[int]) -> None:
        """Asks the LMS about many students at once, where the answers are not cached."""
        wanted = [one for one in student_ids if self._cache.get("around", one) is None]
        if not wanted:
            return
        mentors = self._app.people.fetch_mentors_of_students(wanted)
        students = {one.student_id: one for one in self._app.people.fetch_students(wanted)}
        for one in wanted:
            around = (students.get(one), mentors.get(one, []))
            self._cache.put("around", one, value=around, seconds=PEOPLE_SECONDS)
            self._cache.forget("recipients", one)

    def get_remembered_recipients(self, student_id: int) -> Recipients | None:
        """What `remember_recipients` was last told, while what it rests on is cached."""
        recipients: Recipients | None = self._cache.get("recipients", student_id)
        return recipients

    def remember_recipients(self, student_id: int, recipients: Recipients) -> None:
        self._cache.put("recipients", student_id, value=recipients, seconds=PEOPLE_SECONDS)

    # -- who is asking ---------------------------------------------------------------------------------------

    def get_zulip_user(self, user_id: int) -> ZulipUser | None:
        """Someone in Zulip by id. Asks Zulip again for a person it does not know."""
        user = self._matcher().by_id.get(user_id)
        if user is None and not self._cache.get("unknown", user_id):
            self._cache.forget("matcher")
            user = self._matcher().by_id.get(user_id)
            self._cache.put("unknown", user_id, value=True, seconds=PEOPLE_SECONDS)
        if user is None and self._matcher().problem == ZULIP_UNREAD:
            raise ZulipUnavailable(ZULIP_UNREAD)  # who this is cannot be said, which is not: nobody
        return user

    def get_mentors_for_zulip_user(self, user: ZulipUser) -> list[Mentor]:
        """The LMS mentors this person is: those that would be told under this id."""
        matches = ((mentor, self._match_mentor(mentor).user) for mentor in self._mentors())
        return [mentor for mentor, found in matches if found is not None and found.user_id == user.user_id]

    def get_students_of_mentor(self, mentor: Mentor) -> StudentsOfMentor:
        """A mentor's students, from the LMS; while it is away the last known, for up to a day.

        Raises LMSUnavailable where nothing recent enough is known.
        """
        cached: StudentsOfMentor | None = self._cache.get("students of", mentor.key)
        if cached is not None:
            return cached
        try:
            students = tuple(self._app.people.fetch_students_of_mentor(mentor.key))
        except (LMSUnavailable, LMSRefused):
            return self._last_known_students(mentor)
        fresh = StudentsOfMentor(students, utc_now(), is_stale=False)
        self._keep_students(mentor, fresh)
        return self._cache.put("students of", mentor.key, value=fresh, seconds=PEOPLE_SECONDS)

    def get_unmapped_mentors(self) -> list[UnmappedMentor]:
        """Mentors nobody in Zulip could be found for."""
        matches = ((mentor, self._match_mentor(mentor)) for mentor in self._mentors())
        return [UnmappedMentor(mentor, match.reason) for mentor, match in matches if match.user is None]

    def get_mapping_stats(self) -> dict[str, int]:
        """How many students and mentors the LMS has, and how many of them were found in Zulip."""
        mentors, students = self._mentors(), self._app.people.fetch_all_students()
        shared = shared_addresses(student.email for student in students)
        matches = (self._matcher().find(STUDENT, one.username, one.email, shared) for one in students)
        return {
            "total_students": len(students),
            "total_mentors": len(mentors),
            "mapped_students": sum(match.user is not None for match in matches),
            "mapped_mentors": sum(self._match_mentor(one).user is not None for one in mentors),
        }

    def clear_cache(self, student_id: int | None = None, mentor_id: int | None = None) -> None:
        """Forgets what was cached of a student, of a mentor, or of everybody."""
        if student_id is None and mentor_id is None:
            self._cache.clear()
        if student_id is not None:
            self._cache.forget("around", student_id)
            self._cache.forget("recipients", student_id)
        if mentor_id is not None:
            for mentor in self._cache.get("mentors") or ():
                if mentor.mentor_id == mentor_id:
                    self._cache.forget("students of", mentor.key)
            self._cache.forget("mentors")

    # -- where it comes from ---------------------------------------------------------------------------------

    def _match_mentor(self, mentor: Mentor) -> Match:
        return self._matcher().find(MENTOR, mentor.username, mentor.email, self._shared_by_mentors())

    def _shared_by_mentors(self) -> frozenset[str]:
        shared: frozenset[str] | None = self._cache.get("shared by mentors")
        if shared is None:
            shared = shared_addresses(mentor.email for mentor in self._mentors())
            self._cache.put("shared by mentors", value=shared, seconds=PEOPLE_SECONDS)
        return shared

    def _is_shared_by_students(self, address: str) -> bool:
        is_shared: bool | None = self._cache.get("shared by students", address)
        if is_shared is None:
            is_shared = bool(self._app.people.fetch_shared_student_emails([address]))
            self._cache.put("shared by students", address, value=is_shared, seconds=10 * PEOPLE_SECONDS)
        return is_shared

    def _people_around(self, student_id: int) -> tuple[Student | None, list[Mentor]]:
        self.prefetch([student_id])
        around: tuple[Student | None, list[Mentor]] | None = self._cache.get("around", student_id)
        return around or (None, [])

    def _matcher(self) -> Matcher:
        """Zulip's people, cached; the last known while Zulip is away or slow."""
        cached: Matcher | None = self._cache.get("matcher")
        if cached is not None:
            return cached
        if not self._last_users:
            return self._read_zulip()
        with self._begins_to_read:
            if self._reading is None or not self._reading.is_alive():
                self._reading = threading.Thread(target=self._read_zulip, name="people", daemon=True)
                self._reading.start()
                patience = ZULIP_PATIENCE_SECONDS
            else:  # somebody has waited for it already
                patience = 0.0
            self._reading.join(patience)
            return self._cache.get("matcher") or self._put_matcher(ZULIP_UNREAD, ZULIP_AWAY_SECONDS)

    def _read_zulip(self) -> Matcher:
        problem, seconds = None, ZULIP_USERS_SECONDS
        try:
            if self._app.gateway is None:
                problem = NO_ZULIP
            else:
                self._last_users = self._app.gateway.fetch_users()
        except LMSBotError:
            problem, seconds = ZULIP_UNREAD, ZULIP_AWAY_SECONDS
        return self._put_matcher(problem, seconds)

    def _put_matcher(self, problem: str | None, seconds: float) -> Matcher:
        matcher = Matcher(self._last_users, self._app.settings.user_map_rows, problem)
        return self._cache.put("matcher", value=matcher, seconds=seconds)

    def _mentors(self) -> list[Mentor]:
        """All mentors, from the LMS; while it is away the last known, for up to a day."""
        cached: list[Mentor] | None = self._cache.get("mentors")
        if cached is not None:
            return cached
        try:
            mentors = self._app.people.fetch_mentors()
        except (LMSUnavailable, LMSRefused):
            return self._last_known_mentors()
        self._keep_mentors(mentors)
        return self._cache.put("mentors", value=mentors, seconds=PEOPLE_SECONDS)

    # -- for when the LMS is away ----------------------------------------------------------------------------

    def _keep_mentors(self, mentors: list[Mentor]) -> None:
        if self._cache.get("kept mentors") != mentors:
            with suppress(StoreUnavailable), self._app.store.transaction():
                Fact.put(MENTORS_FACT, [asdict(one) for one in mentors])
                self._cache.put("kept mentors", value=mentors, seconds=KNOWN_SERVE.total_seconds() / 4)

    def _last_known_mentors(self) -> list[Mentor]:
        with self._app.store.session():
            row = Fact.get_or_none(Fact.name == MENTORS_FACT)
        if row is None or utc_now() - row.updated_at > KNOWN_SERVE:
            raise LMSUnavailable("the LMS is away, and who its mentors are is not known well enough")
        return [Mentor(**one) for one in row.value]

    def _keep_students(self, mentor: Mentor, fresh: StudentsOfMentor) -> None:
        students = [asdict(one) for one in fresh.students]
        with suppress(StoreUnavailable), self._app.store.transaction():
            KnownStudents.insert(mentor_key=mentor.key, students=students, fetched_at=fresh.as_of).on_conflict(
                conflict_target=[KnownStudents.mentor_key],
                preserve=[KnownStudents.students, KnownStudents.fetched_at],
            ).execute()

    def _last_known_students(self, mentor: Mentor) -> StudentsOfMentor:
        with self._app.store.session():
            row = KnownStudents.get_or_none(KnownStudents.mentor_key == mentor.key)
        if row is None or utc_now() - row.fetched_at > KNOWN_SERVE:
            raise LMSUnavailable("the LMS is away, and whose students are whose is not known well enough")
        return StudentsOfMentor(tuple(Student(**one) for one in row.students), row.fetched_at, is_stale=True)
