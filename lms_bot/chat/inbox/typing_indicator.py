"""Shows people that their answer is being written, where it takes long."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from time import monotonic

from lms_bot.core.bell import Bell
from lms_bot.core.errors import LMSBotError
from lms_bot.zulip.gateway import Gateway

SHOWN_SECONDS = 10.0  # Zulip's clients forget it after fifteen
RESERVED_REQUESTS = 20  # of each minute's, left for what matters more


class TypingIndicator:
    """Told when an answer is begun and when it is sent, by Zulip user id; `step` shows and hides."""

    def __init__(self, gateway: Gateway, after_seconds: float, now: Callable[[], float] = monotonic) -> None:
        self._gateway = gateway
        self._after_seconds = after_seconds
        self._now = now
        self._lock = threading.Lock()
        self._due: dict[int, float] = {}  # whose answers are being made, and when to show it (again)
        self._shown: set[int] = set()
        self.bell = Bell()

    def begin(self, zulip_user_id: int) -> None:
        with self._lock:
            self._due[zulip_user_id] = self._now() + self._after_seconds
        self.bell.ring()

    def end(self, zulip_user_id: int) -> None:
        with self._lock:
            self._due.pop(zulip_user_id, None)
        self.bell.ring()

    def step(self) -> float | None:
        """Shows what is due and hides what is over. Returns after how many seconds there is more, None: unknown."""
        now = self._now()
        with self._lock:
            slow = [person for person, due in self._due.items() if due <= now]
            self._due.update((person, now + SHOWN_SECONDS) for person in slow)
            over = [person for person in self._shown if person not in self._due]
            self._shown = self._shown.difference(over).union(slow)
            soonest = min(self._due.values(), default=None)
        for person in slow:
            self._tell(person, True)
        for person in over:
            self._tell(person, False)
        return None if soonest is None else max(0.01, soonest - self._now())

    def _tell(self, zulip_user_id: int, is_typing: bool) -> None:
        if self._gateway.pace.seconds_until_free(RESERVED_REQUESTS) == 0:
            with suppress(LMSBotError):
                self._gateway.set_typing(zulip_user_id, is_typing)
