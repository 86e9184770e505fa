"""`settings`: all that the asker chose, and what is held back now."""

from __future__ import annotations

from lms_bot.chat.commands.preferences.chosen import get_mutes, get_preferences, is_ahead
from lms_bot.chat.commands.preferences.muting import format_mutes
from lms_bot.chat.commands.preferences.notify import format_told
from lms_bot.chat.commands.preferences.quiet import format_times
from lms_bot.chat.commands.rendering import MAX_LENGTH
from lms_bot.chat.commands.status import format_held_back, get_own_held_back
from lms_bot.chat.language.question import Command, Question
from lms_bot.core.markdown import fit_lines
from lms_bot.people.access import Audience

HOW_TO_CHANGE = "Change it with `notify`, `mute`, `unmute`, `quiet` and `workdays`; `help notify` shows how."


def answer_settings(question: Question) -> str:
    """All of it, and what is held back now."""
    preferences = get_preferences(question)
    muted_until = preferences.muted_until if is_ahead(question, preferences.muted_until) else None
    mutes = {key: (question.asker.students.get(int(key)), until) for key, until in get_mutes(question).items()}
    times = format_times(preferences, str(question.zone), question.has_unknown_zone)
    head = [*format_told(preferences), *times]
    held = format_held_back(get_own_held_back(question))
    lines = format_mutes(muted_until, mutes)  # as many as there is room for
    return fit_lines(["⚙️ **Your settings**", "", *head], lines, [held, HOW_TO_CHANGE], limit=MAX_LENGTH)


COMMANDS = (
    Command(
        "settings", "settings", "what you chose to be told and when, and what is held back now", Audience.KNOWN,
        "settings", answer_settings, aliases=("preferences", "setting"), is_about_own_students=True,
    ),
)  # fmt: skip
