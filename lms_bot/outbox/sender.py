"""Written messages -> Zulip, once each.

A send whose fate is unknown is looked up in Zulip before it is tried again, since Zulip has no idempotent send.
"""

from __future__ import annotations

import logging
import random
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic

from lms_bot.core.clock import utc_now
from lms_bot.core.errors import (
    LMSBotError,
    StoreUnavailable,
    ZulipFailed,
    ZulipFateUnknown,
    ZulipRateLimited,
    ZulipRefused,
)
from lms_bot.outbox.draft import Draft, get_place, get_widget
from lms_bot.outbox.files import FileUploader, without_files
from lms_bot.outbox.outbox import Outbox
from lms_bot.store.database import Store
from lms_bot.store.leases import own_name
from lms_bot.store.messages import ALL_LANES, NEWS, Lane, Message
from lms_bot.store.models import KeyValue
from lms_bot.zulip.gateway import Gateway

logger = logging.getLogger(__name__)

MOST_TRIES = 8
RETRY_SECONDS = (0, 15, 60, 180, 300, 600, 600)  # after the first try, the second, …: half an hour for all
LOOK_UP_AGAIN = timedelta(seconds=5)  # after a look-up that failed
SENT_WITHIN_SECONDS = 30.0  # of being claimed; who stood still for longer may be taken for dead, and sends nothing
RATE_LIMIT_KEY = "zulip_rate_limited_until"

RESERVED_REQUESTS = 8  # of each minute's, left by news for answers
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


class Sender:
    """Sends what the outbox holds. Every step may be repeated, interrupted and run by several threads and processes.

    `is_telling` False: answers are sent, news are not.
    """

    def __init__(
        self, store: Store, outbox: Outbox, gateway: Gateway, *, is_telling: bool, patience: Patience | None = None
    ) -> None:
        self._store = store
        self._outbox = outbox
        self._gateway = gateway
        self._uploader = FileUploader(outbox, gateway)
        self._lanes = ALL_LANES if is_telling else (Lane.ANSWERS,)
        self._patience = patience or Patience()
        self._name = f"{own_name()}:{uuid.uuid4().hex[:8]}"

    def step(self, now: datetime | None = None, lanes: tuple[Lane, ...] = ALL_LANES) -> float | None:
        """Does the most pressing thing. Returns after how many seconds there may be more: 0 at once, None unknown.

        Raises StoreUnavailable.
        """
        now = now or utc_now()
        lanes = tuple(lane for lane in lanes if lane in self._lanes)
        if not lanes:
            return None
        with self._store.session():
            if not self._outbox.has_work(lanes, self._name, now):
                return None
            pause = self._get_rate_limit_seconds(now)
        pause = pause if pause > 0 else self._gateway.outage.take_turn()
        if pause > 0:
            return pause
        try:
            return self._do_most_pressing(lanes, now)
        finally:
            self._gateway.outage.give_back_turn()

    def _do_most_pressing(self, lanes: tuple[Lane, ...], now: datetime) -> float | None:
        """Answers go before look-ups, and these before news, which leave some requests of each minute to answers."""
        news = tuple(lane for lane in lanes if lane in NEWS)
        answers_wait = self._gateway.pace.seconds_until_free(0)
        if answers_wait > 0:
            return answers_wait
        if Lane.ANSWERS in lanes and (wait := self._send_next((Lane.ANSWERS,), now)) is not None:
            return wait
        news_wait = self._gateway.pace.seconds_until_free(RESERVED_REQUESTS)
        if (wait := self._look_up_next(lanes if news_wait <= 0 else (Lane.ANSWERS,), now)) is not None:
            return wait
        if not news:
            return None
        return news_wait if news_wait > 0 else self._send_next(news, now)

    # ---- sending ----

    def _send_next(self, lanes: tuple[Lane, ...], now: datetime) -> float | None:
        began = monotonic()
        with self._store.session():
            message = self._outbox.claim(self._name, now, lanes)
            if message is None:
                return None
            if message.expires_at is not None and message.expires_at < now:
                self._outbox.replace_expired(message)
        try:
            self._uploader.upload_all(message)
            if monotonic() - began > SENT_WITHIN_SECONDS:
                return self._send_later(message, _later(now, began))
            zulip_message_id = self._gateway.send(get_place(message), message.content, get_widget(message))
        except LMSBotError as error:
            return self._failed(message, error, _later(now, began))
        with self._store.session():
            self._outbox.mark_sent(message, zulip_message_id, _later(now, began))
        logger.info("told Zulip user %s (Zulip message %s)", message.zulip_user_id, zulip_message_id)
        return 0.0

    def _send_later(self, message: Message, now: datetime) -> float:
        """After standing still, or uploading for long: somebody else may have it by now, and then keeps it."""
        logger.info("message %s is not sent: it was taken too long ago", message.message_id)
        with self._store.session():
            self._outbox.mark_ready(message, now, message.reason, message.tries)
        return 0.0

    def _failed(self, message: Message, error: LMSBotError, now: datetime) -> float:
        """Decides what a failure means for the message: see the classes of exceptions."""
        if isinstance(error, StoreUnavailable):
            raise error
        with self._store.session():
            if isinstance(error, ZulipRefused) and message.buttons:
                # Claimed anew before it is sent again, since two requests may take longer than a claim lasts.
                logger.info(
                    "Zulip refuses message %s, perhaps for its buttons: it is sent without", message.message_id
                )
                self._outbox.mark_ready(message, message.not_before, str(error), message.tries, has_buttons=False)
                return 0.0
            if isinstance(error, ZulipRefused):
                logger.warning("Zulip refuses message %s for good; see `errors`", message.message_id)
                self._outbox.mark_dead(message, f"Zulip says: {error}{_what_to_do(str(error))}", now)
                return 0.0
            if isinstance(error, ZulipFateUnknown):
                logger.warning("message %s may or may not be sent: %s", message.message_id, error)
                grace = self._patience.failed if isinstance(error, ZulipFailed) else self._patience.lost
                self._outbox.mark_unknown(message, now, str(error), now + timedelta(seconds=grace))
                return 0.0
            logger.warning("message %s not sent: %s", message.message_id, error)
            self._outbox.mark_ready(message, now, str(error), message.tries)
        return self._pause(error, now)

    # ---- looking up ----

    def _look_up_next(self, lanes: tuple[Lane, ...], now: datetime) -> float | None:
        """Finds out what became of a message in doubt."""
        with self._store.session():
            message = self._outbox.claim_unknown(now, timedelta(seconds=self._patience.lost), lanes)
        if message is None:
            return None
        began = monotonic()
        try:
            found = self._find_sent(message)
        except ZulipRefused as error:
            logger.warning("Zulip refuses to look up message %s; see `errors`", message.message_id)
            with self._store.session():
                self._outbox.mark_dead(message, f"sent perhaps, but Zulip cannot look it up: {error}", now)
            return 0.0
        except LMSBotError as error:
            now = _later(now, began)
            with self._store.session():
                self._outbox.mark_unknown(message, now + LOOK_UP_AGAIN, message.reason)
            return self._pause(error, now)
        with self._store.session():
            if found is not None:
                self._outbox.mark_sent(message, found, now)
            else:
                self._not_found(message, now)
        return 0.0

    def _not_found(self, message: Message, now: datetime) -> None:
        """Not there: wait while Zulip may still be finishing, then try again, but not for ever.

        Without its buttons: they may be what Zulip fails at.
        """
        if now < message.lease_until:
            later = now + timedelta(seconds=self._patience.between_lookups)
            self._outbox.mark_unknown(message, later, message.reason)
            return
        tries = message.tries + 1
        if tries >= MOST_TRIES:
            self._outbox.mark_dead(message, f"given up after {tries} tries: {message.reason}", now)
            return
        delay = RETRY_SECONDS[tries - 1] * random.uniform(0.8, 1.2)
        not_before = now + timedelta(seconds=delay)
        self._outbox.mark_ready(message, not_before, message.reason, tries, has_buttons=False)

    def _find_sent(self, message: Message) -> int | None:
        """The message's id in Zulip, whose ids only grow, if it is there and not known to be another one."""
        with self._store.session():
            since, after_id = 0.0, message.after_id
            if after_id is None:
                after_id = self._outbox.get_last_zulip_id(message, before=message.claimed_at - CLOCKS_DIFFER)
                since = (message.claimed_at - ZULIPS_CLOCK_DIFFERS).timestamp()
            known_ids = self._outbox.get_known_ids(message, after_id)
        return self._gateway.find_sent(get_place(message), message.content, since, known_ids, after_id)

    # ---- pausing ----

    def _pause(self, error: LMSBotError, now: datetime) -> float:
        """Returns the seconds of the pause. What Zulip asks of the account is for all processes that use it."""
        seconds = self._gateway.outage.note_failure(error)
        if isinstance(error, ZulipRateLimited):
            with self._store.transaction():
                self._store.lock(RATE_LIMIT_KEY)  # another sender may have been told to wait longer
                longest = max(seconds, self._get_rate_limit_seconds(now))
                KeyValue.put(RATE_LIMIT_KEY, (now + timedelta(seconds=longest)).isoformat())
            return longest
        return seconds

    def _get_rate_limit_seconds(self, now: datetime) -> float:
        """For how long Zulip asked this account to be silent; not above 0: it did not."""
        until = KeyValue.find(RATE_LIMIT_KEY)
        return 0.0 if until is None else (datetime.fromisoformat(until) - now).total_seconds()

    # ---- without a store ----

    def send_unwritten(self, draft: Draft) -> None:
        """Sends what cannot be written down since the store is away: better without a record than no answer.

        Raises LMSBotError where it was not sent, or is not known to be.
        """
        content = without_files(draft.content, draft.files)
        try:
            self._gateway.send(draft.destination, content)
        except ZulipFateUnknown:
            if self._gateway.find_sent(draft.destination, content, 0.0, after_id=draft.after_id) is None:
                raise


def _later(now: datetime, began: float) -> datetime:
    """The present, for a step that took `began` (monotonic seconds) for `now`."""
    return now + timedelta(seconds=monotonic() - began)


def _what_to_do(said: str) -> str:
    """What an admin can do about Zulip's refusal."""
    advice = next((advice for words, advice in WHAT_TO_DO.items() if words in said), None)
    return f" What helps: {advice}, then retry." if advice else ""
