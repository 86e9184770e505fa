"""What an answer may be made from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import TYPE_CHECKING, Protocol

from lms_bot.chat.language.student_index import StudentIndexes

if TYPE_CHECKING:
    from lms_bot.notify.events import LMSActivityEventHandler
    from lms_bot.notify.formatter import MessageFormatter
    from lms_bot.notify.preferences import PreferenceBook
    from lms_bot.people.access import Access
    from lms_bot.people.users import UserMapper
    from lms_bot.store.counters import Counters
    from lms_bot.store.database import Store


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
    how many events are new; `on_preferences_changed` is told that something else may be due now.
    """

    store: Store
    counters: Counters
    users: UserMapper
    access: Access
    preferences: PreferenceBook
    get_zone: Callable[[int], tzinfo | None]
    on_preferences_changed: Callable[[], None]
    formatter: MessageFormatter
    events: LMSActivityEventHandler
    get_checks: Callable[[], Sequence[Check]]
    poll: Callable[[], int]
    is_watching: bool
    is_notifying: bool
    is_grouping: bool
    poll_seconds: float
    student_indexes: StudentIndexes = field(default_factory=StudentIndexes)
