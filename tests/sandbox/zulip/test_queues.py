"""Event queues: what is heard, how long they live, and who waits in them."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from lms_bot.sandbox.zulip import SandboxPerson, SandboxZulip
from tests.worlds.zulip_clients import PATIENCE_SECONDS, Clock, client_of, contents, wait_until_polled

if TYPE_CHECKING:
    from zulip import Client


def test_a_poll_waits_for_what_comes(
    zulip: SandboxZulip, bot: SandboxPerson, anna: SandboxPerson, client: Client, elsewhere: ThreadPoolExecutor
) -> None:
    queue_id = client.register(["message"])["queue_id"]
    answer = elsewhere.submit(client.get_events, queue_id=queue_id, last_event_id=-1)
    wait_until_polled(zulip, queue_id, bot.user_id)
    zulip.send(anna, bot, "at last")
    assert contents(answer.result(PATIENCE_SECONDS)) == ["at last"]


def test_a_queue_may_be_limited_to_direct_messages(
    zulip: SandboxZulip, bot: SandboxPerson, anna: SandboxPerson, client: Client
) -> None:
    queue_id = client.register(["message"], narrow=[["is", "dm"]])["queue_id"]
    zulip.send(anna, ("mentors", "exams"), "@**LMS Bot** in a channel")
    zulip.send(anna, bot, "between us")
    assert contents(client.get_events(queue_id=queue_id, last_event_id=-1)) == ["between us"]


def test_a_queue_nobody_polls_is_gone_after_ten_minutes(clock: Clock, client: Client) -> None:
    queue_id = client.register(["message"])["queue_id"]
    request = {"queue_id": queue_id, "last_event_id": -1, "dont_block": True}
    for _ in range(2):
        clock.time += 599
        assert client.call_endpoint(url="events", method="GET", request=request)["result"] == "success"
    clock.time += 601
    assert client.call_endpoint(url="events", method="GET", request=request)["code"] == "BAD_EVENT_QUEUE_ID"


def test_a_queue_somebody_waits_in_lives_on(
    zulip: SandboxZulip,
    bot: SandboxPerson,
    anna: SandboxPerson,
    clock: Clock,
    client: Client,
    elsewhere: ThreadPoolExecutor,
) -> None:
    queue_id = client.register(["message"])["queue_id"]
    answer = elsewhere.submit(client.get_events, queue_id=queue_id, last_event_id=-1)
    wait_until_polled(zulip, queue_id, bot.user_id)
    clock.time += 3600
    zulip.send(anna, bot, "still there?")
    assert contents(answer.result(PATIENCE_SECONDS)) == ["still there?"]


def test_events_stay_until_the_client_says_it_has_them(
    zulip: SandboxZulip, bot: SandboxPerson, anna: SandboxPerson, client: Client
) -> None:
    queue_id = client.register(["message"])["queue_id"]
    for text in ("one", "two"):
        zulip.send(anna, bot, text)
    for _ in range(2):
        assert contents(client.get_events(queue_id=queue_id, last_event_id=-1)) == ["one", "two"]
    assert contents(client.get_events(queue_id=queue_id, last_event_id=0)) == ["two"]
    assert "pruned" in client.get_events(queue_id=queue_id, last_event_id=-1)["msg"]


def test_a_quiet_queue_beats() -> None:
    with SandboxZulip(heartbeat_seconds=0.01) as zulip:
        client = client_of(zulip, zulip.add_person("LMS Bot", is_bot=True))
        queue_id = client.register(["message"])["queue_id"]
        for number in range(3):
            events = client.get_events(queue_id=queue_id, last_event_id=number - 1)["events"]
            assert events == [{"type": "heartbeat", "id": number}]


def test_a_later_poll_takes_the_place_of_an_earlier_one(
    zulip: SandboxZulip, bot: SandboxPerson, client: Client, elsewhere: ThreadPoolExecutor
) -> None:
    queue_id = client.register(["message"])["queue_id"]
    first = elsewhere.submit(client.get_events, queue_id=queue_id, last_event_id=-1)
    wait_until_polled(zulip, queue_id, bot.user_id)
    client_of(zulip, bot).get_events(queue_id=queue_id, last_event_id=-1, dont_block=True)
    assert first.result(PATIENCE_SECONDS)["events"] == []


def test_whoever_waits_in_a_dropped_queue_is_told_at_once(
    zulip: SandboxZulip, bot: SandboxPerson, client: Client, elsewhere: ThreadPoolExecutor
) -> None:
    queue_id = client.register(["message"])["queue_id"]
    answer = elsewhere.submit(client.get_events, queue_id=queue_id, last_event_id=-1)
    wait_until_polled(zulip, queue_id, bot.user_id)
    zulip.drop_queues()
    assert answer.result(PATIENCE_SECONDS)["code"] == "BAD_EVENT_QUEUE_ID"


def test_the_stock_event_loop_survives_dropped_queues(
    zulip: SandboxZulip, bot: SandboxPerson, anna: SandboxPerson, client: Client
) -> None:
    class Heard(Exception):
        pass

    def hear(event: dict[str, Any]) -> None:
        raise Heard(event["message"]["content"])

    def run() -> None:
        try:
            client.call_on_each_event(hear, ["message"])
        except Heard as heard:
            said.set_result(str(heard))

    said: Future[str] = Future()
    thread = threading.Thread(target=run)
    thread.start()
    zulip.wait_for_request(lambda request: request.path == "/api/v1/register")
    zulip.drop_queues()
    registered = len([each for each in zulip.requests if each.path == "/api/v1/register"])
    zulip.wait_for_request(lambda _: sum(r.path == "/api/v1/register" for r in zulip.requests) > registered)
    zulip.send(anna, bot, "again")
    assert said.result(PATIENCE_SECONDS) == "again"
    thread.join()


def test_every_message_of_many_writers_is_heard_once_and_in_order(
    zulip: SandboxZulip, bot: SandboxPerson, client: Client, elsewhere: ThreadPoolExecutor
) -> None:
    queue_id = client.register(["message"])["queue_id"]
    people = [zulip.add_person(f"Person {number}") for number in range(4)]

    def write(person: SandboxPerson) -> None:
        own = client_of(zulip, person)
        for _ in range(25):
            own.send_message({"type": "private", "to": [bot.user_id], "content": "x"})

    written = [elsewhere.submit(write, person) for person in people]
    heard: list[int] = []
    last_event_id = -1
    while len(heard) < 100:
        for event in client.get_events(queue_id=queue_id, last_event_id=last_event_id)["events"]:
            last_event_id = event["id"]
            heard.append(event["message"]["id"])
    assert heard == sorted(message.id for message in zulip.messages())
    assert [future.result() for future in written] == [None] * 4
