"""From what somebody wrote to what they are answered."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from lms_bot.chat.answering import Problem, answer_plain, answer_understood
from lms_bot.chat.commands.rendering import HELP_SHOWS
from lms_bot.chat.commands.table import find_command
from lms_bot.chat.language.choices import (
    choose,
    forget_choice,
    get_choice,
    is_no,
    read_number,
    take_from_list,
)
from lms_bot.chat.language.question import (
    Context,
    Question,
)
from lms_bot.chat.language.words import split_lines, split_words
from lms_bot.chat.offers import (
    format_out_of_range,
)
from lms_bot.chat.reply import Reply
from lms_bot.chat.small_talk import answer_small_talk
from lms_bot.chat.understanding.followup import MOST_WORDS, follow_up, recall
from lms_bot.chat.understanding.understand import get_known
from lms_bot.core.clock import utc_now
from lms_bot.core.errors import LMSBotError, LMSRefused, LMSUnavailable, StoreUnavailable, TransientError
from lms_bot.core.markdown import code
from lms_bot.store.conversation import Choice
from lms_bot.zulip.gateway import ZulipUser

REFUSAL = "Sorry, I cannot help you. If you think that I should, please ask an administrator of this organization."
"""What everybody who is told nothing is told, whatever they write."""

TRY_AGAIN = "Please try again in a few minutes."

NO_FILES = f"I cannot read files. {HELP_SHOWS}"
_FILES_ALONE = re.compile(r"(?:\s*!?\[[^\]\n]*\]\(/user_uploads/[^)\s]*\))+\s*")
MOST_LINES = 5

NOTHING_DONE = "👍 Nothing was done."
NOBODY_KNOWN = f"I cannot look up who you are just now. {TRY_AGAIN}"


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
        if words and _asked_back(choice):
            _forget(question, choice)  # `ok` after `yes` does nothing again
        return _answer_first([words], question) if words else Reply(format_out_of_range(choice))
    if choice:
        _forget(question, choice)
        if is_no(question.words):
            return Reply(NOTHING_DONE)
    if (small := answer_small_talk(question, text)) is not None:
        return _say_not_done(small) if choice and _asked_back(choice) else small
    if _FILES_ALONE.fullmatch(text):
        return Reply(NO_FILES)
    taken = take_from_list(question.words, choice) if choice else None
    followed = taken or _follow_up(question)
    lines = split_lines(text)  # a command may stand in one of several, among greetings and signatures
    said = [followed] if followed else [question.words, *(lines[:MOST_LINES] if len(lines) > 1 else [])]
    return _answer_first(said, question)


def _forget(question: Question, choice: Choice) -> None:
    with question.context.store.session():
        forget_choice(choice)


def _asked_back(choice: Choice) -> bool:
    """Whether it is something to be done that waits for a yes."""
    words = choose(choice, 1)
    command, _ = find_command(words) if words and len(choice.questions) == 1 else (None, ())
    return command is not None and command.changes


def _say_not_done(small: Reply) -> Reply:
    """`thanks` and 👍 are no yes, and who says so may think that it was done."""
    return replace(small, text=f"{small.text} Nothing was done: you did not say {code('yes')}.")


def _get_choice(question: Question) -> Choice | None:
    """None as well while the store is away: `help` and `health` do without it."""
    with suppress(StoreUnavailable), question.context.store.session():
        return get_choice(question.zulip_user_id, question.now)
    return None


def _follow_up(question: Question) -> tuple[str, ...] | None:
    """What was asked last, changed as is said now; None where this is a question of its own."""
    if len(question.words) > MOST_WORDS or find_command(question.words)[0] is not None:
        return None
    with suppress(StoreUnavailable), question.context.store.session():
        last = recall(question.zulip_user_id, question.now)
        command, _ = find_command(last) if last else (None, ())
        return follow_up(question.words, last, get_known(question), command.usage) if command else None
    return None


def _answer_first(readings: Sequence[tuple[str, ...]], question: Question) -> Reply:
    """The answer to the first reading that is a command said plainly; else to what all of it may mean.

    Where that is nothing, what is wrong with the first.
    """
    problems: list[Problem] = []
    for words in readings:
        answer = answer_plain(words, question)
        if isinstance(answer, Reply):
            return answer
        problems.append(answer)
    for problem in problems:
        understood = answer_understood(problem)
        if understood is not None:
            return understood
    return problems[0].make_reply()
