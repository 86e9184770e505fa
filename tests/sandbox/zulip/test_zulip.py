"""The sandbox Zulip, as the stock client, a person's own client and a test see it."""

from __future__ import annotations

import io
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
import requests
from zulip import Client

from lms_bot.sandbox.zulip import Fault, SandboxPerson, SandboxZulip
from lms_bot.sandbox.zulip.faults import KINDS
from lms_bot.sandbox.zulip.refusals import Refusal
from lms_bot.sandbox.zulip.text import MAX_MESSAGE_LENGTH, TRUNCATED, clean_content, clean_topic, find_mentions
from lms_bot.sandbox.zulip.uploads import clean_file_name

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Clock:
    """Time that passes only when told to."""

    def __init__(self) -> None:
        self.time = 1_795_397_090.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def zulip(clock: Clock) -> Iterator[SandboxZulip]:
    with SandboxZulip(now=clock) as server:
        yield server


@pytest.fixture
def bot(zulip: SandboxZulip) -> SandboxPerson:
    return zulip.add_person("LMS Bot", is_bot=True)


@pytest.fixture
def anna(zulip: SandboxZulip) -> SandboxPerson:
    return zulip.add_person("Anna Mentor", delivery_email="anna@example.com", email_is_hidden=True)


@pytest.fixture
def client(zulip: SandboxZulip, bot: SandboxPerson) -> Client:
    return client_of(zulip, bot)


@pytest.fixture
def elsewhere() -> Iterator[ThreadPoolExecutor]:
    """Threads for what is to happen while the test goes on."""
    with ThreadPoolExecutor() as threads:
        yield threads


def client_of(zulip: SandboxZulip, person: SandboxPerson) -> Client:
    return Client(email=person.delivery_email, api_key=person.api_key, site=zulip.site, retry_on_errors=False)


def post_message(zulip: SandboxZulip, sender: SandboxPerson, to: SandboxPerson, content: str) -> requests.Response:
    return requests.post(
        f"{zulip.site}/api/v1/messages",
        {"type": "direct", "to": f"[{to.user_id}]", "content": content},
        auth=(sender.delivery_email, sender.api_key),
        timeout=0.5,
    )


def contents(events: dict[str, Any]) -> list[str]:
    return [event["message"]["content"] for event in events["events"]]


def wait_until_polled(zulip: SandboxZulip, queue_id: str, user_id: int) -> None:
    """Until a client waits in this queue."""
    queue = zulip.realm.queues.get(queue_id, user_id)
    with zulip.realm.lock:
        assert queue.arrived.wait_for(lambda: queue.poll is not None, timeout=5)


# The stock client


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


def test_a_poll_waits_for_what_comes(
    zulip: SandboxZulip, bot: SandboxPerson, anna: SandboxPerson, client: Client, elsewhere: ThreadPoolExecutor
) -> None:
    queue_id = client.register(["message"])["queue_id"]
    answer = elsewhere.submit(client.get_events, queue_id=queue_id, last_event_id=-1)
    wait_until_polled(zulip, queue_id, bot.user_id)
    zulip.send(anna, bot, "at last")
    assert contents(answer.result(5)) == ["at last"]


def test_the_file_of_credentials_is_enough_to_sign_in(
    zulip: SandboxZulip, bot: SandboxPerson, tmp_path: Path
) -> None:
    client = Client(config_file=str(zulip.write_zuliprc(bot, tmp_path / "zuliprc")))
    assert client.get_profile()["user_id"] == bot.user_id


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


def test_an_uploaded_file_is_read_by_its_owner_and_whoever_was_sent_a_link(
    zulip: SandboxZulip, bot: SandboxPerson, anna: SandboxPerson, client: Client
) -> None:
    file = io.BytesIO(b"\x89PNG\r\n--\r\n")
    file.name = "chart of march.png"
    path = client.upload_file(file)["uri"]
    assert path.endswith("/chart-of-march.png")

    def fetch(person: SandboxPerson) -> requests.Response:
        return requests.get(zulip.site + path, auth=(person.delivery_email, person.api_key), timeout=5)

    assert fetch(bot).content == b"\x89PNG\r\n--\r\n"
    assert fetch(bot).headers["Content-Type"] == "image/png"
    assert fetch(anna).status_code == 403
    zulip.send(bot, anna, f"[chart]({path})")
    assert fetch(anna).status_code == 200
    url = client_of(zulip, anna).call_endpoint(url=path[1:], method="GET")["url"]
    assert requests.get(zulip.site + url, timeout=5).content == b"\x89PNG\r\n--\r\n"


@pytest.mark.parametrize(
    ("name", "content_type", "is_shown"),
    [
        ("chart.PNG", "image/png", True),
        ("events.csv", "text/csv", False),
        ("notes.txt", "text/plain", False),
        ("page.html", "application/octet-stream", False),
        ("image.svg", "application/octet-stream", False),
    ],
)
def test_what_a_browser_could_run_comes_as_a_download(
    zulip: SandboxZulip, bot: SandboxPerson, name: str, content_type: str, is_shown: bool
) -> None:
    path = zulip.upload(bot, name, b"x")
    upload = zulip.read_upload(path)
    assert upload is not None and (upload.content, upload.name) == (b"x", name)
    answer = requests.get(zulip.site + path, auth=(bot.delivery_email, bot.api_key), timeout=5)
    assert answer.headers["Content-Type"] == upload.content_type == content_type
    assert answer.headers["Content-Disposition"].startswith("inline" if is_shown else "attachment")
    assert zulip.read_upload(f"{path}x") is None


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


# Finding messages


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


def test_a_queue_may_be_limited_to_direct_messages(
    zulip: SandboxZulip, bot: SandboxPerson, anna: SandboxPerson, client: Client
) -> None:
    queue_id = client.register(["message"], narrow=[["is", "dm"]])["queue_id"]
    zulip.send(anna, ("mentors", "exams"), "@**LMS Bot** in a channel")
    zulip.send(anna, bot, "between us")
    assert contents(client.get_events(queue_id=queue_id, last_event_id=-1)) == ["between us"]


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


# Text


@pytest.mark.parametrize(
    ("content", "stored"),
    [
        ("\n\n  x \u00a0\n", "  x"),
        ("a\r\nb\u200b", "a\r\nb\u200b"),
        ("x" * MAX_MESSAGE_LENGTH, "x" * MAX_MESSAGE_LENGTH),
        ("x" * (MAX_MESSAGE_LENGTH + 1), "x" * (MAX_MESSAGE_LENGTH - len(TRUNCATED)) + TRUNCATED),
    ],
)
def test_content_is_stripped_and_cut(content: str, stored: str) -> None:
    assert clean_content(content) == stored


@pytest.mark.parametrize("content", ["", " \n", "a\x00b"])
def test_content_that_zulip_refuses_is_refused(content: str) -> None:
    with pytest.raises(Refusal):
        clean_content(content)


def test_a_topic_is_cut() -> None:
    assert clean_topic("x" * 61) == "x" * 57 + "..."


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("@**Ann** hi", {1}),
        ("@**ann|1** hi", {1}),
        ("@**Ann|2** hi", set()),
        ("@_**Ann** hi", set()),
        ("`@**Ann**` hi", set()),
        ("```\n@**Ann**\n```\n@**Bo**", {2}),
        ("@\u200b**Ann** hi", set()),
        ("mail@**Ann**", set()),
    ],
)
def test_mentions_are_found_as_zulip_finds_them(content: str, expected: set[int]) -> None:
    assert find_mentions(content, [(1, "Ann"), (2, "Bo")]) == (expected, False)


def test_everybody_may_be_mentioned() -> None:
    assert find_mentions("@**all** and `@**Ann**`", [(1, "Ann")]).everybody


@pytest.mark.parametrize(
    ("name", "cleaned"),
    [("a b (1).txt", "a-b-1.txt"), ("../../etc/passwd", "....etcpasswd"), ("//", "uploaded-file")],
)
def test_names_of_files_are_safe_in_a_path(name: str, cleaned: str) -> None:
    assert clean_file_name(name) == cleaned


# Policies


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


# Rate limits


def test_the_201st_request_within_a_minute_is_refused(
    zulip: SandboxZulip, clock: Clock, anna: SandboxPerson, client: Client
) -> None:
    for number in range(200):
        clock.time += 0.1
        assert client.get_profile()["result"] == "success", number
    refused = requests.get(f"{zulip.site}/api/v1/users/me", auth=(client.email, client.api_key), timeout=5)
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


# Queues


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
    assert contents(answer.result(5)) == ["still there?"]


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
    assert first.result(5)["events"] == []


def test_whoever_waits_in_a_dropped_queue_is_told_at_once(
    zulip: SandboxZulip, bot: SandboxPerson, client: Client, elsewhere: ThreadPoolExecutor
) -> None:
    queue_id = client.register(["message"])["queue_id"]
    answer = elsewhere.submit(client.get_events, queue_id=queue_id, last_event_id=-1)
    wait_until_polled(zulip, queue_id, bot.user_id)
    zulip.drop_queues()
    assert answer.result(5)["code"] == "BAD_EVENT_QUEUE_ID"


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
    assert said.result(5) == "again"
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


# Faults

Outcome = tuple[object, bool]  # what the client saw: a status or an exception; was the message sent?
OUTCOMES: dict[str, Outcome] = {
    "error_before": (503, False),
    "error_after": (500, True),
    "answer_lost": (requests.ConnectionError, True),
    "slow_before": (requests.ReadTimeout, False),
    "slow_after": (requests.ReadTimeout, True),
    "html_502": (502, False),
    "rate_limited": (429, False),
    "truncated_json": (200, True),
    "truncated_body": (requests.exceptions.ChunkedEncodingError, True),
    "refused_connection": (requests.ConnectionError, False),
}


def test_every_kind_of_fault_has_an_outcome() -> None:
    assert OUTCOMES.keys() == KINDS.keys()


@pytest.mark.parametrize("kind", OUTCOMES)
def test_a_fault_does_what_its_kind_says_and_only_once(
    zulip: SandboxZulip, bot: SandboxPerson, anna: SandboxPerson, kind: str
) -> None:
    saw, is_sent = OUTCOMES[kind]
    zulip.faults.add(Fault(kind, seconds=30, status=503))
    if isinstance(saw, int):
        assert post_message(zulip, bot, anna, "one").status_code == saw
    else:
        with pytest.raises(saw):  # type: ignore[call-overload]
            post_message(zulip, bot, anna, "one")
    assert [each.content for each in zulip.messages()] == ["one"] * is_sent
    assert post_message(zulip, bot, anna, "two").status_code == 200
    zulip.stop()  # ends what is slow; what was not carried out by then never is
    assert [each.content for each in zulip.messages()] == ["one"] * is_sent + ["two"]


def test_truncated_json_is_no_json(zulip: SandboxZulip, bot: SandboxPerson, anna: SandboxPerson) -> None:
    zulip.faults.add(Fault("truncated_json"))
    answer = post_message(zulip, bot, anna, "x")
    assert answer.text.startswith('{"result"')
    with pytest.raises(requests.JSONDecodeError):
        answer.json()


def test_a_played_429_says_how_long_to_wait(zulip: SandboxZulip, bot: SandboxPerson, anna: SandboxPerson) -> None:
    zulip.faults.add(Fault("rate_limited", seconds=2.5))
    answer = post_message(zulip, bot, anna, "x")
    assert (answer.headers["Retry-After"], answer.json()["retry-after"]) == ("2.5", 2.5)


def test_a_slow_request_is_carried_out_after_the_client_gave_up(
    zulip: SandboxZulip, bot: SandboxPerson, anna: SandboxPerson
) -> None:
    zulip.faults.add(Fault("slow_before", seconds=0.7))
    with pytest.raises(requests.ReadTimeout):
        post_message(zulip, bot, anna, "late")
    assert zulip.wait_for(lambda message: message.content == "late")


def test_a_refused_connection_also_ends_one_that_was_kept_open(
    zulip: SandboxZulip, bot: SandboxPerson, client: Client
) -> None:
    assert client.get_profile()["result"] == "success"
    zulip.faults.add(Fault("refused_connection"))
    with pytest.raises(requests.ConnectionError):
        client.get_profile()
    assert client.get_profile()["result"] == "success"


def test_faults_are_for_the_requests_they_name(
    zulip: SandboxZulip, bot: SandboxPerson, anna: SandboxPerson, client: Client
) -> None:
    zulip.faults.add(Fault("error_before", path="messages/*", method="*", times=None, user_id=bot.user_id))
    message_id = post_message(zulip, bot, anna, "x").json()["id"]
    for _ in range(3):
        assert client.get_raw_message(message_id)["msg"] == "Internal server error"
    assert client_of(zulip, anna).get_raw_message(message_id)["result"] == "success"
    zulip.faults.clear()
    assert client.get_raw_message(message_id)["result"] == "success"


def test_faults_are_used_up_in_the_order_they_were_added(
    zulip: SandboxZulip, bot: SandboxPerson, anna: SandboxPerson
) -> None:
    zulip.faults.add(Fault("error_before", status=503, times=2))
    zulip.faults.add(Fault("html_502"))
    assert [post_message(zulip, bot, anna, "x").status_code for _ in range(4)] == [503, 503, 502, 200]


def test_an_unknown_fault_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="answer_lost"):
        Fault("explosion")


# The door for other processes


def test_another_process_may_play_with_the_server(
    zulip: SandboxZulip, bot: SandboxPerson, anna: SandboxPerson, client: Client
) -> None:
    door = f"{zulip.site}/sandbox"
    queue_id = client.register(["message"])["queue_id"]
    assert requests.post(f"{door}/faults", json={"kind": "html_502", "times": None}, timeout=5).ok
    assert post_message(zulip, bot, anna, "x").status_code == 502
    assert requests.get(f"{door}/faults", timeout=5).json()["faults"][0]["kind"] == "html_502"
    assert requests.delete(f"{door}/faults", timeout=5).ok
    assert post_message(zulip, bot, anna, "x").status_code == 200
    assert [each["content"] for each in requests.get(f"{door}/messages", timeout=5).json()["messages"]] == ["x"]
    assert requests.post(f"{door}/queues/drop", timeout=5).ok
    assert client.get_events(queue_id=queue_id, last_event_id=-1)["code"] == "BAD_EVENT_QUEUE_ID"


@pytest.mark.parametrize("wish", [{"kind": "explosion"}, {"sort": "html_502"}, 7])
def test_a_wish_that_makes_no_sense_is_refused(zulip: SandboxZulip, wish: object) -> None:
    answer = requests.post(f"{zulip.site}/sandbox/faults", json=wish, timeout=5)
    assert (answer.status_code, answer.json()["result"]) == (400, "error")
    assert zulip.faults.get_all() == []


def test_a_page_of_another_site_finds_the_door_shut(zulip: SandboxZulip) -> None:
    headers = {"Host": "evil.example"}
    assert requests.post(f"{zulip.site}/sandbox/queues/drop", headers=headers, timeout=5).status_code == 403
    headers = {"Origin": "http://evil.example"}
    assert requests.post(f"{zulip.site}/sandbox/queues/drop", headers=headers, timeout=5).status_code == 403


# Stopping and starting


def threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "sandbox-zulip"}


def test_stopping_ends_long_polls_at_once_and_leaves_no_thread(
    zulip: SandboxZulip, bot: SandboxPerson, client: Client, elsewhere: ThreadPoolExecutor
) -> None:
    queue_id = client.register(["message"])["queue_id"]
    answer = elsewhere.submit(client.get_events, queue_id=queue_id, last_event_id=-1)
    wait_until_polled(zulip, queue_id, bot.user_id)
    zulip.stop()
    assert isinstance(answer.exception(5), requests.ConnectionError)
    assert not threads()


def test_while_stopped_connections_are_refused_and_afterwards_all_is_as_it_was(
    zulip: SandboxZulip, bot: SandboxPerson, anna: SandboxPerson, client: Client
) -> None:
    queue_id, site = client.register(["message"])["queue_id"], zulip.site
    zulip.send(anna, bot, "before")
    zulip.stop()
    with pytest.raises(requests.ConnectionError, match="refused"):
        requests.get(f"{site}/api/v1/server_settings", timeout=5)
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
        requests.get(zulip.site, timeout=5)
    with zulip:
        assert requests.get(f"{zulip.site}/api/v1/server_settings", timeout=5).ok


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
