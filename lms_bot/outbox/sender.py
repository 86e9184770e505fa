"""Deliveries -> messages -> Zulip, once each.

A message is written down before it is sent. A send whose fate is unknown is looked up in Zulip before it is
tried again, since Zulip has no idempotent send.
"""

from __future__ import annotations

import logging
import random
import threading
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic
from typing import TYPE_CHECKING

from lms_bot.core.clock import utc_now
from lms_bot.core.errors import (
    LMSBotError,
    ZulipFailed,
    ZulipFateUnknown,
    ZulipForbidden,
    ZulipRateLimited,
    ZulipRefused,
    ZulipUnavailable,
)
from lms_bot.notify.admin_alerts import AdminAlerts
from lms_bot.notify.composer import Composer
from lms_bot.outbox.outbox import Outbox
from lms_bot.store.leases import own_name
from lms_bot.store.messages import Message
from lms_bot.store.models import KeyValue
from lms_bot.zulip.gateway import Gateway

if TYPE_CHECKING:
    from lms_bot.app import App

logger = logging.getLogger(__name__)

MOST_TRIES = 8
RETRY_SECONDS = (0, 15, 60, 180, 300, 600, 600)  # after the first try, the second, …: half an hour for all
OUTAGE_SECONDS = (2, 5, 10, 20, 40, 60)  # between tries while Zulip is away; these use no tries up
FORBIDDEN_SECONDS = 60
PAUSE_KEY = "zulip_pause_until"
RATE_LIMIT_KEY = "zulip_rate_limited_until"
LONGEST_WAIT_SECONDS = 15.0

RESERVED_REQUESTS = 8  # of each minute's, left for answers to people
CLOCKS_DIFFER = timedelta(minutes=10)  # of the machines of the bot, at most
ZULIPS_CLOCK_DIFFERS = timedelta(days=1)

WHAT_TO_DO = {  # for the words with which Zulip refuses a message
    "no longer using Zulip": "reactivate the account or give the student another mentor",
    "Invalid user ID": "mend the user map",
    "permission to initiate direct message": "let bots start conversations, or have the person write to the bot",
    "Direct messages are disabled": "let people and bots write direct messages",
}


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
        self.composer = Composer(self._app, self.outbox)
        self.alarm = AdminAlerts(self._app)
        self.name = f"{own_name()}:{uuid.uuid4().hex[:8]}"
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
        self.alarm.check(now)
        written = self.write_messages(now)
        pause = max(self._pause_seconds(now), self._gateway.pace.seconds_until_free(RESERVED_REQUESTS))
        if pause > 0:
            return pause
        looked_up = self._look_up(now)
        if looked_up:
            return looked_up
        sent = self._send(now)
        if sent is not None:
            return sent
        return 0.0 if written or looked_up is not None else None

    def send_all_due(self, stop: threading.Event | None = None) -> int:
        """Steps until nothing is due now, waiting for Zulip's pace but for no outage. Returns how many steps."""
        steps = 0
        while (wait := self.step()) is not None and not (stop and stop.is_set()):
            steps += 1
            if wait > LONGEST_WAIT_SECONDS:
                break
            (stop or threading.Event()).wait(wait)
        return steps

    def write_messages(self, now: datetime) -> int:
        """Puts deliveries into messages, as they will be sent. Returns how many were written."""
        return self.composer.write_messages(now)

    def note_rate_limit(self, error: ZulipRateLimited) -> None:
        """Zulip told somebody else who uses this account to wait: so do all its senders."""
        self._pause_for(error, utc_now())

    def get_rate_limit_seconds(self) -> float:
        """For how long Zulip asked this account to be silent; not above 0: it did not."""
        return self._seconds_until(RATE_LIMIT_KEY, utc_now())

    def _send(self, now: datetime) -> float | None:
        with self._app.store.session():
            message = self.outbox.claim(self.name, now)
        if message is None:
            return None
        began = monotonic()
        try:
            zulip_message_id = self._gateway.send_direct(message.zulip_user_id, message.content)
        except LMSBotError as error:
            return self._failed(message, error, _later(now, began))
        self._outage = 0
        with self._app.store.session():
            self.outbox.mark_sent(message, zulip_message_id, _later(now, began))
        logger.info("told Zulip user %s (Zulip message %s)", message.zulip_user_id, zulip_message_id)
        return 0.0

    def _failed(self, message: Message, error: LMSBotError, now: datetime) -> float:
        """Decides what a failure means for the message: see the classes of exceptions."""
        with self._app.store.session():
            if isinstance(error, ZulipRefused):
                logger.warning("Zulip refuses message %s for good; see `errors`", message.message_id)
                self.outbox.mark_dead(message, f"Zulip says: {error}{_what_to_do(str(error))}", now)
                return 0.0
            if isinstance(error, ZulipFateUnknown):
                logger.warning("message %s may or may not be sent: %s", message.message_id, error)
                grace = self._patience.failed if isinstance(error, ZulipFailed) else self._patience.lost
                self.outbox.mark_unknown(message, now, str(error), now + timedelta(seconds=grace))
                return 0.0
            logger.warning("message %s not sent: %s", message.message_id, error)
            self.outbox.mark_ready(message, now, str(error), message.tries)
            return self._pause_for(error, now)

    def _look_up(self, now: datetime) -> float | None:
        """Finds out what became of a message in doubt."""
        with self._app.store.session():
            message = self.outbox.get_unknown(now, timedelta(seconds=self._patience.lost))
        if message is None:
            return None
        began = monotonic()
        try:
            found = self._find_sent(message)
        except ZulipRefused as error:
            logger.warning("Zulip refuses to look up message %s; see `errors`", message.message_id)
            with self._app.store.session():
                self.outbox.mark_dead(message, f"sent perhaps, but Zulip cannot look it up: {error}", now)
            return 0.0
        except LMSBotError as error:
            now = _later(now, began)
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
        if now < message.lease_until:
            later = now + timedelta(seconds=self._patience.between_lookups)
            self.outbox.mark_unknown(message, later, message.reason)
            return
        tries = message.tries + 1
        if tries >= MOST_TRIES:
            self.outbox.mark_dead(message, f"given up after {tries} tries: {message.reason}", now)
            return
        delay = _jittered(RETRY_SECONDS[tries - 1])
        self.outbox.mark_ready(message, now + timedelta(seconds=delay), message.reason, tries)

    def _find_sent(self, message: Message) -> int | None:
        """The message's id in Zulip, whose ids only grow, if it is there and not known to be another of this text."""
        person = message.zulip_user_id
        with self._app.store.session():
            known_ids = self.outbox.get_zulip_ids(person, message.content)
            after_id = self.outbox.get_last_zulip_id(person, before=message.claimed_at - CLOCKS_DIFFER)
        since = (message.claimed_at - ZULIPS_CLOCK_DIFFERS).timestamp()
        return self._gateway.find_sent(person, message.content, since, known_ids, after_id)

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
        facts = [PAUSE_KEY, RATE_LIMIT_KEY] if isinstance(error, ZulipRateLimited) else [PAUSE_KEY]
        with self._app.store.transaction():
            self._app.store.lock(PAUSE_KEY)
            for fact in facts:  # another sender may have been told to wait longer
                longest = max(seconds, self._seconds_until(fact, now))
                KeyValue.put(fact, (now + timedelta(seconds=longest)).isoformat())
            return self._pause_seconds(now)

    def _pause_seconds(self, now: datetime) -> float:
        return self._seconds_until(PAUSE_KEY, now)

    def _seconds_until(self, fact: str, now: datetime) -> float:
        with self._app.store.session():
            until = KeyValue.find(fact)
        return 0.0 if until is None else (datetime.fromisoformat(until) - now).total_seconds()

    @property
    def _gateway(self) -> Gateway:
        assert self._app.gateway is not None
        return self._app.gateway


def _later(now: datetime, began: float) -> datetime:
    """The present, for a step that took `began` (monotonic seconds) for `now`."""
    return now + timedelta(seconds=monotonic() - began)


def _what_to_do(said: str) -> str:
    """What an admin can do about Zulip's refusal."""
    advice = next((advice for words, advice in WHAT_TO_DO.items() if words in said), None)
    return f" What helps: {advice}, then retry." if advice else ""


def _jittered(seconds: float) -> float:
    """Spread, so that many processes do not come back at the same instant."""
    return seconds * random.uniform(0.8, 1.2)
