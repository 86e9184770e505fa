"""What somebody wrote to the bot, read from Zulip's messages. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from lms_bot.store.conversation import AnsweredQuestion
from lms_bot.zulip.gateway import Channel, Place

CHECK_MARKS = ("2705", "2714")  # ✅ and ✔️, by Zulip's emoji codes
DELETED = "(deleted)"  # is what Zulip makes of a message that somebody empties
EDIT_SECONDS = 600  # after which a change of a message is no longer taken for a new command


@dataclass(frozen=True)
class Me:
    """The bot's own account."""

    user_id: int
    full_name: str

    @classmethod
    def of_profile(cls, profile: Mapping[str, Any]) -> Me:
        return cls(int(profile["user_id"]), str(profile["full_name"]))


@dataclass(frozen=True)
class IncomingMessage:
    """Something that is to be answered: a message to the bot, or a change of one.

    `text` is what it says to the bot, without the mention; None where Zulip has to be asked. `place` is where it
    was written and `sent_at` when, in epoch seconds by Zulip's clock. `edited_at`, alike, is set for a change.
    `is_too_much`: it is answered only with the word that the person writes too much at once.
    """

    message_id: int
    sender_id: int
    text: str | None = None
    place: Place = ()
    sent_at: int = 0
    edited_at: int | None = None
    is_too_much: bool = False

    @property
    def key(self) -> str:
        """What tells it from all other messages, in the store as well."""
        return AnsweredQuestion.make_key(self.message_id, self.edited_at)

    @property
    def order(self) -> tuple[int, int]:
        """In which order one person's messages are answered: as they came."""
        return self.edited_at or self.sent_at, self.message_id

    @property
    def is_one_to_one(self) -> bool:
        return self.place == (self.sender_id,)


def read_incoming(message: Mapping[str, Any], flags: Collection[str], me: Me) -> IncomingMessage | None:
    """The message as it is to be answered; None where it says nothing to us: by ourselves, emptied, or among others
    without a mention first.

    A mention later in a text among others speaks of the bot, not to it.
    """
    sender_id, place = int(message["sender_id"]), _read_place(message, me)
    text, is_spoken_to = _strip_mention(message["content"], me)
    is_alone = place == (sender_id,)
    if sender_id == me.user_id or text == DELETED or not (is_alone or ("mentioned" in flags and is_spoken_to)):
        return None
    return IncomingMessage(int(message["id"]), sender_id, text, place, int(message["timestamp"]))


def _read_place(message: Mapping[str, Any], me: Me) -> Place:
    if message["type"] != "private":
        return Channel(message["display_recipient"], message["subject"])
    return tuple(sorted(int(person["id"]) for person in message["display_recipient"] if person["id"] != me.user_id))


def _strip_mention(content: str, me: Me) -> tuple[str, bool]:
    """What follows the bot's mention, and whether the text begins with it."""
    found = re.match(rf"\s*@\*\*(?:{re.escape(me.full_name)}|[^*\n]*\|{me.user_id})\*\*", content)
    return (content[found.end() :].lstrip(), True) if found else (content, False)


def is_check_mark(reaction: Mapping[str, Any]) -> bool:
    code = str(reaction.get("emoji_code", "")).removesuffix("-fe0f")
    return reaction.get("reaction_type", "unicode_emoji") == "unicode_emoji" and code in CHECK_MARKS
