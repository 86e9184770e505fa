"""`status`: whether the bot is watching, what is on its way to the asker, and what they chose to hold back."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from lms_bot.chat.commands.rendering import count
from lms_bot.chat.language.dates import DAY_NAMES
from lms_bot.chat.language.question import Command, Question
from lms_bot.core.markdown import code, time_tag
from lms_bot.insight.reports.outgoing import count_unsent, get_moment, get_unwritten
from lms_bot.notify.digest_times import read_digest
from lms_bot.notify.held_back import HeldBack, get_held_back
from lms_bot.notify.preferences import FAR_FUTURE, Preferences, get_end_of_mute
from lms_bot.notify.welcome import MEANINGS
from lms_bot.people.access import Audience
from lms_bot.settings.checks import WEEKDAYS
from lms_bot.watch.monitor import LAST_GOOD_POLL

LATE = timedelta(minutes=2)
POLLS_MISSED = 3
MOMENTS_SHOWN = 5


def answer_status(question: Question) -> str:
    asker = question.asker
    lines = [format_watch(question)]
    if asker.is_mentor and asker.trouble is None:
        lines.append(f"👥 You have {count(len(asker.students), 'student')}.")
    elif asker.is_mentor:
        lines.append("👥 Who your students are cannot be known now.")
    if asker.is_mentor:
        preferences = get_preferences(question)
        lines += [format_own_level(preferences), format_digest_time(preferences)]
    lines.append(_format_way(question))
    return "\n".join(lines)


def _format_way(question: Question) -> str:
    held_back = get_own_held_back(question)
    on_its_way = count_unsent(question.zulip_user_id) + (held_back.due if held_back else 0)
    held = f" {format_held_back(held_back)}" if held_back and held_back.held else ""
    if not on_its_way:
        return f"📬 You have been told all{' the rest' if held else ''}.{held}"
    return f"📬 {count(on_its_way, 'event')} on the way to you.{held}"


def format_own_level(preferences: Preferences) -> str:
    """What holds for all that nothing more precise is chosen for, and whether that was chosen."""
    chosen = "" if preferences.level else ", as for all who chose nothing"
    return f"🔔 **You get** {code(preferences.general.value)}{chosen}: {MEANINGS[preferences.general]}"


def format_digest_time(preferences: Preferences) -> str:
    wanted = read_digest(preferences.digest)
    if wanted is None:
        return "🔕 **Digest:** none"
    day, at = wanted
    when = f"every {DAY_NAMES[WEEKDAYS.index(day)].capitalize()}" if day else "each school day"
    return f"☀️ **Digest:** {when} at {at:%H:%M}"


def format_watch(question: Question) -> str:
    context = question.context
    last_at = get_moment(LAST_GOOD_POLL)
    if not context.is_watching:
        return "⏸️ I am not watching the LMS: that is switched off."
    if last_at is None:
        return "⚠️ I have not been able to look into the LMS yet. I keep trying."
    if question.now - last_at > max(LATE, POLLS_MISSED * timedelta(seconds=context.poll_seconds)):
        return f"⚠️ I could last look into the LMS {time_tag(last_at)}. I keep trying."
    return f"👁️ I am watching the LMS, last {time_tag(last_at)}."


def get_own_held_back(question: Question) -> HeldBack | None:
    context, unwritten = question.context, get_unwritten(question.zulip_user_id)
    return next(get_held_back(unwritten, context.preferences, context.get_zone, question.now), None)


def format_held_back(held_back: HeldBack | None) -> str:
    """How many events are held back, and when they come; sorted, the nearest first."""
    if held_back is None or not held_back.held:
        return "📥 Nothing is held back."
    moments = sorted(held_back.held.items())
    parts = [
        f"{number:,} until {'you unmute' if moment >= FAR_FUTURE else time_tag(moment)}"
        for moment, number in moments[:MOMENTS_SHOWN]
    ]
    later = sum(number for _, number in moments[MOMENTS_SHOWN:])
    parts += [f"{later:,} later"] if later else []
    return f"📥 {count(held_back.held.total(), 'event')} held back: {', '.join(parts)}."


def get_preferences(question: Question) -> Preferences:
    return question.context.preferences.get(question.zulip_user_id)


def change(question: Question, **choices: Any) -> Preferences:
    changed = question.context.preferences.change(question.zulip_user_id, **choices)
    question.context.on_preferences_changed()
    return changed


def get_mutes(question: Question) -> dict[str, str]:
    """The asker's mutes that are not over yet."""
    return {key: until for key, until in get_preferences(question).mutes.items() if is_ahead(question, until)}


def is_ahead(question: Question, until: str | None) -> bool:
    return until is not None and get_end_of_mute(until) > question.now


def with_held_back(question: Question, answer: str) -> str:
    held_back = get_own_held_back(question)
    return f"{answer}\n{format_held_back(held_back)}" if held_back and held_back.held else answer


COMMANDS = (
    Command(
        "status", "status", "whether I am watching, and what is on its way to you", Audience.KNOWN, "status",
        answer_status, is_about_own_students=True,
    ),
)  # fmt: skip
