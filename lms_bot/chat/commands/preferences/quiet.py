"""`quiet`, `workdays`: the times at which nothing is told, but perhaps failed exams."""

from __future__ import annotations

import re
from typing import Any

from lms_bot.chat.commands.preferences.chosen import OFF, ON, change, with_held_back
from lms_bot.chat.commands.preferences.notify import find_types
from lms_bot.chat.language.dates import DAY_NAMES
from lms_bot.chat.language.moments import parse_clock_range, parse_days
from lms_bot.chat.language.question import Command, Question, WrongArguments
from lms_bot.chat.language.words import strip_fillers
from lms_bot.core.activities import ActivityType
from lms_bot.core.markdown import code
from lms_bot.notify.preferences import WEEKDAYS, Preferences
from lms_bot.people.access import Audience

_EVERY_DAY = frozenset(("all", "every day", "everyday", "always", "daily"))
_DAYS = dict(zip(WEEKDAYS, (name.capitalize() for name in DAY_NAMES), strict=True))
_EXCEPTION = re.compile(
    r"(?:^| )(?:(?P<no>without|no) exceptions?|(?:except|but|unless)(?: for)?(?P<what>(?: [a-z_]+)+))$"
)


def answer_quiet(question: Question) -> str:
    said, failed_pass = _split_exception(question)
    choices: dict[str, Any] = {} if failed_pass is None else {"failed_pass": failed_pass}
    if said in OFF:
        choices["quiet"] = None
    elif said or failed_pass is None:
        clocks = parse_clock_range(said)
        if clocks is None or clocks[0] == clocks[1]:
            raise WrongArguments("Quiet from when to when, in your time zone?")
        choices["quiet"] = tuple(clock.strftime("%H:%M") for clock in clocks)
    preferences = change(question, **choices)
    return with_held_back(question, _format_quiet(preferences, str(question.zone)))


def answer_workdays(question: Question) -> str:
    said, failed_pass = _split_exception(question)
    choices: dict[str, Any] = {} if failed_pass is None else {"failed_pass": failed_pass}
    days = WEEKDAYS if said in OFF | _EVERY_DAY else parse_days(said)
    if days is None:
        raise WrongArguments("Which days do you work?")
    choices["workdays"] = days if len(days) < len(WEEKDAYS) else None
    preferences = change(question, **choices)
    return with_held_back(question, _format_workdays(preferences, str(question.zone)))


def _split_exception(question: Question) -> tuple[str, bool | None]:
    """What is said before "except failed", and whether failed exams may pass; None if nothing is said of it."""
    said = " ".join(strip_fillers(question.words)).casefold()
    match = _EXCEPTION.search(said)
    if match is None:
        return said, None
    words = (match["what"] or "").replace("_", " ").split()
    is_off = bool(match["no"]) or not OFF.isdisjoint(words)
    named = [word for word in words if word not in OFF | ON]
    if (named and find_types(named) != {ActivityType.EXAM_FAILED.value}) or not (named or is_off):
        raise WrongArguments("Only failed exams can be an exception.")
    return said[: match.start()].strip(), not is_off


def _format_quiet(preferences: Preferences, zone_name: str) -> str:
    if preferences.quiet:
        times = f"Quiet from {' to '.join(preferences.quiet)} ({zone_name})"
        return f"🌙 {times}: what happens then is held back and told afterwards. {_format_exception(preferences)}"
    on_free_days = " On days off, what happens is held back." if preferences.workdays else ""
    exception = f" {_format_exception(preferences)}" if preferences.workdays or preferences.failed_pass else ""
    return f"🔔 You have no quiet times.{on_free_days}{exception}"


def _format_exception(preferences: Preferences) -> str:
    if preferences.failed_pass:
        return f"Failed exams are told even at such times; {code('quiet except nothing')} ends that."
    return f"With {code('quiet except failed')}, failed exams are told all the same."


def _format_workdays(preferences: Preferences, zone_name: str) -> str:
    if not preferences.workdays:
        return "🔔 You are told on every day of the week."
    days = f"You are told on {_days(preferences)} ({zone_name})"
    return f"📅 {days}: what happens on other days is held back and told afterwards. {_format_exception(preferences)}"


def _days(preferences: Preferences) -> str:
    return ", ".join(_DAYS[day] for day in preferences.workdays or () if day in _DAYS)


def format_times(preferences: Preferences, zone_name: str, is_unknown: bool) -> list[str]:
    """Quiet times and work days, and in which time zone they are meant."""
    quiet = " to ".join(preferences.quiet) if preferences.quiet else "none"
    days = _days(preferences) if preferences.workdays else "every day"
    lines = [f"🌙 **Quiet:** {quiet}", f"📅 **Work days:** {days}"]
    if preferences.quiet or preferences.workdays:
        lines.append(f"❌ **Failed exams at such times:** {'told' if preferences.failed_pass else 'held back, too'}")
    why = ", since your Zulip profile names no zone that I know" if is_unknown else ""
    return [*lines, f"🕒 **Time zone:** {zone_name}{why}"]


COMMANDS = (
    Command(
        "quiet", "quiet <from>-<to>|off [except failed|except nothing]",
        "hold back news at these times of the day, but perhaps failed exams", Audience.KNOWN,
        "quiet 21:00-07:00 except failed", answer_quiet, aliases=("quiet times", "quiet hours"),
    ),
    Command(
        "workdays", "workdays <days>|off", "hold back news on other days of the week", Audience.KNOWN,
        "workdays mon-fri", answer_workdays, aliases=("workday", "work days", "working days"),
    ),
)  # fmt: skip
