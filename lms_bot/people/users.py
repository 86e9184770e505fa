"""LMS people <-> Zulip people: who is to be told of a student, and who is asking."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from lms_bot.core.cache import ExpiringCache
from lms_bot.core.configured import get_configured
from lms_bot.core.errors import ZulipUnavailable
from lms_bot.lms.people import Mentor, PeopleReader, Student
from lms_bot.people.matching import (
    MENTOR,
    STUDENT,
    ZULIP_UNREAD,
    Match,
    Matcher,
    ZulipPeople,
    normalize_address,
    shared_addresses,
)
from lms_bot.people.recipients import Recipients
from lms_bot.people.rosters import PEOPLE_SECONDS, Roster, Rosters, StudentAndMentors
from lms_bot.settings.settings import UserMapRow
from lms_bot.zulip.gateway import Gateway, ZulipUser

NO_MENTOR = "the student has no mentor in the LMS"

RestsOn = tuple[StudentAndMentors, Matcher]
"""What the recipients of a student were found by."""


@dataclass(frozen=True)
class UnmappedMentor:
    """A mentor nobody in Zulip could be found for, and why."""

    mentor: Mentor
    reason: str


@dataclass(frozen=True)
class MapperParts:
    """What a mapper stands on: where people come from, and what the operator said of some."""

    zulip: Gateway | None
    reader: PeopleReader
    rosters: Rosters
    admins: frozenset[int | str] = frozenset()
    fallback_recipients: frozenset[int | str] = frozenset()
    map_rows: Sequence[UserMapRow] = ()


class UserMapper:
    """Finds people by the map file, then by `delivery_email`, then by `email`, case-folded.

    An address two people share matches nobody. Override `get_notification_recipients` to tell others.
    Methods that ask the LMS raise LMSUnavailable or LMSRefused.
    """

    def __init__(self, parts: MapperParts | None = None) -> None:
        self._parts = parts or get_configured(MapperParts)
        self._rosters = self._parts.rosters
        self._zulip = ZulipPeople(self._parts.zulip, self._parts.map_rows)
        self._unknown: ExpiringCache[int, bool] = ExpiringCache()
        self._recipients: ExpiringCache[int, tuple[RestsOn, Recipients]] = ExpiringCache()
        self._found_students: ExpiringCache[ZulipUser, tuple[Student, ...]] = ExpiringCache()
        self._shared_by_students: ExpiringCache[str, bool] = ExpiringCache()
        # Each of the next two is made anew when what it was made of, first in it, was asked for again.
        self._shared_by_mentors: tuple[list[Mentor], frozenset[str]] = ([], frozenset())
        self._mentors_by_user: tuple[list[Mentor], Matcher | None, dict[int, list[Mentor]]] = ([], None, {})

    @property
    def knows_zulip(self) -> bool:
        """Whether Zulip's people could be read at least once; where there is no Zulip, there is nothing to read."""
        return self._zulip.is_known

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
        return self._find_people(self._parts.fallback_recipients)

    def get_admins(self) -> list[ZulipUser]:
        """Who is told of the bot's own troubles: LMS_ADMINS, else the organization's owners and administrators."""
        users = self._matcher().by_id.values()
        return self._find_people(self._parts.admins) or [
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
        return list(self._rosters.get_student_and_mentors(student_id).mentors)

    def get_zulip_user_for_student(self, student_id: int) -> ZulipUser | None:
        student = self._rosters.get_student_and_mentors(student_id).student
        if student is None:
            return None
        user = self._matcher().find(STUDENT, student.username, student.email).user
        if user is None or self._matcher().is_mapped_by_hand(STUDENT, student.username):
            return user
        return None if self._is_shared_by_students(normalize_address(student.email)) else user

    def get_zulip_user_for_mentor(self, mentor_id: int) -> ZulipUser | None:
        """By the LMS's mentor_id (mentors.user_id)."""
        found = (mentor for mentor in self._rosters.get_mentors() if mentor.mentor_id == mentor_id)
        return next((self._match_mentor(mentor).user for mentor in found), None)

    def prefetch(self, student_ids: Collection[int]) -> None:
        """Asks the LMS about many students at once, where the answers are not cached."""
        self._rosters.prefetch(student_ids)

    def get_remembered_recipients(self, student_id: int) -> Recipients | None:
        """What `remember_recipients` was last told, while what it rests on is still so."""
        rests_on, recipients = self._recipients.get(student_id) or (None, None)
        return recipients if rests_on == self._rests_on(student_id) else None

    def remember_recipients(self, student_id: int, recipients: Recipients) -> None:
        self._recipients.put(student_id, (self._rests_on(student_id), recipients), PEOPLE_SECONDS)

    def _rests_on(self, student_id: int) -> RestsOn:
        return self._rosters.get_student_and_mentors(student_id), self._matcher()

    # -- who is asking ---------------------------------------------------------------------------------------

    def get_zulip_user(self, user_id: int) -> ZulipUser | None:
        """Someone in Zulip by id. Asks Zulip again for a person it does not know."""
        user = self._matcher().by_id.get(user_id)
        if user is None and not self._unknown.get(user_id):
            self._zulip.forget()
            user = self._matcher().by_id.get(user_id)
            self._unknown.put(user_id, True, PEOPLE_SECONDS)
        if user is None and self._matcher().problem == ZULIP_UNREAD:
            raise ZulipUnavailable(ZULIP_UNREAD)  # who this is cannot be said, which is not: nobody
        return user

    def get_mentors_for_zulip_user(self, user: ZulipUser) -> list[Mentor]:
        """The LMS mentors this person is: those that would be told under this id."""
        return list(self._get_mentors_by_user().get(user.user_id, ()))

    def get_mentors(self) -> list[Mentor]:
        """All mentors of the LMS; while it is away the last known."""
        return self._rosters.get_mentors()

    def get_mentors_in_zulip(self) -> dict[int, list[Mentor]]:
        """All LMS mentors that could be found, by Zulip user id."""
        return dict(self._get_mentors_by_user())

    def get_roster(self, mentors: Sequence[Mentor]) -> Roster:
        """The students of these mentors and of all mentors below them; while the LMS is away the last known.

        Raises LMSUnavailable where nothing recent enough is known.
        """
        return self._rosters.get_roster(mentors)

    def get_mentors_below(self, mentors: Sequence[Mentor]) -> list[Mentor]:
        """The mentors whom these supervise, at any depth, nearest first."""
        return self._rosters.get_mentors_below(mentors)

    def get_all_students(self) -> list[Student]:
        """All students of the LMS, mentored or not."""
        return self._parts.reader.fetch_all_students()

    def get_enrolled(self) -> dict[int, datetime | None]:
        """The active students who have a mentor, by id, and since when the LMS knows them where it says so."""
        return self._parts.reader.fetch_enrolled()

    def get_student_for_zulip_user(self, user: ZulipUser) -> Student | None:
        """The LMS student this person is, who is active there; None where that is nobody, or more than one."""
        found = self._found_students.get(user)
        if found is None:
            found = self._found_students.put(user, self._find_students(user), PEOPLE_SECONDS)
        return found[0] if len(found) == 1 else None

    def _find_students(self, user: ZulipUser) -> tuple[Student, ...]:
        matcher = self._matcher()
        addresses = {normalize_address(user.email), normalize_address(user.delivery_email)} - {""}
        usernames = matcher.get_mapped_usernames(STUDENT, user)
        called = self._parts.reader.fetch_students_called(usernames, addresses)
        shared = shared_addresses(student.email for student in called)
        matches = (
            (student, matcher.find(STUDENT, student.username, student.email, shared).user)
            for student in called
            if student.is_active
        )
        return tuple(student for student, match in matches if match is not None and match.user_id == user.user_id)

    def get_unmapped_mentors(self) -> list[UnmappedMentor]:
        """Mentors nobody in Zulip could be found for."""
        matches = ((mentor, self._match_mentor(mentor)) for mentor in self._rosters.get_mentors())
        return [UnmappedMentor(mentor, match.reason) for mentor, match in matches if match.user is None]

    def get_mapping_stats(self) -> dict[str, int]:
        """How many students and mentors the LMS has, and how many of them were found in Zulip."""
        mentors, students = self._rosters.get_mentors(), self.get_all_students()
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
        self._rosters.forget(student_id, mentor_id)
        if student_id is None and mentor_id is None:
            self.forget_zulip()
            for cache in (self._recipients, self._found_students, self._shared_by_students):
                cache.clear()

    def forget_zulip(self) -> None:
        """Somebody in Zulip is changed: who they are is asked for again."""
        self._zulip.forget()
        self._unknown.clear()

    # -- where it comes from ---------------------------------------------------------------------------------

    def _matcher(self) -> Matcher:
        return self._zulip.get_matcher()

    def _match_mentor(self, mentor: Mentor) -> Match:
        return self._matcher().find(MENTOR, mentor.username, mentor.email, self._get_shared_by_mentors())

    def _get_shared_by_mentors(self) -> frozenset[str]:
        mentors = self._rosters.get_mentors()
        made_of, shared = self._shared_by_mentors
        if made_of is not mentors:
            shared = shared_addresses(mentor.email for mentor in mentors)
            self._shared_by_mentors = (mentors, shared)
        return shared

    def _get_mentors_by_user(self) -> dict[int, list[Mentor]]:
        """Which mentors each Zulip user is."""
        mentors, matcher = self._rosters.get_mentors(), self._matcher()
        made_of_mentors, made_with, by_user = self._mentors_by_user
        if made_of_mentors is not mentors or made_with is not matcher:
            by_user = defaultdict(list)
            for mentor in mentors:
                user = self._match_mentor(mentor).user
                if user is not None:
                    by_user[user.user_id].append(mentor)
            self._mentors_by_user = (mentors, matcher, by_user)
        return by_user

    def _is_shared_by_students(self, address: str) -> bool:
        is_shared = self._shared_by_students.get(address)
        if is_shared is None:
            is_shared = bool(self._parts.reader.fetch_shared_student_emails([address]))
            self._shared_by_students.put(address, is_shared, 10 * PEOPLE_SECONDS)
        return is_shared
