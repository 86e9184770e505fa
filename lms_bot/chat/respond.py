"""From what somebody wrote to what they are answered."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from lms_bot.chat.commands.offering import format_out_of_range, offer_several, offer_similar
from lms_bot.chat.commands.rendering import format_stale_note
from lms_bot.chat.commands.table import choose_for, find_command, find_similar
from lms_bot.chat.language.arguments import SeveralStudents, UnknownStudent
from lms_bot.chat.language.choices import choose, forget_choice, get_choice, read_number
from lms_bot.chat.language.question import (
    Command,
    Question,
    WithFiles,
    WrongArguments,
    format_usage,
    pick_students_for_example,
)
from lms_bot.chat.language.words import is_thanks, split_lines, split_words
from lms_bot.core.clock import utc_now
from lms_bot.core.errors import LMSBotError, LMSRefused, LMSUnavailable, StoreUnavailable, TransientError
from lms_bot.core.markdown import code

if TYPE_CHECKING:
    from lms_bot.chat.language.context import Context
    from lms_bot.outbox.draft import File
    from lms_bot.people.access import Asker
    from lms_bot.store.conversation import Choice
    from lms_bot.zulip.gateway import ZulipUser

REFUSAL = "Sorry, I cannot help you. If you think that I should, please ask an administrator of this organization."
"""What everybody who is told nothing is told, whatever they write."""

HELP_SHOWS = "`help` shows what you can ask."
TRY_AGAIN = "Please try again in a few minutes."

WELCOME = "You are welcome."
MOST_LINES = 5

NOBODY_KNOWN = f"I cannot look up who you are just now. {TRY_AGAIN}"


@dataclass(frozen=True)
class Reply:
    """What is answered. Where `is_private`, it must go to the asker alone, in a one-to-one direct message.

    `files` are to be uploaded, and the text to name them: see `WithFiles`.
    """

    text: str
    is_private: bool = False
    files: tuple[File, ...] = ()


def respond(
    context: Context,
    text: str,
    sender_id: int,
    *,
    now: datetime | None = None,
    zulip_user: ZulipUser | None = None,
    message_id: int | None = None,
) -> Reply:
    """The answer to a message. `zulip_user` spares looking the sender up; `message_id` is Zulip's, where known.

    Nothing that can be typed makes it raise; what does is a mistake of ours. That the LMS, the store or Zulip
    is away is an answer.
    """
    try:
        asker = context.access.identify(sender_id, zulip_user)
    except LMSBotError as error:
        return _format_trouble(error, NOBODY_KNOWN)
    if not asker.is_known:
        return Reply(REFUSAL)
    try:
        question = Question(context, asker, split_words(text), now or utc_now(), message_id=message_id)
        return _answer(question, text)
    except LMSBotError as error:
        return _format_trouble(error, f"{_who_is_away(error)} does not answer just now. {TRY_AGAIN}")


def _format_trouble(error: LMSBotError, sentence: str) -> Reply:
    if not isinstance(error, TransientError):
        raise error
    return Reply(sentence)


def _who_is_away(error: LMSBotError) -> str:
    if isinstance(error, (LMSUnavailable, LMSRefused)):
        return "The LMS"
    return "My own store" if isinstance(error, StoreUnavailable) else "Zulip"


def _answer(question: Question, text: str) -> Reply:
    choice = _get_choice(question)
    number = read_number(question.words, choice) if choice else None
    if choice and number is not None:
        words = choose(choice, number)
        return _answer_first([words], question) if words else Reply(format_out_of_range(choice))
    if choice:
        with question.context.store.session():
            forget_choice(choice)
    if is_thanks(question.words):
        return Reply(WELCOME)
    return _answer_first([question.words, *_read_lines(text)], question)


def _get_choice(question: Question) -> Choice | None:
    """None as well while the store is away: `help` and `health` do without it."""
    with suppress(StoreUnavailable), question.context.store.session():
        return get_choice(question.zulip_user_id, question.now)
    return None


def _read_lines(text: str) -> list[tuple[str, ...]]:
    """The first lines, where there are several: a command may stand in one, among greetings and signatures."""
    lines = split_lines(text)
    return [*lines[:MOST_LINES]] if len(lines) > 1 else []


def _answer_first(readings: Iterable[tuple[str, ...]], question: Question) -> Reply:
    """The answer to the first reading that makes a question; where none does, what is wrong with the first."""
    problems = []
    for words in readings:
        command, rest = find_command(words)
        if command is None:
            problems.append(_suggest(rest, question.asker))
            continue
        command = choose_for(question.asker, command)
        try:
            return _run(command, replace(question, words=rest, command=command.name))
        except WrongArguments as error:
            usage = format_usage(command, *pick_students_for_example(question.asker))
            problems.append(Reply(f"{error}\n{usage}".strip(), is_private=True))
    return problems[0]


def _run(command: Command, question: Question) -> Reply:
    """Raises WrongArguments."""
    asker = question.asker
    if not asker.may_use(command.audience):
        if asker.is_student:
            return Reply(REFUSAL)
        return Reply(f"{code(command.name)} is for {command.audience.value} only. {HELP_SHOWS}")
    with question.context.store.session() if command.needs_store else nullcontext():
        uncounted = question.context.counters.catch_up() if command.needs_store else 0
        try:
            answer = command.answer(question)
        except SeveralStudents as several:
            answer = offer_several(question, several)
        except UnknownStudent as unknown:
            answer = offer_similar(question, unknown)
    files = answer.files if isinstance(answer, WithFiles) else ()
    text = answer.text if isinstance(answer, WithFiles) else answer
    return Reply(_with_note(text, command, asker) + _format_uncounted(uncounted), command.is_private, files)


def _format_uncounted(events: int) -> str:
    """What an answer lacks, under it. At most ROOM_FOR_NOTE long together with the note over it."""
    if not events:
        return ""
    were = "event recorded just now is" if events == 1 else "events recorded just now are"
    return f"\n\n⏳ {events:,} {were} not counted yet."


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
