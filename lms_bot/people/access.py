"""Who may see what: the one place that decides it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from lms_bot.core.errors import LMSBotError
from lms_bot.lms.people import Mentor, Student
from lms_bot.people.users import UserMapper
from lms_bot.store.conversation import AuditEntry
from lms_bot.store.database import Store
from lms_bot.zulip.gateway import ZulipUser


class Audience(Enum):
    """Whom a command is for."""

    LEARNERS = "mentors, admins and students"
    KNOWN = "mentors and admins"
    MENTORS = "mentors"
    ADMINS = "admins"


@dataclass(frozen=True)
class Asker:
    """The person who asks, as far as it matters for what they may see.

    `students` are those the LMS gives them as a mentor now, by id: their own, and those that only mentors below
    them have, `students_below`. Where the LMS is away they are the last known ones, as of `roster_as_of`, and
    `is_stale`; where none are known, `trouble` says why. A student (`is_student`) has themselves.
    """

    zulip_user: ZulipUser | None = None
    is_admin: bool = False
    mentors: tuple[Mentor, ...] = ()
    students: Mapping[int, Student] = field(default_factory=dict)
    students_below: frozenset[int] = frozenset()
    roster_as_of: datetime | None = None
    is_stale: bool = False
    trouble: LMSBotError | None = None
    is_student: bool = False

    @property
    def is_mentor(self) -> bool:
        return bool(self.mentors)

    @property
    def is_known(self) -> bool:
        """False for everybody who is told nothing: strangers, guests, bots, deactivated people."""
        return self.is_admin or self.is_mentor or self.is_student

    def may_use(self, audience: Audience) -> bool:
        """Whether a command for this audience answers them."""
        return {
            Audience.LEARNERS: self.is_known,
            Audience.KNOWN: self.is_admin or self.is_mentor,
            Audience.MENTORS: self.is_mentor,
            Audience.ADMINS: self.is_admin,
        }[audience]

    def may_see(self, student_id: int) -> bool:
        """Whether they may see what this student did."""
        return self.is_admin or self.is_own(student_id)

    def is_own(self, student_id: int) -> bool:
        """Whether the LMS gives them this student; for a student, whether it is themselves."""
        return student_id in self.students


STRANGER = Asker()


@dataclass(frozen=True)
class Access:
    """Finds out who somebody is. `admins` are those beside Zulip's own: user ids and casefolded e-mails."""

    users: UserMapper
    admins: frozenset[int | str]
    students_may_ask: bool

    def identify(self, sender_id: int, zulip_user: ZulipUser | None = None) -> Asker:
        """Who writes to us. `zulip_user` spares the look-up where it is known.

        Raises LMSBotError where it cannot be found out now; for an admin, and for a mentor whose students are
        not known, that is `Asker.trouble` instead, so that they can still ask for what does not depend on it.
        """
        user = zulip_user or self.users.get_zulip_user(sender_id)
        if user is None or user.is_bot or not user.is_active or user.is_guest:
            return STRANGER
        emails = {email.casefold() for email in (user.email, user.delivery_email) if email}
        is_admin = user.is_admin or user.user_id in self.admins or not emails.isdisjoint(self.admins)
        try:
            mentors = tuple(self.users.get_mentors_for_zulip_user(user))
        except LMSBotError as error:
            if not is_admin:
                raise
            return Asker(user, is_admin, trouble=error)
        if not (is_admin or mentors):
            return self._as_student(user)
        return self._with_students(user, is_admin, mentors)

    def _with_students(self, user: ZulipUser, is_admin: bool, mentors: tuple[Mentor, ...]) -> Asker:
        """One person may be several mentors in the LMS."""
        try:
            roster = self.users.get_roster(mentors)
        except LMSBotError as error:
            return Asker(user, is_admin, mentors, trouble=error)
        return Asker(
            user,
            is_admin,
            mentors,
            students=roster.students,
            students_below=roster.below,
            roster_as_of=roster.as_of,
            is_stale=roster.is_stale,
        )

    def identify_as_student(self, asker: Asker) -> Asker | None:
        """The student that a mentor or an admin is as well, who sees what students see; None where they are none.

        Raises LMSBotError where it cannot be found out now.
        """
        if asker.zulip_user is None or asker.is_student:
            return None
        student = self._as_student(asker.zulip_user)
        return student if student.is_student else None

    def _as_student(self, user: ZulipUser) -> Asker:
        """A student of the LMS, where students may ask at all; else a stranger, without asking the LMS."""
        student = self.users.get_student_for_zulip_user(user) if self.students_may_ask else None
        if student is None:
            return STRANGER
        return Asker(user, students={student.student_id: student}, is_student=True)


def write_audit_entry(store: Store, asker: Asker, student_id: int | None, command: str, now: datetime) -> None:
    """Writes down that an admin looks at a student who is not theirs; None: at all students at once.

    Raises StoreUnavailable where it cannot be written: then there must be no answer.
    """
    if not asker.is_admin or asker.zulip_user is None or (student_id is not None and asker.is_own(student_id)):
        return
    with store.transaction():
        AuditEntry.create(
            looked_at=now, zulip_user_id=asker.zulip_user.user_id, student_id=student_id, command=command
        )
