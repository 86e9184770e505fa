"""What can happen in the organization: messages, reactions, edits, people who come and go, policies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.worlds.zulip_clients import client_of, contents, post_message

if TYPE_CHECKING:
    from zulip import Client

    from lms_bot.sandbox.zulip import SandboxPerson, SandboxZulip


def test_a_message_and_its_answer_travel_over_http(
    zulip: SandboxZulip, bot: SandboxPerson, anna: SandboxPerson, client: Client
) -> None:
    queue_id = client.register(["message"])["queue_id"]
    zulip.send(anna, bot, "stats")
    event = client.get_events(queue_id=queue_id, last_event_id=-1)["events"][0]
    assert (event["message"]["content"], event["message"]["sender_id"]) == ("stats", anna.user_id)
    sent = client.send_message({"type": "private", "to": [anna.user_id], "content": "none yet"})
    message = zulip.wait_for(lambda message: message.id == sent["id"])
    assert (message.sender_id, message.recipient_ids) == (bot.user_id, (anna.user_id,))
    assert message.content == "none yet"


def test_a_person_can_write_from_a_client_of_their_own(
    zulip: SandboxZulip, bot: SandboxPerson, anna: SandboxPerson, client: Client
) -> None:
    queue_id = client.register(["message"])["queue_id"]
    assert post_message(zulip, anna, bot, "hello").json()["result"] == "success"
    assert contents(client.get_events(queue_id=queue_id, last_event_id=-1)) == ["hello"]


def test_a_deactivated_person_neither_gets_nor_asks_anything(
    zulip: SandboxZulip, anna: SandboxPerson, client: Client
) -> None:
    message = {"type": "private", "to": [anna.user_id], "content": "x"}
    zulip.deactivate(anna)
    assert client.send_message(message)["msg"] == f"'{anna.email}' is no longer using Zulip."
    assert client_of(zulip, anna).get_profile()["msg"] == "Account is deactivated"
    zulip.reactivate(anna)
    assert client.send_message(message)["result"] == "success"


def test_reactions_edits_and_typing_reach_those_who_listen(
    zulip: SandboxZulip, bot: SandboxPerson, anna: SandboxPerson, client: Client
) -> None:
    queue_id = client_of(zulip, anna).register(["reaction", "update_message", "typing"])["queue_id"]
    message_id = zulip.send(anna, bot, "hsitory")
    zulip.edit(message_id, "history")
    client.add_reaction({"message_id": message_id, "emoji_name": "check", "reaction_type": "unicode_emoji"})
    client.set_typing_status({"op": "start", "to": [anna.user_id]})
    events = client_of(zulip, anna).get_events(queue_id=queue_id, last_event_id=-1)["events"]
    assert [event["type"] for event in events] == ["update_message", "reaction", "typing"]
    assert (events[0]["orig_content"], events[0]["content"]) == ("hsitory", "history")
    assert (events[1]["op"], events[1]["emoji_code"], events[1]["user_id"]) == ("add", "2705", bot.user_id)
    zulip.react(anna, message_id, "+1")
    assert [each.emoji_name for each in zulip.messages()[0].reactions] == ["check", "+1"]


def test_a_mentioned_bot_hears_of_a_channel_it_is_not_in(
    zulip: SandboxZulip, bot: SandboxPerson, anna: SandboxPerson, client: Client
) -> None:
    queue_id = client.register(["message"])["queue_id"]
    zulip.send(anna, ("mentors", "exams"), "nothing for bots")
    zulip.send(anna, ("mentors", "exams"), "@**LMS Bot** stats")
    events = client.get_events(queue_id=queue_id, last_event_id=-1)["events"]
    assert [(event["message"]["content"], event["flags"]) for event in events] == [
        ("@**LMS Bot** stats", ["mentioned"])
    ]
    sent = client.send_message({"type": "stream", "to": "mentors", "subject": "exams", "content": "see there"})
    assert zulip.messages(to=("mentors", "exams"))[-1].id == sent["id"]
    client.add_subscriptions([{"name": "mentors"}])
    zulip.send(anna, ("mentors", "exams"), "now it hears all")
    assert contents(client.get_events(queue_id=queue_id, last_event_id=0))[-1] == "now it hears all"


def test_a_bot_that_may_not_start_a_conversation_may_answer_one(
    zulip: SandboxZulip, bot: SandboxPerson, anna: SandboxPerson, client: Client
) -> None:
    zulip.realm.bots_may_start_conversations = False
    message = {"type": "private", "to": [anna.user_id], "content": "x"}
    refusal = "You do not have permission to initiate direct message conversations."
    assert client.send_message(message)["msg"] == refusal
    zulip.send(anna, bot, "hello")
    assert client.send_message(message)["result"] == "success"


def test_two_people_cannot_have_the_same_address(zulip: SandboxZulip, anna: SandboxPerson) -> None:
    with pytest.raises(ValueError, match="taken"):
        zulip.add_person("Anna Again", email="ANNA@example.com")
