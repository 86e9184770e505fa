"""Reads what was written, changed and reacted to while nobody listened: at the start, and after a lost queue."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from lms_bot.chat.inbox.answerer import ANSWERED_WITHIN, AWAY
from lms_bot.chat.inbox.courier import Courier, Parcel
from lms_bot.chat.inbox.incoming import EDIT_SECONDS, IncomingMessage, Me, is_check_mark, read_incoming
from lms_bot.core.errors import LMSBotError
from lms_bot.store.conversation import Answer
from lms_bot.store.messages import Message
from lms_bot.store.models import KeyValue
from lms_bot.zulip.gateway import Gateway

if TYPE_CHECKING:
    from lms_bot.app import App

logger = logging.getLogger(__name__)

EXCUSED_WITHIN = timedelta(days=30)  # as long as it is remembered what was answered
RESERVED_REQUESTS = 20  # of each minute's, left for answers
CHECK_MARKS_KEY = "check_marks"
CHECK_MARKS_KEPT = 1000

Messages = Iterable[Mapping[str, Any]]


class UnreadReader:
    """`read` may be repeated and interrupted: what it has dealt with is marked as read, in Zulip and in the store.

    `put` takes a incoming that is to be answered, and is False where it is left out; `note_reaction` is told of a
    check mark: the message's id, whose it is, whether it is there.
    """

    def __init__(
        self,
        app: App,
        courier: Courier,
        put: Callable[[IncomingMessage], object],
        note_reaction: Callable[[int, int, bool], None],
    ) -> None:
        self._app = app
        self._courier = courier
        self._put = put
        self._note_reaction = note_reaction

    def read(self, me: Me, now: datetime) -> None:
        """Raises LMSBotError where it could not be done to the end."""
        for what in ("dm", "mentioned"):
            for page in self._gateway.fetch_unread(what):
                self._read_page(page, me, now)
        newest = self._gateway.fetch_newest_direct()
        self._read_edits(newest, me, now)
        self._read_check_marks(newest, me)

    # ---- what was written ----

    def _read_page(self, page: Messages, me: Me, now: datetime) -> None:
        """Answers what is recent, apologises once to each person for what is not, and marks that as read."""
        messages = {int(one["id"]): read_incoming(one, one["flags"], me) for one in reversed(list(page))}
        taken = self._get_taken(incoming.key for incoming in messages.values() if incoming is not None)
        recent: dict[int, list[IncomingMessage]] = defaultdict(list)
        missed: dict[int, int] = {}
        for incoming in messages.values():
            if incoming is None or incoming.key in taken or self._is_bot(incoming.sender_id):
                continue
            age = now.timestamp() - incoming.sent_at
            if age <= ANSWERED_WITHIN.total_seconds():
                recent[incoming.sender_id].append(incoming)
            elif incoming.is_one_to_one and age <= EXCUSED_WITHIN.total_seconds():
                missed[incoming.sender_id] = incoming.message_id
        for zulip_user_id in sorted({*recent, *missed}, key=lambda one: one not in recent):
            if zulip_user_id in missed:
                self._apologise(zulip_user_id, missed[zulip_user_id])
            for incoming in recent[zulip_user_id]:
                self._put(incoming)
        answered_later = {incoming.message_id for letters_of_one in recent.values() for incoming in letters_of_one}
        self._gateway.mark_read([message_id for message_id in messages if message_id not in answered_later])

    def _apologise(self, zulip_user_id: int, missed_id: int) -> None:
        """Once; and not to somebody whom we told something since, but for news of students."""
        self._courier.wait_for_zulip(RESERVED_REQUESTS)
        sent_ids = self._gateway.fetch_sent_ids(zulip_user_id, missed_id)
        with self._app.store.session():
            are_all_news = Message.select().where(Message.zulip_message_id.in_(sent_ids)).count() == len(sent_ids)
        if are_all_news:
            self._courier.deliver(Parcel((zulip_user_id,), AWAY, missed_id))

    def _get_taken(self, keys: Iterable[str]) -> dict[str, datetime]:
        with self._app.store.session():
            return Answer.get_taken(list(keys))

    def _is_bot(self, user_id: int) -> bool:
        with suppress(LMSBotError):
            user = self._app.users.get_zulip_user(user_id)
            return user is None or user.is_bot
        return False

    # ---- what was changed ----

    def _read_edits(self, newest: Messages, me: Me, now: datetime) -> None:
        """Changes of what had been answered before. What was not is read as it is now."""
        oldest = now.timestamp() - ANSWERED_WITHIN.total_seconds()
        edited: dict[str, IncomingMessage] = {}
        for message in newest:
            at = message.get("last_edit_timestamp")
            incoming = read_incoming(message, message["flags"], me)
            if incoming is not None and at is not None and oldest <= at <= incoming.sent_at + EDIT_SECONDS:
                edited[incoming.key] = replace(incoming, edited_at=int(at))
        for key, taken_at in self._get_taken(edited).items():
            if taken_at.timestamp() < (edited[key].edited_at or 0):
                self._put(edited[key])

    # ---- what was reacted to ----

    def _read_check_marks(self, newest: Messages, me: Me) -> None:
        """Check marks that came or went on our messages; which there were is remembered as a fact."""
        before = self._get_check_marks()
        now: dict[int, int] = {}
        seen: dict[int, int] = {}
        for message in newest:
            people = [person["id"] for person in message["display_recipient"] if person["id"] != me.user_id]
            if message["sender_id"] != me.user_id or len(people) != 1:
                continue
            seen[message["id"]] = people[0]
            if any(is_check_mark(one) and _get_user_id(one) == people[0] for one in message["reactions"]):
                now[message["id"]] = people[0]
        for message_id, person in seen.items():
            if (message_id in now) != (message_id in before):
                self._note_reaction(message_id, person, message_id in now)

    def _get_check_marks(self) -> set[int]:
        with self._app.store.session():
            return set(KeyValue.find(CHECK_MARKS_KEY) or ())

    def remember_check_mark(self, message_id: int, is_there: bool) -> None:
        """So that, after somebody took back what it said in another way, it does not say so again."""
        with self._app.store.transaction():
            self._app.store.lock(CHECK_MARKS_KEY)
            marks = [one for one in KeyValue.find(CHECK_MARKS_KEY) or () if one != message_id]
            KeyValue.put(CHECK_MARKS_KEY, [*marks, message_id][-CHECK_MARKS_KEPT:] if is_there else marks)

    @property
    def _gateway(self) -> Gateway:
        assert self._app.gateway is not None
        return self._app.gateway


def _get_user_id(reaction: Mapping[str, Any]) -> int:
    return int(reaction["user_id"] if "user_id" in reaction else reaction["user"]["id"])
