"""Finding messages: around an anchor, and by what they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zulip import Client

    from lms_bot.sandbox.zulip import SandboxPerson, SandboxZulip


def test_messages_are_found_around_an_anchor(
    zulip: SandboxZulip, bot: SandboxPerson, anna: SandboxPerson, client: Client
) -> None:
    ids = [zulip.send(bot if number % 2 else anna, anna if number % 2 else bot, str(number)) for number in range(8)]

    def find(**filters: Any) -> list[int]:
        filters = {"num_before": 0, "num_after": 0, "apply_markdown": False, **filters}
        return [message["id"] for message in client.get_messages(filters)["messages"]]

    narrow = [{"operator": "sender", "operand": bot.user_id}, {"operator": "dm", "operand": [anna.user_id]}]
    assert find(anchor="newest", num_before=2, narrow=narrow) == [ids[5], ids[7]]
    assert find(anchor="oldest", num_after=3) == ids[:3]
    assert find(anchor=ids[4], num_before=1, num_after=1) == ids[3:6]
    assert find(anchor=ids[4], num_before=1, num_after=1, include_anchor=False) == [ids[3], ids[5]]


def test_unread_messages_are_those_no_client_has_marked(
    zulip: SandboxZulip, bot: SandboxPerson, anna: SandboxPerson, client: Client
) -> None:
    ids = [zulip.send(anna, bot, text) for text in ("one", "two", "three")]
    client.update_message_flags({"messages": ids[:1], "op": "add", "flag": "read"})
    narrow = [["is", "dm"], ["is", "unread"]]
    found = client.get_messages({"anchor": "first_unread", "num_before": 0, "num_after": 9, "narrow": narrow})
    assert [message["id"] for message in found["messages"]] == ids[1:]
    assert found["found_newest"] and found["anchor"] == ids[1]
