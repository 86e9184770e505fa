"""Hears from Zulip what people write, change and react with, through an event queue of our own.

The framework listens too, to messages only; when its queue is lost, so is what was written meanwhile.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from time import monotonic
from typing import Any, Protocol

from lms_bot.chat.inbox.incoming import IncomingMessage, Me, is_check_mark, read_incoming
from lms_bot.core.errors import LMSBotError, ZulipForbidden, ZulipRefused, without_words
from lms_bot.zulip.gateway import EventQueue, Gateway

logger = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS = 0.25  # after a failure; doubled with each
LONGEST_PAUSE_SECONDS = 10.0
BETWEEN_POLLS_SECONDS = 0.3  # Zulip counts polls, too, and all that we send is an event
NAME_SERVES_SECONDS = 20.0  # a mention that seems to be of somebody else is none more often than that
DEAF_SECONDS = 150.0  # without an answer to a poll, where a heartbeat comes within a minute


class Hearer(Protocol):
    """Who is told what was heard."""

    def note_listening(self) -> None: ...

    def receive(self, incoming: IncomingMessage) -> None: ...

    def note_edit(self, message_id: int, sender_id: int, edited_at: int) -> None: ...

    def note_reaction(self, message_id: int, zulip_user_id: int, is_added: bool) -> None: ...


class Listener:
    """A thread that polls. Whatever happens, it goes on; it is not waited for when the bot ends."""

    def __init__(
        self,
        gateway: Gateway,
        hearer: Hearer,
        on_people_changed: Callable[[], None] = lambda: None,
        between_polls_seconds: float = BETWEEN_POLLS_SECONDS,
        *,
        now: Callable[[], float] = monotonic,
    ) -> None:
        self._gateway = gateway
        self._hearer = hearer
        self._on_people_changed = on_people_changed
        self._between_polls_seconds = between_polls_seconds
        self._now = now
        self._stopping = threading.Event()
        self._queue: EventQueue | None = None
        self._heard_at = 0.0
        self._has_failed = False
        self.me: Me | None = None
        self._me_at = 0.0

    def start(self) -> None:
        threading.Thread(target=self._run, name="listener", daemon=True).start()

    def stop(self, timeout_seconds: float) -> None:
        """Gives the queue back, which ends the poll; a Zulip that does not answer is not waited for."""
        self._stopping.set()
        queue = self._queue
        if queue is not None:
            ending = threading.Thread(target=self._delete, args=(queue,), daemon=True)
            ending.start()
            ending.join(timeout_seconds)

    @property
    def is_listening(self) -> bool:
        return self._queue is not None and self._now() - self._heard_at < DEAF_SECONDS

    def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            try:
                self.hear()
                failures, pause = 0, self._between_polls_seconds
                self._has_failed = False
            except LMSBotError as error:
                failures += 1
                self._has_failed = True  # so that the first poll that works says so at once
                pause = error.retry_after_seconds or FIRST_PAUSE_SECONDS * 2 ** min(failures, 10)
                if not self._stopping.is_set():
                    logger.warning("nothing is heard from Zulip: %s", error)
            except Exception as error:
                failures, pause = failures + 1, LONGEST_PAUSE_SECONDS
                logger.error("the listener failed; it goes on", exc_info=without_words(error))
            self._stopping.wait(min(pause, LONGEST_PAUSE_SECONDS))

    def hear(self) -> None:
        """Waits for the next events and hands them on. Raises LMSBotError where Zulip cannot be heard."""
        if self._queue is None:
            self._read_own_profile()
            self._queue = self._gateway.register()
            self._heard_at = self._now()
            self._hearer.note_listening()
        try:
            events = self._gateway.fetch_events(self._queue, is_waiting=not self._has_failed)
        except (ZulipRefused, ZulipForbidden):  # the queue is gone, or we are, or we do not agree on what was heard
            self._queue = None
            raise
        self._heard_at = self._now()
        for event in events:
            self._queue.last_event_id = max(self._queue.last_event_id, int(event["id"]))
            try:
                self._hand_on(event)
            except Exception as error:  # the others need not suffer
                logger.error("an event of Zulip's could not be dealt with", exc_info=without_words(error))

    def _hand_on(self, event: Mapping[str, Any]) -> None:
        assert self.me is not None
        kind, is_ours = event["type"], event.get("user_id") == self.me.user_id
        if kind == "message":
            incoming = read_incoming(event["message"], event["flags"], self.me)
            if incoming is None and "mentioned" in event["flags"] and self._now() - self._me_at > NAME_SERVES_SECONDS:
                self._read_own_profile()  # perhaps we are called otherwise now
                incoming = read_incoming(event["message"], event["flags"], self.me)
            if incoming is not None:
                self._hearer.receive(incoming)
        elif kind == "update_message" and _is_of_content(event) and not is_ours:
            self._hearer.note_edit(int(event["message_id"]), int(event["user_id"]), int(event["edit_timestamp"]))
        elif kind == "realm_user":
            self._on_people_changed()
            if event["op"] == "update" and event["person"].get("user_id") == self.me.user_id:
                with suppress(LMSBotError):  # at the latest a mention by another name has it read again
                    self._read_own_profile()
        elif kind == "reaction" and is_check_mark(event) and not is_ours:
            self._hearer.note_reaction(int(event["message_id"]), int(event["user_id"]), event["op"] == "add")

    def _read_own_profile(self) -> None:
        self.me = Me.of_profile(self._gateway.fetch_own_profile())
        self._me_at = self._now()

    def _delete(self, queue: EventQueue) -> None:
        with suppress(LMSBotError):
            self._gateway.delete_queue(queue)


def _is_of_content(event: Mapping[str, Any]) -> bool:
    """Whether what the message says was changed, to us: not its topic, and not only how it is shown."""
    is_changed = "content" in event and event["content"] != event.get("orig_content")
    is_to_us = "stream_id" not in event or "mentioned" in event.get("flags", ())
    return is_changed and is_to_us and event.get("user_id") is not None and not event.get("rendering_only", False)
