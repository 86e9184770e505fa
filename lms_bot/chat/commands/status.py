"""`status`: whether the bot is watching, what is on its way to the asker, and what is held back from them."""

from __future__ import annotations

from datetime import datetime, timedelta

from lms_bot.chat.commands.rendering import count
from lms_bot.chat.language.question import Command, Question
from lms_bot.core.markdown import time_tag
from lms_bot.insight import reports
from lms_bot.notify.held_back import HeldBack, get_held_back
from lms_bot.notify.preferences import FAR_FUTURE
from lms_bot.people.access import Audience
from lms_bot.watch.monitor import LAST_GOOD_POLL

LATE = timedelta(minutes=2)
POLLS_MISSED = 3
MOMENTS_SHOWN = 5


def answer_status(question: Question) -> str:
    """Whether the bot is watching, and what is on its way to the asker. Also when the LMS is away."""
    asker = question.asker
    lines = [format_watch(question)]
    if asker.is_mentor and asker.trouble is None:
        lines.append(f"👥 You have {count(len(asker.students), 'student')}.")
    elif asker.is_mentor:
        lines.append("👥 Who your students are cannot be known now.")
    lines.append(_format_way(question))
    return "\n".join(lines)


def _format_way(question: Question) -> str:
    """What is on its way to the asker, and what is held back."""
    on_its_way = reports.count_unsent(question.zulip_user_id)
    held_back = get_own_held_back(question)
    on_its_way += held_back.due if held_back else 0
    held = f" {format_held_back(held_back)}" if held_back and held_back.held else ""
    if not on_its_way:
        return f"📬 You have been told all{' the rest' if held else ''}.{held}"
    return f"📬 {count(on_its_way, 'event')} on the way to you.{held}"


def format_watch(question: Question) -> str:
    context = question.context
    last_at = reports.get_moment(LAST_GOOD_POLL)
    if not context.is_watching:
        return "⏸️ I am not watching the LMS: that is switched off."
    if last_at is None:
        return "⚠️ I have not been able to look into the LMS yet. I keep trying."
    if question.now - last_at > max(LATE, POLLS_MISSED * timedelta(seconds=context.poll_seconds)):
        return f"⚠️ I could last look into the LMS {time_tag(last_at)}. I keep trying."
    return f"👁️ I am watching the LMS, last {time_tag(last_at)}."


def get_own_held_back(question: Question) -> HeldBack | None:
    """What is held back from the asker."""
    context, unwritten = question.context, reports.get_unwritten(question.zulip_user_id)
    return next(get_held_back(unwritten, context.preferences, context.get_zone, question.now), None)


def format_held_back(held_back: HeldBack | None) -> str:
    """How many events are held back, and when they come; sorted, the nearest first."""
    if held_back is None or not held_back.held:
        return "📥 Nothing is held back."
    moments = sorted(held_back.held.items())
    parts = [f"{number:,} {_comes(moment)}" for moment, number in moments[:MOMENTS_SHOWN]]
    later = sum(number for _, number in moments[MOMENTS_SHOWN:])
    parts += [f"{later:,} later"] if later else []
    return f"📥 {count(held_back.held.total(), 'event')} held back: {', '.join(parts)}."


def _comes(moment: datetime) -> str:
    return "until you unmute" if moment >= FAR_FUTURE else f"until {time_tag(moment)}"


COMMANDS = (
    Command(
        "status", "status", "whether I am watching, and what is on its way to you", Audience.KNOWN, "status",
        answer_status, is_about_own_students=True,
    ),
)  # fmt: skip
