"""Puts the parts together: what is heard waits for its turn, answerers answer it, and what was missed is read.

One process of the bot answers at a time: whoever holds the duty. What is not answered is unread in Zulip, so that the
next holder finds it there; nothing else need be handed over.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from time import monotonic
from typing import Any

from lms_bot.chat.inbox.answerer import Answerer, Respond
from lms_bot.chat.inbox.fair_queue import FairQueue
from lms_bot.chat.inbox.habits import Habits
from lms_bot.chat.inbox.incoming import IncomingMessage, read_incoming
from lms_bot.chat.inbox.listener import Listener
from lms_bot.chat.inbox.typing_indicator import TypingIndicator
from lms_bot.chat.inbox.unread import UnreadReader
from lms_bot.core.bell import Bell
from lms_bot.core.clock import utc_now
from lms_bot.core.errors import LMSBotError, ZulipRefused, ZulipUnavailable, without_words
from lms_bot.outbox.outbox import Outbox
from lms_bot.outbox.sender import Sender
from lms_bot.people.users import UserMapper
from lms_bot.store.database import Store
from lms_bot.store.leases import Leases
from lms_bot.zulip.gateway import Gateway

logger = logging.getLogger(__name__)

DUTY = "answers"
LEASE_SECONDS = 30.0  # longer than a request to Zulip may take
RENEW_SECONDS = 2.0
RETRY_SECONDS = (1.0, 2.0, 5.0, 15.0, 30.0)
ANSWER_AGAIN_SECONDS = 5.0
LONGEST_HOLD_SECONDS = 60.0
ENDING_SECONDS = 0.3
RECEIVED_REMEMBERED = 5000
RESERVED_REQUESTS = 10  # of each minute's, left for what matters more than marking as read
MOST_PAUSES = 5  # for so many marking as read waits, at most, while answers go on
SHARE = 0.1  # of the requests Zulip allows the account: what one person gets answers for

NoteReaction = Callable[[int, int, bool], object]
"""Told of a check mark: whose (Zulip user id), on which message, whether it is there now. Raises LMSBotError."""

Job = tuple[Callable[[], "float | None"], Bell, str]
"""A step to be repeated, what wakes it, and its name."""


class Inbox:
    """What people write to the bot. `start` it, have its `jobs` run, and `stop` it.

    Until what was unread is read, nothing is answered that is heard: what somebody wrote first is answered first.
    """

    def __init__(
        self,
        store: Store,
        gateway: Gateway,
        outbox: Outbox,
        sender: Sender,
        users: UserMapper,
        respond: Respond,
        note_reaction: NoteReaction,
        habits: Habits | None = None,
    ) -> None:
        self._gateway = gateway
        self._habits = habits or Habits()
        self._note_reaction = note_reaction
        self._stopping = threading.Event()
        self.queue = FairQueue(
            per_minute=self._get_rate, at_once=self._habits.at_once, most_waiting=self._habits.most_waiting
        )
        self.listener = Listener(gateway, self, users.forget_zulip, self._habits.between_polls_seconds)
        self._typing = TypingIndicator(gateway, self._habits.typing_after_seconds)
        self._answerer = Answerer(store, gateway, outbox, sender, users, self._typing, respond)
        self._unread = UnreadReader(store, gateway, outbox, users, self._put, self.note_reaction, self._wait)
        self._leases = Leases(store)
        self._lock = threading.Lock()
        self._received: deque[str] = deque(maxlen=RECEIVED_REMEMBERED)
        self._read_ids: set[int] = set()
        self._renew_at = self._mark_at = self._mark_by = self._held_until = 0.0
        self._look_at: float | None = None
        self._failures = 0
        self._bell, self._kept, self._unread_due = Bell(), Bell(), Bell()
        self._is_started = self.is_on_duty = False
        gateway.outage.call_at_end(self._look_now)

    # ---- running ----

    def start(self) -> None:
        self._is_started = True
        self.listener.start()

    def get_jobs(self) -> Iterator[Job]:
        yield self.keep, self._kept, "inbox"
        yield self.read_unread, self._unread_due, "reader"
        yield self._typing.step, self._typing.bell, "typing"
        for number in range(self._habits.answerers):
            yield self.answer_next, self._bell, f"answerer {number}"

    def stop(self) -> None:
        """Nothing more is begun: all of it is found again after the next start."""
        self._stopping.set()
        self.listener.stop(ENDING_SECONDS)

    def give_back(self) -> None:
        """Another process may answer now. Raises StoreUnavailable."""
        if self.is_on_duty:
            self._leave_duty()
            self._leases.release(DUTY)

    def drain(self, timeout_seconds: float) -> bool:
        """Waits until nothing waits for an answer to be written."""
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
        self._kept.ring()
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
            self._note_reaction(zulip_user_id, message_id, is_added)
            self._unread.remember_check_mark(message_id, is_added)
        except LMSBotError as error:
            logger.warning("a reaction could not be noted: %s", error)
            self._try_later()

    def look_again(self) -> None:
        """There may be something unread, of before what is heard from now on."""
        self._held_until = monotonic() + LONGEST_HOLD_SECONDS
        self._look_at = monotonic()
        self._unread_due.ring()

    def _look_now(self) -> None:
        """What could not be read, or answered, may be now."""
        if self._look_at is not None:
            self._look_at = monotonic()
            self._unread_due.ring()

    # ---- answering ----

    def answer_next(self) -> float | None:
        """Answers one message. Returns after how many seconds there may be another: 0 at once, None unknown."""
        if self._stopping.is_set() or self.listener.me is None or monotonic() < self._held_until:
            return None
        incoming = self.queue.take()
        if not isinstance(incoming, IncomingMessage):
            return incoming
        self._bell.ring()
        try:
            self._answerer.answer(incoming, self.listener.me)
        except LMSBotError as error:
            logger.warning("message %s is not answered yet: %s", incoming.message_id, error)
            self.queue.done(incoming, again_in_seconds=ANSWER_AGAIN_SECONDS)
            return 0.0
        except Exception as error:  # it would fail again, and is not tried again
            logger.error("message %s could not be answered", incoming.message_id, exc_info=without_words(error))
            self._answerer.settle(incoming)
        self._mark_read(incoming)
        self.queue.done(incoming)
        return 0.0

    def _put(self, incoming: IncomingMessage) -> None:
        if not self.queue.put(incoming):
            self._mark_read(incoming)
        self._bell.ring()

    def _open(self) -> None:
        """What is heard may be answered: what was written before is in the queue as well."""
        self._held_until = 0.0
        self._bell.ring()

    def _mark_read(self, incoming: IncomingMessage) -> None:
        """Not at once, nor while more is asked: answers go out first, and many are marked with one request."""
        now, pause = monotonic(), self._habits.between_marks_seconds
        with self._lock:
            if is_first := not self._read_ids:
                self._mark_by = now + MOST_PAUSES * pause
            self._mark_at = min(self._mark_by, now + pause)
            self._read_ids.add(incoming.message_id)
        if is_first:
            self._kept.ring()

    def _get_rate(self) -> float:
        """How many answers a minute one person gets."""
        return self._habits.per_minute or max(1.0, self._gateway.pace.limit * SHARE)

    # ---- keeping ----

    def keep(self) -> float | None:
        """Holds the duty, and marks as read what is answered. Returns after how many seconds there is more to do."""
        if self._stopping.is_set():
            return None
        if (now := monotonic()) >= self._renew_at:
            self._renew_at = now + RENEW_SECONDS
            self._renew_duty()
        if not self.is_on_duty:
            return None
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
            self._unread.read(me, utc_now(), then=self._open)
        except LMSBotError:
            self._try_later()
            raise
        self._failures = 0
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
            self.look_again()  # before anything new: answers to one person stay in order
            self.is_on_duty = True

    def _leave_duty(self) -> None:
        """What waits here is unread in Zulip, where the next holder finds it."""
        if self.is_on_duty:
            self.is_on_duty = False
            self.queue.drop_waiting()

    def _mark_all_read(self) -> None:
        with self._lock:
            read_ids = sorted(self._read_ids)
        if self._gateway.pace.seconds_until_free(RESERVED_REQUESTS) == 0:
            with suppress(ZulipRefused):  # a refusal is for good
                self._gateway.mark_read(read_ids)
            with self._lock:
                self._read_ids.difference_update(read_ids)

    def _try_later(self) -> None:
        """What could not be done is in Zulip, to be found there."""
        seconds = RETRY_SECONDS[min(self._failures, len(RETRY_SECONDS) - 1)]
        self._failures += 1
        self._look_at = monotonic() + seconds

    def _wait(self, seconds: float) -> None:
        if self._stopping.wait(seconds):
            raise ZulipUnavailable("the bot is ending")
