"""The sandbox Zulip as a test plays with it: people who write, what was asked, stopping and starting."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests
from zulip import Client

from lms_bot.sandbox.zulip import Fault, SandboxPerson, SandboxZulip
from tests.worlds.zulip_clients import PATIENCE_SECONDS, client_of, contents, post_message, wait_until_polled

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor


def test_the_file_of_credentials_is_enough_to_sign_in(
    zulip: SandboxZulip, bot: SandboxPerson, tmp_path: Path
) -> None:
    client = Client(config_file=str(zulip.write_zuliprc(bot, tmp_path / "zuliprc")))
    assert client.get_profile()["user_id"] == bot.user_id


def test_messages_are_listed_by_sender_and_by_exact_address(
    zulip: SandboxZulip, bot: SandboxPerson, anna: SandboxPerson
) -> None:
    boris = zulip.add_person("Boris")
    for to, text in ((anna, "one"), (boris, "two"), ([anna, boris], "both")):
        zulip.send(bot, to, text)
    zulip.send(anna, bot, "thanks")
    assert [each.content for each in zulip.messages(to=anna)] == ["one"]
    assert [each.content for each in zulip.messages(to=[boris, anna])] == ["both"]
    assert [each.content for each in zulip.messages(sender=anna)] == ["thanks"]
    with pytest.raises(TimeoutError, match="thanks"):
        zulip.wait_for(lambda message: message.content == "never said", timeout=0.01)


def threads_of(zulip: SandboxZulip) -> list[threading.Thread]:
    port = zulip.site.rpartition(":")[2]
    return [thread for thread in threading.enumerate() if thread.name == f"sandbox-zulip-{port}"]


def test_stopping_ends_long_polls_at_once_and_leaves_no_thread(
    zulip: SandboxZulip, bot: SandboxPerson, client: Client, elsewhere: ThreadPoolExecutor
) -> None:
    queue_id = client.register(["message"])["queue_id"]
    answer = elsewhere.submit(client.get_events, queue_id=queue_id, last_event_id=-1)
    wait_until_polled(zulip, queue_id, bot.user_id)
    assert threads_of(zulip)
    zulip.stop()
    assert isinstance(answer.exception(PATIENCE_SECONDS), requests.ConnectionError)
    assert not threads_of(zulip)


def test_while_stopped_connections_are_refused_and_afterwards_all_is_as_it_was(
    zulip: SandboxZulip, bot: SandboxPerson, anna: SandboxPerson, client: Client
) -> None:
    queue_id, site = client.register(["message"])["queue_id"], zulip.site
    zulip.send(anna, bot, "before")
    zulip.stop()
    with pytest.raises(requests.ConnectionError, match="refused"):
        requests.get(f"{site}/api/v1/server_settings", timeout=PATIENCE_SECONDS)
    zulip.send(anna, bot, "meanwhile")
    zulip.start()
    assert zulip.site == site
    assert contents(client.get_events(queue_id=queue_id, last_event_id=-1)) == ["before", "meanwhile"]


def test_a_server_may_be_stopped_and_started_over_and_over(zulip: SandboxZulip, client: Client) -> None:
    for _ in range(5):
        zulip.stop()
        zulip.stop()
        zulip.start()
        assert client_of(zulip, zulip.realm.people[8]).get_profile()["result"] == "success"


def test_the_address_is_known_before_the_server_listens() -> None:
    zulip = SandboxZulip()
    with pytest.raises(requests.ConnectionError):
        requests.get(zulip.site, timeout=PATIENCE_SECONDS)
    with zulip:
        assert requests.get(f"{zulip.site}/api/v1/server_settings", timeout=PATIENCE_SECONDS).ok


def test_what_was_asked_can_be_read_afterwards(zulip: SandboxZulip, bot: SandboxPerson, anna: SandboxPerson) -> None:
    post_message(zulip, bot, anna, "x")
    zulip.faults.add(Fault("answer_lost"))
    with pytest.raises(requests.ConnectionError):
        post_message(zulip, bot, anna, "y")
    seen = [(each.user_id, each.method, each.path, each.status) for each in zulip.requests]
    assert seen == [
        (bot.user_id, "POST", "/api/v1/messages", 200),
        (bot.user_id, "POST", "/api/v1/messages", None),
    ]
