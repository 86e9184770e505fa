"""A question on its way to its answer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, tzinfo
from functools import cached_property
from typing import TYPE_CHECKING

from lms_bot.chat.language.periods import BackwardPeriod, Period, parse_period
from lms_bot.chat.language.words import get_said, strip_fillers
from lms_bot.core.clock import UTC, find_zone
from lms_bot.outbox.draft import File
from lms_bot.people.access import Asker, audit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lms_bot.app import App
    from lms_bot.people.users import Student


class WrongArguments(Exception):
    """What follows the command cannot be understood; the message, a sentence, says what, if that helps."""


@dataclass(frozen=True)
class WithFiles:
    """An answer that comes with files: in its text `[chart.png](attachment:0)` stands for the first of them.

    Whoever sends it uploads them and puts the real addresses there. Disarmed text cannot hold `](`.
    """

    text: str
    files: tuple[File, ...]


@dataclass(frozen=True)
class Question:
    """What was asked: by whom, when, by which command and with which words after it.

    `words` know how they were written, see `words.get_said`. `message_id` is Zulip's, where it is known.
    """

    app: App
    asker: Asker
    words: tuple[str, ...]
    now: datetime
    command: str = ""
    message_id: int | None = None

    @cached_property
    def zone(self) -> tzinfo:
        """Where the asker's days begin."""
        return find_zone(self.asker.zulip_user.timezone if self.asker.zulip_user else None)

    @property
    def has_unknown_zone(self) -> bool:
        """Whether UTC stands in for a zone that Zulip does not name, or that is not known here."""
        return self.zone is UTC

    @property
    def zulip_user_id(self) -> int:
        """The asker's, who is known to Zulip: strangers ask nothing."""
        assert self.asker.zulip_user is not None
        return self.asker.zulip_user.user_id

    @property
    def own_students(self) -> Mapping[int, Student]:
        """The asker's own, by id. Raises LMSBotError where they cannot be known now."""
        if self.asker.trouble is not None:
            raise self.asker.trouble
        return self.asker.students

    def audit(self, student_id: int | None) -> None:
        """To be called before an answer that shows this student, or (None) all students: see `access.audit`."""
        audit(self.app, self.asker, student_id, self.command, self.now)

    def read_period(self, words: tuple[str, ...]) -> Period | None:
        """The period that the words name, or None. WrongArguments where it would end before it begins."""
        try:
            return parse_period(get_said(strip_fillers(words)), self.now, self.zone)
        except BackwardPeriod:
            raise WrongArguments("That period would end before it begins.") from None
