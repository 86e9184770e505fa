"""Telling people, a step at a time: what admins must know, what is to be written, a request to Zulip."""

from __future__ import annotations

import threading
from datetime import datetime

from lms_bot.core.clock import utc_now
from lms_bot.notify.admin_alerts import AdminAlerts
from lms_bot.notify.composer import Composer
from lms_bot.outbox.sender import Sender

LONGEST_WAIT_SECONDS = 15.0


class Notifier:
    """Composing and sending in one thread: for who tells what is due and is done, and waits for nothing else.

    `is_telling` False: nobody is told news.
    """

    def __init__(self, alerts: AdminAlerts, composer: Composer, sender: Sender, *, is_telling: bool) -> None:
        self._is_telling = is_telling
        self.alerts = alerts
        self.composer = composer
        self.sender = sender

    def step(self, now: datetime | None = None) -> float | None:
        """Does the most pressing thing. Returns after how many seconds there may be more: 0 at once, None unknown.

        Raises StoreUnavailable.
        """
        now = now or utc_now()
        if not self._is_telling:
            return self.sender.step(now)
        self.alerts.check(now)
        written = self.composer.write_messages(now)
        wait = self.sender.step(now)
        return 0.0 if wait is None and written else wait

    def send_all_due(self, stop: threading.Event | None = None) -> int:
        """Steps until nothing is due now, waiting for Zulip's pace but for no outage. Returns how many steps."""
        steps = 0
        while (wait := self.step()) is not None and not (stop and stop.is_set()):
            steps += 1
            if wait > LONGEST_WAIT_SECONDS:
                break
            (stop or threading.Event()).wait(wait)
        return steps
