"""How one thread tells another that there may be something to do."""

from __future__ import annotations

import threading


class Bell:
    """One ring wakes one thread of those that wait, or the next that comes to wait; rings do not add up.

    A thread that takes something to do rings for the next: so as many work as there is work for, and no more wake.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._is_rung = False

    def ring(self) -> None:
        with self._changed:
            self._is_rung = True
            self._changed.notify()

    def wait(self, seconds: float) -> bool:
        """Waits for a ring, and so long at most. Whether it rang; with 0 it only asks."""
        with self._changed:
            was_rung = self._changed.wait_for(lambda: self._is_rung, seconds)
            self._is_rung = False
            return was_rung
