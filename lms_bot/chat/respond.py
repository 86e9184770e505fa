"""From what somebody wrote to what they are answered."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from datetime import datetime

from lms_bot.chat.commands.rendering import ANSWER_WITH_NUMBER, format_stale_note, name_of
from lms_bot.chat.commands.table import choose_for, find_command, find_similar
from lms_bot.chat.language.arguments import UnclearStudent
from lms_bot.chat.language.choices import MOST_OFFERED, choose, forget_choice, get_choice, offer, read_number
from lms_bot.chat.language.question import (
    Answer,
    Command,
    Context,
    Question,
    WithButtons,
    WithFiles,
    WrongArguments,
    format_usage,
    pick_students_for_example,
)
from lms_bot.chat.language.student_index import chosen_word
from lms_bot.chat.language.words import is_thanks, split_lines, split_words
from lms_bot.core.clock import utc_now
from lms_bot.core.errors import LMSBotError, LMSRefused, LMSUnavailable, StoreUnavailable, TransientError
from lms_bot.core.markdown import code, event_ref
from lms_bot.lms.people import Student
from lms_bot.outbox.draft import Button, File
from lms_bot.people.access import Asker
from lms_bot.store.conversation import Choice
from lms_bot.zulip.gateway import ZulipUser

REFUSAL = "Sorry, I cannot help you. If you think that I should, please ask an administrator of this organization."
"""What everybody who is told nothing is told, whatever they write."""

HELP_SHOWS = "`help` shows what you can ask."
TRY_AGAIN = "Please try again in a few minutes."

WELCOME = "You are welcome."
WHICH_ONE = "Which one do you mean?"
MOST_LINES = 5

NOBODY_KNOWN = f"I cannot look up who you are just now. {TRY_AGAIN}"


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
        return _answer_first([words], question) if words else Reply(_format_out_of_range(choice))
    if choice:
        with question.context.store.session():
            forget_choice(choice)
    if is_thanks(question.words):
        return Reply(WELCOME)
    lines = split_lines(text)  # a command may stand in one of several, among greetings and signatures
    return _answer_first([question.words, *(lines[:MOST_LINES] if len(lines) > 1 else [])], question)


def _get_choice(question: Question) -> Choice | None:
    """None as well while the store is away: `help` and `health` do without it."""
    with suppress(StoreUnavailable), question.context.store.session():
        return get_choice(question.zulip_user_id, question.now)
    return None


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
        except UnclearStudent as unclear:
            answer = _offer(question, unclear)
    text = answer if isinstance(answer, str) else answer.text
    noted = _with_note(text, command, asker) + _format_uncounted(uncounted)
    if isinstance(answer, WithFiles):
        return Reply(noted, command.is_private, answer.files)
    if isinstance(answer, WithButtons) and noted == text:  # a note would not be seen over or under them
        return Reply(text, command.is_private, buttons=answer.buttons, heading=answer.heading)
    return Reply(noted, command.is_private)


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


def _offer(question: Question, unclear: UnclearStudent) -> Answer:
    """Whom they may mean, remembered to be chosen from by a number."""
    offered, sentence = unclear.students[:MOST_OFFERED], str(unclear)
    for student in offered:
        question.audit(student.student_id)
    if not offered:
        return sentence
    questions = [[*unclear.before, chosen_word(one.student_id), *unclear.after] for one in offered]
    with question.context.store.transaction():
        offer(question.zulip_user_id, questions, question.now)
    if len(offered) == 1:
        asking = f"{sentence}\nDid you mean **{name_of(offered[0])}**?"
        return WithButtons(f"{asking} Then answer {code('yes')}.", (Button("Yes", "yes"),), asking)
    names = [f"{number}. {name}" for number, name in enumerate(_tell_apart(offered), start=1)]
    more = len(unclear.students) - len(offered)
    ending = f"… and {more} more: write more of the name to find them. " if more else ""
    asking = f"{sentence}\n{WHICH_ONE}" if sentence else WHICH_ONE
    text = "\n".join([asking, "", *names, "", f"{ending}{ANSWER_WITH_NUMBER}"])
    buttons = tuple(Button(name, str(number)) for number, name in enumerate(names, start=1))
    return WithButtons(text, buttons, f"{asking} {ending}")


def _tell_apart(students: Sequence[Student]) -> list[str]:
    """Their names, disarmed, with the id of those whose names are the same."""
    names = [name_of(student) for student in students]
    return [
        f"{name} {event_ref(student.student_id)}" if names.count(name) > 1 else name
        for name, student in zip(names, students, strict=True)
    ]


def _format_out_of_range(choice: Choice) -> str:
    count = len(choice.questions)
    return f"Please answer with a number from 1 to {count}." if count > 1 else "I offered you only one, number 1."
