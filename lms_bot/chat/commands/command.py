"""What a row of the table of commands says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lms_bot.chat.commands.replies import PLAIN_USERNAME
from lms_bot.chat.language.question import Question, WithFiles
from lms_bot.core.markdown import code
from lms_bot.people.access import Asker, Audience

SOMEBODY, SOMEBODY_ELSE = "john_doe", "jane_smith"
"""The students in an example where the asker has none."""


@dataclass(frozen=True)
class Command:
    """What may be asked. `meaning` is one line; `{student}` and `{other}` in the example become the asker's own.

    Besides its name and `aliases` there are `sentences` that mean it: in them, "…" stands for what is asked.
    An answer that is private holds what only the asker may read. One that needs the store is made while
    connected to it; the others are given while it is away, too.
    """

    name: str
    usage: str
    meaning: str
    audience: Audience
    example: str
    answer: Callable[[Question], str | WithFiles]
    aliases: tuple[str, ...] = ()
    sentences: tuple[str, ...] = ()
    is_private: bool = True
    needs_store: bool = True
    is_about_own_students: bool = False

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
