"""What goes back to who asked: text, files or buttons, and whether the asker alone may read it."""

from __future__ import annotations

from dataclasses import dataclass

from lms_bot.chat.commands.rendering import format_stale_note
from lms_bot.chat.language.question import Answer, Command, WithButtons, WithFiles
from lms_bot.outbox.draft import Button, File
from lms_bot.people.access import Asker


@dataclass(frozen=True)
class Reply:
    """What is answered. Where `is_private`, it must go to the asker alone, in a one-to-one direct message.

    `files` are to be uploaded, and the text to name them: see `WithFiles`. `buttons` and what is over them are shown
    to the asker alone: see `WithButtons`.
    """

    text: str
    is_private: bool = False
    files: tuple[File, ...] = ()
    buttons: tuple[Button, ...] = ()
    heading: str = ""


def make_reply(answer: Answer, command: Command, asker: Asker, below: str = "") -> Reply:
    text = answer if isinstance(answer, str) else answer.text
    noted = _with_note(text, command, asker) + below
    if isinstance(answer, WithFiles):
        return Reply(noted, command.is_private, answer.files)
    if isinstance(answer, WithButtons) and noted == text:  # a note would not be seen over or under them
        return Reply(text, command.is_private, buttons=answer.buttons, heading=answer.heading)
    return Reply(noted, command.is_private)


def make_private(answer: Answer) -> Reply:
    """For the asker alone: it says what was asked."""
    if isinstance(answer, WithButtons):
        return Reply(answer.text, True, buttons=answer.buttons, heading=answer.heading)
    return Reply(answer if isinstance(answer, str) else answer.text, is_private=True)


def _with_note(answer: str, command: Command, asker: Asker) -> str:
    """The answer, saying first from when the students are if the LMS cannot confirm them now."""
    if not (command.is_about_own_students and asker.is_stale and asker.roster_as_of):
        return answer
    return f"{format_stale_note(asker.roster_as_of)}\n\n{answer}"
