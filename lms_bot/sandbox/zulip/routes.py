"""The sandbox Zulip's API about queues, messages, reactions and typing."""

from __future__ import annotations

import json
from typing import Any

from lms_bot.sandbox.zulip import shapes
from lms_bot.sandbox.zulip.calls import Body, Call, Routes
from lms_bot.sandbox.zulip.descriptions import describe_state
from lms_bot.sandbox.zulip.people import SandboxMessage, SandboxPerson
from lms_bot.sandbox.zulip.refusals import Refusal, invalid_message, missing_argument
from lms_bot.sandbox.zulip.search import MAX_MESSAGES, NEWEST, Predicate, compile_narrow, find_window
from lms_bot.sandbox.zulip.widgets import read_widget

routes = Routes()
DIRECT = ("private", "direct")
STREAM = ("stream", "channel")


# Queues


@routes.add(
    "POST",
    "register",
    "event_types fetch_event_types narrow apply_markdown all_public_streams queue_lifespan_secs"
    " client_gravatar client_capabilities include_subscribers slim_presence",
)
def register(call: Call) -> Body:
    event_types = call.json("event_types", None)
    with call.realm.lock:
        queue = call.realm.queues.register(
            call.viewer.user_id,
            lifespan_seconds=call.integer("queue_lifespan_secs", None),
            event_types=event_types,
            wants_message=compile_narrow(call.realm, call.viewer, call.json("narrow", [])),
            all_public_streams=call.boolean("all_public_streams", False),
            apply_markdown=call.boolean("apply_markdown", False),
        )
        state = describe_state(call.realm, call.viewer, call.json("fetch_event_types", None) or event_types)
        return {"queue_id": queue.queue_id, **shapes.ZULIP_VERSION, **state, "last_event_id": -1}


@routes.add("GET", "events", "queue_id last_event_id dont_block")
def get_events(call: Call) -> Body:
    queue_id = call.text("queue_id")
    if "last_event_id" not in call.request.params:
        raise Refusal("Missing 'last_event_id' argument")
    queue = call.realm.queues.get(queue_id, call.viewer.user_id)
    is_patient = not call.boolean("dont_block", False)
    events, call.has_waited = call.realm.queues.poll(queue, call.integer("last_event_id"), is_patient=is_patient)
    return {"events": events, "queue_id": queue_id} if call.has_waited else {"events": events}


@routes.add("DELETE", "events", "queue_id")
def delete_queue(call: Call) -> Body:
    call.realm.queues.delete(call.text("queue_id"), call.viewer.user_id)
    return {}


# Messages


@routes.add("POST", "messages", "type to content topic subject queue_id local_id widget_content")
def send_message(call: Call) -> Body:
    kind, content = call.text("type"), call.text("content")
    if kind in DIRECT:
        people = _read_recipients(call)
        widget = read_widget(call.text("widget_content", None))
        message = call.realm.send_direct(call.viewer, people, content, client=call.client, widget=widget)
    elif kind in STREAM:
        stream = _read_stream(call.text("to", "[]"))
        topic = call.text("topic", None) or call.text("subject", None)
        if topic is None:
            raise Refusal("Missing topic")
        widget = read_widget(call.text("widget_content", None))
        message = call.realm.send_to_stream(call.viewer, stream, topic, content, client=call.client, widget=widget)
    else:
        raise Refusal("Invalid type")
    return {"id": message.id}


def _read_recipients(call: Call) -> list[SandboxPerson]:
    """`to` of a direct message: a JSON list of ids or of e-mails, or e-mails separated by commas."""
    given = call.text("to", "[]")
    try:
        names = json.loads(given)
    except ValueError:
        names = given
    if isinstance(names, str):
        names = [name.strip() for name in names.split(",") if name.strip()]
    if not isinstance(names, list):
        raise Refusal("Invalid data type for recipients")
    if len({type(name) for name in names}) > 1:
        raise Refusal("Recipient lists may contain emails or user IDs, but not both.")
    if not names:
        raise Refusal("Message must have recipients")
    return [_find_recipient(call, name) for name in names]


def _find_recipient(call: Call, name: Any) -> SandboxPerson:
    if isinstance(name, str):
        person, complaint = call.realm.find_by_shown_email(name), f"Invalid email '{name}'"
    elif isinstance(name, int):
        person, complaint = call.realm.people.get(name), f"Invalid user ID {name}"
    else:
        raise Refusal("Invalid data type for recipients")
    if person is None:
        raise Refusal(complaint)
    return person


def _read_stream(given: str) -> Any:
    try:
        name = json.loads(given)
    except ValueError:
        return given
    if isinstance(name, list):
        if len(name) != 1:
            raise Refusal("Expected exactly one stream")
        name = name[0]
    if not isinstance(name, (str, int)):
        raise Refusal("Invalid data type for stream")
    return name


@routes.add(
    "GET",
    "messages",
    "anchor use_first_unread_anchor num_before num_after narrow include_anchor apply_markdown client_gravatar",
)
def get_messages(call: Call) -> Body:
    num_before, num_after = call.integer("num_before"), call.integer("num_after")
    if num_before + num_after > MAX_MESSAGES:
        raise Refusal(f"Too many messages requested (maximum {MAX_MESSAGES}).")
    with call.realm.lock:
        inbox, messages = call.realm.inboxes[call.viewer.user_id], call.realm.messages
        test = compile_narrow(call.realm, call.viewer, call.json("narrow", None) or [])
        anchor = _read_anchor(call, inbox, test)
        window = find_window(
            list(inbox),
            lambda message_id: test(messages[message_id], inbox[message_id]),
            anchor=anchor,
            num_before=num_before,
            num_after=num_after,
            include_anchor=call.boolean("include_anchor", True),
        )
        as_html = call.boolean("apply_markdown", True)
        shown = [_show(call, messages[message_id], as_html) for message_id in window.message_ids]
    return {
        "messages": shown,
        "found_anchor": window.found_anchor,
        "found_oldest": window.found_oldest,
        "found_newest": window.found_newest,
        "history_limited": False,
        "anchor": anchor,
    }


def _read_anchor(call: Call, inbox: dict[int, set[str]], test: Predicate) -> int:
    anchor = call.text("anchor", "first_unread" if call.boolean("use_first_unread_anchor", False) else None)
    if anchor is None:
        raise missing_argument("anchor")
    if anchor == "first_unread":
        unread = (message_id for message_id, flags in inbox.items() if "read" not in flags)
        return next((each for each in unread if test(call.realm.messages[each], inbox[each])), NEWEST)
    named = {"newest": NEWEST, "oldest": 0}
    try:
        return named[anchor] if anchor in named else max(0, min(int(anchor), NEWEST))
    except ValueError:
        raise Refusal("Invalid anchor") from None


def _show(call: Call, message: SandboxMessage, as_html: bool) -> Body:
    flags = call.realm.inboxes[call.viewer.user_id].get(message.id, {"read", "historical"})
    return {**shapes.show_message(call.realm, message, as_html=as_html), "flags": sorted(flags)}


@routes.add("GET", "messages/*", "apply_markdown")
def get_message(call: Call) -> Body:
    with call.realm.lock:
        message = call.realm.get_message(call.viewer, _message_id(call))
        shown = _show(call, message, call.boolean("apply_markdown", True))
        return {"message": shown, "raw_content": message.content}


@routes.add("PATCH", "messages/*", "content topic propagate_mode stream_id send_notification_to_old_thread")
def edit_message(call: Call) -> Body:
    content = call.text("content", None)
    if content is None:
        raise Refusal("Nothing to change")
    call.realm.edit(call.viewer, _message_id(call), content)
    return {}


@routes.add("DELETE", "messages/*")
def delete_message(call: Call) -> Body:
    call.realm.delete(call.viewer, _message_id(call))
    return {}


def _message_id(call: Call) -> int:
    try:
        return int(call.path_args[0])
    except ValueError:
        raise invalid_message() from None


@routes.add("POST", "messages/flags", "messages op flag")
def update_flags(call: Call) -> Body:
    op = call.text("op")
    if op not in ("add", "remove"):
        raise Refusal(f"Invalid message flag operation: '{op}'")
    return {"messages": call.realm.flag(call.viewer, call.integers("messages"), call.text("flag"), op=op)}


@routes.add("POST", "mark_all_as_read")
def mark_all_as_read(call: Call) -> Body:
    with call.realm.lock:
        inbox = call.realm.inboxes[call.viewer.user_id]
        unread = [message_id for message_id, flags in inbox.items() if "read" not in flags]
        call.realm.flag(call.viewer, unread, "read", op="add")
    return {}


@routes.add("POST", "messages/render", "content")
def render_message(call: Call) -> Body:
    return {"rendered": call.realm.render(call.text("content"))}


# Reactions and typing


@routes.add("POST", "messages/*/reactions", "emoji_name emoji_code reaction_type")
def add_reaction(call: Call) -> Body:
    call.realm.react(call.viewer, _message_id(call), call.text("emoji_name"), op="add")
    return {}


@routes.add("DELETE", "messages/*/reactions", "emoji_name emoji_code reaction_type")
def remove_reaction(call: Call) -> Body:
    call.realm.react(call.viewer, _message_id(call), call.text("emoji_name"), op="remove")
    return {}


@routes.add("POST", "typing", "type op to topic")
def show_typing(call: Call) -> Body:
    op, to = call.text("op"), call.integers("to")
    if op not in ("start", "stop"):
        raise Refusal("Invalid op")
    if call.text("type", "private") in DIRECT:
        call.realm.show_typing(call.viewer, [_find_recipient(call, user_id) for user_id in to], op)
    return {}
