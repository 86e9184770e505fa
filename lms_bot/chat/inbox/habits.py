"""How the inbox goes about it; tests and measurements have other habits."""

from __future__ import annotations

from dataclasses import dataclass

from lms_bot.chat.inbox.listener import BETWEEN_POLLS_SECONDS


@dataclass(frozen=True)
class Habits:
    """How the inbox goes about it; `per_minute` None is a share of what Zulip allows the account."""

    answerers: int = 5
    at_once: int = 8
    per_minute: float | None = None
    most_waiting: int = 50
    typing_after_seconds: float = 0.3
    between_polls_seconds: float = BETWEEN_POLLS_SECONDS
    between_marks_seconds: float = 2.0  # of what was answered as read, together
