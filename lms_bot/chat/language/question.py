"""A question on its way to its answer, what it is answered from, and the commands that answer."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from functools import cached_property
from typing import Any, Protocol, TypeAlias

from lms_bot.chat.language.periods import BackwardPeriod, Period, parse_period
from lms_bot.chat.language.student_index import CHOSEN, PLAIN_USERNAME, StudentIndexes
from lms_bot.chat.language.words import get_bare, strip_fillers
from lms_bot.core.cache import ExpiringCache
from lms_bot.core.clock import UTC, find_zone
from lms_bot.core.markdown import code
from lms_bot.insight.school_calendar import SchoolCalendar
from lms_bot.lms.people import Student
from lms_bot.notify.digests import DigestWriter
from lms_bot.notify.events import LMSActivityEventHandler
from lms_bot.notify.formatters import Formatters
from lms_bot.notify.preference_book import PreferenceBook
from lms_bot.outbox.draft import Button, File
from lms_bot.people.access import Access, Asker, Audience, write_audit_entry
from lms_bot.people.users import UserMapper
from lms_bot.store.counters import Counters
from lms_bot.store.database import Store


class WrongArguments(Exception):
    """What follows the command cannot be understood; the message, a sentence, says what, if that helps."""


class NothingFound(WrongArguments):
    """Nothing is called as was said; the message, a whole answer, says so."""


class UnclearRest(WrongArguments):
    """It is clear which student is meant, and not what follows the name."""


@dataclass(frozen=True)
class WithFiles:
    """An answer that comes with files: in its text `[chart.png](attachment:0)` stands for the first of them.

    Whoever sends it uploads them and puts the real addresses there. Disarmed text cannot hold `](`.
    """

    text: str
    files: tuple[File, ...]


@dataclass(frozen=True)
class WithButtons:
    """An answer that comes with buttons, shown under the heading to who has a client for that: see `Draft`.

    The text must do without them.
    """

    text: str
    buttons: tuple[Button, ...]
    heading: str = ""


Answer: TypeAlias = str | WithFiles | WithButtons


class Check(Protocol):
    """What was found out about one part of the bot."""

    @property
    def name(self) -> str: ...
    @property
    def is_ok(self) -> bool: ...
    @property
    def text(self) -> str: ...


@dataclass(frozen=True)
class Context:
    """The parts of the bot that commands use, and what they need to know of its settings.

    `get_zone` is a person's time zone, None where that cannot be known now; `poll` looks into the LMS and returns
    how many events are new; `on_preferences_changed` is told that something else may be due now. `get_pass_marks`
    says with which percentage exams are passed, by `activity_id`, where that is known.
    """

    store: Store
    counters: Counters
    users: UserMapper
    access: Access
    preferences: PreferenceBook
    get_zone: Callable[[int], tzinfo | None]
    on_preferences_changed: Callable[[], None]
    formatters: Formatters
    calendar: SchoolCalendar
    digests: DigestWriter
    events: LMSActivityEventHandler
    get_checks: Callable[[], Sequence[Check]]
    poll: Callable[[], int]
    is_watching: bool
    is_notifying: bool
    is_grouping: bool
    poll_seconds: float
    student_indexes: StudentIndexes = field(default_factory=StudentIndexes)
    titles: ExpiringCache[str, Any] = field(default_factory=ExpiringCache)
    get_pass_marks: Callable[[Collection[int]], Mapping[int, float]] = lambda _: {}


@dataclass(frozen=True)
class Question:
    """What was asked: by whom, when, by which command and with which words after it.

    It brings the context it is to be answered from, so that a command, and whatever reads its arguments, takes one
    thing, and what is asked cannot come apart from where it is looked up.
    `words` know how they were written, see `words.get_said`. `message_id` is Zulip's, where it is known.
    """

    context: Context
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

    @property
    def students_in_sight(self) -> Collection[int] | None:
        """By id: the asker's own, for an admin everybody (None). Raises as `own_students` does."""
        return None if self.asker.is_admin else self.own_students.keys()

    def audit(self, student_id: int | None) -> None:
        """To be called before an answer that shows this student, or (None) all students: see
        `access.write_audit_entry`.
        """
        write_audit_entry(self.context.store, self.asker, student_id, self.command, self.now)

    def read_period(self, words: tuple[str, ...]) -> Period | None:
        """The period that the words name, or None. WrongArguments where it would end before it begins."""
        if any(word.startswith(CHOSEN) for word in words):  # `october` and a student are no day of October
            return None
        try:
            return parse_period(get_bare(strip_fillers(words)), self.now, self.zone)
        except BackwardPeriod:
            raise WrongArguments("That period would end before it begins.") from None


SOMEBODY, SOMEBODY_ELSE = "john_doe", "jane_smith"
"""The students in an example where the asker has none."""


@dataclass(frozen=True)
class Command:
    """What may be asked. `meaning` is one line; `{student}` and `{other}` in the example become the asker's own.

    One that `changes` something may have to be confirmed, where it was not said plainly. An answer that is private
    holds what only the asker may read. One that needs the store is made while connected to it; the others are given
    while it is away, too.
    """

    name: str
    usage: str
    meaning: str
    audience: Audience
    example: str
    answer: Callable[[Question], Answer]
    aliases: tuple[str, ...] = ()
    changes: bool = False
    is_private: bool = True
    needs_store: bool = True
    is_about_own_students: bool = False

    @property
    def takes_words(self) -> bool:
        """Whether anything may be said after its name."""
        return self.usage != self.name

    def get_example(self, student: str = SOMEBODY, other: str = SOMEBODY_ELSE) -> str:
        return self.example.format(student=student, other=other)


def format_usage(command: Command, student: str = SOMEBODY, other: str = SOMEBODY_ELSE) -> str:
    return f"Usage: {code(command.usage)}\nFor example: {code(command.get_example(student, other))}"


def pick_students_for_example(asker: Asker) -> tuple[str, str]:
    """Two usernames that are easily typed: of the asker's own, as far as there are such."""
    usernames = (student.username for student in asker.students.values())
    own = filter(PLAIN_USERNAME.fullmatch, usernames)
    first = next(own, SOMEBODY)
    return first, next(own, SOMEBODY if first == SOMEBODY_ELSE else SOMEBODY_ELSE)
