"""`mute`, `unmute`: hearing nothing of a student, or of all, for some time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from lms_bot.chat.commands.preferences.chosen import (
    EVERYTHING,
    change,
    get_mutes,
    get_preferences,
    is_ahead,
    with_held_back,
)
from lms_bot.chat.commands.rendering import name_of
from lms_bot.chat.language.arguments import read_student
from lms_bot.chat.language.moments import parse_moment
from lms_bot.chat.language.question import Command, Question, WrongArguments
from lms_bot.chat.language.student_index import word_for
from lms_bot.chat.language.words import strip_fillers
from lms_bot.core.markdown import code, disarm, time_tag
from lms_bot.notify.preferences import FOR_EVER, get_end_of_mute
from lms_bot.people.access import Audience

if TYPE_CHECKING:
    from lms_bot.lms.people import Student

UNCLEAR_END = "I know who you mean, but not until when."


def answer_mute(question: Question) -> str:
    words = strip_fillers(question.words)
    if not words:
        raise WrongArguments("Whom, or `all`?")
    if words[0].casefold() in EVERYTHING:
        until = _read_until(question, words[1:])
        if until is None:
            raise WrongArguments("I could not read until when.")
        preferences = change(question, muted_until=until)
        return _format_muted_all(until, preferences.failed_pass, question.context.is_grouping)
    return _mute_students(question, words)


def _mute_students(question: Question, words: tuple[str, ...]) -> str:
    student, end = read_student(
        question, lambda rest: _read_until(question, rest), words=words, own_only=True, unclear=UNCLEAR_END
    )
    until = end or FOR_EVER
    change(question, mutes={**get_mutes(question), str(student.student_id): until})
    return _format_muted(student, until, question.context.is_grouping)


def _read_until(question: Question, words: tuple[str, ...]) -> str | None:
    """As Preferences has it: FOR_EVER where nothing is said, None where it cannot be read."""
    said = " ".join(words).casefold()
    if said in ("", "forever", "for ever", FOR_EVER):
        return FOR_EVER
    moment = parse_moment(said, question.now, question.zone)
    return moment.isoformat() if moment else None


def answer_unmute(question: Question) -> str:
    words = strip_fillers(question.words)
    if not words:
        raise WrongArguments("Whom, or `all`?")
    preferences = get_preferences(question)
    if " ".join(words).casefold() in EVERYTHING:
        was_muted = bool(get_mutes(question)) or is_ahead(question, preferences.muted_until)
        change(question, mutes={}, muted_until=None)
        return with_held_back(question, _format_unmuted("Everything", was_muted))
    return _unmute_student(question, words)


def _unmute_student(question: Question, words: tuple[str, ...]) -> str:
    """A number may be of a student who is no longer one's own: `settings` shows those so."""
    mutes = get_mutes(question)
    number = words[0].removeprefix("#") if len(words) == 1 else ""
    if number in mutes and int(number) not in question.asker.students:
        key, name = number, _format_former_student(number)
    else:
        student, _ = read_student(question, words=words, own_only=True)
        key, name = str(student.student_id), name_of(student)
    was_muted = mutes.pop(key, None) is not None
    preferences = change(question, mutes=mutes)
    lines = [_format_unmuted(f"**{name}**", was_muted)]
    if preferences.muted_until is not None and is_ahead(question, preferences.muted_until):
        lines.append(f"⚠️ But everything is muted {_until(preferences.muted_until, 'unmute all')}.")
    return with_held_back(question, "\n".join(lines))


def _format_former_student(number: str) -> str:
    return f"a former student of yours, {disarm(number)}"


def _format_muted(student: Student, until: str, is_together: bool) -> str:
    what = f"🔕 You are told nothing of **{name_of(student)}** {_until(until, f'unmute {word_for(student)}')}."
    return f"{what} {_afterwards(is_together)}"


def _format_muted_all(until: str, failed_pass: bool, is_together: bool) -> str:
    also = " Failed exams are no exception to that." if failed_pass else ""
    return f"🔕 You are told nothing {_until(until, 'unmute all')}.{also} {_afterwards(is_together)}"


def _until(until: str, command: str) -> str:
    return f"until you write {code(command)}" if until == FOR_EVER else f"until {time_tag(get_end_of_mute(until))}"


def _afterwards(is_together: bool) -> str:
    together = ", together" if is_together else ""
    return f"What happens meanwhile is held back, and you are told of it afterwards{together}."


def _format_unmuted(what: str, was_muted: bool) -> str:
    """`what` is disarmed."""
    if not was_muted:
        return f"🔔 {what} was not muted." if what.startswith("**") else "🔔 Nothing was muted."
    return f"🔔 {what} is no longer muted. What that held back comes now, unless something else holds it."


def format_mutes(muted_until: str | None, mutes: Mapping[str, tuple[Student | None, str]]) -> list[str]:
    """Whom the person wants to hear nothing of; students are None where they are no longer theirs."""
    lines = [] if muted_until is None else [f"🔕 **Muted:** everything {_until(muted_until, 'unmute all')}"]
    for number, (student, until) in mutes.items():
        name = name_of(student) if student else _format_former_student(number)
        word = word_for(student) if student else number
        lines.append(f"🔕 **Muted:** {name} {_until(until, f'unmute {word}')}")
    return lines or ["🔕 **Muted:** nobody"]


COMMANDS = (
    Command(
        "mute", "mute <student>|all [N days|until tomorrow|until 18:00]",
        "hold back the news of one student, or all, for some time", Audience.KNOWN, "mute {student} 3 days",
        answer_mute, is_about_own_students=True,
    ),
    Command(
        "unmute", "unmute <student>|all", "tell you again of a student, or of all, that you muted", Audience.KNOWN,
        "unmute {student}", answer_unmute, is_about_own_students=True,
    ),
)  # fmt: skip
