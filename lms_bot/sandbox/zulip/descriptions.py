"""What the sandbox Zulip tells a client of itself: at sign-in, and before it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from lms_bot.sandbox.zulip import shapes
from lms_bot.sandbox.zulip.organization import Organization
from lms_bot.sandbox.zulip.people import SandboxPerson

SIGN_IN_METHODS = (
    *("password", "dev", "email", "ldap", "remoteuser", "github"),
    *("azuread", "gitlab", "google", "apple", "saml", "openid connect"),
)


def describe_server(organization: Organization) -> dict[str, Any]:
    """What `GET /server_settings` tells everybody."""
    enabled = {name: name in ("password", "email") for name in SIGN_IN_METHODS}
    return {
        "authentication_methods": enabled,
        **shapes.ZULIP_VERSION,
        "push_notifications_enabled": False,
        "is_incompatible": False,
        "email_auth_enabled": True,
        "require_email_format_usernames": True,
        "realm_uri": organization.site,
        "realm_name": organization.name,
        "realm_icon": organization.site + shapes.AVATAR_PATH,
        "realm_description": "<p>A sandbox.</p>",
        "realm_web_public_access_enabled": False,
        "external_authentication_methods": [],
    }


def describe_state(
    organization: Organization, viewer: SandboxPerson, event_types: Collection[str] | None
) -> dict[str, Any]:
    """The state that `POST /register` hands out for these event types (None: all)."""

    def is_wanted(event_type: str) -> bool:
        return event_types is None or event_type in event_types

    state: dict[str, Any] = {}
    if is_wanted("message"):
        state["max_message_id"] = max(organization.inboxes[viewer.user_id], default=-1)
    if is_wanted("realm_user"):
        state.update(_describe_people(organization, viewer))
    if is_wanted("subscription"):
        mine = [each for each in organization.streams.values() if viewer.user_id in each.subscriber_ids]
        others = [each for each in organization.streams.values() if viewer.user_id not in each.subscriber_ids]
        state["subscriptions"] = [shapes.show_subscription(organization, each) for each in mine]
        state["unsubscribed"] = []
        state["never_subscribed"] = [shapes.show_stream(organization, each) for each in others]
    return state


def _describe_people(organization: Organization, viewer: SandboxPerson) -> dict[str, Any]:
    shown = [
        shapes.show_person(organization, each, viewer, with_profile=True) for each in organization.people.values()
    ]
    for person in shown:
        person["is_active"] = organization.people[person["user_id"]].is_active
    me = shapes.show_person(organization, viewer, viewer)
    own = ("is_admin", "is_owner", "is_guest", "is_billing_admin", "user_id", "email", "delivery_email")
    return {
        **{key: me[key] for key in own},
        "full_name": viewer.full_name,
        "is_moderator": viewer.role <= 300,
        "avatar_source": "G",
        "avatar_url": me["avatar_url"],
        "avatar_url_medium": me["avatar_url"],
        "can_create_private_streams": True,
        "can_create_public_streams": True,
        "can_create_streams": True,
        "can_create_web_public_streams": False,
        "can_subscribe_other_users": True,
        "can_invite_others_to_realm": True,
        "cross_realm_bots": [],
        "realm_users": [_without_activity(each) for each in shown if each["is_active"]],
        "realm_non_active_users": [_without_activity(each) for each in shown if not each["is_active"]],
    }


def _without_activity(person: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in person.items() if key != "is_active"}
