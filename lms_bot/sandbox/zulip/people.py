"""Who and what lives in the sandbox Zulip: people, streams, messages as values."""

from __future__ import annotations

import secrets
import string
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

ADMINISTRATOR = 200
_KEY_CHARACTERS = string.ascii_letters + string.digits
API_KEY_LENGTH = 32


def make_api_key() -> str:
    return "".join(secrets.choice(_KEY_CHARACTERS) for _ in range(API_KEY_LENGTH))


@dataclass(eq=False)
class SandboxPerson:
    """
    One account, human or bot. It is the account itself, not a copy: a changed `role` counts at once.

    `email` is what the API shows and accepts, made up where the address is hidden; `delivery_email` is
    the real address, with which the person signs in. Roles: 100 owner, 200 administrator, 300 moderator,
    400 member, 600 guest.
    """

    user_id: int
    full_name: str
    email: str
    delivery_email: str
    is_bot: bool
    role: int
    is_active: bool
    timezone: str
    email_is_hidden: bool
    joined_at: float
    owner_id: int | None
    api_key: str = field(default_factory=make_api_key, repr=False)

    @property
    def is_admin(self) -> bool:
        return self.role <= ADMINISTRATOR

    def can_see_address_of(self, other: SandboxPerson) -> bool:
        return not other.email_is_hidden or self.is_admin or self is other


@dataclass(eq=False)
class SandboxStream:
    """A public stream (channel)."""

    stream_id: int
    name: str
    description: str
    created_at: float
    subscriber_ids: set[int] = field(default_factory=set)


@dataclass(frozen=True)
class Reaction:
    user_id: int
    emoji_name: str
    emoji_code: str


@dataclass(frozen=True)
class Edit:
    """What a message said before it was changed, who changed it and when (epoch seconds)."""

    user_id: int
    edited_at: float
    previous_content: str


@dataclass(frozen=True)
class SandboxMessage:
    """
    A message as it stands now; an edit makes a new value under the same id.

    `recipient_ids` are the people a direct message was addressed to, ascending, without the sender unless
    it went to nobody else; empty for a message in a stream. `sent_at` is in epoch seconds. `edits` are
    newest first. `widget` is the JSON of what clients that know widgets show in place of the text.
    """

    id: int
    sender_id: int
    recipient_ids: tuple[int, ...]
    content: str
    sent_at: float
    stream: str | None = None
    topic: str | None = None
    client: str = "website"
    edits: tuple[Edit, ...] = ()
    reactions: tuple[Reaction, ...] = ()
    widget: str | None = None

    @cached_property
    def participant_ids(self) -> frozenset[int]:
        """Sender and recipients of a direct message."""
        return frozenset((self.sender_id, *self.recipient_ids))


def order_recipients(sender_id: int, user_ids: Iterable[int]) -> tuple[int, ...]:
    """The canonical recipients of a direct message, whether or not the sender was named among them."""
    return tuple(sorted({*user_ids} - {sender_id})) or (sender_id,)
