"""The sandbox Zulip as tests and the demo use it: people who write, and a server that runs, stops and misbehaves."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from lms_bot.sandbox.zulip.application import Application, SandboxRequest
from lms_bot.sandbox.zulip.faults import Faults
from lms_bot.sandbox.zulip.http import HttpServer
from lms_bot.sandbox.zulip.people import SandboxMessage, SandboxPerson, order_recipients
from lms_bot.sandbox.zulip.realm import Realm

if TYPE_CHECKING:
    import threading

    from lms_bot.sandbox.zulip.uploads import Upload

# Where a message goes: one person, several people, or a stream with a topic.
Place: TypeAlias = SandboxPerson | Iterable[SandboxPerson] | tuple[str, str]
Found = TypeVar("Found")
PATIENCE_SECONDS = 30.0
CLIENT = "website"  # what `send()` writes, a human wrote


class SandboxZulip:
    """
    One Zulip server with one organization. Thread-safe; usable as a context manager.

    The port is taken from the start, so `site` can be written down before `start()`; 0 means a free one.
    `heartbeat_seconds` is the least time between heartbeats of a queue nothing happens in, and
    `queue_lifespan_seconds` how long a queue lives that nobody polls. `now` gives epoch seconds and rules
    timestamps, rate limits and the life of queues; waiting happens in real time.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        requests_per_minute: int = 200,
        heartbeat_seconds: float = 45.0,
        queue_lifespan_seconds: float = 600.0,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.faults = Faults()
        self.realm = Realm(
            now=now, heartbeat_seconds=heartbeat_seconds, queue_lifespan_seconds=queue_lifespan_seconds
        )
        self._application = Application(self.realm, self.faults, requests_per_minute=requests_per_minute)
        self._server = self._bind(port)
        self._is_running = False
        self.site = self.realm.site = f"http://127.0.0.1:{self._server.port}"

    def _bind(self, port: int) -> HttpServer:
        return HttpServer(port, self._application.respond, self._application.accepts_connection)

    # Running

    def start(self) -> SandboxZulip:
        """Listen. After `stop()`, on the same port and with everything as it was."""
        if not self._is_running:
            self._application.interrupt(False)
            self._server.start()
            self._is_running = True
        return self

    def stop(self) -> None:
        """Refuse connections from now on. Open ones are closed, also those that wait; no thread is left."""
        if self._is_running:
            self._is_running = False
            self._application.interrupt(True)
            self._server.stop()
            self._server = self._bind(self._server.port)  # nobody else may take it meanwhile

    def __enter__(self) -> SandboxZulip:
        return self.start()

    def __exit__(self, *exception: object) -> None:
        self.stop()
        self._server.server_close()

    # People

    def add_person(
        self,
        full_name: str,
        *,
        email: str | None = None,
        delivery_email: str | None = None,
        is_bot: bool = False,
        role: int = 400,
        is_active: bool = True,
        timezone: str = "",
        email_is_hidden: bool = False,
    ) -> SandboxPerson:
        """
        A new account. With `email_is_hidden`, others see a made-up `email` and no `delivery_email`.

        Addresses not given are made from the name. Raises ValueError for one that is taken.
        """
        return self.realm.add_person(
            full_name,
            email=email,
            delivery_email=delivery_email,
            is_bot=is_bot,
            role=role,
            is_active=is_active,
            timezone=timezone,
            email_is_hidden=email_is_hidden,
        )

    def deactivate(self, person: SandboxPerson) -> None:
        self.realm.set_active(person, False)

    def reactivate(self, person: SandboxPerson) -> None:
        self.realm.set_active(person, True)

    def show_address(self, person: SandboxPerson) -> None:
        """The person makes their real address visible to everybody."""
        self.realm.show_address(person)

    def write_zuliprc(self, person: SandboxPerson, path: str | Path) -> Path:
        """The file with which a client signs in as this person."""
        path = Path(path)
        path.write_text(
            f"[api]\nemail={person.delivery_email}\nkey={person.api_key}\nsite={self.site}\n",
            encoding="utf-8",
        )
        return path

    def add_stream(self, name: str, subscribers: Iterable[SandboxPerson] = ()) -> None:
        """A public stream, made if need be, with these people among its subscribers."""
        with self.realm.lock:
            stream = self.realm.add_stream(name)
            stream.subscriber_ids.update(person.user_id for person in subscribers)

    # Messages

    def send(self, sender: SandboxPerson, to: Place, content: str) -> int:
        """
        A person writes. Returns the id of the message; raises Refusal where Zulip says no.

        A stream that is not there is made, with the sender as its first subscriber.
        """
        if isinstance(to, tuple) and len(to) == 2 and isinstance(to[0], str):
            stream, topic = to
            if self.realm.find_stream(stream) is None:
                self.add_stream(stream, [sender])
            return self.realm.send_to_stream(sender, stream, topic, content, client=CLIENT).id
        return self.realm.send_direct(sender, _as_people(to), content, client=CLIENT).id

    def edit(self, message_id: int, content: str) -> None:
        """The sender of the message changes it."""
        sender = self.realm.people[self.realm.messages[message_id].sender_id]
        self.realm.edit(sender, message_id, content)

    def react(self, person: SandboxPerson, message_id: int, emoji_name: str) -> None:
        self.realm.react(person, message_id, emoji_name, op="add")

    def take_back_reaction(self, person: SandboxPerson, message_id: int, emoji_name: str) -> None:
        self.realm.react(person, message_id, emoji_name, op="remove")

    def get_unread(self, person: SandboxPerson) -> list[SandboxMessage]:
        """What others wrote to this person and is not marked as read, oldest first."""
        with self.realm.lock:
            inbox, messages = self.realm.inboxes[person.user_id], self.realm.messages
            unread = [messages[message_id] for message_id, flags in inbox.items() if "read" not in flags]
        return [message for message in unread if message.sender_id != person.user_id]

    def upload(self, person: SandboxPerson, name: str, content: bytes) -> str:
        """A file of this person's. Returns its path at this site, for a link in a message."""
        return self._application.uploads.add(person, name, content).path

    def read_upload(self, path: str) -> Upload | None:
        """The file at this path, as its uploader left it, with its name and type; None where there is none."""
        return self._application.uploads.find(path)

    def messages(self, *, sender: SandboxPerson | None = None, to: Place | None = None) -> list[SandboxMessage]:
        """
        Messages as they stand, oldest first: all, or those by `sender`, or addressed to exactly `to`.

        `to` may also be the name of a stream, for all its topics.
        """
        with self.realm.lock:
            found = list(self.realm.messages.values())
        return [each for each in found if _is_by(each, sender) and _is_addressed_to(each, to)]

    def wait_for(
        self, predicate: Callable[[SandboxMessage], bool], timeout: float = PATIENCE_SECONDS
    ) -> SandboxMessage:
        """
        The first message the predicate holds for, waited for `timeout` seconds if need be.

        Asked once of each message and again when it changes. Raises TimeoutError, which says what there was.
        """
        seen = 0

        def look() -> SandboxMessage | None:
            nonlocal seen
            fresh, seen = self.realm.changes[seen:], len(self.realm.changes)
            known = (self.realm.messages.get(message_id) for message_id in fresh)
            return next((each for each in known if each is not None and predicate(each)), None)

        return _wait(self.realm.changed, look, timeout, self.messages)

    def wait_for_request(
        self, predicate: Callable[[SandboxRequest], bool], timeout: float = PATIENCE_SECONDS
    ) -> SandboxRequest:
        """The first finished request the predicate holds for, waited for like a message."""

        def look() -> SandboxRequest | None:
            return next((each for each in self.requests if predicate(each)), None)

        return _wait(self._application.noted, look, timeout, lambda: self.requests)

    # Trouble

    def drop_queues(self) -> None:
        """All event queues are gone, as after the event server was killed."""
        self.realm.queues.drop_all()

    @property
    def requests(self) -> list[SandboxRequest]:
        """The latest requests, oldest first, each noted when its answer goes out."""
        with self.realm.lock:
            return list(self._application.requests)


def _wait(
    happened: threading.Condition,
    look: Callable[[], Found | None],
    timeout: float,
    describe: Callable[[], list[Found]],
) -> Found:
    with happened:
        found = happened.wait_for(look, timeout)
        if not found:
            seen = "\n".join(map(repr, describe()[-20:])) or "nothing"
            raise TimeoutError(f"not within {timeout} s; there was:\n{seen}")
        return found


def _as_people(place: Place) -> list[SandboxPerson]:
    people = [place] if isinstance(place, SandboxPerson) else list(place)
    if not all(isinstance(each, SandboxPerson) for each in people):
        raise TypeError(f"neither people nor a stream with a topic: {place!r}")
    return people  # type: ignore[return-value]


def _is_by(message: SandboxMessage, sender: SandboxPerson | None) -> bool:
    return sender is None or message.sender_id == sender.user_id


def _is_addressed_to(message: SandboxMessage, place: Place | str | None) -> bool:
    if place is None:
        return True
    if isinstance(place, str):
        return message.stream == place
    if isinstance(place, tuple) and len(place) == 2 and isinstance(place[0], str):
        return (message.stream, message.topic) == place
    wanted = order_recipients(message.sender_id, (each.user_id for each in _as_people(place)))
    return message.stream is None and message.recipient_ids == wanted
