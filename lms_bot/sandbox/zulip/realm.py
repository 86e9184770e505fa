"""What can happen to the sandbox's organization. Each change and its events are one step."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from lms_bot.sandbox.zulip import shapes
from lms_bot.sandbox.zulip.organization import Organization
from lms_bot.sandbox.zulip.people import (
    Edit,
    Reaction,
    SandboxMessage,
    SandboxPerson,
    SandboxStream,
    order_recipients,
)
from lms_bot.sandbox.zulip.queues import EventQueues
from lms_bot.sandbox.zulip.refusals import Refusal, unknown_stream
from lms_bot.sandbox.zulip.text import (
    clean_content,
    clean_topic,
    find_mentions,
    get_emoji_code,
)

HOST = "zulip.example.com"
FIRST_USER_ID = 8  # a real server keeps the first few for bots of its own
EDIT_LIMIT_SECONDS = 600
# What these clients send, a human wrote and has thereby read; a bot's own message stays unread to it.
HUMAN_CLIENTS = frozenset({"website", "ZulipMobile", "ZulipElectron"})


class Realm(Organization):
    """
    One organization and what can happen in it.

    Policies a test may change: `has_direct_messages` (False: only to and from bots),
    `bots_may_start_conversations`, `members_may_delete`.
    """

    def __init__(self, *, now: Callable[[], float], heartbeat_seconds: float, queue_lifespan_seconds: float) -> None:
        super().__init__(now)
        self.changed = threading.Condition(self.lock)
        self.changes: list[int] = []  # ids of messages, each time one came or was changed
        self.queues = EventQueues(
            self.lock, now=now, heartbeat_seconds=heartbeat_seconds, lifespan_seconds=queue_lifespan_seconds
        )
        self.has_direct_messages = True
        self.bots_may_start_conversations = True
        self.members_may_delete = False

    # People

    def add_person(
        self,
        full_name: str,
        *,
        email: str | None,
        delivery_email: str | None,
        is_bot: bool,
        role: int,
        is_active: bool,
        timezone: str,
        email_is_hidden: bool,
    ) -> SandboxPerson:
        with self.lock:
            user_id = FIRST_USER_ID + len(self.people)
            address = delivery_email or email or _make_address(full_name, user_id, is_bot)
            shown = f"user{user_id}@{HOST}" if email_is_hidden else email or address
            if address.casefold() in self.people_by_address:
                raise ValueError(f"{address} is taken already")
            owner = next((each for each in self.people.values() if each.role == 100), None)
            person = SandboxPerson(
                user_id=user_id,
                full_name=full_name,
                email=shown,
                delivery_email=address,
                is_bot=is_bot,
                role=role,
                is_active=is_active,
                timezone=timezone,
                email_is_hidden=email_is_hidden,
                joined_at=self.now(),
                owner_id=owner.user_id if owner and is_bot else None,
            )
            self.people[user_id] = self.people_by_address[address.casefold()] = person
            self.inboxes[user_id] = {}
            self._publish_arrival(person)
            return person

    def set_active(self, person: SandboxPerson, is_active: bool) -> None:
        with self.lock:
            person.is_active = is_active
            if is_active:
                self._publish_arrival(person)
            else:
                gone = {"user_id": person.user_id, "full_name": person.full_name}
                self.queues.publish(self.people, {"type": "realm_user", "op": "remove", "person": gone})

    def rename(self, person: SandboxPerson, full_name: str) -> None:
        with self.lock:
            person.full_name = full_name
            self._publish_change({"user_id": person.user_id, "full_name": full_name})

    def set_role(self, person: SandboxPerson, role: int) -> None:
        with self.lock:
            person.role = role
            self._publish_change({"user_id": person.user_id, "role": role})

    def show_address(self, person: SandboxPerson) -> None:
        """The person lets everybody see the real address: from now on it is also their `email`."""
        with self.lock:
            person.email_is_hidden, person.email = False, person.delivery_email
            for change in shapes.show_address_changes(self, person):
                self._publish_change(change)

    def _publish_change(self, change: dict[str, Any]) -> None:
        self.queues.publish(self.people, {"type": "realm_user", "op": "update", "person": change})

    def _publish_arrival(self, person: SandboxPerson) -> None:
        for queue in self.queues.listening("realm_user"):
            shown = shapes.show_person(self, person, self.people[queue.user_id], with_profile=True)
            queue.append({"type": "realm_user", "op": "add", "person": shown})

    # Streams

    def add_stream(self, name: str, *, description: str = "") -> SandboxStream:
        """The stream of this name, made if it is not there."""
        with self.lock:
            if name.casefold() not in self.streams:
                stream = SandboxStream(len(self.streams) + 1, name, description, self.now())
                self.streams[name.casefold()] = stream
            return self.streams[name.casefold()]

    # Messages

    def send_direct(
        self,
        sender: SandboxPerson,
        people: Iterable[SandboxPerson],
        content: str,
        *,
        client: str,
        widget: str | None = None,
    ) -> SandboxMessage:
        """A direct message to these people together; naming the sender among them changes nothing."""
        with self.lock:
            body = clean_content(content)
            recipients = order_recipients(sender.user_id, (each.user_id for each in people))
            self._check_may_write(sender, recipients)
            more = {"recipient_ids": recipients, "widget": widget}
            return self._commit(sender, body, {sender.user_id, *recipients}, client, **more)

    def send_to_stream(
        self, sender: SandboxPerson, stream: Any, topic: str, content: str, *, client: str, widget: str | None = None
    ) -> SandboxMessage:
        """A message to a topic of a stream, given by name or id."""
        with self.lock:
            body = clean_content(content)
            place = self.find_stream(stream)
            if place is None:
                raise unknown_stream(str(stream))
            readers = {sender.user_id, *place.subscriber_ids}
            where = {"stream": place.name, "topic": clean_topic(topic)}
            return self._commit(sender, body, readers, client, **where, widget=widget)

    def _check_may_write(self, sender: SandboxPerson, recipient_ids: tuple[int, ...]) -> None:
        people = [self.people[user_id] for user_id in recipient_ids]
        for person in people:
            if not person.is_active:
                raise Refusal(f"'{person.email}' is no longer using Zulip.")
        is_with_bot = sender.is_bot or (len(people) == 1 and (people[0].is_bot or people[0] is sender))
        if not self.has_direct_messages and not is_with_bot:
            raise Refusal("Direct messages are disabled in this organization.")
        if sender.is_bot and not self.bots_may_start_conversations:
            wanted = {sender.user_id, *recipient_ids}
            known = (self.messages[message_id] for message_id in self.inboxes[sender.user_id])
            if not any(each.stream is None and each.participant_ids == wanted for each in known):
                raise Refusal("You do not have permission to initiate direct message conversations.")

    def _commit(
        self, sender: SandboxPerson, content: str, readers: set[int], client: str, **more: Any
    ) -> SandboxMessage:
        message = SandboxMessage(
            id=self.next_message_id,
            sender_id=sender.user_id,
            content=content,
            sent_at=self.now(),
            client=client,
            **{"recipient_ids": (), **more},
        )
        self.next_message_id += 1
        flags = self._deliver(message, readers)
        self._set_message(message)
        self._publish_message(message, flags)
        return message

    def _deliver(self, message: SandboxMessage, readers: set[int]) -> dict[int, set[str]]:
        """Put the message into everybody's inbox; returns the flags it has for each of them."""
        mentions = find_mentions(message.content, ((p.user_id, p.full_name) for p in self.people.values()))
        if message.stream is not None:  # a mentioned bot hears it without being subscribed
            readers = readers | {each for each in mentions.user_ids if self.people[each].is_bot}
        flags: dict[int, set[str]] = {user_id: set() for user_id in readers if self.people[user_id].is_active}
        for user_id, own in flags.items():
            if user_id in mentions.user_ids:
                own.add("mentioned")
            if mentions.everybody:
                own.add("wildcard_mentioned")
            if user_id == message.sender_id and message.client in HUMAN_CLIENTS:
                own.add("read")
            self.inboxes[user_id][message.id] = own
        return flags

    def _publish_message(self, message: SandboxMessage, flags: dict[int, set[str]]) -> None:
        shown: dict[bool, dict[str, Any]] = {}
        for queue in self.queues.listening("message"):
            own = flags.get(queue.user_id)
            if own is None:
                if message.stream is None or not queue.all_public_streams:
                    continue
                own = set()
            if queue.wants_message(message, own):
                as_html = queue.apply_markdown
                if as_html not in shown:
                    shown[as_html] = shapes.show_message(self, message, as_html=as_html)
                queue.append({"type": "message", "message": shown[as_html], "flags": sorted(own)})

    def edit(self, editor: SandboxPerson, message_id: int, content: str) -> None:
        with self.lock:
            message = self.get_message(editor, message_id)
            if message.widget is not None:
                raise Refusal("Widgets cannot be edited.")
            if message.sender_id != editor.user_id:
                raise Refusal("You don't have permission to edit this message")
            if self.now() - message.sent_at > EDIT_LIMIT_SECONDS:
                raise Refusal("The time limit for editing this message has passed")
            body = clean_content(content) if content.strip() else "(deleted)"
            edit = Edit(editor.user_id, self.now(), message.content)
            self._set_message(replace(message, content=body, edits=(edit, *message.edits)))
            for user_id, flags in self.get_readers(message_id):
                self.queues.publish([user_id], shapes.show_edit_event(self, self.messages[message_id], flags))

    def delete(self, person: SandboxPerson, message_id: int) -> None:
        with self.lock:
            message = self.get_message(person, message_id)
            is_allowed = person.is_admin or (self.members_may_delete and message.sender_id == person.user_id)
            if not is_allowed:
                raise Refusal("You don't have permission to delete this message")
            readers = [user_id for user_id, _ in self.get_readers(message_id)]
            del self.messages[message_id]
            for user_id in readers:
                del self.inboxes[user_id][message_id]
            self.queues.publish(readers, shapes.show_deletion_event(self, message))

    def react(self, person: SandboxPerson, message_id: int, emoji_name: str, *, op: str) -> None:
        """Add or remove (`op`) a person's reaction."""
        with self.lock:
            message = self.get_message(person, message_id)
            reaction = Reaction(person.user_id, emoji_name, get_emoji_code(emoji_name))
            if op == "add" and reaction in message.reactions:
                raise Refusal("Reaction already exists.")
            if op == "remove" and reaction not in message.reactions:
                raise Refusal("Reaction doesn't exist.")
            others = tuple(each for each in message.reactions if each != reaction)
            self._set_message(replace(message, reactions=(*others, reaction) if op == "add" else others))
            readers = [user_id for user_id, _ in self.get_readers(message_id)]
            self.queues.publish(readers, shapes.show_reaction_event(self, op, message, reaction))

    def flag(self, person: SandboxPerson, message_ids: Iterable[int], flag: str, *, op: str) -> list[int]:
        """Add or remove (`op`) a flag of this person's messages. Returns those that are theirs."""
        with self.lock:
            inbox = self.inboxes[person.user_id]
            touched = [message_id for message_id in message_ids if message_id in inbox]
            for message_id in touched:
                (inbox[message_id].add if op == "add" else inbox[message_id].discard)(flag)
            change = {"op": op, "operation": op, "flag": flag, "messages": touched, "all": False}
            self.queues.publish([person.user_id], {"type": "update_message_flags", **change})
            return touched

    def show_typing(self, sender: SandboxPerson, people: Iterable[SandboxPerson], op: str) -> None:
        with self.lock:
            everybody = list({each.user_id: each for each in (*people, sender)}.values())
            event = shapes.show_typing_event(op, sender, everybody)
            self.queues.publish([each.user_id for each in everybody], event)

    def _set_message(self, message: SandboxMessage) -> None:
        self.messages[message.id] = message
        self.changes.append(message.id)
        self.changed.notify_all()


def _make_address(full_name: str, user_id: int, is_bot: bool) -> str:
    slug = re.sub(r"[^a-z0-9]+", "-", full_name.casefold()).strip("-") or "person"
    if is_bot:
        return f"{slug.removesuffix('-bot')}-bot@{HOST}"
    return f"{slug}-{user_id}@example.com"
