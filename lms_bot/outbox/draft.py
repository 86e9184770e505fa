"""A message as somebody wants it sent, and where it goes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lms_bot.store.messages import Lane, Message
from lms_bot.zulip.gateway import Channel, Place


@dataclass(frozen=True)
class File:
    """Something to be uploaded to Zulip."""

    name: str
    content: bytes


@dataclass(frozen=True)
class Draft:
    """What is to be sent to, or because of, one person; `place` None is directly to them.

    In the text, `[chart.png](attachment:0)` stands for the first of the `files`. The rest is as in `Message`.
    """

    zulip_user_id: int
    content: str
    lane: Lane
    place: Place | None = None
    after_id: int = 0
    files: tuple[File, ...] = ()
    expires_at: datetime | None = None
    instead: str | None = None
    is_gathered: bool = False

    @property
    def destination(self) -> Place:
        return self.place or (self.zulip_user_id,)


def to_stored_place(draft: Draft) -> Any:
    """As `Message.place` has it."""
    place = draft.destination
    if isinstance(place, Channel):
        return {"channel": place.name, "topic": place.topic}
    return None if place == (draft.zulip_user_id,) else list(place)


def get_place(message: Message) -> Place:
    if message.place is None:
        return (message.zulip_user_id,)
    if isinstance(message.place, dict):
        return Channel(message.place["channel"], message.place["topic"])
    return tuple(message.place)


def name_conversation(place: Place) -> str:
    """The place as one text, the same for the same place: `9`, `9,12`, `channel>topic`."""
    return f"{place.name}>{place.topic}" if isinstance(place, Channel) else ",".join(map(str, sorted(place)))
