"""Rate limits of the sandbox Zulip: one bucket for requests, another for polling, each per account."""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Callable, Hashable
from typing import Protocol

from lms_bot.sandbox.zulip.refusals import Refusal

WINDOW_SECONDS = 60.0


class Limit(Protocol):
    """Counts one request, or refuses it with 429; returns the headers that tell where the account stands."""

    def count(self, account: Hashable) -> dict[str, str]: ...


class SlidingWindow:
    """So many requests within any 60 seconds. Refused requests are not counted."""

    def __init__(self, requests_per_minute: int, now: Callable[[], float]) -> None:
        self._allowed = requests_per_minute
        self._now = now
        self._lock = threading.Lock()
        self._counted: defaultdict[Hashable, deque[float]] = defaultdict(deque)

    def count(self, account: Hashable) -> dict[str, str]:
        with self._lock:
            now, times = self._now(), self._counted[account]
            while times and times[0] <= now - WINDOW_SECONDS:
                times.popleft()
            if len(times) >= self._allowed:
                frees_at = times[0] + WINDOW_SECONDS if times else now + WINDOW_SECONDS
                raise _limit_hit(self._allowed, frees_at, now)
            times.append(now)
            return _standing(self._allowed, self._allowed - len(times), now + WINDOW_SECONDS)


class LeakyBucket:
    """Holds so many requests and empties evenly over 60 seconds, as a real server counts polling."""

    def __init__(self, requests_per_minute: int, now: Callable[[], float]) -> None:
        self._allowed = requests_per_minute
        self._seconds_each = WINDOW_SECONDS / requests_per_minute
        self._now = now
        self._lock = threading.Lock()
        self._empty_at: dict[Hashable, float] = {}

    def count(self, account: Hashable) -> dict[str, str]:
        with self._lock:
            now = self._now()
            empty_at = max(self._empty_at.get(account, now), now) + self._seconds_each
            if empty_at > now + WINDOW_SECONDS:
                raise _limit_hit(self._allowed, empty_at - WINDOW_SECONDS, now)
            self._empty_at[account] = empty_at
            left = (now + WINDOW_SECONDS - empty_at) / self._seconds_each
            return _standing(self._allowed, round(left), empty_at)


def limit_hit(retry_after_seconds: float, headers: dict[str, str] | None = None) -> Refusal:
    """The 429 of a real server: how long to wait as a float, in a header and in the body."""
    return Refusal(
        "API usage exceeded rate limit",
        code="RATE_LIMIT_HIT",
        status=429,
        headers={"Retry-After": str(retry_after_seconds), **(headers or {})},
        more={"retry-after": retry_after_seconds},
    )


def _limit_hit(allowed: int, frees_at: float, now: float) -> Refusal:
    return limit_hit(frees_at - now, _standing(allowed, 0, frees_at))


def _standing(allowed: int, remaining: int, reset_at: float) -> dict[str, str]:
    return {
        "X-RateLimit-Limit": str(allowed),
        "X-RateLimit-Remaining": str(remaining),
        "X-RateLimit-Reset": str(int(reset_at)),
    }
