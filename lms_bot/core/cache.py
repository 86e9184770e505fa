"""A cache whose answers grow too old to serve."""

from __future__ import annotations

import threading
from time import monotonic
from typing import Any

MOST_KEPT = 50_000


class ExpiringCache:
    """Values by key, each for some seconds. Threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: dict[Any, tuple[float, Any]] = {}

    def get(self, *key: Any) -> Any:
        """The value, or None where there is none or it is too old."""
        with self._lock:
            until, value = self._values.get(key, (0.0, None))
        return value if until > monotonic() else None

    def put(self, *key: Any, value: Any, seconds: float) -> Any:
        with self._lock:
            if len(self._values) >= MOST_KEPT:
                self._values.clear()
            self._values[key] = (monotonic() + seconds, value)
        return value

    def items(self) -> list[tuple[Any, Any]]:
        """Every key, a tuple, with its value, of those that are not too old."""
        with self._lock:
            now = monotonic()
            return [(key, value) for key, (until, value) in self._values.items() if until > now]

    def forget(self, *key: Any) -> None:
        with self._lock:
            self._values.pop(key, None)

    def clear(self) -> None:
        with self._lock:
            self._values.clear()
