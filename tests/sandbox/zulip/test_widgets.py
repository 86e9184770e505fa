"""Messages with widgets: what is taken for one, who sees it, and that it stays as it is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.worlds.zulip_clients import client_of
from tests.worlds.zulip_recorded_world import CHOICES

if TYPE_CHECKING:
    from zulip import Client

    from lms_bot.sandbox.zulip import SandboxPerson, SandboxZulip


def form(**more: Any) -> dict[str, Any]:
    return {"widget_type": "zform", "extra_data": {"type": "choices", "heading": "?", "choices": [], **more}}


CHOICE = {"short_name": "1", "long_name": "John Doe", "reply": "1"}


def send(client: Client, to: SandboxPerson, widget: object) -> dict[str, Any]:
    request = {"type": "private", "to": [to.user_id], "content": "Which John?", "widget_content": widget}
    return client.send_message(request)


@pytest.mark.parametrize(
    ("widget", "complaint"),
    [
        ("nonsense", "API programmer sent invalid JSON content"),
        (5, "widget_content is not a dict"),
        ({}, "widget_type is not in widget_content"),
        ({"widget_type": "zform"}, "extra_data is not in widget_content"),
        ({"widget_type": "zform", "extra_data": 4}, "extra_data is not a dict"),
        ({"widget_type": "buttons", "extra_data": {}}, "unknown widget type: buttons"),
        ({"widget_type": "zform", "extra_data": {}}, "zform is missing type field"),
        (form(type="bogus"), "unknown zform type: bogus"),
        ({"widget_type": "zform", "extra_data": {"type": "choices"}}, "heading key is missing from extra_data"),
        (form(heading=1), 'extra_data["heading"] is not a string'),
        (form(choices=99), 'extra_data["choices"] is not a list'),
        (form(choices=[99]), 'extra_data["choices"][0] is not a dict'),
        (form(choices=[CHOICE, {}]), 'short_name key is missing from extra_data["choices"][1]'),
        (form(choices=[CHOICE | {"reply": 1}]), 'extra_data["choices"][0]["reply"] is not a string'),
    ],
)
def test_what_is_no_widget_is_refused_and_nothing_is_sent(
    zulip: SandboxZulip, anna: SandboxPerson, client: Client, widget: object, complaint: str
) -> None:
    answer = send(client, anna, widget)
    assert (answer["result"], answer["msg"], answer["code"]) == ("error", f"Widgets: {complaint}", "BAD_REQUEST")
    assert zulip.messages() == []


def test_a_widget_is_seen_at_once_and_later_and_not_edited(
    anna: SandboxPerson, client: Client, zulip: SandboxZulip
) -> None:
    annas = client_of(zulip, anna)
    queue = annas.register(event_types=["message"])
    sent_id = send(client, anna, CHOICES)["id"]
    client.send_message({"type": "private", "to": [anna.user_id], "content": "plain"})
    events = annas.get_events(queue_id=queue["queue_id"], last_event_id=-1)["events"]
    kept = annas.get_messages({"anchor": "newest", "num_before": 2, "num_after": 0})["messages"]
    for first, second in ([one["message"] for one in events], kept):
        (submessage,) = first["submessages"]
        assert (submessage["msg_type"], submessage["message_id"]) == ("widget", sent_id)
        assert json.loads(submessage["content"]) == CHOICES
        assert second["submessages"] == []
    assert client.update_message({"message_id": sent_id, "content": "x"})["msg"] == "Widgets cannot be edited."
    assert [one.content for one in zulip.messages()] == ["Which John?", "plain"]


def test_a_message_to_a_channel_may_have_a_widget_too(
    zulip: SandboxZulip, anna: SandboxPerson, client: Client
) -> None:
    zulip.add_stream("mentors", [anna])
    request = {"type": "stream", "to": "mentors", "topic": "exams", "content": "?", "widget_content": CHOICES}
    assert client.send_message(request)["result"] == "success"
    (message,) = zulip.messages(to=("mentors", "exams"))
    assert json.loads(message.widget or "") == CHOICES
