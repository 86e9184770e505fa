"""Answers one incoming, once: taken, made, written down, sent, settled. A crash between any two loses nothing."""

from __future__ import annotations

import logging
import re
import uuid
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from lms_bot.chat.inbox.courier import Courier, Parcel
from lms_bot.chat.inbox.incoming import EDIT_SECONDS, IncomingMessage, Me, read_incoming
from lms_bot.chat.inbox.typing_indicator import TypingIndicator
from lms_bot.chat.respond import Reply, respond
from lms_bot.core.clock import UTC, utc_now
from lms_bot.core.errors import LMSBotError, ZulipRefused, ZulipUnavailable, without_words
from lms_bot.core.markdown import disarm
from lms_bot.outbox.sender import Patience
from lms_bot.store.conversation import Answer
from lms_bot.store.leases import own_name
from lms_bot.zulip.gateway import Gateway, Place

if TYPE_CHECKING:
    from lms_bot.app import App
    from lms_bot.chat.language.context import Context
    from lms_bot.zulip.gateway import ZulipUser

logger = logging.getLogger(__name__)

POINTER = "I have answered you in a direct message."
TOO_MUCH = (
    "You write more than I can answer. I have answered what came before, and left out what you wrote since; "
    "please ask again for what you still need."
)
AWAY = "I was away when you wrote to me, and it is too long ago to be answered now. Please ask again."
ANSWERED_WITHIN = timedelta(hours=1)  # what is older is not answered any more, but excused
UPLOAD_TRIES = 3
UPLOAD_PAUSE_SECONDS = 0.5  # after the first try, and twice that after the second, unless Zulip says how long


class Answerer:
    """`answer` may be repeated, interrupted at any instruction, and called by several threads."""

    def __init__(self, app: App, courier: Courier, typing: TypingIndicator, patience: Patience) -> None:
        self._app = app
        self._courier = courier
        self._typing = typing
        self._patience = patience

    def answer(self, incoming: IncomingMessage, me: Me) -> None:
        """Until it is answered, by whomever, or need not be.

        Raises LMSBotError where it has to be tried again later, for which all that is needed is in the store and
        in Zulip.
        """
        complete = self._fetch(incoming, me) if incoming.text is None else incoming
        if complete is None or self._is_bot(incoming.sender_id):
            self.settle(incoming)
        elif incoming.is_resumed or self._take(incoming):
            if complete.is_one_to_one:
                self._typing.begin(incoming.sender_id)
            try:
                self.settle(incoming, self._send(complete))
            finally:
                self._typing.end(incoming.sender_id)

    def _fetch(self, incoming: IncomingMessage, me: Me) -> IncomingMessage | None:
        """The incoming as Zulip has it now; None where it is gone, not to us, or was changed by somebody else or
        too late."""
        try:
            message = self._gateway.fetch_message(incoming.message_id)
        except ZulipRefused:
            return None
        found = read_incoming(message, message["flags"], me)
        if found is None or found.sender_id != incoming.sender_id:
            return None
        if incoming.edited_at is not None and incoming.edited_at - found.sent_at > EDIT_SECONDS:
            return None
        return replace(incoming, text=found.text, place=found.place, sent_at=found.sent_at)

    def _is_bot(self, user_id: int) -> bool:
        """Two bots that answer each other would never end. Whom Zulip does not list are its own, such as the
        Notification Bot."""
        try:
            user = self._app.users.get_zulip_user(user_id)
        except LMSBotError:
            return False
        return user is None or user.is_bot

    def _take(self, incoming: IncomingMessage) -> bool:
        """Whether it is ours to answer, not another process's."""
        try:
            with self._app.store.transaction():
                return Answer.take(
                    incoming.message_id, incoming.sender_id, own_name(), utc_now(), edited_at=incoming.edited_at
                )
        except LMSBotError:
            return True  # the store is away: better two answers than none

    def _send(self, incoming: IncomingMessage) -> int | None:
        """Returns Zulip's id of what the person alone was told, if anything was."""
        if incoming.content is not None and _is_too_old(incoming) and not self._has_arrived(incoming):
            incoming = replace(incoming, content=None)  # the students in it may no longer be theirs
        reply = self._make_reply(incoming)
        alone: Place = (incoming.sender_id,)
        sent_id = None
        if reply.is_private or incoming.is_one_to_one:
            text = reply.text if incoming.content else self._write_down(incoming, reply)
            sent_id = self._deliver(incoming, alone, text, is_lost=incoming.content is not None)
        if not incoming.is_one_to_one:
            in_public = POINTER if reply.is_private else reply.text
            self._deliver(incoming, incoming.place, in_public, is_lost=incoming.is_resumed)
        return sent_id

    def _make_reply(self, incoming: IncomingMessage) -> Reply:
        if incoming.content is not None:
            return Reply(incoming.content, is_private=True)
        if incoming.is_too_much:
            return Reply(TOO_MUCH)
        if incoming.is_resumed and _is_too_old(incoming):
            return Reply(AWAY, is_private=True)
        return make_reply(self._app.context, incoming.text or "", incoming.sender_id, message_id=incoming.message_id)

    def _write_down(self, incoming: IncomingMessage, reply: Reply) -> str:
        """The text as it will be sent, kept until it is: whoever comes after us looks for it in Zulip."""
        text = self._upload_files(reply)
        with suppress(LMSBotError), self._app.store.transaction():
            Answer.keep(incoming.key, text, own_name())
        return text

    def _deliver(self, incoming: IncomingMessage, place: Place, text: str, *, is_lost: bool) -> int | None:
        """`is_lost`: somebody who died may have sent it."""
        lost = self._patience.lost if is_lost else None
        return self._courier.deliver(Parcel(place, text, incoming.message_id, lost, incoming.key))

    def _has_arrived(self, incoming: IncomingMessage) -> bool:
        assert incoming.content is not None
        return self._courier.find(Parcel((incoming.sender_id,), incoming.content, incoming.message_id)) is not None

    def settle(self, incoming: IncomingMessage, answer_id: int | None = None) -> None:
        """It need not be answered any more, or was answered under this id of Zulip's."""
        with suppress(LMSBotError), self._app.store.transaction():
            Answer.settle(incoming.key, utc_now(), answer_id)

    # ---- files ----

    def _upload_files(self, reply: Reply) -> str:
        """The reply's text with the addresses of its files; in place of what Zulip does not take, a word."""
        text = reply.text
        for number, file in enumerate(reply.files):
            try:
                address = self._upload(file.name, file.content)
                text = text.replace(f"](attachment:{number})", f"]({address})", 1)  # a code span may say the same
            except LMSBotError as error:
                logger.warning("a file could not be uploaded: %s", error)
                excuse = f"The file {disarm(file.name)} could not be uploaded to Zulip: {disarm(str(error))}."
                text = _replace_link(text, number, excuse)
        return text

    def _upload(self, name: str, content: bytes) -> str:
        """A file uploaded twice harms nobody: only what a message links to is seen."""
        for tries in range(1, UPLOAD_TRIES + 1):
            self._courier.wait_for_zulip()
            try:
                return self._gateway.upload_file(name, content)
            except ZulipRefused:
                raise
            except LMSBotError as error:
                if tries == UPLOAD_TRIES:
                    raise
                self._courier.pause(error, UPLOAD_PAUSE_SECONDS * tries)
        raise ZulipUnavailable("Zulip does not take it now")

    @property
    def _gateway(self) -> Gateway:
        assert self._app.gateway is not None
        return self._app.gateway


def make_reply(
    context: Context, text: str, sender_id: int, *, message_id: int | None = None, zulip_user: ZulipUser | None = None
) -> Reply:
    """What is answered; never raises."""
    try:
        return respond(context, text, sender_id, zulip_user=zulip_user, message_id=message_id)
    except Exception as error:
        reference = uuid.uuid4().hex[:8]
        logger.error("an answer failed; reference %s", reference, exc_info=without_words(error))
        return Reply(f"Something went wrong on my side. Please tell an admin, with the reference `{reference}`.")


def without_files(reply: Reply) -> str:
    """The reply's text for where no file can be shown."""
    text = reply.text
    for number, file in enumerate(reply.files):
        text = _replace_link(text, number, f"({file.name} is only to be had in Zulip)")
    return text


def _replace_link(text: str, number: int, words: str) -> str:
    return re.sub(rf"!?\[[^\]\n]*\]\(attachment:{number}\)", lambda _: words, text, count=1)


def _is_too_old(incoming: IncomingMessage) -> bool:
    written_at = datetime.fromtimestamp(incoming.edited_at or incoming.sent_at, UTC)
    return utc_now() - written_at > ANSWERED_WITHIN
