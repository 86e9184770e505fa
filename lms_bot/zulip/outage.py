"""Whether Zulip can be asked now, as this process sees it."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from time import monotonic

from lms_bot.core.errors import LMSBotError, ZulipForbidden, ZulipRateLimited

BACKOFF_SECONDS = (1, 2, 5, 10, 15)  # between tries while Zulip is away
FORBIDDEN_SECONDS = 60
RATE_LIMITED_SECONDS = 1.0  # where Zulip asks to wait and does not say how long
TRY_SECONDS = 20.0  # one try may take so long before another thread tries as well: longer than a request's timeout


class Outage:
    """A pause after a failure, longer with each, and ended by the first success of anybody who asks Zulip.

    When a pause is over, one thread tries and the others wait for how it fares. Threads share it. Nothing of it is
    kept: a bot that is started anew tries at once.
    """

    def __init__(self, now: Callable[[], float] = monotonic) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._failures = 0
        self._began_at = 0.0
        self._until = 0.0
        self._told_until = 0.0
        self._is_being_tried = False
        self._at_end: list[Callable[[], None]] = []

    def call_at_end(self, wake: Callable[[], None]) -> None:
        """`wake` is called when Zulip answers again, in whatever thread found that out."""
        self._at_end.append(wake)

    def start_request(self) -> float:
        """When a request begins: to be given to `note_success` with its answer."""
        return self._now()

    def note_success(self, began_at: float) -> None:
        """Zulip did what it was asked at `began_at`; if that was before the failure, it tells nothing."""
        with self._lock:
            if not self._until or began_at < self._began_at:
                return
            is_told_to_wait = self._told_until > self._now()
            self._failures, self._is_being_tried = 0, False
            self._until = self._told_until if is_told_to_wait else 0.0
        for wake in () if is_told_to_wait else self._at_end:
            wake()

    def note_failure(self, error: LMSBotError) -> float:
        """Begins a pause, or makes it longer. Returns its seconds. What Zulip itself asks for is waited out."""
        with self._lock:
            now, seconds = self._now(), self._get_seconds(error)
            self._failures += 1
            self._is_being_tried = False
            if isinstance(error, ZulipRateLimited):
                self._told_until = max(self._told_until, now + seconds)
            self._began_at, self._until = now, max(self._told_until, now + seconds)
            return self._until - now

    def take_turn(self) -> float:
        """0 for who may ask Zulip now, else the seconds to wait. While Zulip is away, it is one thread's turn."""
        with self._lock:
            now = self._now()
            if not self._until:
                return 0.0
            if now < self._until:
                return self._until - now
            self._until, self._is_being_tried = now + TRY_SECONDS, True
            return 0.0

    def give_back_turn(self) -> None:
        """Who had the turn is done, and did not find out how Zulip is."""
        with self._lock:
            if self._is_being_tried:
                self._until, self._is_being_tried = self._now(), False

    def _get_seconds(self, error: LMSBotError) -> float:
        if isinstance(error, ZulipRateLimited):
            return error.retry_after_seconds or RATE_LIMITED_SECONDS
        if isinstance(error, ZulipForbidden):
            return FORBIDDEN_SECONDS
        # Spread, so that many processes do not come back at the same instant.
        return BACKOFF_SECONDS[min(self._failures, len(BACKOFF_SECONDS) - 1)] * random.uniform(0.8, 1.2)
