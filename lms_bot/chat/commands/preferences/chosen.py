"""What the asker chose, and changing it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lms_bot.chat.commands.status import format_held_back, get_own_held_back
from lms_bot.notify.preferences import Preferences, get_end_of_mute

if TYPE_CHECKING:
    from lms_bot.chat.language.question import Question

EVERYTHING = frozenset(("all", "everything", "everybody", "everyone"))
OFF = frozenset(("off", "none", "no", "never", "nothing", "false"))
ON = frozenset(("on", "yes", "true"))


def get_preferences(question: Question) -> Preferences:
    return question.context.preferences.get(question.zulip_user_id)


def change(question: Question, **choices: Any) -> Preferences:
    context = question.context
    changed = context.preferences.change(question.zulip_user_id, **choices)
    context.on_preferences_changed()
    return changed


def get_mutes(question: Question) -> dict[str, str]:
    """The asker's mutes that are not over yet."""
    return {key: until for key, until in get_preferences(question).mutes.items() if is_ahead(question, until)}


def is_ahead(question: Question, until: str | None) -> bool:
    return until is not None and get_end_of_mute(until) > question.now


def with_held_back(question: Question, answer: str) -> str:
    held_back = get_own_held_back(question)
    return f"{answer}\n{format_held_back(held_back)}" if held_back and held_back.held else answer
