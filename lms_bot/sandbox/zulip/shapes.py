"""How the sandbox Zulip shows things in JSON: the keys and types of a real server (feature level 179)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timezone
from typing import Any

from lms_bot.sandbox.zulip.organization import Organization
from lms_bot.sandbox.zulip.people import Reaction, SandboxMessage, SandboxPerson, SandboxStream

ZULIP_VERSION = {"zulip_version": "7.0", "zulip_feature_level": 179, "zulip_merge_base": "7.0"}
AVATAR_PATH = "/static/images/default-avatar.png?version=1"


def show_person(
    organization: Organization, person: SandboxPerson, viewer: SandboxPerson, *, with_profile: bool = False
) -> dict[str, Any]:
    """A user object as `viewer` sees it: a hidden address is null but for administrators and its owner."""
    shown: dict[str, Any] = {
        "email": person.email,
        "user_id": person.user_id,
        "avatar_version": 1,
        "is_admin": person.is_admin,
        "is_owner": person.role == 100,
        "is_guest": person.role == 600,
        "is_billing_admin": False,
        "role": person.role,
        "is_bot": person.is_bot,
        "full_name": person.full_name,
        "timezone": person.timezone,
        "is_active": person.is_active,
        "date_joined": datetime.fromtimestamp(person.joined_at, timezone.utc).isoformat(),
        "avatar_url": organization.site + AVATAR_PATH,
        "delivery_email": person.delivery_email if viewer.can_see_address_of(person) else None,
    }
    if person.is_bot:
        shown.update(bot_type=1, bot_owner_id=person.owner_id)
    elif with_profile:
        shown["profile_data"] = {}
    return shown


def show_address_changes(organization: Organization, person: SandboxPerson) -> list[dict[str, Any]]:
    """What others hear when a person's address becomes visible; the avatar follows the address."""
    avatar_url = organization.site + AVATAR_PATH
    avatar = {"avatar_source": "G", "avatar_url": avatar_url, "avatar_url_medium": avatar_url}
    changes = ({"delivery_email": person.email}, {"new_email": person.email}, {**avatar, "avatar_version": 1})
    return [{"user_id": person.user_id, **change} for change in changes]


def show_message(organization: Organization, message: SandboxMessage, *, as_html: bool) -> dict[str, Any]:
    """A message object without flags, which differ from reader to reader."""
    sender = organization.people[message.sender_id]
    shown: dict[str, Any] = {
        "id": message.id,
        "sender_id": message.sender_id,
        "content": organization.render(message.content) if as_html else message.content,
        "content_type": "text/html" if as_html else "text/x-markdown",
        "recipient_id": organization.get_recipient_id(message),
        "timestamp": int(message.sent_at),
        "client": message.client,
        "subject": message.topic or "",
        "topic_links": [],
        "is_me_message": message.content.startswith("/me "),
        "reactions": [_show_reaction(organization, reaction) for reaction in message.reactions],
        "submessages": [] if message.widget is None else [_show_widget(message, message.widget)],
        "sender_full_name": sender.full_name,
        "sender_email": sender.email,
        "sender_realm_str": "",
        "avatar_url": organization.site + AVATAR_PATH,
    }
    shown.update(_show_place(organization, message))
    if message.edits:
        shown.update(_show_edits(organization, message))
    return shown


def _show_widget(message: SandboxMessage, widget: str) -> dict[str, Any]:
    """A real server counts these by themselves; here, a message has one at most."""
    ids = {"id": message.id, "message_id": message.id, "sender_id": message.sender_id}
    return {**ids, "msg_type": "widget", "content": widget}


def _show_place(organization: Organization, message: SandboxMessage) -> dict[str, Any]:
    if message.stream is not None:
        stream_id = organization.streams[message.stream.casefold()].stream_id
        return {"type": "stream", "display_recipient": message.stream, "stream_id": stream_id}
    people = [organization.people[user_id] for user_id in sorted(message.participant_ids)]
    return {
        "type": "private",
        "display_recipient": [
            {"id": each.user_id, "email": each.email, "full_name": each.full_name, "is_mirror_dummy": False}
            for each in people
        ],
    }


def _show_edits(organization: Organization, message: SandboxMessage) -> dict[str, Any]:
    history = [
        {
            "user_id": edit.user_id,
            "timestamp": int(edit.edited_at),
            "prev_content": edit.previous_content,
            "prev_rendered_content": organization.render(edit.previous_content),
            "prev_rendered_content_version": 1,
        }
        for edit in message.edits
    ]
    return {"last_edit_timestamp": history[0]["timestamp"], "edit_history": history}


def _show_reaction(organization: Organization, reaction: Reaction) -> dict[str, Any]:
    person = organization.people[reaction.user_id]
    return {
        "emoji_name": reaction.emoji_name,
        "emoji_code": reaction.emoji_code,
        "reaction_type": "unicode_emoji",
        "user_id": person.user_id,
        "user": {"id": person.user_id, "email": person.email, "full_name": person.full_name},
    }


def show_stream(organization: Organization, stream: SandboxStream) -> dict[str, Any]:
    first = next((each.id for each in organization.messages.values() if each.stream == stream.name), None)
    return {
        "can_remove_subscribers_group_id": 11,
        "date_created": int(stream.created_at),
        "description": stream.description,
        "first_message_id": first,
        "history_public_to_subscribers": True,
        "invite_only": False,
        "is_web_public": False,
        "message_retention_days": None,
        "name": stream.name,
        "rendered_description": organization.render(stream.description),
        "stream_id": stream.stream_id,
        "stream_post_policy": 1,
        "is_announcement_only": False,
    }


def show_subscription(organization: Organization, stream: SandboxStream) -> dict[str, Any]:
    return {
        **show_stream(organization, stream),
        "audible_notifications": None,
        "color": "#76ce90",
        "desktop_notifications": None,
        "email_address": "",
        "email_notifications": None,
        "in_home_view": True,
        "is_muted": False,
        "pin_to_top": False,
        "push_notifications": None,
        "stream_weekly_traffic": None,
        "wildcard_mentions_notify": None,
    }


def show_reaction_event(
    organization: Organization, op: str, message: SandboxMessage, reaction: Reaction
) -> dict[str, Any]:
    shown = _show_reaction(organization, reaction)
    shown["user"]["user_id"] = shown["user"].pop("id")  # named differently in events than in messages
    return {"type": "reaction", "op": op, "message_id": message.id, **shown}


def show_edit_event(organization: Organization, message: SandboxMessage, flags: Iterable[str]) -> dict[str, Any]:
    edit = message.edits[0]
    return {
        "type": "update_message",
        "user_id": edit.user_id,
        "edit_timestamp": int(edit.edited_at),
        "message_id": message.id,
        "message_ids": [message.id],
        "rendering_only": False,
        "orig_content": edit.previous_content,
        "orig_rendered_content": organization.render(edit.previous_content),
        "prev_rendered_content_version": 1,
        "content": message.content,
        "rendered_content": organization.render(message.content),
        "is_me_message": message.content.startswith("/me "),
        "flags": sorted(flags),
    }


def show_deletion_event(organization: Organization, message: SandboxMessage) -> dict[str, Any]:
    event: dict[str, Any] = {"type": "delete_message", "message_type": "private", "message_id": message.id}
    if message.stream is not None:
        stream_id = organization.streams[message.stream.casefold()].stream_id
        event.update(message_type="stream", stream_id=stream_id, topic=message.topic)
    return event


def show_typing_event(op: str, sender: SandboxPerson, people: Iterable[SandboxPerson]) -> dict[str, Any]:
    return {
        "type": "typing",
        "op": op,
        "message_type": "private",
        "sender": {"user_id": sender.user_id, "email": sender.email},
        "recipients": [{"user_id": each.user_id, "email": each.email} for each in people],
    }
