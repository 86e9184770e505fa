"""Who and what there is in the sandbox's organization, and how it is found. Nothing changes here."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from lms_bot.sandbox.zulip.people import SandboxMessage, SandboxPerson, SandboxStream
from lms_bot.sandbox.zulip.refusals import invalid_message
from lms_bot.sandbox.zulip.rendering import Known, render


class Organization:
    """People, streams and messages, guarded by `lock`. `now` gives epoch seconds."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self.site = ""
        self.name = "Sandbox"
        self.lock = threading.RLock()
        self.people: dict[int, SandboxPerson] = {}
        self.people_by_address: dict[str, SandboxPerson] = {}
        self.streams: dict[str, SandboxStream] = {}
        self.messages: dict[int, SandboxMessage] = {}
        self.next_message_id = 1
        self.inboxes: dict[int, dict[int, set[str]]] = {}  # person -> message received -> flags
        self.storages: dict[int, dict[str, str]] = {}
        self._recipient_ids: dict[object, int] = {}

    def find_by_delivery_email(self, address: str) -> SandboxPerson | None:
        return self.people_by_address.get(address.casefold())

    def find_by_shown_email(self, address: str) -> SandboxPerson | None:
        wanted = address.casefold()
        return next((p for p in self.people.values() if p.email.casefold() == wanted), None)

    def find_stream(self, name_or_id: Any) -> SandboxStream | None:
        if isinstance(name_or_id, int):
            return next((s for s in self.streams.values() if s.stream_id == name_or_id), None)
        return self.streams.get(str(name_or_id).casefold())

    def get_recipient_id(self, message: SandboxMessage) -> int:
        """A number for where a message went, the same for all messages that went there."""
        place = message.stream or message.recipient_ids
        return self._recipient_ids.setdefault(place, len(self._recipient_ids) + 1)

    def get_message(self, viewer: SandboxPerson, message_id: int) -> SandboxMessage:
        """A message this person may see, else a refusal that does not say whether it exists."""
        with self.lock:
            message = self.messages.get(message_id)
            if message is None or (message.stream is None and message_id not in self.inboxes[viewer.user_id]):
                raise invalid_message()
            return message

    def get_readers(self, message_id: int) -> list[tuple[int, set[str]]]:
        return [(user_id, box[message_id]) for user_id, box in self.inboxes.items() if message_id in box]

    def render(self, content: str) -> str:
        """The HTML of a text, in which the people and streams that there are can be named."""
        with self.lock:
            people = {each.full_name: each.user_id for each in self.people.values() if each.is_active}
            return render(content, Known(people, {each.name: each.stream_id for each in self.streams.values()}))
