"""The sandbox Zulip's API about people, streams, files and what bots store."""

from __future__ import annotations

from typing import Any

from lms_bot.sandbox.zulip import shapes
from lms_bot.sandbox.zulip.calls import Body, Call
from lms_bot.sandbox.zulip.people import SandboxPerson
from lms_bot.sandbox.zulip.refusals import Refusal
from lms_bot.sandbox.zulip.routes import routes

# People


@routes.add("GET", "users", "client_gravatar include_custom_profile_fields")
def get_users(call: Call) -> Body:
    with_profile = call.boolean("include_custom_profile_fields", False)
    with call.realm.lock:
        people = list(call.realm.people.values())
        members = [_show(call, each, with_profile=with_profile) for each in people]
    return {"members": members}


@routes.add("GET", "users/me")
def get_own_user(call: Call) -> Body:
    with call.realm.lock:
        newest = max(call.realm.inboxes[call.viewer.user_id], default=-1)
        return {**_show(call, call.viewer, with_profile=True), "max_message_id": newest}


@routes.add("DELETE", "users/me")
def deactivate_own_user(call: Call) -> Body:
    call.realm.set_active(call.viewer, False)
    return {}


@routes.add("GET", "users/*", "client_gravatar include_custom_profile_fields")
def get_user(call: Call) -> Body:
    with_profile = call.boolean("include_custom_profile_fields", False)
    return {"user": _show(call, _find_user(call), with_profile=with_profile)}


@routes.add("GET", "users/*/presence")
def get_presence(call: Call) -> Body:
    raise Refusal(f"No presence data for {call.path_args[0] if _find_user(call) else ''}")


def _find_user(call: Call) -> SandboxPerson:
    """By id or by the shown address; a hidden real address finds nobody."""
    name = call.path_args[0]
    person = call.realm.people.get(int(name)) if name.isdigit() else call.realm.find_by_shown_email(name)
    if person is None:
        raise Refusal("No such user")
    return person


def _show(call: Call, person: SandboxPerson, *, with_profile: bool = False) -> Body:
    return shapes.show_person(call.realm, person, call.viewer, with_profile=with_profile)


# Streams


@routes.add("GET", "streams", "include_public include_web_public include_subscribed include_all_active")
def get_streams(call: Call) -> Body:
    with call.realm.lock:
        return {"streams": [shapes.show_stream(call.realm, each) for each in call.realm.streams.values()]}


@routes.add("GET", "get_stream_id", "stream")
def get_stream_id(call: Call) -> Body:
    name = call.text("stream")
    stream = call.realm.find_stream(name)
    if stream is None:
        raise Refusal(f"Invalid stream name '{name}'")
    return {"stream_id": stream.stream_id}


@routes.add("GET", "users/me/subscriptions", "include_subscribers")
def get_subscriptions(call: Call) -> Body:
    with call.realm.lock:
        mine = [each for each in call.realm.streams.values() if call.viewer.user_id in each.subscriber_ids]
        return {"subscriptions": [shapes.show_subscription(call.realm, each) for each in mine]}


@routes.add("POST", "users/me/subscriptions", "subscriptions principals")
def subscribe(call: Call) -> Body:
    people = [call.realm.people[user_id] for user_id in call.json("principals", [call.viewer.user_id])]
    subscribed: dict[str, list[str]] = {}
    already: dict[str, list[str]] = {}
    with call.realm.lock:
        for wish in call.json("subscriptions"):
            stream = call.realm.add_stream(wish["name"], description=wish.get("description", ""))
            for person in people:
                outcome = already if person.user_id in stream.subscriber_ids else subscribed
                outcome.setdefault(person.email, []).append(stream.name)
                stream.subscriber_ids.add(person.user_id)
    return {"subscribed": subscribed, "already_subscribed": already}


# Files


@routes.add("POST", "user_uploads")
def upload_file(call: Call) -> Body:
    files = call.request.files
    if not files:
        raise Refusal("You must specify a file to upload")
    if len(files) > 1:
        raise Refusal("You may only upload one file at a time")
    return {"uri": call.uploads.add(call.viewer, files[0].name, files[0].content).path}


# What a bot stores at the server


@routes.add("GET", "bot_storage", "keys")
def get_storage(call: Call) -> Body:
    stored = call.realm.storages.get(call.viewer.user_id, {})
    keys = call.json("keys", list(stored))
    if any(key not in stored for key in keys):
        raise Refusal("Key does not exist.")
    return {"storage": {key: stored[key] for key in keys}}


@routes.add("PUT", "bot_storage", "storage")
def update_storage(call: Call) -> Body:
    storage: Any = call.json("storage")
    with call.realm.lock:
        call.realm.storages.setdefault(call.viewer.user_id, {}).update(storage)
    return {}


@routes.add("DELETE", "bot_storage", "keys")
def remove_storage(call: Call) -> Body:
    with call.realm.lock:
        stored = call.realm.storages.get(call.viewer.user_id, {})
        for key in call.json("keys", list(stored)):
            if stored.pop(key, None) is None:
                raise Refusal("Key does not exist.")
    return {}
