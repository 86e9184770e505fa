"""What the bot says of itself below the first message that a person gets. Pure."""

from __future__ import annotations

from lms_bot.core.markdown import code
from lms_bot.notify.preferences import OFF, Preferences, When

BELOW = "\n\n---\n\n"
"""Between a message and what is said below it."""

MEANINGS = {
    When.CALM: "failed exams and recoveries come at once, other results once an hour at most",
    When.DIGEST: "failed exams and recoveries come at once, all else in one message a day",
    When.EVERYTHING: "each thing your students do comes as it happens, gathered",
    When.NOW: "each thing your students do comes as it happens, gathered",
    When.HOURLY: "what your students do comes once an hour",
    When.DAILY: "what your students do comes once a day",
    When.OFF: "you are told nothing of what your students do",
}


def format_welcome(preferences: Preferences) -> str:
    """Of one screen: what will come, and how to change it."""
    level = preferences.general
    lines = [
        "👋 **I tell you what your students do in the LMS.**",
        f"- You get {code(level.value)}: {MEANINGS[level]}.",
    ]
    if preferences.digest != OFF:
        lines.append("- On each school day one digest says who needs you: silent, failing, left open.")
    if level is not When.EVERYTHING:
        lines.append(
            f"- Want each start and lesson, too? {code('notify everything')}. Less? {code('notify digest')}."
        )
    else:
        lines.append(f"- Less, please? {code('notify calm')} or {code('notify digest')}.")
    lines.append(
        f"- {code('needs')} lists who needs you now, {code('students')} all, {code('settings')} what you chose,"
        f" {code('help')} the rest."
    )
    return "\n".join(lines)
