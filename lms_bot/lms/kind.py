"""What a kind of LMS is: its streams and its people, made of the settings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lms_bot.lms.people import PeopleSelects
from lms_bot.lms.stream import Stream
from lms_bot.settings.settings import Settings


@dataclass(frozen=True)
class Kind:
    """The settings say what differs between installations: a prefix of the tables, or which roles are mentors.

    `pass_marks` is a SELECT of (exam id, percentage to pass) of the exams in `exam_ids`, where the LMS has that.
    """

    make_streams: Callable[[Settings], Sequence[Stream]]
    make_people: Callable[[Settings], PeopleSelects]
    pass_marks: str | None = None
