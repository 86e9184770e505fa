"""Answers one message, once: the answer is made, and written down together with the note that it is answered.

A crash before that loses nothing, since the message is unread in Zulip; after it the outbox sends the answer.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from lms_bot.chat.inbox.incoming import EDIT_SECONDS, IncomingMessage, Me, read_incoming
from lms_bot.chat.inbox.typing_indicator import TypingIndicator
from lms_bot.chat.language.question import Context
from lms_bot.chat.reply import Reply
from lms_bot.chat.respond import respond
from lms_bot.core.clock import utc_now
from lms_bot.core.errors import LMSBotError, StoreUnavailable, ZulipRefused, without_words
from lms_bot.outbox.draft import Draft
from lms_bot.outbox.outbox import Outbox
from lms_bot.outbox.sender import Sender
from lms_bot.people.users import UserMapper
from lms_bot.store.conversation import AnsweredQuestion
from lms_bot.store.database import Store
from lms_bot.store.messages import Lane
from lms_bot.zulip.gateway import Gateway, ZulipUser

logger = logging.getLogger(__name__)

POINTER = "I have answered you in a direct message."
TOO_MUCH = (
    "You write more than I can answer. I have answered what came before, and left out what you wrote since; "
    "please ask again for what you still need."
)
AWAY = "I was away when you wrote to me, and it is too long ago to be answered now. Please ask again."
ANSWERED_WITHIN = timedelta(hours=1)  # what is older is not answered any more, but excused

Respond = Callable[[str, int, "int | None"], Reply]
"""What is answered to a text, with the sender's id and the message's. Never raises."""


class Answerer:
    """`answer` may be repeated, interrupted at any instruction, and called by several threads."""

    def __init__(
        self,
        store: Store,
        gateway: Gateway,
        outbox: Outbox,
        sender: Sender,
        users: UserMapper,
        typing: TypingIndicator,
        respond: Respond,
    ) -> None:
        self._store = store
        self._gateway = gateway
        self._outbox = outbox
        self._sender = sender
        self._users = users
        self._typing = typing
        self._respond = respond

    def answer(self, incoming: IncomingMessage, me: Me) -> None:
        """Until it is answered, by whomever, or need not be.

        Raises LMSBotError where it has to be tried again later, for which all that is needed is in Zulip.
        """
        if self._is_answered(incoming):
            return
        complete = self._fetch(incoming, me) if incoming.text is None else incoming
        if complete is None or is_bot(self._users, incoming.sender_id):
            self.settle(incoming)
            return
        if complete.is_one_to_one:
            self._typing.begin(incoming.sender_id)
        try:
            self._write_down(complete, self._make_reply(complete))
        finally:
            self._typing.end(incoming.sender_id)

    def settle(self, incoming: IncomingMessage) -> None:
        """It need not be answered any more."""
        self._note(incoming, ())

    def _is_answered(self, incoming: IncomingMessage) -> bool:
        """As far as is known; while the store is away, better two answers than none."""
        try:
            with self._store.session():
                return AnsweredQuestion.is_answered(incoming.key)
        except StoreUnavailable:
            return False

    def _fetch(self, incoming: IncomingMessage, me: Me) -> IncomingMessage | None:
        """The message as Zulip has it now; None where it is gone, not to us, or was changed by somebody else or
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

    def _make_reply(self, incoming: IncomingMessage) -> Reply:
        if incoming.is_too_much:
            return Reply(TOO_MUCH)
        return self._respond(incoming.text or "", incoming.sender_id, incoming.message_id)

    def _write_down(self, incoming: IncomingMessage, reply: Reply) -> None:
        self._note(incoming, tuple(_make_drafts(incoming, reply, utc_now() + ANSWERED_WITHIN)))

    def _note(self, incoming: IncomingMessage, drafts: tuple[Draft, ...]) -> None:
        """That it is answered, and the answer; where somebody else was first, theirs is the answer."""
        now = utc_now()
        try:
            with self._store.transaction():
                is_first = AnsweredQuestion.note(
                    incoming.message_id, incoming.sender_id, now, edited_at=incoming.edited_at
                )
                for draft in drafts if is_first else ():
                    self._outbox.write(draft, now)
            if not is_first:
                logger.info("message %s was answered by another process meanwhile", incoming.message_id)
        except StoreUnavailable:
            for draft in drafts:
                self._sender.send_unwritten(draft)
        self._outbox.wake((Lane.ANSWERS,))


def is_bot(users: UserMapper, user_id: int) -> bool:
    """Two bots that answer each other would never end. Whom Zulip does not list are its own, such as the
    Notification Bot."""
    try:
        user = users.get_zulip_user(user_id)
    except LMSBotError:
        return False
    return user is None or user.is_bot


def make_reply(
    context: Context, text: str, sender_id: int, message_id: int | None = None, *, zulip_user: ZulipUser | None = None
) -> Reply:
    """What is answered; never raises."""
    try:
        return respond(context, text, sender_id, zulip_user=zulip_user, message_id=message_id)
    except Exception as error:
        reference = uuid.uuid4().hex[:8]
        logger.error("an answer failed; reference %s", reference, exc_info=without_words(error))
        return Reply(f"Something went wrong on my side. Please tell an admin, with the reference `{reference}`.")


def _make_drafts(incoming: IncomingMessage, reply: Reply, expires_at: datetime) -> Iterator[Draft]:
    """The answer to the person alone, and a pointer to it where others read; or the answer itself where they may.

    What is not sent in time is not sent at all: the students in it may no longer be theirs.
    """
    person, after_id = incoming.sender_id, incoming.message_id
    if reply.is_private or incoming.is_one_to_one:
        yield Draft(
            person,
            reply.text,
            Lane.ANSWERS,
            after_id=after_id,
            files=reply.files,
            expires_at=expires_at,
            instead=AWAY,
            buttons=reply.buttons,
            heading=reply.heading,
        )
    if not incoming.is_one_to_one:
        in_public = POINTER if reply.is_private else reply.text
        yield Draft(person, in_public, Lane.ANSWERS, place=incoming.place, after_id=after_id)
