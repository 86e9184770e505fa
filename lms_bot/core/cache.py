"""A cache whose answers grow too old to serve."""

from __future__ import annotations

import threading
from time import monotonic
from typing import Generic, TypeVar

from cachetools import TLRUCache

MOST_KEPT = 50_000

K = TypeVar("K")
V = TypeVar("V")


class ExpiringCache(Generic[K, V]):
    """Values by key, each for some seconds of its own; of more than `most_kept`, those asked for lately.

    Threads may share it. No value is None.
    """

    def __init__(self, most_kept: int = MOST_KEPT) -> None:
        self._lock = threading.Lock()
        self._kept: TLRUCache[K, tuple[V, float]] = TLRUCache(most_kept, _end_of_life, timer=_now)

    def get(self, key: K) -> V | None:
        """The value, or None where there is none or it is too old."""
        try:  # the cache's own `get` takes twice as long, and a backlog asks for each row
            with self._lock:
                return self._kept[key][0]
        except KeyError:
            return None

    def put(self, key: K, value: V, seconds: float) -> V:
        with self._lock:
            self._kept[key] = (value, seconds)
        return value

    def items(self) -> list[tuple[K, V]]:
        """Every key with its value, of those that are not too old."""
        with self._lock, self._kept.timer:  # which stands still meanwhile
            return [(key, value) for key, (value, _) in self._kept.items()]

    def forget(self, key: K) -> None:
        with self._lock:
            self._kept.pop(key, None)

    def clear(self) -> None:
        with self._lock:
            self._kept.clear()


def _end_of_life(_: object, kept: tuple[object, float], now: float) -> float:
    return now + kept[1]


def _now() -> float:
    return monotonic()
