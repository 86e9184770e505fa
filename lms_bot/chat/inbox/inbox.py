"""Puts the parts together: what is heard waits for its turn, answerers answer it, and the keeper mends.

One process of the bot answers at a time: whoever holds the duty. What is not answered is unread in Zulip or
unanswered in the store, so that the next holder finds it there; nothing else need be handed over.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from time import monotonic
from typing import TYPE_CHECKING, Any

from lms_bot.chat.inbox.answerer import Answerer
from lms_bot.chat.inbox.courier import Courier
from lms_bot.chat.inbox.fair_queue import FairQueue
from lms_bot.chat.inbox.incoming import IncomingMessage, read_incoming
from lms_bot.chat.inbox.listener import BETWEEN_POLLS_SECONDS, Listener
from lms_bot.chat.inbox.typing_indicator import TypingIndicator
from lms_bot.chat.inbox.unread import UnreadReader
from lms_bot.core.clock import utc_now
from lms_bot.core.errors import LMSBotError, ZulipRefused, without_words
from lms_bot.insight import seen
from lms_bot.outbox.sender import Patience
from lms_bot.store.conversation import Answer
from lms_bot.store.leases import Leases, own_name

if TYPE_CHECKING:
    from lms_bot.app import App

logger = logging.getLogger(__name__)

DUTY = "answers"
LEASE_SECONDS = 30.0  # longer than a request to Zulip may take
RENEW_SECONDS = 2.0
MEND_SECONDS = 60.0
RETRY_SECONDS = 30.0
ENDING_SECONDS = 0.3
RECEIVED_REMEMBERED = 5000
RESERVED_REQUESTS = 10  # of each minute's, left for what matters more than marking as read
SHARE = 0.1  # of the requests Zulip allows the account: what one person gets answers for


@dataclass(frozen=True)
class Habits:
    """How the inbox goes about it; `per_minute` None is a share of what Zulip allows the account."""

    answerers: int = 5
    at_once: int = 8
    per_minute: float | None = None
    most_waiting: int = 50
    typing_after_seconds: float = 0.3
    between_polls_seconds: float = BETWEEN_POLLS_SECONDS
    between_marks_seconds: float = 2.0  # of what was answered as read, together
    patience: Patience = field(default_factory=Patience)


class Inbox:
    """What people write to the bot. It needs a Zulip; `start` and `stop` it as the app."""

    def __init__(self, app: App, habits: Habits | None = None) -> None:
        assert app.gateway is not None
        self._app = app
        self._habits = habits or Habits()
        self._stopping = threading.Event()
        self.queue = FairQueue(
            per_minute=self._get_rate, at_once=self._habits.at_once, most_waiting=self._habits.most_waiting
        )
        self.listener = Listener(app.gateway, self, between_polls_seconds=self._habits.between_polls_seconds)
        self._typing = TypingIndicator(app.gateway, self._habits.typing_after_seconds)
        courier = Courier(app, self._habits.patience, self._stopping)
        self._answerer = Answerer(app, courier, self._typing, self._habits.patience)
        self._unread = UnreadReader(app, courier, self._put, self.note_reaction)
        self._leases = Leases(app.store)
        self._lock = threading.Lock()
        self._received: deque[str] = deque(maxlen=RECEIVED_REMEMBERED)
        self._read_ids: set[int] = set()
        self._renew_at = self._mend_at = self._mark_at = 0.0
        self._look_at: float | None = None
        self._awake, self._kept, self._unread_due = threading.Event(), threading.Event(), threading.Event()
        self._is_started = self.is_on_duty = False

    # ---- running ----

    def start(self) -> None:
        self._is_started = True
        jobs = self._app.jobs
        self.listener.start()
        jobs.repeat(self.keep, self._kept, "inbox")
        jobs.repeat(self.read_unread, self._unread_due, "reader")
        jobs.repeat(self._typing.step, self._typing.awake, "typing")
        for number in range(self._habits.answerers):
            jobs.repeat(self.answer_next, self._awake, f"answerer {number}")

    def stop(self) -> None:
        """Nothing more is begun, and who waits for Zulip gives up: all of it is found again after the next start."""
        self._stopping.set()
        self.listener.stop(ENDING_SECONDS)

    def give_back(self) -> None:
        """Another process may answer now. Raises StoreUnavailable."""
        if self.is_on_duty:
            self._leave_duty()
            self._leases.release(DUTY)

    def drain(self, timeout_seconds: float) -> bool:
        """Waits until nothing waits for an answer."""
        return self.queue.wait_until_empty(timeout_seconds)

    @property
    def is_up_to_date(self) -> bool:
        """Whether this process answers, and has read what was unread."""
        return self.is_on_duty and self._look_at is None

    def describe(self) -> tuple[bool, str]:
        """Whether what people write is heard, in words."""
        if not self._is_started:
            return True, "answering is left to the bot itself"
        if not self.listener.is_listening:
            return False, "nothing is heard from Zulip just now"
        count = len(self.queue.get_keys())
        return True, f"heard; {count} waiting" if self.is_on_duty else "heard; another process answers"

    # ---- what is heard ----

    def receive_message(self, message: Mapping[str, Any]) -> None:
        """The framework heard a message to us. Before it is known who we are, nobody answers anyway."""
        if self.listener.me is not None:
            whole = {**message, "content": message.get("full_content") or message["content"]}
            incoming = read_incoming(whole, ("mentioned",), self.listener.me)
            if incoming is not None:
                self.receive(incoming)

    def receive(self, incoming: IncomingMessage) -> None:
        """Somebody wrote. Heard twice, it is answered once."""
        with self._lock:
            is_known = incoming.key in self._received
            self._received.append(incoming.key)
        if self.is_on_duty and not is_known:
            self._put(incoming)

    def note_listening(self) -> None:
        """From now on what people write is heard; what they wrote before may be unread."""
        self._renew_at = 0.0
        self._kept.set()
        self.look_again()

    def note_edit(self, message_id: int, sender_id: int, edited_at: int) -> None:
        """Somebody changed what they wrote, which may be a command put right."""
        if self.is_on_duty and not self.queue.reread(message_id):
            self.receive(IncomingMessage(message_id, sender_id, edited_at=edited_at))

    def note_reaction(self, message_id: int, zulip_user_id: int, is_added: bool) -> None:
        """Somebody ticked a message off, or took the tick back."""
        if not self.is_on_duty:
            return
        try:
            context = self._app.context
            seen.note_reaction(context.store, context.access, zulip_user_id, message_id, is_added, utc_now())
            self._unread.remember_check_mark(message_id, is_added)
        except LMSBotError as error:
            logger.warning("a reaction could not be noted: %s", error)
            self._try_later()

    def look_again(self) -> None:
        """There may be something unread."""
        self._look_at = monotonic()
        self._unread_due.set()

    # ---- answering ----

    def answer_next(self) -> float | None:
        """Answers one incoming. Returns after how many seconds there may be another: 0 at once, None unknown."""
        if self._stopping.is_set() or self.listener.me is None:
            return None
        incoming = self.queue.take()
        if not isinstance(incoming, IncomingMessage):
            return incoming
        try:
            self._answerer.answer(incoming, self.listener.me)
            self._mark_read(incoming)
        except LMSBotError as error:
            logger.warning("message %s is not answered yet: %s", incoming.message_id, error)
            self._try_later()
        except Exception as error:  # it would fail again, and is not tried again
            logger.error("message %s could not be answered", incoming.message_id, exc_info=without_words(error))
            self._answerer.settle(incoming)
            self._mark_read(incoming)
        finally:
            self.queue.done(incoming)
        return 0.0

    def _put(self, incoming: IncomingMessage) -> None:
        if not self.queue.put(incoming):
            self._mark_read(incoming)
        self._awake.set()

    def _mark_read(self, incoming: IncomingMessage) -> None:
        with self._lock:
            self._read_ids.add(incoming.message_id)
        self._kept.set()

    def _get_rate(self) -> float:
        """How many answers a minute one person gets."""
        assert self._app.gateway is not None
        return self._habits.per_minute or max(1.0, self._app.gateway.pace.limit * SHARE)

    # ---- keeping ----

    def keep(self) -> float | None:
        """Holds the duty, and does what it brings: mends, and marks as read what is answered.

        Returns after how many seconds there is more to do, None: not soon.
        """
        if self._stopping.is_set():
            return None
        now = monotonic()
        if now >= self._renew_at:
            self._renew_at = now + RENEW_SECONDS
            self._renew_duty()
        if not self.is_on_duty:
            return None
        if now >= self._mend_at:
            self._mend_at = now + MEND_SECONDS
            self._mend(utc_now(), RETRY_SECONDS)
        if self._read_ids and now >= self._mark_at:
            self._mark_at = now + self._habits.between_marks_seconds
            self._mark_all_read()
        return max(0.01, self._mark_at - now) if self._read_ids else None

    def read_unread(self) -> float | None:
        """Reads what is unread, if that is due: in a thread of its own, since who is owed an apology may be many."""
        due_at, me = self._look_at, self.listener.me
        if self._stopping.is_set() or not self.is_on_duty or me is None or due_at is None or monotonic() < due_at:
            return None
        try:
            self._unread.read(me, utc_now())
        except LMSBotError:
            self._try_later()
            raise
        if self._look_at == due_at:  # else there may be something unread since
            self._look_at = None
        return 0.0

    def _renew_duty(self) -> None:
        """Only who hears answers. While the store is away, who answered goes on and nobody else begins."""
        if not self.listener.is_listening:
            self.give_back()
        elif not self._leases.acquire(DUTY, LEASE_SECONDS, utc_now()):
            self._leave_duty()
        elif not self.is_on_duty:
            self._mend(utc_now(), 0.0)  # before anything new: answers to one person stay in order
            self.is_on_duty = True
            self.look_again()

    def _leave_duty(self) -> None:
        """What waits here is unread in Zulip, where the next holder finds it."""
        if self.is_on_duty:
            self.is_on_duty = False
            self.queue.drop_waiting()

    def _mend(self, now: datetime, younger_seconds: float) -> None:
        """Takes up what somebody began to answer and did not finish, of our own not what is so young.

        We are on duty: whoever else began is dead or late, and does not send it any more.
        """
        ours = self.queue.get_keys()
        with self._app.store.transaction():
            left = [row for row in Answer.get_unanswered() if row.key not in ours]
            left = [row for row in left if row.taken_by != own_name() or _age(row, now) >= younger_seconds]
            messages = [_resume(row) for row in left if Answer.take_over(row, own_name())]
        for incoming in messages:
            self._put(incoming)

    def _mark_all_read(self) -> None:
        assert self._app.gateway is not None
        with self._lock:
            read_ids = sorted(self._read_ids)
        if self._app.gateway.pace.seconds_until_free(RESERVED_REQUESTS) == 0:
            with suppress(ZulipRefused):  # a refusal is for good
                self._app.gateway.mark_read(read_ids)
            with self._lock:
                self._read_ids.difference_update(read_ids)

    def _try_later(self) -> None:
        """What could not be done is in the store and in Zulip, to be found there."""
        self._look_at = self._mend_at = monotonic() + RETRY_SECONDS


def _age(row: Answer, now: datetime) -> float:
    return (now - row.taken_at).total_seconds()


def _resume(row: Answer) -> IncomingMessage:
    edited_at = row.key.partition(":")[2]
    return IncomingMessage(
        row.zulip_message_id,
        row.zulip_user_id,
        edited_at=int(edited_at) if edited_at else None,
        is_resumed=True,
        content=row.content,
    )
