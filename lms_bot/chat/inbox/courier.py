"""Brings one answer to Zulip, once: waits where Zulip asks to, and looks up what may have arrived."""

from __future__ import annotations

import logging
import threading
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING

from lms_bot.core.errors import (
    LMSBotError,
    StoreUnavailable,
    ZulipFailed,
    ZulipFateUnknown,
    ZulipRateLimited,
    ZulipRefused,
    ZulipUnavailable,
)
from lms_bot.outbox.sender import Patience
from lms_bot.store.conversation import Answer
from lms_bot.store.leases import own_name
from lms_bot.zulip.gateway import Gateway, Place

if TYPE_CHECKING:
    from lms_bot.app import App

logger = logging.getLogger(__name__)

TRIES = 4
FIRST_LOOK_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 60.0


class TakenOver(LMSBotError):
    """Another process answers this now."""


@dataclass(frozen=True)
class Parcel:
    """A text and where it goes; `after_id` is the message it answers, whose id is smaller than its own will be.

    `lost_for_seconds`: a process that died may have sent it, and Zulip may still be at it for so long; None
    where nobody can have sent it yet. `key` is that of the `Answer` it is, which another process may take over.
    """

    place: Place
    text: str
    after_id: int
    lost_for_seconds: float | None = None
    key: str | None = None


class Courier:
    def __init__(self, app: App, patience: Patience, stopping: threading.Event) -> None:
        self._app = app
        self._patience = patience
        self._stopping = stopping

    def deliver(self, parcel: Parcel) -> int | None:
        """Sends it and returns Zulip's id of it; None where Zulip refuses it for good.

        Raises ZulipUnavailable where Zulip does not take it now, or the bot is ending; TakenOver.
        """
        try:
            if parcel.lost_for_seconds is not None:
                found = self._find_within(parcel, parcel.lost_for_seconds)
                if found is not None:
                    return found
            return self._send(parcel)
        except ZulipRefused:  # its words may name somebody
            logger.warning("Zulip refuses the answer to message %s for good", parcel.after_id)
            return None

    def find(self, parcel: Parcel) -> int | None:
        """Zulip's id of it, if somebody who died has sent it. Raises ZulipUnavailable where that cannot be told."""
        try:
            return self._find_within(parcel, self._patience.lost)
        except ZulipRefused:
            return None

    def wait_for_zulip(self, reserved: int = 0) -> None:
        """Until Zulip lets this account ask: its 429 to any of our senders, also of another process, is for all.

        `reserved` requests of the minute are left for others.
        """
        seconds = self._gateway.pace.seconds_until_free(reserved)
        with suppress(LMSBotError):
            seconds = max(seconds, self._app.notifier.get_rate_limit_seconds())
        self._wait(seconds)

    def pause(self, error: LMSBotError, seconds: float) -> None:
        """After this error, as long as Zulip said, else so many seconds."""
        if isinstance(error, ZulipRateLimited):
            with suppress(LMSBotError):
                self._app.notifier.note_rate_limit(error)
        self._wait(min(LONGEST_PAUSE_SECONDS, error.retry_after_seconds or seconds))

    def _send(self, parcel: Parcel) -> int:
        for tries in range(TRIES):
            self.wait_for_zulip()
            self._check_ours(parcel)
            try:
                return self._gateway.send(parcel.place, parcel.text)
            except ZulipFateUnknown as error:
                patience = self._patience.failed if isinstance(error, ZulipFailed) else self._patience.lost
                found = self._find_within(parcel, patience)
                if found is not None:
                    return found
            except ZulipRefused:
                raise
            except LMSBotError as error:
                self.pause(error, 2.0**tries)
        raise ZulipUnavailable("an answer could not be sent: Zulip does not take it")

    def _check_ours(self, parcel: Parcel) -> None:
        """After we stood still, or waited for long, somebody else may have taken us for dead and answered."""
        with suppress(StoreUnavailable), self._app.store.session():
            if parcel.key is not None and not Answer.is_held_by(parcel.key, own_name()):
                raise TakenOver("another process answers it")

    def _find_within(self, parcel: Parcel, seconds: float) -> int | None:
        """Looks for it for so long. Only where the last look was good, not finding it means that it is not there."""
        give_up_at, pause = monotonic() + seconds, min(FIRST_LOOK_SECONDS, seconds)
        while True:
            trouble = None
            try:
                self.wait_for_zulip()
                found = self._find(parcel)
                if found is not None:
                    return found
            except ZulipRefused:
                raise
            except LMSBotError as error:
                trouble = error
            if monotonic() >= give_up_at:
                if trouble is not None:
                    raise ZulipUnavailable("whether an answer has arrived cannot be found out now") from trouble
                return None
            self._wait(min(pause, max(0.01, give_up_at - monotonic())))
            pause = self._patience.between_lookups

    def _find(self, parcel: Parcel) -> int | None:
        known_ids: set[int] = set()
        if isinstance(parcel.place, tuple) and len(parcel.place) == 1:
            with suppress(LMSBotError), self._app.store.session():
                known_ids = Answer.get_answer_ids(parcel.place[0])
        return self._gateway.find_sent(parcel.place, parcel.text, 0.0, known_ids, parcel.after_id)

    def _wait(self, seconds: float) -> None:
        if seconds > 0 and self._stopping.wait(seconds):
            raise ZulipUnavailable("the bot is ending")

    @property
    def _gateway(self) -> Gateway:
        assert self._app.gateway is not None
        return self._app.gateway
