"""What the API answers about messages and a bot's storage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.worlds.zulip_clients import client_of

if TYPE_CHECKING:
    from zulip import Client

    from lms_bot.sandbox.zulip import SandboxPerson, SandboxZulip


def test_a_message_is_shown_as_html_with_its_image_and_who_it_names(
    zulip: SandboxZulip, bot: SandboxPerson, anna: SandboxPerson, client: Client
) -> None:
    path = zulip.upload(bot, "chart.png", b"x")
    zulip.send(bot, anna, f"@**{anna.full_name}** [chart.png]({path})")
    [message] = client_of(zulip, anna).get_messages({"anchor": "newest", "num_before": 1, "num_after": 0})["messages"]
    assert message["content"] == (
        f'<p><span class="user-mention" data-user-id="{anna.user_id}">@{anna.full_name}</span>'
        f' <a href="{path}">chart.png</a></p>\n<div class="message_inline_image">'
        f'<a href="{path}" title="chart.png"><img src="{path}"></a></div>'
    )
    assert client.render_message({"content": "**x**"})["rendered"] == "<p><strong>x</strong></p>"


def test_what_a_bot_stores_is_given_back(client: Client) -> None:
    assert client.update_storage({"storage": {"a": "1", "b": "2"}})["result"] == "success"
    assert client.get_storage({"keys": ["b"]})["storage"] == {"b": "2"}
    assert client.get_storage()["storage"] == {"a": "1", "b": "2"}
    assert client.get_storage({"keys": ["c"]})["result"] == "error"
