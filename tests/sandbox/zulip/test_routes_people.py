"""What the API answers about people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.worlds.zulip_clients import client_of

if TYPE_CHECKING:
    from zulip import Client

    from lms_bot.sandbox.zulip import SandboxPerson, SandboxZulip


def test_a_hidden_address_is_seen_by_its_owner_and_by_administrators_only(
    zulip: SandboxZulip, bot: SandboxPerson, anna: SandboxPerson, client: Client
) -> None:
    def seen() -> tuple[str, str | None]:
        user = client.call_endpoint(url=f"users/{anna.user_id}", method="GET")["user"]
        return user["email"], user["delivery_email"]

    assert seen() == (f"user{anna.user_id}@zulip.example.com", None)
    assert client_of(zulip, anna).get_profile()["delivery_email"] == "anna@example.com"
    bot.role = 200
    assert seen()[1] == "anna@example.com"
    bot.role = 400
    zulip.show_address(anna)
    assert seen() == ("anna@example.com", "anna@example.com")
