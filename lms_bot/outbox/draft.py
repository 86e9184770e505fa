"""A message as somebody wants it sent, and where it goes."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from lms_bot.core.markdown import one_line, plain
from lms_bot.store.messages import Lane, Message
from lms_bot.zulip.gateway import Channel, Place
from lms_bot.zulip.widgets import make_choices

LABEL_LENGTH = 60  # characters


@dataclass(frozen=True)
class File:
    """Something to be uploaded to Zulip."""

    name: str
    content: bytes


@dataclass(frozen=True)
class Button:
    """Something to click: `label` is what it shows, `says` what a click sends as the reader's own message.

    `meaning` stands beside it: by itself, a label that is too long. All of it may be our markdown and becomes plain.
    """

    label: str
    says: str
    meaning: str = ""

    def __post_init__(self) -> None:
        whole = plain(self.label) or one_line(self.says)
        label = plain(whole, max_length=LABEL_LENGTH)
        object.__setattr__(self, "label", label)
        object.__setattr__(self, "says", one_line(self.says))
        object.__setattr__(self, "meaning", plain(self.meaning) or (whole if label != whole else ""))


@dataclass(frozen=True)
class Draft:
    """What is to be sent to, or because of, one person; `place` None is directly to them.

    In the text, `[chart.png](attachment:0)` stands for the first of the `files`. The rest is as in `Message`.

    `buttons` are left out where others read. Clients that have buttons show these and the `heading` in place of the
    text, all others the text alone: they must say the same. By itself, the heading is the text on one plain line.
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
    buttons: tuple[Button, ...] = ()
    heading: str = ""

    @property
    def destination(self) -> Place:
        return self.place or (self.zulip_user_id,)


def to_stored_place(draft: Draft) -> Any:
    """As `Message.place` has it."""
    place = draft.destination
    if isinstance(place, Channel):
        return {"channel": place.name, "topic": place.topic}
    return None if place == (draft.zulip_user_id,) else list(place)


def to_stored_buttons(draft: Draft) -> Any:
    """As `Message.buttons` has them."""
    if not draft.buttons or draft.destination != (draft.zulip_user_id,):
        return None
    return {"heading": plain(draft.heading or draft.content), "choices": [asdict(one) for one in draft.buttons]}


def get_widget(message: Message) -> dict[str, Any] | None:
    """The message's buttons as Zulip has them; None where there are none."""
    if not message.buttons:
        return None
    choices = (Button(**one) for one in message.buttons["choices"])
    return make_choices(message.buttons["heading"], ((one.label, one.meaning, one.says) for one in choices))


def get_place(message: Message) -> Place:
    if message.place is None:
        return (message.zulip_user_id,)
    if isinstance(message.place, dict):
        return Channel(message.place["channel"], message.place["topic"])
    return tuple(message.place)


def name_conversation(place: Place) -> str:
    """The place as one text, the same for the same place: `9`, `9,12`, `channel>topic`."""
    return f"{place.name}>{place.topic}" if isinstance(place, Channel) else ",".join(map(str, sorted(place)))
