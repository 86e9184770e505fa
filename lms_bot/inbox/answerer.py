"""Answers one letter, once: taken, made, written down, sent, settled. A crash between any two loses nothing."""

from __future__ import annotations

import logging
import re
import uuid
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from lms_bot.chat.respond import Reply, respond
from lms_bot.clock import UTC, utc_now
from lms_bot.exceptions import LMSBotError, ZulipRefused, ZulipUnavailable, without_words
from lms_bot.gateway import Gateway, Place
from lms_bot.inbox.courier import Courier, Parcel
from lms_bot.inbox.letters import EDIT_SECONDS, Letter, Me, read_letter
from lms_bot.inbox.typist import Typist
from lms_bot.markdown import disarm
from lms_bot.notifier import Patience
from lms_bot.store.conversation import Answer
from lms_bot.store.leases import own_name

if TYPE_CHECKING:
    from lms_bot.app import App
    from lms_bot.gateway import ZulipUser

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

    def __init__(self, app: App, courier: Courier, typist: Typist, patience: Patience) -> None:
        self._app = app
        self._courier = courier
        self._typist = typist
        self._patience = patience

    def answer(self, letter: Letter, me: Me) -> None:
        """Until it is answered, by whomever, or need not be.

        Raises LMSBotError where it has to be tried again later, for which all that is needed is in the store and
        in Zulip.
        """
        complete = self._fetch(letter, me) if letter.text is None else letter
        if complete is None or self._is_bot(letter.sender_id):
            self.settle(letter)
        elif letter.is_resumed or self._take(letter):
            if complete.is_one_to_one:
                self._typist.begin(letter.sender_id)
            try:
                self.settle(letter, self._send(complete))
            finally:
                self._typist.end(letter.sender_id)

    def _fetch(self, letter: Letter, me: Me) -> Letter | None:
        """The letter as Zulip has it now; None where it is gone, not to us, or was changed by somebody else or
        too late."""
        try:
            message = self._gateway.fetch_message(letter.message_id)
        except ZulipRefused:
            return None
        found = read_letter(message, message["flags"], me)
        if found is None or found.sender_id != letter.sender_id:
            return None
        if letter.edited_at is not None and letter.edited_at - found.sent_at > EDIT_SECONDS:
            return None
        return replace(letter, text=found.text, place=found.place, sent_at=found.sent_at)

    def _is_bot(self, user_id: int) -> bool:
        """Two bots that answer each other would never end. Whom Zulip does not list are its own, such as the
        Notification Bot."""
        try:
            user = self._app.users.get_zulip_user(user_id)
        except LMSBotError:
            return False
        return user is None or user.is_bot

    def _take(self, letter: Letter) -> bool:
        """Whether it is ours to answer, not another process's."""
        try:
            with self._app.store.transaction():
                return Answer.take(
                    letter.message_id, letter.sender_id, own_name(), utc_now(), edited_at=letter.edited_at
                )
        except LMSBotError:
            return True  # the store is away: better two answers than none

    def _send(self, letter: Letter) -> int | None:
        """Returns Zulip's id of what the person alone was told, if anything was."""
        if letter.content is not None and _is_too_old(letter) and not self._has_arrived(letter):
            letter = replace(letter, content=None)  # the students in it may no longer be theirs
        reply = self._make_reply(letter)
        alone: Place = (letter.sender_id,)
        sent_id = None
        if reply.is_private or letter.is_one_to_one:
            text = reply.text if letter.content else self._write_down(letter, reply)
            sent_id = self._deliver(letter, alone, text, is_lost=letter.content is not None)
        if not letter.is_one_to_one:
            in_public = POINTER if reply.is_private else reply.text
            self._deliver(letter, letter.place, in_public, is_lost=letter.is_resumed)
        return sent_id

    def _make_reply(self, letter: Letter) -> Reply:
        if letter.content is not None:
            return Reply(letter.content, is_private=True)
        if letter.is_too_much:
            return Reply(TOO_MUCH)
        if letter.is_resumed and _is_too_old(letter):
            return Reply(AWAY, is_private=True)
        return make_reply(self._app, letter.text or "", letter.sender_id, message_id=letter.message_id)

    def _write_down(self, letter: Letter, reply: Reply) -> str:
        """The text as it will be sent, kept until it is: whoever comes after us looks for it in Zulip."""
        text = self._upload_files(reply)
        with suppress(LMSBotError), self._app.store.transaction():
            Answer.keep(letter.key, text, own_name())
        return text

    def _deliver(self, letter: Letter, place: Place, text: str, *, is_lost: bool) -> int | None:
        """`is_lost`: somebody who died may have sent it."""
        lost = self._patience.lost if is_lost else None
        return self._courier.deliver(Parcel(place, text, letter.message_id, lost, letter.key))

    def _has_arrived(self, letter: Letter) -> bool:
        assert letter.content is not None
        return self._courier.find(Parcel((letter.sender_id,), letter.content, letter.message_id)) is not None

    def settle(self, letter: Letter, answer_id: int | None = None) -> None:
        """It need not be answered any more, or was answered under this id of Zulip's."""
        with suppress(LMSBotError), self._app.store.transaction():
            Answer.settle(letter.key, utc_now(), answer_id)

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
    app: App, text: str, sender_id: int, *, message_id: int | None = None, zulip_user: ZulipUser | None = None
) -> Reply:
    """What is answered; never raises."""
    try:
        return respond(app, text, sender_id, zulip_user=zulip_user, message_id=message_id)
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


def _is_too_old(letter: Letter) -> bool:
    written_at = datetime.fromtimestamp(letter.edited_at or letter.sent_at, UTC)
    return utc_now() - written_at > ANSWERED_WITHIN
