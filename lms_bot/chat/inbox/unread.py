"""Reads what was written, changed and reacted to while nobody listened: at the start, and after a lost queue."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from lms_bot.chat.inbox.answerer import ANSWERED_WITHIN, AWAY, is_bot
from lms_bot.chat.inbox.incoming import EDIT_SECONDS, IncomingMessage, Me, is_check_mark, read_incoming
from lms_bot.outbox.draft import Draft
from lms_bot.outbox.outbox import Outbox
from lms_bot.people.users import UserMapper
from lms_bot.store.conversation import AnsweredQuestion
from lms_bot.store.database import Store
from lms_bot.store.messages import Lane
from lms_bot.store.models import KeyValue
from lms_bot.zulip.gateway import Gateway

logger = logging.getLogger(__name__)

EXCUSED_WITHIN = timedelta(days=30)  # as long as it is remembered what was answered
RESERVED_REQUESTS = 20  # of each minute's, left for answers
CHECK_MARKS_KEY = "check_marks"
CHECK_MARKS_KEPT = 1000

Messages = Iterable[Mapping[str, Any]]


@dataclass
class Found:
    """Of what was unread: what is to be answered; what is too old for that, by person; and what is neither."""

    recent: list[IncomingMessage] = field(default_factory=list)
    missed: dict[int, list[IncomingMessage]] = field(default_factory=dict)
    other_ids: list[int] = field(default_factory=list)


class UnreadReader:
    """May be repeated and interrupted: what it has dealt with is marked as read, in Zulip and in the store.

    `put` takes a message that is to be answered; `note_reaction` is told of a check mark: the message's id, whose it
    is, whether it is there. `wait` waits for so many seconds, or raises LMSBotError where the bot is ending.
    """

    def __init__(
        self,
        store: Store,
        gateway: Gateway,
        outbox: Outbox,
        users: UserMapper,
        put: Callable[[IncomingMessage], object],
        note_reaction: Callable[[int, int, bool], None],
        wait: Callable[[float], None],
    ) -> None:
        self._store = store
        self._gateway = gateway
        self._outbox = outbox
        self._users = users
        self._put = put
        self._note_reaction = note_reaction
        self._wait = wait

    def read(self, me: Me, now: datetime, then: Callable[[], None]) -> None:
        """Has what is recent answered; `then` is called when all of that is put; then comes what may take longer.

        Raises LMSBotError where it could not be done to the end.
        """
        found = Found()
        for what in ("dm", "mentioned"):
            for page in self._gateway.fetch_unread(what):
                self._sort(page, me, now, found)
        newest = self._gateway.fetch_newest_direct()
        edited = self._find_edits(newest, me, now)
        for zulip_user_id in found.missed.keys() & {one.sender_id for one in found.recent}:
            self._apologise(zulip_user_id, found.missed.pop(zulip_user_id), now)
        for incoming in (*sorted(found.recent, key=lambda one: one.message_id), *edited):
            self._put(incoming)
        then()
        self._gateway.mark_read(found.other_ids)
        self._read_check_marks(newest, me)
        for zulip_user_id, missed in found.missed.items():
            while (seconds := self._gateway.pace.seconds_until_free(RESERVED_REQUESTS)) > 0:
                self._wait(seconds)
            self._apologise(zulip_user_id, missed, now)

    # ---- what was written ----

    def _sort(self, page: Messages, me: Me, now: datetime, found: Found) -> None:
        incoming = {int(one["id"]): read_incoming(one, one["flags"], me) for one in page}
        answered = self._get_answered(one.key for one in incoming.values() if one is not None)
        for message_id, one in incoming.items():
            age = timedelta(seconds=now.timestamp() - one.sent_at) if one is not None else timedelta.max
            if one is None or one.key in answered or is_bot(self._users, one.sender_id):
                found.other_ids.append(message_id)
            elif age <= ANSWERED_WITHIN:
                found.recent.append(one)
            elif one.is_one_to_one and age <= EXCUSED_WITHIN:
                found.missed.setdefault(one.sender_id, []).append(one)
            else:
                found.other_ids.append(message_id)

    def _apologise(self, zulip_user_id: int, missed: list[IncomingMessage], now: datetime) -> None:
        """Once; and not to somebody whom we answered anything since."""
        last_id = max(one.message_id for one in missed)
        sent_ids = self._gateway.fetch_sent_ids(zulip_user_id, last_id)
        with self._store.transaction():
            noted = [AnsweredQuestion.note(one.message_id, one.sender_id, now) for one in missed]
            if any(noted) and self._outbox.are_all_news(sent_ids):
                self._outbox.write(Draft(zulip_user_id, AWAY, Lane.ANSWERS, after_id=last_id), now)
        self._outbox.wake((Lane.ANSWERS,))
        self._gateway.mark_read([one.message_id for one in missed])

    def _get_answered(self, keys: Iterable[str]) -> dict[str, datetime]:
        with self._store.session():
            return AnsweredQuestion.get_answered(list(keys))

    # ---- what was changed ----

    def _find_edits(self, newest: Messages, me: Me, now: datetime) -> list[IncomingMessage]:
        """Changes of what had been answered before. What was not is read as it is now."""
        oldest = now.timestamp() - ANSWERED_WITHIN.total_seconds()
        edited: dict[str, IncomingMessage] = {}
        for message in newest:
            at = message.get("last_edit_timestamp")
            incoming = read_incoming(message, message["flags"], me)
            if incoming is not None and at is not None and oldest <= at <= incoming.sent_at + EDIT_SECONDS:
                edited[incoming.key] = replace(incoming, edited_at=int(at))
        answered = self._get_answered(edited)
        late = [edited[key] for key, at in answered.items() if at.timestamp() < (edited[key].edited_at or 0)]
        return sorted(late, key=lambda one: one.order)

    # ---- what was reacted to ----

    def _read_check_marks(self, newest: Messages, me: Me) -> None:
        """Check marks that came or went on our messages; which there were is remembered."""
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
        with self._store.session():
            return set(KeyValue.find(CHECK_MARKS_KEY) or ())

    def remember_check_mark(self, message_id: int, is_there: bool) -> None:
        """So that, after somebody took back what it said in another way, it does not say so again."""
        with self._store.transaction():
            self._store.lock(CHECK_MARKS_KEY)
            marks = [one for one in KeyValue.find(CHECK_MARKS_KEY) or () if one != message_id]
            KeyValue.put(CHECK_MARKS_KEY, [*marks, message_id][-CHECK_MARKS_KEPT:] if is_there else marks)


def _get_user_id(reaction: Mapping[str, Any]) -> int:
    return int(reaction["user_id"] if "user_id" in reaction else reaction["user"]["id"])
