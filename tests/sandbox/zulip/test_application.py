"""From a request to its answer: the door for other processes, and what a page of another site may not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import requests

from tests.worlds.zulip_clients import PATIENCE_SECONDS, post_message

if TYPE_CHECKING:
    from zulip import Client

    from lms_bot.sandbox.zulip import SandboxPerson, SandboxZulip


def test_another_process_may_play_with_the_server(
    zulip: SandboxZulip, bot: SandboxPerson, anna: SandboxPerson, client: Client
) -> None:
    door = f"{zulip.site}/sandbox"
    queue_id = client.register(["message"])["queue_id"]
    assert requests.post(f"{door}/faults", json={"kind": "html_502", "times": None}, timeout=PATIENCE_SECONDS).ok
    assert post_message(zulip, bot, anna, "x").status_code == 502
    assert requests.get(f"{door}/faults", timeout=PATIENCE_SECONDS).json()["faults"][0]["kind"] == "html_502"
    assert requests.delete(f"{door}/faults", timeout=PATIENCE_SECONDS).ok
    assert post_message(zulip, bot, anna, "x").status_code == 200
    assert [
        each["content"] for each in requests.get(f"{door}/messages", timeout=PATIENCE_SECONDS).json()["messages"]
    ] == ["x"]
    assert requests.post(f"{door}/queues/drop", timeout=PATIENCE_SECONDS).ok
    assert client.get_events(queue_id=queue_id, last_event_id=-1)["code"] == "BAD_EVENT_QUEUE_ID"


@pytest.mark.parametrize("wish", [{"kind": "explosion"}, {"sort": "html_502"}, 7])
def test_a_wish_that_makes_no_sense_is_refused(zulip: SandboxZulip, wish: object) -> None:
    answer = requests.post(f"{zulip.site}/sandbox/faults", json=wish, timeout=PATIENCE_SECONDS)
    assert (answer.status_code, answer.json()["result"]) == (400, "error")
    assert zulip.faults.get_all() == []


def test_a_page_of_another_site_finds_the_door_shut(zulip: SandboxZulip) -> None:
    headers = {"Host": "evil.example"}
    assert (
        requests.post(f"{zulip.site}/sandbox/queues/drop", headers=headers, timeout=PATIENCE_SECONDS).status_code
        == 403
    )
    headers = {"Origin": "http://evil.example"}
    assert (
        requests.post(f"{zulip.site}/sandbox/queues/drop", headers=headers, timeout=PATIENCE_SECONDS).status_code
        == 403
    )
