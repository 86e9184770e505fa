"""`mute`, `unmute`, `quiet`, `workdays`: of whom, and when, nothing is told. Each answer says what it did."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from lms_bot.chat.commands.notify import find_types
from lms_bot.chat.commands.rendering import name_of
from lms_bot.chat.commands.status import change, get_mutes, get_preferences, is_ahead, with_held_back
from lms_bot.chat.language.arguments import read_student
from lms_bot.chat.language.dates import DAY_NAMES
from lms_bot.chat.language.moments import parse_clock_range, parse_days, parse_moment
from lms_bot.chat.language.question import Command, Question, WrongArguments
from lms_bot.chat.language.student_index import word_for
from lms_bot.chat.language.words import strip_fillers
from lms_bot.core.activities import ActivityType
from lms_bot.core.markdown import code, disarm, time_tag
from lms_bot.lms.people import Student
from lms_bot.notify.preferences import FOR_EVER, Preferences, get_end_of_mute
from lms_bot.people.access import Audience
from lms_bot.settings.checks import WEEKDAYS

EVERYTHING = frozenset(("all", "everything", "everybody", "everyone"))
OFF = frozenset(("off", "none", "no", "never", "nothing", "false"))
ON = frozenset(("on", "yes", "true"))
UNCLEAR_END = "I know who you mean, but not until when."
_EVERY_DAY = frozenset(("all", "every day", "everyday", "always", "daily"))
_DAYS = dict(zip(WEEKDAYS, (name.capitalize() for name in DAY_NAMES), strict=True))
_EXCEPTION = re.compile(
    r"(?:^| )(?:(?P<no>without|no) exceptions?|(?:except|but|unless)(?: for)?(?P<what>(?: [a-z_]+)+))$"
)


def answer_quiet(question: Question) -> str:
    said, choices = _split_exception(question)
    if said in OFF:
        choices["quiet"] = None
    elif said or not choices:
        clocks = parse_clock_range(said)
        if clocks is None or clocks[0] == clocks[1]:
            raise WrongArguments("Quiet from when to when, in your time zone?")
        choices["quiet"] = tuple(clock.strftime("%H:%M") for clock in clocks)
    preferences = change(question, **choices)
    return with_held_back(question, _format_quiet(preferences, str(question.zone)))


def answer_workdays(question: Question) -> str:
    said, choices = _split_exception(question)
    days = WEEKDAYS if said in OFF | _EVERY_DAY else parse_days(said)
    if days is None:
        raise WrongArguments("Which days do you work?")
    choices["workdays"] = days if len(days) < len(WEEKDAYS) else None
    preferences = change(question, **choices)
    return with_held_back(question, _format_workdays(preferences, str(question.zone)))


def _split_exception(question: Question) -> tuple[str, dict[str, Any]]:
    """What is said before "except failed", and if it is, the choice whether failed exams may pass."""
    said = " ".join(strip_fillers(question.words)).casefold()
    match = _EXCEPTION.search(said)
    if match is None:
        return said, {}
    words = (match["what"] or "").replace("_", " ").split()
    is_off = bool(match["no"]) or not OFF.isdisjoint(words)
    named = [word for word in words if word not in OFF | ON]
    if (named and find_types(named) != {ActivityType.EXAM_FAILED.value}) or not (named or is_off):
        raise WrongArguments("Only failed exams can be an exception.")
    return said[: match.start()].strip(), {"failed_pass": not is_off}


def _format_quiet(preferences: Preferences, zone_name: str) -> str:
    if preferences.quiet:
        times = f"Quiet from {' to '.join(preferences.quiet)} ({zone_name})"
        return f"🌙 {times}: what happens then is held back and told afterwards. {_format_exception(preferences)}"
    on_free_days = " On days off, what happens is held back." if preferences.workdays else ""
    exception = f" {_format_exception(preferences)}" if preferences.workdays or preferences.failed_pass else ""
    return f"🔔 You have no quiet times.{on_free_days}{exception}"


def _format_exception(preferences: Preferences) -> str:
    if preferences.failed_pass:
        return f"Failed exams are told even then; {code('quiet except nothing')} holds them back, too."
    return f"Failed exams are held back, too; {code('quiet except failed')} has them told all the same."


def _format_workdays(preferences: Preferences, zone_name: str) -> str:
    if not preferences.workdays:
        return "🔔 You are told on every day of the week."
    days = f"You are told on {_days(preferences)} ({zone_name})"
    return f"📅 {days}: what happens on other days is held back and told afterwards. {_format_exception(preferences)}"


def _days(preferences: Preferences) -> str:
    return ", ".join(_DAYS[day] for day in preferences.workdays or () if day in _DAYS)


def format_times(preferences: Preferences, zone_name: str, is_unknown: bool) -> list[str]:
    quiet = " to ".join(preferences.quiet) if preferences.quiet else "none"
    days = _days(preferences) if preferences.workdays else "every day"
    lines = [f"🌙 **Quiet:** {quiet}", f"📅 **Work days:** {days}"]
    if preferences.quiet or preferences.workdays:
        lines.append(f"❌ **Failed exams at such times:** {'told' if preferences.failed_pass else 'held back, too'}")
    why = ", since your Zulip profile names no zone that I know" if is_unknown else ""
    return [*lines, f"🕒 **Time zone:** {zone_name}{why}"]


def answer_mute(question: Question) -> str:
    words = strip_fillers(question.words)
    if not words:
        raise WrongArguments("Whom, or `all`?")
    if words[0].casefold() in EVERYTHING:
        until = _read_until(question, words[1:])
        if until is None:
            raise WrongArguments("I could not read until when.")
        preferences = change(question, muted_until=until)
        has_times = bool(preferences.quiet or preferences.workdays)
        also = " Failed exams are no exception to that." if preferences.failed_pass and has_times else ""
        return _format_muted(question, "", until, "unmute all", also)
    return _mute_students(question, words)


def _mute_students(question: Question, words: tuple[str, ...]) -> str:
    student, end = read_student(
        question, lambda rest: _read_until(question, rest), words=words, own_only=True, unclear=UNCLEAR_END
    )
    until = end or FOR_EVER
    change(question, mutes={**get_mutes(question), str(student.student_id): until})
    return _format_muted(question, f" of **{name_of(student)}**", until, f"unmute {word_for(student)}")


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


def _format_muted(question: Question, whom: str, until: str, command: str, also: str = "") -> str:
    together = ", together" if question.context.is_grouping else ""
    afterwards = f"What happens meanwhile is held back, and you are told of it afterwards{together}."
    return f"🔕 You are told nothing{whom} {_until(until, command)}.{also} {afterwards}"


def _until(until: str, command: str) -> str:
    return f"until you write {code(command)}" if until == FOR_EVER else f"until {time_tag(get_end_of_mute(until))}"


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
        answer_mute, is_about_own_students=True, changes=True,
    ),
    Command(
        "unmute", "unmute <student>|all", "tell you again of a student, or of all, that you muted", Audience.KNOWN,
        "unmute {student}", answer_unmute, is_about_own_students=True, changes=True,
    ),
    Command(
        "quiet", "quiet <from>-<to>|off [except failed|except nothing]",
        "hold back news at these times of the day, but perhaps failed exams", Audience.KNOWN,
        "quiet 21:00-07:00 except failed", answer_quiet, aliases=("quiet times", "quiet hours"), changes=True,
    ),
    Command(
        "workdays", "workdays <days>|off", "hold back news on other days of the week", Audience.KNOWN,
        "workdays mon-fri", answer_workdays, aliases=("workday", "work days", "working days"), changes=True,
    ),
)  # fmt: skip
