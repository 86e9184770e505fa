"""Rate limits, by the server's clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import requests

from tests.worlds.zulip_clients import PATIENCE_SECONDS, Clock, client_of

if TYPE_CHECKING:
    from zulip import Client

    from lms_bot.sandbox.zulip import SandboxPerson, SandboxZulip


def test_the_201st_request_within_a_minute_is_refused(
    zulip: SandboxZulip, clock: Clock, anna: SandboxPerson, client: Client
) -> None:
    for number in range(200):
        clock.time += 0.1
        assert client.get_profile()["result"] == "success", number
    refused = requests.get(
        f"{zulip.site}/api/v1/users/me", auth=(client.email, client.api_key), timeout=PATIENCE_SECONDS
    )
    assert refused.status_code == 429
    wait_seconds = refused.json()["retry-after"]
    assert wait_seconds == pytest.approx(60 - 19.9)
    assert float(refused.headers["Retry-After"]) == wait_seconds
    assert refused.headers["X-RateLimit-Remaining"] == "0"
    assert client_of(zulip, anna).get_profile()["result"] == "success"
    clock.time += wait_seconds
    assert client.get_profile()["result"] == "success"
    assert client.get_profile()["code"] == "RATE_LIMIT_HIT"


def test_polling_is_counted_apart_and_allowed_again_bit_by_bit(clock: Clock, client: Client) -> None:
    queue_id = client.register(["message"])["queue_id"]

    def poll() -> str:
        request = {"queue_id": queue_id, "last_event_id": -1, "dont_block": True}
        result: str = client.call_endpoint(url="events", method="GET", request=request)["result"]
        return result

    assert [poll() for _ in range(201)] == ["success"] * 200 + ["error"]
    assert client.get_profile()["result"] == "success"
    clock.time += 0.31
    assert [poll(), poll()] == ["success", "error"]
