"""Who may see what: the one place that decides it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING

from lms_bot.exceptions import LMSBotError

if TYPE_CHECKING:
    from lms_bot.app import App
    from lms_bot.users import Mentor, Student, ZulipUser


class Audience(Enum):
    """Whom a command is for."""

    KNOWN = "mentors and admins"
    MENTORS = "mentors"
    ADMINS = "admins"


@dataclass(frozen=True)
class Asker:
    """The person who asks, as far as it matters for what they may see.

    `students` are those the LMS gives them as a mentor now, by id. Where the LMS is away they are the last
    known ones, as of `roster_as_of`, and `is_stale`; where none are known, `trouble` says why.
    """

    zulip_user: ZulipUser | None = None
    is_admin: bool = False
    mentors: tuple[Mentor, ...] = ()
    students: Mapping[int, Student] = field(default_factory=dict)
    roster_as_of: datetime | None = None
    is_stale: bool = False
    trouble: LMSBotError | None = None

    @property
    def is_mentor(self) -> bool:
        return bool(self.mentors)

    @property
    def is_known(self) -> bool:
        """False for everybody who is told nothing: strangers, students, guests, bots, deactivated people."""
        return self.is_admin or self.is_mentor

    def may_use(self, audience: Audience) -> bool:
        """Whether a command for this audience answers them."""
        return {
            Audience.KNOWN: self.is_known,
            Audience.MENTORS: self.is_mentor,
            Audience.ADMINS: self.is_admin,
        }[audience]

    def may_see(self, student_id: int) -> bool:
        """Whether they may see what this student did."""
        return self.is_admin or student_id in self.students


STRANGER = Asker()


def identify(app: App, sender_id: int, zulip_user: ZulipUser | None = None) -> Asker:
    """Who writes to us. `zulip_user` spares the look-up where it is known.

    Raises LMSBotError where it cannot be found out now; for an admin, and for a mentor whose students are
    not known, that is `Asker.trouble` instead, so that they can still ask for what does not depend on it.
    """
    user = zulip_user or app.users.get_zulip_user(sender_id)
    if user is None or user.is_bot or not user.is_active or user.is_guest:
        return STRANGER
    is_admin = is_admin_here(user, app.settings.admins)
    try:
        mentors = tuple(app.users.get_mentors_for_zulip_user(user))
    except LMSBotError as error:
        if not is_admin:
            raise
        return Asker(user, is_admin, trouble=error)
    return _with_students(app, user, is_admin, mentors)


def is_admin_here(user: ZulipUser, admins: frozenset[int | str]) -> bool:
    """An admin of the Zulip organization, or one of `admins` (Zulip user ids and casefolded e-mails)."""
    emails = {email.casefold() for email in (user.email, user.delivery_email) if email}
    return user.is_admin or user.user_id in admins or not emails.isdisjoint(admins)


def _with_students(app: App, user: ZulipUser, is_admin: bool, mentors: tuple[Mentor, ...]) -> Asker:
    """One person may be several mentors in the LMS; the oldest roster tells how old their students are."""
    try:
        rosters = [app.users.get_students_of_mentor(mentor) for mentor in mentors]
    except LMSBotError as error:
        return Asker(user, is_admin, mentors, trouble=error)
    return Asker(
        user,
        is_admin,
        mentors,
        students={student.student_id: student for roster in rosters for student in roster.students},
        roster_as_of=min((roster.as_of for roster in rosters), default=None),
        is_stale=any(roster.is_stale for roster in rosters),
    )
