"""A question on its way to its answer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, tzinfo
from functools import cached_property
from typing import TYPE_CHECKING

from lms_bot.chat.access import Asker
from lms_bot.chat.periods import Period, parse_period
from lms_bot.chat.words import strip_fillers
from lms_bot.clock import UTC, find_zone

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lms_bot.app import App
    from lms_bot.users import Student


class WrongArguments(Exception):
    """What follows the command cannot be understood; the message, a sentence, says what, if that helps."""


@dataclass(frozen=True)
class Question:
    """What was asked: by whom, when, and with which words after the command."""

    app: App
    asker: Asker
    words: tuple[str, ...]
    now: datetime

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

    def read_period(self, words: tuple[str, ...]) -> Period | None:
        return parse_period(" ".join(strip_fillers(words)), self.now, self.zone)
