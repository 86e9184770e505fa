"""Deliveries -> messages -> Zulip, once each.

A message is written down before it is sent. A send whose fate is unknown is looked up in Zulip before it is
tried again, since Zulip has no idempotent send.
"""

from __future__ import annotations

import logging
import os
import random
import socket
import threading
import uuid
from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from lms_bot.activities import ActivityType
from lms_bot.clock import utc_now
from lms_bot.exceptions import (
    LMSBotError,
    ZulipFateUnknown,
    ZulipForbidden,
    ZulipRateLimited,
    ZulipRefused,
    ZulipUnavailable,
)
from lms_bot.gateway import Gateway
from lms_bot.store.models import Delivery, Fact, Message
from lms_bot.store.outbox import ROUTINE, URGENT, Outbox

if TYPE_CHECKING:
    from lms_bot.app import App

logger = logging.getLogger(__name__)

WRITTEN_AT_ONCE = 50
MOST_TRIES = 8
RETRY_SECONDS = (5, 15, 30, 60, 180, 300, 600, 600)  # about half an hour for all tries
OUTAGE_SECONDS = (2, 5, 10, 20, 40, 60)  # between tries while Zulip is away; these use no tries up
FORBIDDEN_SECONDS = 60
PAUSE_FACT = "zulip_pause_until"

WINDOW_SECONDS = 60.0
DEFAULT_LIMIT = 200  # requests a minute for one account: https://zulip.com/api/rest-error-handling#rate-limit-exceeded
SHARE = 0.95  # of the limit is for notifications; the rest is left for the commands


@dataclass(frozen=True)
class Patience:
    """How long a request may still be finishing in Zulip after we lost sight of it, in seconds.

    `lost`: no answer came. Zulip's application server ends a request after 20 s (uwsgi `harakiri`); the rest is
    for what waits in front of it. `failed`: Zulip itself answered with an error, so it has finished. A message
    found earlier is settled at once; only sending it again waits so long.
    """

    lost: float = 30.0
    failed: float = 5.0
    between_lookups: float = 2.0


class Notifier:
    """Sends what is owed. Every step may be repeated, interrupted and run by several processes."""

    def __init__(self, *, app: App | None = None, patience: Patience | None = None) -> None:
        from lms_bot.app import get_app

        self._app = app or get_app()
        self._patience = patience or Patience()
        self.outbox = Outbox(self._app.store)
        self.name = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        self._pace = Pace()
        self._outage = 0
        self.awake = threading.Event()

    def wake(self) -> None:
        """There may be something to send: whoever waits need not wait longer."""
        self.awake.set()

    def step(self, now: datetime | None = None) -> float | None:
        """Does the most pressing thing. Returns after how many seconds there may be more: 0 at once, None unknown.

        Raises StoreUnavailable.
        """
        now = now or utc_now()
        if self._app.gateway is None or not self._app.settings.lms_notify_mentors_enabled:
            return None
        written = self.write_messages(now)
        pause = self._pause_seconds(now)
        if pause > 0:
            return pause
        return self._look_up(now) or self._send(now) or (0.0 if written else None)

    def send_all_due(self, stop: threading.Event | None = None) -> int:
        """Steps until nothing is due now, waiting for Zulip's pace but for no outage. Returns how many steps."""
        steps = 0
        while (wait := self.step()) is not None and not (stop and stop.is_set()):
            steps += 1
            if wait > WINDOW_SECONDS / 4:
                break
            (stop or threading.Event()).wait(wait)
        return steps

    def write_messages(self, now: datetime) -> int:
        """Puts deliveries into messages, as they will be sent. Returns how many were written."""
        with self._app.store.transaction():
            deliveries = self.outbox.get_unwritten(WRITTEN_AT_ONCE)
            for delivery in deliveries:
                self._write(delivery, now)
        return len(deliveries)

    def _write(self, delivery: Delivery, now: datetime) -> None:
        try:
            content = self._app.formatter.format_notification_message(delivery.event)
        except Exception as error:  # a formatter may be anybody's subclass
            logger.exception("the formatter failed for event %s", delivery.event_id)
            reason = f"the message could not be written: {type(error).__name__} in the formatter"
            self.outbox.kill_delivery(delivery, reason, now)
            return
        is_urgent = delivery.event.event_type == ActivityType.EXAM_FAILED.value
        self.outbox.write([delivery], content, URGENT if is_urgent else ROUTINE, now)

    def _send(self, now: datetime) -> float | None:
        wait = self._pace.seconds_until_free(now)
        if wait > 0:
            return wait
        with self._app.store.session():
            message = self.outbox.claim(self.name, now)
        if message is None:
            return None
        self._pace.note(now)
        try:
            zulip_message_id = self._gateway.send_direct(message.zulip_user_id, message.content)
        except LMSBotError as error:
            return self._failed(message, error, utc_now())
        self._outage = 0
        with self._app.store.session():
            self.outbox.mark_sent(message, zulip_message_id, utc_now())
        logger.info("told Zulip user %s (Zulip message %s)", message.zulip_user_id, zulip_message_id)
        return 0.0

    def _failed(self, message: Message, error: LMSBotError, now: datetime) -> float:
        """Decides what a failure means for the message: see the classes of exceptions."""
        with self._app.store.session():
            if isinstance(error, ZulipRefused):
                logger.warning("Zulip refuses message %s for good: %s", message.message_id, error)
                self.outbox.mark_dead(message, f"Zulip says: {error}", now)
                return 0.0
            if isinstance(error, ZulipFateUnknown):
                logger.warning("message %s may or may not be sent: %s", message.message_id, error)
                self.outbox.mark_unknown(message, now, str(error))
                return 0.0
            logger.warning("message %s not sent: %s", message.message_id, error)
            self.outbox.mark_ready(message, now, str(error), message.tries)
            return self._pause_for(error, now)

    def _look_up(self, now: datetime) -> float | None:
        """Finds out what became of a message in doubt."""
        with self._app.store.session():
            message = self.outbox.get_unknown(now)
        if message is None:
            return None
        self._pace.note(now)
        try:
            # A minute's slack: the clocks of the two machines may differ.
            since = (message.claimed_at - timedelta(seconds=60)).timestamp()
            found = self._gateway.find_sent(
                message.zulip_user_id, message.content, since, self._sent_before(message)
            )
        except LMSBotError as error:
            with self._app.store.session():
                self.outbox.mark_unknown(message, now + timedelta(seconds=5), message.reason)
            return self._pause_for(error, now)
        self._outage = 0
        with self._app.store.session():
            if found is not None:
                self.outbox.mark_sent(message, found, now)
            else:
                self._not_found(message, now)
        return 0.0

    def _not_found(self, message: Message, now: datetime) -> None:
        """Not there: wait while Zulip may still be finishing, then try again, but not for ever."""
        has_answered = "error of its own" in (message.reason or "")
        grace = self._patience.failed if has_answered else self._patience.lost
        if now < message.claimed_at + timedelta(seconds=grace):
            later = now + timedelta(seconds=self._patience.between_lookups)
            self.outbox.mark_unknown(message, later, message.reason)
            return
        tries = message.tries + 1
        if tries >= MOST_TRIES:
            self.outbox.mark_dead(message, f"given up after {tries} tries: {message.reason}", now)
            return
        delay = _jittered(RETRY_SECONDS[tries - 1] if tries > 1 else 0)
        self.outbox.mark_ready(message, now + timedelta(seconds=delay), message.reason, tries)

    def _sent_before(self, message: Message) -> set[int]:
        """Zulip's ids of messages known to be ours already, lest one of the same text be taken for this one."""
        with self._app.store.session():
            return self.outbox.get_zulip_ids(message.zulip_user_id, message.content)

    def _pause_for(self, error: LMSBotError, now: datetime) -> float:
        """One pause for all senders of this account. Returns its seconds."""
        if isinstance(error, ZulipRateLimited):
            seconds = error.retry_after_seconds or 1.0
        elif isinstance(error, ZulipForbidden):
            seconds = FORBIDDEN_SECONDS
        elif isinstance(error, (ZulipUnavailable, ZulipFateUnknown)):
            seconds = _jittered(OUTAGE_SECONDS[min(self._outage, len(OUTAGE_SECONDS) - 1)])
            self._outage += 1
        else:
            seconds = 1.0
        with self._app.store.transaction():
            Fact.put(PAUSE_FACT, (now + timedelta(seconds=seconds)).isoformat())
        return seconds

    def _pause_seconds(self, now: datetime) -> float:
        with self._app.store.session():
            until = Fact.find(PAUSE_FACT)
        return 0.0 if until is None else (datetime.fromisoformat(until) - now).total_seconds()

    @property
    def _gateway(self) -> Gateway:
        assert self._app.gateway is not None
        return self._app.gateway


class Pace:
    """Keeps us below what Zulip allows in any window of a minute, so that it never has to say 429."""

    def __init__(self, limit: int = DEFAULT_LIMIT) -> None:
        self.limit = limit
        self._sent: deque[datetime] = deque()

    def note(self, now: datetime) -> None:
        self._sent.append(now)

    def seconds_until_free(self, now: datetime) -> float:
        window = timedelta(seconds=WINDOW_SECONDS)
        while self._sent and self._sent[0] <= now - window:
            self._sent.popleft()
        allowed = max(1, int(self.limit * SHARE))
        if len(self._sent) < allowed:
            return 0.0
        return (self._sent[-allowed] + window - now).total_seconds()


def _jittered(seconds: float) -> float:
    """Spread, so that many processes do not come back at the same instant."""
    return seconds * random.uniform(0.8, 1.2)
