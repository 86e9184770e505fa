"""The background threads: `schedule` decides when. It knows nothing of what it runs."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from time import monotonic

import schedule

from lms_bot.core.bell import Bell
from lms_bot.core.errors import LMSBotError, without_words

logger = logging.getLogger(__name__)

LONGEST_NAP_SECONDS = 1.0


class BackgroundJobs:
    """Runs jobs at intervals, and steps as fast as they have something to do, each in a thread of its own."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._bells: list[Bell] = []

    def every(self, seconds: float, job: Callable[[], object], name: str) -> None:
        """Runs `job` now and then every so many seconds (fractions allowed). A failure is logged, not final."""
        scheduler = schedule.Scheduler()
        guarded = _guarded(job, name)
        scheduler.every(seconds).seconds.do(guarded)  # type: ignore[arg-type]  # timedelta takes fractions

        def run() -> None:
            guarded()
            while not self._stop.is_set():
                scheduler.run_pending()
                idle = scheduler.idle_seconds
                self._stop.wait(LONGEST_NAP_SECONDS if idle is None else max(0.005, idle))

        self._start(run, name)

    def repeat(self, step: Callable[[], float | None], bell: Bell, name: str) -> None:
        """Runs `step` again and again: after the seconds it returns, or when the bell rings; None is soon enough."""

        def run() -> None:
            while not self._stop.is_set():
                wait = _guarded(step, name)()
                if wait != 0:
                    bell.wait(LONGEST_NAP_SECONDS if not isinstance(wait, float) else min(wait, LONGEST_NAP_SECONDS))
            bell.ring()  # for the next of those that wait for it, to end as well

        self._start(run, name)
        self._bells.append(bell)

    def once(self, after_seconds: float, is_due: Callable[[], bool], job: Callable[[], object], name: str) -> None:
        """Runs `job` a single time: after so many seconds, and then as soon as `is_due` says so."""

        def run() -> None:
            wait = after_seconds
            while not self._stop.wait(wait):
                if _guarded(is_due, name)():
                    _guarded(job, name)()
                    return
                wait = LONGEST_NAP_SECONDS

        self._start(run, name)

    def stop(self, timeout_seconds: float) -> bool:
        """Ends the threads after what they have in hand. True if all ended in time."""
        self._stop.set()
        for bell in self._bells:
            bell.ring()
        deadline = monotonic() + timeout_seconds
        for thread in self._threads:
            thread.join(max(0.0, deadline - monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _start(self, run: Callable[[], None], name: str) -> None:
        thread = threading.Thread(target=run, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()


def _guarded(job: Callable[[], object], name: str) -> Callable[[], object]:
    """`schedule` does not catch, and a thread that raised is gone in silence."""

    def run() -> object:
        try:
            return job()
        except LMSBotError as error:  # trouble that is known, such as a store that is away
            logger.warning("%s failed: %s", name, error)
            return None
        except Exception as error:
            logger.error("%s failed; it goes on", name, exc_info=without_words(error))
            return None

    return run
