"""The only door to Zulip's API: what the bot asks of Zulip, and Zulip's words made into values."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import islice
from typing import Any, TypeAlias

from lms_bot.zulip.client import DEFAULT_LIMIT, EVENTS, SEND_TIMEOUT_SECONDS, Pace, ZulipClient
from lms_bot.zulip.credentials import Credentials

__all__ = ["DEFAULT_LIMIT", "Channel", "Credentials", "EventQueue", "Gateway", "Pace", "Place", "ZulipUser"]

MESSAGE_LENGTH = 10_000  # characters; Zulip cuts the rest off without an error (MAX_MESSAGE_LENGTH)
TRUNCATED = "\n[message truncated]"  # is how it then ends
LOOKUP_MESSAGES = 100  # at once
UNREAD_MESSAGES = 500  # at once
POLL_TIMEOUT_SECONDS = 90.0  # where nothing happens, Zulip answers with a heartbeat within a minute
TYPING_TIMEOUT_SECONDS = 2.0
EVENT_TYPES = ("message", "update_message", "reaction", "realm_user")
STATE_TYPES = ("message",)  # to be told at once as well: of `realm_user` that would be everybody
USER_FIELDS = ("user_id", "full_name", "email", "delivery_email", "role", "is_bot", "is_active", "timezone")

OWNER, ADMINISTRATOR, GUEST = 100, 200, 600  # https://zulip.com/api/get-users, `role`


@dataclass(frozen=True)
class ZulipUser:
    """A person in Zulip. `delivery_email` is the real address, None where Zulip hides it from the bot."""

    user_id: int
    full_name: str
    email: str
    delivery_email: str | None
    role: int
    is_bot: bool
    is_active: bool
    timezone: str

    @property
    def is_admin(self) -> bool:
        return self.role <= ADMINISTRATOR

    @property
    def is_guest(self) -> bool:
        return self.role >= GUEST


@dataclass(frozen=True)
class Channel:
    """A topic in a channel (stream)."""

    name: str
    topic: str


Place: TypeAlias = tuple[int, ...] | Channel
"""Where a message goes: to a topic, or to people by their Zulip ids; one id is a one-to-one direct message."""


@dataclass
class EventQueue:
    """What Zulip keeps for us to be polled; `last_event_id` is the newest that has been seen."""

    queue_id: str
    last_event_id: int


class Gateway(ZulipClient):
    """Zulip's API as far as the bot needs it. Threads share it; what may be raised is told by `ZulipClient`."""

    def __init__(self, credentials: Credentials, *, timeout_seconds: float = SEND_TIMEOUT_SECONDS) -> None:
        super().__init__(credentials, timeout_seconds=timeout_seconds)
        self._own_user_id: int | None = None

    # ---- sending ----

    def send_direct(self, zulip_user_id: int, content: str) -> int:
        """Sends one direct message to one person; returns Zulip's id for it."""
        return self.send((zulip_user_id,), content)

    def send(self, place: Place, content: str, widget: Mapping[str, Any] | None = None) -> int:
        """Sends one message; returns Zulip's id for it. A widget (see `widgets`) may be what it is refused for."""
        request: dict[str, Any] = {"content": content}
        if widget is not None:
            request["widget_content"] = dict(widget)
        if isinstance(place, Channel):
            request |= {"type": "stream", "to": place.name, "topic": place.topic}
        else:
            request |= {"type": "private", "to": list(place)}
        return int(self._call("messages", "POST", request)["id"])

    def upload_file(self, name: str, content: bytes) -> str:
        """Puts a file into Zulip; returns its address there, for a link in a message. Nobody sees it before."""
        file = BytesIO(content)
        file.name = name
        answer = self._call("user_uploads", "POST", {}, files=[file])
        return str(answer.get("url") or answer["uri"])  # `url` since Zulip 9, `uri` before

    def set_typing(self, zulip_user_id: int, is_typing: bool) -> None:
        """Shows this person that an answer is being written, for some fifteen seconds; or no longer."""
        request = {"op": "start" if is_typing else "stop", "to": [zulip_user_id]}
        self._call("typing", "POST", request, timeout_seconds=TYPING_TIMEOUT_SECONDS)

    def find_sent(
        self,
        place: Place | int,
        content: str,
        since: float,
        known_ids: Collection[int] = (),
        after_id: int = 0,
    ) -> int | None:
        """The id of our message with exactly this text in this place, sent at `since` (epoch seconds, by Zulip's
        clock) or later, above `after_id` and not one of `known_ids`; None where there is none.

        Zulip strips leading newlines and trailing white space from what it keeps, so texts are compared so.
        """
        kept = _as_kept(content)
        for message in self._fetch_sent(place):
            if message["timestamp"] < since or message["id"] <= after_id:
                return None
            if message["content"].strip() == kept and message["id"] not in known_ids:
                return int(message["id"])
        return None

    def fetch_sent_ids(self, zulip_user_id: int, after_id: int) -> list[int]:
        """The ids of our newest direct messages to this person, above `after_id`, newest first; not all of many."""
        newest = islice(self._fetch_sent(zulip_user_id), LOOKUP_MESSAGES)
        return [int(message["id"]) for message in newest if message["id"] > after_id]

    def _fetch_sent(self, place: Place | int) -> Iterator[dict[str, Any]]:
        """Our messages in this place, newest first."""
        by_us = {"operator": "sender", "operand": self.fetch_own_user_id()}
        return self._fetch_messages([by_us, *_narrow_to(place)], LOOKUP_MESSAGES)

    # ---- what was written to us ----

    def fetch_unread(self, what: str) -> Iterator[list[dict[str, Any]]]:
        """What others wrote that has not been marked as read, newest first, a page at a time.

        `what`: "dm" for direct messages, "mentioned" for where the bot was mentioned.
        """
        narrow: list[dict[str, Any]] = [
            {"operator": "is", "operand": "unread"},
            {"operator": "is", "operand": what},
            {"operator": "sender", "operand": self.fetch_own_user_id(), "negated": True},
        ]
        unread = self._fetch_messages(narrow, UNREAD_MESSAGES)
        while page := list(islice(unread, UNREAD_MESSAGES)):
            yield page

    def fetch_newest_direct(self) -> list[dict[str, Any]]:
        """The newest direct messages, by us and to us, newest first."""
        narrow = [{"operator": "is", "operand": "dm"}]
        return list(islice(self._fetch_messages(narrow, UNREAD_MESSAGES), UNREAD_MESSAGES))

    def fetch_message(self, message_id: int) -> dict[str, Any]:
        """A message as it is now. Raises ZulipRefused where it is gone."""
        answer = self._call(f"messages/{message_id}", "GET", {"apply_markdown": False})
        return dict(answer["message"])

    def mark_read(self, message_ids: Sequence[int]) -> None:
        for start in range(0, len(message_ids), UNREAD_MESSAGES):
            batch = list(message_ids[start : start + UNREAD_MESSAGES])
            self._call("messages/flags", "POST", {"messages": batch, "op": "add", "flag": "read"})

    def _fetch_messages(self, narrow: list[dict[str, Any]], at_once: int) -> Iterator[dict[str, Any]]:
        """Messages, newest first, so many with each request."""
        request = {"num_before": at_once, "num_after": 0, "narrow": narrow, "apply_markdown": False}
        anchor: int | str = "newest"
        while True:
            page = self._call("messages", "GET", {"anchor": anchor, **request})
            yield from reversed(page["messages"])
            if page["found_oldest"] or not page["messages"]:
                return
            anchor = page["messages"][0]["id"] - 1

    # ---- what happens ----

    def register(self) -> EventQueue:
        """Has Zulip keep from now on what is written, changed and reacted to."""
        request = {"event_types": list(EVENT_TYPES), "apply_markdown": False, "client_gravatar": True}
        request |= {"fetch_event_types": list(STATE_TYPES), "all_public_streams": False}
        answer = self._call("register", "POST", request)
        return EventQueue(str(answer["queue_id"]), int(answer["last_event_id"]))

    def fetch_events(self, queue: EventQueue, *, is_waiting: bool = True) -> list[dict[str, Any]]:
        """What has happened since `queue.last_event_id`; `is_waiting` up to a minute for something to happen.

        Raises ZulipRefused where the queue is gone.
        """
        request = {"queue_id": queue.queue_id, "last_event_id": queue.last_event_id, "dont_block": not is_waiting}
        return list(self._call(EVENTS, "GET", request, timeout_seconds=POLL_TIMEOUT_SECONDS)["events"])

    def delete_queue(self, queue: EventQueue) -> None:
        """Zulip need keep it no longer; whoever waits for its events waits no longer."""
        self._call(EVENTS, "DELETE", {"queue_id": queue.queue_id})

    # ---- people ----

    def fetch_users(self) -> list[ZulipUser]:
        members = self._call("users", "GET", {"client_gravatar": True})["members"]
        return [_user(member) for member in members]

    def fetch_own_user_id(self) -> int:
        if self._own_user_id is None:
            self._own_user_id = int(self.fetch_own_profile()["user_id"])
        return self._own_user_id

    def fetch_own_profile(self) -> dict[str, Any]:
        return self._call("users/me", "GET", {})


def _narrow_to(place: Place | int) -> list[dict[str, Any]]:
    if isinstance(place, Channel):
        return [{"operator": "stream", "operand": place.name}, {"operator": "topic", "operand": place.topic}]
    return [{"operator": "dm", "operand": [place] if isinstance(place, int) else list(place)}]


def _as_kept(content: str) -> str:
    """The text as it can be found in Zulip, which cuts long ones."""
    kept = content.rstrip().lstrip("\n")
    if len(kept) > MESSAGE_LENGTH:
        kept = kept[: MESSAGE_LENGTH - len(TRUNCATED)] + TRUNCATED
    return kept.strip()


def _user(member: Mapping[str, Any]) -> ZulipUser:
    return ZulipUser(**{name: member.get(name, _USER_DEFAULTS.get(name)) for name in USER_FIELDS})


_USER_DEFAULTS: dict[str, Any] = {"role": 400, "is_bot": False, "is_active": True, "timezone": "", "email": ""}
