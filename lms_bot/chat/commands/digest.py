"""`digest`: what the next digest would say, and when digests come."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from lms_bot.chat.commands.rendering import NO_STUDENTS
from lms_bot.chat.commands.status import change, get_preferences
from lms_bot.chat.language.moments import parse_clock, parse_days
from lms_bot.chat.language.question import Command, Question, WrongArguments
from lms_bot.chat.language.words import strip_fillers
from lms_bot.core.clock import to_utc
from lms_bot.core.markdown import code, time_tag
from lms_bot.notify.digest_message import format_digest
from lms_bot.notify.digest_times import find_due_digest, read_digest
from lms_bot.notify.preferences import DIGEST_AT, OFF, Preferences
from lms_bot.people.access import Audience

_OFF = frozenset(("off", "never", "none", "no", "stop", "not at all"))
_ON = frozenset(("on", "yes", "daily", "every day", "each day", "every morning"))
_NOW = frozenset(("", "now", "today", "show"))
_BETWEEN = frozenset(("weekly", "every", "week", "once", "a", "on", "at", "daily"))
_HALF_OF_DAY = re.compile(r"(?<=[0-9]) (?=[ap]\.?m\b)")  # 6 pm
DAYS_AHEAD = 40


def answer_digest(question: Question) -> str:
    said = " ".join(strip_fillers(question.words)).casefold()
    if not said and any(word.casefold() == "on" for word in question.words):  # which is a filler elsewhere
        said = "on"
    if said in _NOW:
        return _show(question)
    preferences = change(question, digest=_read(said))
    return _format_when(question, preferences)


def _show(question: Question) -> str:
    """As it would be now; nothing counts as told by it."""
    if not question.own_students:
        return NO_STUDENTS
    preferences = get_preferences(question)
    digest = question.context.digests.make(question.zulip_user_id, preferences, None, question.now)
    text = format_digest(digest) or "☀️ There is nothing to say of the last 24 hours, and nobody new needs you."
    return f"{text}\n\n{_format_when(question, preferences)}"


def _read(said: str) -> str | None:
    """As `Preferences.digest` has it. Raises WrongArguments."""
    if said in _OFF:
        return OFF
    if said in _ON:
        return None
    is_weekly = said.startswith(("weekly", "every week", "once a week"))
    words = [word for word in _HALF_OF_DAY.sub("", said).split() if word not in _BETWEEN]
    days = [found for word in words if (found := parse_days(word)) is not None]
    clocks = [clock for word in words if (clock := parse_clock(word)) is not None]
    if len(days) > 1 or len(clocks) > 1 or len(days) + len(clocks) != len(words) or not words:
        raise WrongArguments("When shall the digest come: `18:00`, `weekly mon`, `off` or `on`?")
    at = f"{clocks[0] if clocks else DIGEST_AT:%H:%M}"
    if not days:
        return f"mon {at}" if is_weekly else at
    if len(days[0]) != 1:
        raise WrongArguments("On one day of the week, or on each school day.")
    return f"{days[0][0]} {at}"


def _format_when(question: Question, preferences: Preferences) -> str:
    wanted = read_digest(preferences.digest)
    if wanted is None:
        return f"🔕 No digest comes. {code('needs')} shows who needs you; {code('digest on')} has it come again."
    next_at = find_next_digest(question, preferences)
    if next_at is None:
        return f"🔕 No digest comes as long as everything is off or muted: {code('settings')} shows what you chose."
    when = "each school day, never in holidays" if wanted[0] is None else "once a week, in holidays too"
    return f"☀️ The digest comes {when}, next {time_tag(next_at)}. {code('digest off')} ends that."


def find_next_digest(question: Question, preferences: Preferences) -> datetime | None:
    """When the next digest comes, if anything is to be said."""
    wanted = read_digest(preferences.digest)
    if wanted is None:
        return None
    today = question.now.astimezone(question.zone).date()
    for ahead in range(DAYS_AHEAD):
        planned = to_utc(datetime.combine(today + timedelta(days=ahead), wanted[1], question.zone))
        comes_at = preferences.get_end_of_quiet(planned, question.zone)
        if comes_at <= question.now:
            continue
        if find_due_digest(preferences, None, question.zone, question.context.calendar, comes_at) is not None:
            return comes_at
    return None


COMMANDS = (
    Command(
        "digest", "digest [18:00|weekly mon|on|off]", "what your digest would say now, or when it comes",
        Audience.MENTORS, "digest 18:00", answer_digest, is_about_own_students=True, changes=True,
    ),
)  # fmt: skip
