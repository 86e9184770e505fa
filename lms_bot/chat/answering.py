"""Answers to what was said plainly, as a command, and to what it may mean."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace

from lms_bot.chat.commands.rendering import HELP_SHOWS
from lms_bot.chat.commands.table import choose_for, find_command, find_similar
from lms_bot.chat.language.arguments import UnclearStudent, says_oneself
from lms_bot.chat.language.choices import is_no, is_yes
from lms_bot.chat.language.question import (
    Answer,
    Command,
    NothingFound,
    Question,
    UnclearRest,
    WrongArguments,
    format_usage,
    pick_students_for_example,
)
from lms_bot.chat.language.words import is_asking, strip_fillers
from lms_bot.chat.offers import (
    FOR_STUDENTS,
    Sentence,
    ask_back,
    format_line,
    offer_lines,
    offer_students,
    suggest,
)
from lms_bot.chat.reply import Reply, make_private, make_reply
from lms_bot.chat.understanding.followup import remember
from lms_bot.chat.understanding.reading import Reading
from lms_bot.chat.understanding.understand import may_be_name
from lms_bot.core.errors import StoreUnavailable
from lms_bot.core.markdown import code
from lms_bot.people.access import Audience

OBVIOUS, PLAIN, SURE, FAIR = 0.93, 0.9, 0.82, 0.5
"""How sure a reading is to be for it to be answered without saying what it was taken for; to be done without asking
back; to be answered though another is as sure; and to be answered."""

NAMED_SHORT, NAMED_ITSELF, NAMED_ANOTHER = 0.7, 0.65, 0.58
"""And to be answered where a command was named, that one or another, but could not be read."""

CLOSE = 0.03
LONGEST_LINE = 3
LONGEST_TITLE = 2
"""Words; more of them, all common ones, are rather a sentence."""

HELP, ALL = "help", "all"
IMPOSSIBLE = "I cannot do that: I tell what students did, and keep what you note about them."
NOTHING_ASKED = f"There is nothing that I asked you. {HELP_SHOWS}"
FOR_GOOD = frozenset(("discard", "unnote", "retry"))
OF_MANY = frozenset(("done",))
"""What is always asked back where it was not typed as a command: it cannot be taken back, or not one by one."""

LOOKING_ALONE = frozenset(("digest", "holiday"))
"""What only shows something where nothing follows."""


@dataclass(frozen=True)
class Problem:
    """Why a sentence is no command said plainly: there is no such one, or it cannot be read. `make_reply` says it.

    `is_meant`: it is this command that was meant; nobody is called so, or what follows the name cannot be read.
    """

    sentence: Sentence
    command: Command | None
    make_reply: Callable[[], Reply]
    is_meant: bool = False


def answer_plain(words: tuple[str, ...], question: Question) -> Reply | Problem:
    """The answer to the command that the words begin with, where they are one."""
    sentence = Sentence(replace(question, words=words))
    command, rest = find_command(words)
    if command is None:
        return Problem(sentence, None, lambda: _make_suggestion(sentence))
    command = choose_for(question.asker, command)
    asked = replace(question, words=rest, command=command.name)
    at_last = _find_last_resort(words, command, asked)
    if at_last is not None:
        return Problem(sentence, None, at_last)
    try:
        return _run(command, asked)
    except NothingFound as nothing:
        reply = make_reply(str(nothing), command, question.asker)
        return Problem(sentence, command, lambda: reply, len(rest) <= LONGEST_TITLE or may_be_name(rest))
    except WrongArguments as error:
        usage, is_meant = _say_usage(command, asked, error), isinstance(error, UnclearRest)
        return Problem(sentence, command, lambda: usage, is_meant) if strip_fillers(rest) else usage
    except UnclearStudent as unclear:  # nobody is called so
        is_name = bool(unclear.students) or may_be_name(rest)
        offered = _offer(asked, command, unclear) if is_name else None
        return Problem(sentence, command, lambda: offered or _make_suggestion(sentence), is_name)


def _find_last_resort(words: tuple[str, ...], command: Command, asked: Question) -> Callable[[], Reply] | None:
    """What answers words that are this command only where they mean nothing else; None where they are it plainly."""
    is_filler = bool(words) and not strip_fillers(words)  # `you there?`: help
    if is_filler or (not command.takes_words and strip_fillers(asked.words)):
        return lambda: _run_or_say_usage(command, asked)
    if command.changes and is_asking(words):  # `how do I mute john` mutes nobody
        return lambda: _say_usage(command, asked, f"{code(command.name)}: {command.meaning}.")
    return None


def _run_or_say_usage(command: Command, question: Question) -> Reply:
    try:
        return _run(command, question)
    except WrongArguments as error:
        return _say_usage(command, question, error)


def _say_usage(command: Command, question: Question, before: object) -> Reply:
    usage = format_usage(command, *pick_students_for_example(question.asker))
    return Reply(f"{before}\n{usage}".strip(), is_private=True)


def answer_understood(problem: Problem) -> Reply | None:
    """The answer to the surest reading; asked back where that changes something and is not sure enough."""
    question, readings, foreign = problem.sentence.question, problem.sentence.readings, problem.sentence.foreign
    if problem.sentence.is_impossible and problem.command is None:
        return Reply(f"{IMPOSSIBLE} {HELP_SHOWS}")
    if foreign is not None and problem.command is None:
        return _run(foreign, replace(question, words=()))  # which says whom it is for
    if not readings or not _is_sure_enough(problem, readings[0]):
        return None
    best = readings[0]
    other = next((one for one in readings[1:] if one.says[0] != best.says[0]), None)
    if other is not None and best.sureness < SURE and best.sureness - other.sureness < CLOSE:
        return make_private(offer_lines(question, [best.says, other.says]))
    command, rest = find_command(best.says)
    assert command is not None
    is_another = problem.command is not None and problem.command.name != command.name
    is_unsure = is_another or is_asking(question.words)
    if not best.is_guess and _has_to_be_confirmed(command, rest, 0.0 if is_unsure else best.sureness):
        return make_private(ask_back(question, command, best.says))
    return _answer_as_read(question, best)


def _is_sure_enough(problem: Problem, best: Reading) -> bool:
    """What is wrong with a command that was named says more than a guess at what else was meant."""
    named, words = problem.command, problem.sentence.question.words
    if named is None:
        return best.sureness >= FAIR
    is_itself = named.name.split()[0] == best.says[0]
    is_the_same = [*best.says] == [word.casefold() for word in words]
    if is_the_same or (problem.is_meant and best.is_guess):  # no more is known than that this cannot be read
        return False
    if len(words) <= LONGEST_LINE:
        least = OBVIOUS if not is_itself else PLAIN if named.changes else NAMED_SHORT
        return best.sureness >= least
    if problem.is_meant:
        return is_itself and best.sureness >= NAMED_ITSELF
    return best.sureness >= (NAMED_ITSELF if is_itself or named.changes else NAMED_ANOTHER)


def _answer_as_read(question: Question, best: Reading) -> Reply | None:
    """The answer, saying what it was taken for where that is not obvious."""
    command, rest = find_command(best.says)
    assert command is not None
    asked = replace(question, words=rest, command=command.name)
    try:
        reply = _run(choose_for(question.asker, command), asked)
    except NothingFound as nothing:
        reply = make_reply(str(nothing), command, question.asker)
    except WrongArguments as error:
        return Reply(str(error), is_private=True) if best.is_guess and str(error) else None
    except UnclearStudent as unclear:
        return _offer(asked, command, unclear)
    if best.sureness >= OBVIOUS or command.name == HELP:
        return reply
    return replace(reply, text=f"↳ {format_line(question, best.says)}\n\n{reply.text}")


def _offer(question: Question, command: Command, unclear: UnclearStudent) -> Reply:
    return make_reply(offer_students(question, unclear), command, question.asker)


def _make_suggestion(sentence: Sentence) -> Reply:
    question = sentence.question
    if is_yes(question.words) or is_no(question.words):
        return Reply(NOTHING_ASKED)
    similar = find_similar(question.words, question.asker) if len(question.words) == 1 else []
    if len(similar) == 1 and not similar[0].changes:
        return _answer_similar(question, similar[0])
    answer, is_private = suggest(sentence)
    return make_private(answer) if is_private else Reply(answer if isinstance(answer, str) else answer.text)


def _answer_similar(question: Question, command: Command) -> Reply:
    """A single word that is nearly a command's name means that command."""
    answer = answer_plain(tuple(command.name.split()), question)
    reply = answer if isinstance(answer, Reply) else answer.make_reply()
    return replace(reply, text=f"↳ {code(command.name)}\n\n{reply.text}", buttons=(), heading="")


def _has_to_be_confirmed(command: Command, rest: tuple[str, ...], sureness: float) -> bool:
    if not command.changes or (command.name in LOOKING_ALONE and not rest):
        return False
    return sureness < PLAIN or command.name in FOR_GOOD or (command.name in OF_MANY and ALL in rest)


def _run(command: Command, question: Question) -> Reply:
    """Raises WrongArguments; UnclearStudent where nobody is called as was said."""
    asker = question.asker
    if not asker.may_use(command.audience):
        if asker.is_student:
            return Reply(FOR_STUDENTS)
        return Reply(f"{code(command.name)} is for {command.audience.value} only. {HELP_SHOWS}")
    with question.context.store.session() if command.needs_store else nullcontext():
        uncounted = question.context.counters.catch_up() if command.needs_store else 0
        try:
            answer = _get_answer(command, question)
        except UnclearStudent as unclear:
            if str(unclear):
                raise
            answer = offer_students(question, unclear)
    if command.needs_store and not command.changes:
        _remember(question, command)
    return make_reply(answer, command, asker, _format_uncounted(uncounted))


def _get_answer(command: Command, question: Question) -> Answer:
    """A mentor, or an admin, who is a student as well may ask about themselves what students may: `history me`."""
    is_open_to_students = command.audience is Audience.LEARNERS and command.is_about_own_students
    if is_open_to_students and says_oneself(question.words):
        return _answer_as_student(command, question) or command.answer(question)
    try:
        return command.answer(question)
    except UnclearStudent:
        own = _answer_as_student(command, question) if is_open_to_students else None
        if own is None:
            raise
        return own


def _answer_as_student(command: Command, question: Question) -> Answer | None:
    with suppress(UnclearStudent, WrongArguments):
        student = question.context.access.identify_as_student(question.asker)
        return command.answer(replace(question, asker=student)) if student is not None else None
    return None


def _remember(question: Question, command: Command) -> None:
    """What was asked last; who asks while it cannot be kept is answered all the same."""
    with suppress(StoreUnavailable):
        words = (*command.name.split(), *question.words)
        remember(question.context.store, question.zulip_user_id, words, question.now)


def _format_uncounted(events: int) -> str:
    """What an answer lacks, under it. At most ROOM_FOR_NOTE long together with the note over it."""
    if not events:
        return ""
    were = "event recorded just now is" if events == 1 else "events recorded just now are"
    return f"\n\n⏳ {events:,} {were} not counted yet."
