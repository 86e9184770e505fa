"""When to poll: at each interval while the LMS is well, ever less often while it is not."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

from lms_bot.core.clock import utc_now
from lms_bot.core.errors import LMSBotError, StoreUnavailable
from lms_bot.lms.connection import LMSConnection
from lms_bot.store.database import Store
from lms_bot.store.leases import Leases
from lms_bot.store.models import KeyValue
from lms_bot.watch.monitor import LAST_POLL_ERROR, ActivityMonitor

logger = logging.getLogger(__name__)

LONGEST_BACKOFF_SECONDS = 600.0
POLL_DUTY = "poll"
SHORTEST_LEASE_SECONDS = 15.0


class Polling:
    """One process's turn at polling. `step` is called at each interval and never raises an LMSBotError.

    `on_news` is called after each poll that recorded something.
    """

    def __init__(
        self, store: Store, monitor: ActivityMonitor, connection: LMSConnection, on_news: Callable[[], object]
    ) -> None:
        self._store = store
        self._monitor = monitor
        self._connection = connection
        self._on_news = on_news
        self._leases = Leases(store)
        self._failures = 0
        self._not_before: datetime | None = None
        self._said = ""
        self._was_unreachable = False

    def step(self, now: datetime | None = None) -> None:
        """Polls, unless another process does or a failing LMS is to be left alone for a while."""
        now = now or utc_now()
        if self._is_left_alone(now):
            return
        try:
            lease_seconds = max(SHORTEST_LEASE_SECONDS, 3 * self._monitor.poll_interval)
            if self._leases.acquire(POLL_DUTY, lease_seconds, now):
                created = self._monitor.process_activities()
                self._succeeded()
                if created:
                    self._on_news()
        except LMSBotError as error:
            self._failed(error, now)
            with suppress(LMSBotError):
                self._on_news()  # of what was recorded before it failed
        except Exception as error:  # a mistake of ours; whoever runs us logs it, `health` tells of it
            self._failed(LMSBotError(f"a mistake in the program ({type(error).__name__}); see its log"), now)
            raise

    def stop(self) -> None:
        """Gives the duty back, so that another process need not wait."""
        self._leases.release(POLL_DUTY)

    def _is_left_alone(self, now: datetime) -> bool:
        """Within the backoff; ended early once an LMS that could not even be reached can be reached again."""
        if self._not_before is None or now >= self._not_before:
            return False
        return not (self._was_unreachable and self._connection.is_reachable())

    def _succeeded(self) -> None:
        if self._said:
            logger.info("polling works again")
        with self._store.session():
            is_known_to_fail = KeyValue.find(LAST_POLL_ERROR) is not None  # perhaps from another process
        if is_known_to_fail:
            with self._store.transaction():
                KeyValue.put(LAST_POLL_ERROR, None)
        self._failures, self._not_before, self._said = 0, None, ""

    def _failed(self, error: LMSBotError, now: datetime) -> None:
        is_unreachable = not self._connection.is_reachable()
        if self._was_unreachable and not is_unreachable:
            self._failures = 0  # so far it was only knocked at
        self._was_unreachable = is_unreachable
        self._not_before = now + timedelta(seconds=self._delay_seconds(error))
        self._failures += 1
        if str(error) != self._said:  # once for each trouble, not once a poll
            logger.warning("the poll failed: %s", error)
            self._said = str(error)
        try:
            with self._store.transaction():
                KeyValue.put(LAST_POLL_ERROR, str(error))
        except LMSBotError:
            logger.warning("nor could that be written down: the store does not answer")

    def _delay_seconds(self, error: LMSBotError) -> float:
        """How long to leave the LMS alone. Where it was not troubled at all, the next interval will do."""
        if isinstance(error, StoreUnavailable) or error.retry_after_seconds is not None:
            return error.retry_after_seconds or 0.0
        delay = self._monitor.poll_interval * 2.0 ** min(self._failures, 16)
        return min(LONGEST_BACKOFF_SECONDS, delay) * random.uniform(0.8, 1.0)
