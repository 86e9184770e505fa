"""Preferences in, Zulip markdown out. Pure. Text of others is disarmed here, unless a docstring says it was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from lms_bot.chat.commands.replies import MAX_LENGTH, count, format_name, get_word_for
from lms_bot.chat.language.dates import DAY_NAMES
from lms_bot.core.activities import ActivityType
from lms_bot.core.markdown import code, disarm, fit_lines, time_tag
from lms_bot.lms.people import Student
from lms_bot.notify.formatter import EMOJI, LABELS
from lms_bot.notify.held_back import HeldBack
from lms_bot.notify.preferences import DAILY_AT, FAR_FUTURE, FOR_EVER, WEEKDAYS, Preferences, When, get_end_of_mute

TYPE_NAMES = ", ".join(code(kind.value) for kind in ActivityType)
HOW_TO_CHANGE = "Change it with `notify`, `mute`, `unmute`, `quiet` and `workdays`; `help notify` shows how."
MOMENTS_SHOWN = 5

_WHENS = {
    When.NOW: "at once",
    When.HOURLY: "every full hour",
    When.DAILY: f"every day at {DAILY_AT:%H:%M}",
    When.OFF: "not at all",
}
_DAYS = dict(zip(WEEKDAYS, (name.capitalize() for name in DAY_NAMES), strict=True))


def name_of(student: Student) -> str:
    """How a student is called in an answer. Disarmed."""
    return format_name(student.student_id, student.username, student.display_name)


def word_for(student: Student) -> str:
    return get_word_for(student.student_id, student.username)


def format_former_student(number: str) -> str:
    return f"a former student of yours, {disarm(number)}"


def format_notify(types: Sequence[str], when: When) -> str:
    """What was chosen for these event types, and what that means."""
    what = _list_types(types)
    if when is When.OFF:
        return f"🔕 Not told at all, now or later: {what}. {code('history')} still shows it."
    return f"🔔 Told {_WHENS[when]}: {what}."


def _list_types(types: Sequence[str]) -> str:
    if len(types) == len(ActivityType):
        return "everything"
    return ", ".join(f"{EMOJI[one]} {LABELS[one]}" for one in types)


def format_muted(student: Student, until: str, is_together: bool) -> str:
    what = f"🔕 You are told nothing of **{name_of(student)}** {_until(until, f'unmute {word_for(student)}')}."
    return f"{what} {_afterwards(is_together)}"


def format_muted_all(until: str, failed_pass: bool, is_together: bool) -> str:
    also = " Failed exams are no exception to that." if failed_pass else ""
    return f"🔕 You are told nothing {_until(until, 'unmute all')}.{also} {_afterwards(is_together)}"


def _until(until: str, command: str) -> str:
    return f"until you write {code(command)}" if until == FOR_EVER else f"until {time_tag(get_end_of_mute(until))}"


def _afterwards(is_together: bool) -> str:
    together = ", together" if is_together else ""
    return f"What happens meanwhile is held back, and you are told of it afterwards{together}."


def format_unmuted(what: str, was_muted: bool) -> str:
    """`what` is disarmed."""
    if not was_muted:
        return f"🔔 {what} was not muted." if what.startswith("**") else "🔔 Nothing was muted."
    return f"🔔 {what} is no longer muted. What that held back comes now, unless something else holds it."


def format_all_still_muted(until: str) -> str:
    return f"⚠️ But everything is muted {_until(until, 'unmute all')}."


def format_quiet(preferences: Preferences, zone_name: str) -> str:
    if preferences.quiet:
        times = f"Quiet from {' to '.join(preferences.quiet)} ({zone_name})"
        return f"🌙 {times}: what happens then is held back and told afterwards. {_exception(preferences)}"
    on_free_days = " On days off, what happens is held back." if preferences.workdays else ""
    exception = f" {_exception(preferences)}" if preferences.workdays or preferences.failed_pass else ""
    return f"🔔 You have no quiet times.{on_free_days}{exception}"


def _exception(preferences: Preferences) -> str:
    if preferences.failed_pass:
        return f"Failed exams are told even at such times; {code('quiet except nothing')} ends that."
    return f"With {code('quiet except failed')}, failed exams are told all the same."


def format_workdays(preferences: Preferences, zone_name: str) -> str:
    if not preferences.workdays:
        return "🔔 You are told on every day of the week."
    days = f"You are told on {_days(preferences)} ({zone_name})"
    return f"📅 {days}: what happens on other days is held back and told afterwards. {_exception(preferences)}"


def _days(preferences: Preferences) -> str:
    return ", ".join(_DAYS[day] for day in preferences.workdays or () if day in _DAYS)


def format_told(preferences: Preferences) -> list[str]:
    """A line for each way of being told, with the event types told so."""
    of_when: dict[When, list[str]] = {when: [] for when in When}
    for kind in ActivityType:
        of_when[preferences.get_when(kind.value)].append(kind.value)
    return [_format_told(when, types) for when, types in of_when.items() if types]


def _format_told(when: When, types: Sequence[str]) -> str:
    title = "🔕 **Not told:**" if when is When.OFF else f"🔔 **Told {_WHENS[when]}:**"
    return f"{title} {_list_types(types)}"


def format_times(preferences: Preferences, zone_name: str, is_unknown: bool) -> list[str]:
    """Quiet times and work days, and in which time zone they are meant."""
    quiet = " to ".join(preferences.quiet) if preferences.quiet else "none"
    days = _days(preferences) if preferences.workdays else "every day"
    lines = [f"🌙 **Quiet:** {quiet}", f"📅 **Work days:** {days}"]
    if preferences.quiet or preferences.workdays:
        lines.append(f"❌ **Failed exams at such times:** {'told' if preferences.failed_pass else 'held back, too'}")
    why = ", since your Zulip profile names no zone that I know" if is_unknown else ""
    return [*lines, f"🕒 **Time zone:** {zone_name}{why}"]


def format_mutes(muted_until: str | None, mutes: Mapping[str, tuple[Student | None, str]]) -> list[str]:
    """Whom the person wants to hear nothing of; students are None where they are no longer theirs."""
    lines = [] if muted_until is None else [f"🔕 **Muted:** everything {_until(muted_until, 'unmute all')}"]
    for number, (student, until) in mutes.items():
        name = name_of(student) if student else format_former_student(number)
        word = word_for(student) if student else number
        lines.append(f"🔕 **Muted:** {name} {_until(until, f'unmute {word}')}")
    return lines or ["🔕 **Muted:** nobody"]


def format_held(holding: HeldBack | None) -> str:
    """How many events are held back, and when they come; sorted, the nearest first."""
    if holding is None or not holding.held:
        return "📥 Nothing is held back."
    moments = sorted(holding.held.items())
    parts = [f"{number:,} {_comes(moment)}" for moment, number in moments[:MOMENTS_SHOWN]]
    later = sum(number for _, number in moments[MOMENTS_SHOWN:])
    parts += [f"{later:,} later"] if later else []
    return f"📥 {count(holding.held.total(), 'event')} held back: {', '.join(parts)}."


def _comes(moment: datetime) -> str:
    return "until you unmute" if moment >= FAR_FUTURE else f"until {time_tag(moment)}"


def format_settings(head: Sequence[str], mutes: Sequence[str], held: str) -> str:
    """All lines as one answer; if it is too long, not all mutes are shown."""
    return fit_lines(["⚙️ **Your settings**", "", *head], mutes, [held, HOW_TO_CHANGE], limit=MAX_LENGTH)
