"""From what somebody wrote to what they are answered."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from lms_bot.chat.access import Asker, identify
from lms_bot.chat.commands import (
    Command,
    choose_for,
    find_command,
    find_similar,
    format_usage,
    pick_student_for_example,
)
from lms_bot.chat.question import Question, WrongArguments
from lms_bot.chat.replies import format_stale_note
from lms_bot.chat.words import split_words
from lms_bot.clock import utc_now
from lms_bot.exceptions import LMSBotError, LMSRefused, LMSUnavailable, StoreUnavailable
from lms_bot.markdown import code

if TYPE_CHECKING:
    from lms_bot.app import App
    from lms_bot.users import ZulipUser

REFUSAL = (
    "Sorry, I cannot help you. If you think that I should, please ask an administrator of this organization."
)
"""What everybody who is told nothing is told, whatever they write."""

HELP_SHOWS = "`help` shows what you can ask."
TRY_AGAIN = "Please try again in a few minutes."

NOBODY_KNOWN = f"I cannot look up who you are just now. {TRY_AGAIN}"


@dataclass(frozen=True)
class Reply:
    """What is answered. Where `is_private`, it must go to the asker alone, in a one-to-one direct message."""

    text: str
    is_private: bool = False


def respond(
    app: App, text: str, sender_id: int, *, now: datetime | None = None, zulip_user: ZulipUser | None = None
) -> Reply:
    """The answer to a message. `zulip_user` spares looking the sender up.

    Nothing that can be typed makes it raise; what does is a mistake of ours. That the LMS, the store or Zulip
    is away is an answer.
    """
    try:
        asker = identify(app, sender_id, zulip_user)
    except LMSBotError as error:
        return _format_trouble(error, NOBODY_KNOWN)
    if not asker.is_known:
        return Reply(REFUSAL)
    try:
        return _answer(app, asker, text, now or utc_now())
    except LMSBotError as error:
        return _format_trouble(error, f"{_who_is_away(error)} does not answer just now. {TRY_AGAIN}")


def _format_trouble(error: LMSBotError, sentence: str) -> Reply:
    if not error.is_worth_retry:
        raise error
    return Reply(sentence)


def _who_is_away(error: LMSBotError) -> str:
    if isinstance(error, (LMSUnavailable, LMSRefused)):
        return "The LMS"
    return "My own store" if isinstance(error, StoreUnavailable) else "Zulip"


def _answer(app: App, asker: Asker, text: str, now: datetime) -> Reply:
    command, words = find_command(split_words(text))
    if command is None:
        return _suggest(words, asker)
    command = choose_for(asker, command)
    if not asker.may_use(command.audience):
        return Reply(f"{code(command.name)} is for {command.audience.value} only. {HELP_SHOWS}")
    try:
        with app.store.session() if command.needs_store else nullcontext():
            answer = command.answer(Question(app, asker, words, now))
    except WrongArguments as error:
        usage = format_usage(command, pick_student_for_example(asker))
        return Reply(f"{error} {usage}".strip(), is_private=True)
    return Reply(_with_note(answer, command, asker), command.is_private)


def _with_note(answer: str, command: Command, asker: Asker) -> str:
    """The answer, saying first from when the students are if the LMS cannot confirm them now."""
    if not (command.is_about_own_students and asker.is_stale and asker.roster_as_of):
        return answer
    return f"{format_stale_note(asker.roster_as_of)}\n\n{answer}"


def _suggest(words: tuple[str, ...], asker: Asker) -> Reply:
    """It repeats nothing of what was said: that may be a name, and the answer public."""
    meant = " or ".join(code(command.name) for command in find_similar(words, asker))
    question = f"Did you mean {meant}? " if meant else ""
    return Reply(f"I do not know that command. {question}{HELP_SHOWS}")
