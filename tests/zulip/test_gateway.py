"""The door to Zulip: each request goes out once, and every way in which it can fail is told apart by what helps."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests
import zulip as zulip_client

from lms_bot.core.errors import (
    LMSBotError,
    ZulipFailed,
    ZulipFateUnknown,
    ZulipForbidden,
    ZulipRateLimited,
    ZulipRefused,
    ZulipUnavailable,
)
from lms_bot.sandbox.zulip import Fault, SandboxPerson, SandboxZulip
from lms_bot.zulip.gateway import MESSAGE_LENGTH, Channel, Credentials, Gateway
from lms_bot.zulip.widgets import make_choices
from tests.worlds.zulip_recorded_world import CHOICES

TIMEOUT_SECONDS = 0.4


@pytest.fixture
def bot(zulip: SandboxZulip) -> SandboxPerson:
    return zulip.add_person("LMS bot", is_bot=True)


@pytest.fixture
def anna(zulip: SandboxZulip) -> SandboxPerson:
    return zulip.add_person("Anna", email_is_hidden=True)


@pytest.fixture
def gateway(zulip: SandboxZulip, bot: SandboxPerson) -> Gateway:
    credentials = Credentials(bot.delivery_email, bot.api_key, zulip.site)
    return Gateway(credentials, timeout_seconds=TIMEOUT_SECONDS)


# ---- sending ----


def test_a_message_reaches_a_person_whose_address_is_hidden(
    gateway: Gateway, zulip: SandboxZulip, bot: SandboxPerson, anna: SandboxPerson
) -> None:
    sent_id = gateway.send_direct(anna.user_id, "hello *you*")
    (message,) = zulip.messages(sender=bot, to=anna)
    assert (message.id, message.content) == (sent_id, "hello *you*")


def test_groups_and_channels_are_reached_too(
    gateway: Gateway, zulip: SandboxZulip, bot: SandboxPerson, anna: SandboxPerson
) -> None:
    carla = zulip.add_person("Carla")
    zulip.add_stream("mentors", [bot, anna])
    gateway.send((anna.user_id, carla.user_id), "to both")
    gateway.send(Channel("mentors", "exams"), "to all")
    assert [one.content for one in zulip.messages(to=[anna, carla])] == ["to both"]
    assert [one.content for one in zulip.messages(to=("mentors", "exams"))] == ["to all"]


def test_buttons_go_along_as_zulip_wants_them(
    gateway: Gateway, zulip: SandboxZulip, bot: SandboxPerson, anna: SandboxPerson
) -> None:
    choices = make_choices("Which John?", [("1", "John Doe", "1"), ("2", "John King", "2")])
    assert choices == CHOICES, "as recorded"
    sent_id = gateway.send((anna.user_id,), "Which John?", choices)
    (message,) = zulip.messages(sender=bot, to=anna)
    assert (message.id, json.loads(message.widget or "")) == (sent_id, CHOICES)
    assert gateway.find_sent(anna.user_id, "Which John?", 0.0) == sent_id
    with pytest.raises(ZulipRefused, match="unknown widget type"):
        gateway.send((anna.user_id,), "?", {"widget_type": "buttons", "extra_data": {}})


def test_threads_may_share_it(gateway: Gateway, zulip: SandboxZulip, bot: SandboxPerson, anna: SandboxPerson) -> None:
    zulip.faults.add(Fault("slow_before", seconds=TIMEOUT_SECONDS / 2, times=None))
    texts = [f"from thread {number}" for number in range(8)]
    threads = [threading.Thread(target=gateway.send_direct, args=(anna.user_id, text)) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(one.content for one in zulip.messages(sender=bot, to=anna)) == texts


# ---- failing ----


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault("answer_lost"), ZulipFateUnknown),
        (Fault("error_after"), ZulipFailed),
        (Fault("error_before"), ZulipFailed),
        (Fault("error_before", status=502), ZulipFateUnknown),
        (Fault("error_before", status=503), ZulipFateUnknown),
        (Fault("error_before", status=504), ZulipFateUnknown),
        (Fault("error_before", status=400), ZulipRefused),
        (Fault("html_502"), ZulipFateUnknown),
        (Fault("truncated_json"), ZulipFailed),
        (Fault("truncated_body"), ZulipFateUnknown),
        (Fault("slow_before", seconds=3), ZulipFateUnknown),
        (Fault("slow_after", seconds=3), ZulipFateUnknown),
        (Fault("refused_connection"), ZulipFateUnknown),
        (Fault("rate_limited", seconds=3.5), ZulipRateLimited),
    ],
    ids=lambda value: f"{value.kind}-{value.status}" if isinstance(value, Fault) else None,
)
@pytest.mark.parametrize("is_first_request", [True, False])
def test_a_failed_send_is_classed_and_not_repeated(
    zulip: SandboxZulip,
    gateway: Gateway,
    anna: SandboxPerson,
    fault: Fault,
    expected: type[LMSBotError],
    is_first_request: bool,
) -> None:
    gateway.fetch_own_profile()
    if is_first_request:
        gateway = Gateway(gateway.credentials, timeout_seconds=TIMEOUT_SECONDS)
        gateway._client()  # reads the server's settings, which is not what shall fail
    zulip.faults.add(fault)
    with pytest.raises(LMSBotError) as caught:
        gateway.send_direct(anna.user_id, "hello")
    assert type(caught.value) is expected
    assert len(zulip.messages()) <= 1
    assert zulip.faults.get_all() == []


def test_an_error_after_other_answers_is_not_taken_for_one_of_them(
    zulip: SandboxZulip, gateway: Gateway, anna: SandboxPerson
) -> None:
    zulip.faults.add(Fault("rate_limited", seconds=9))
    zulip.faults.add(Fault("answer_lost"))
    with pytest.raises(ZulipRateLimited):
        gateway.send_direct(anna.user_id, "hello")
    with pytest.raises(ZulipFateUnknown) as caught:
        gateway.send_direct(anna.user_id, "hello")
    assert caught.value.retry_after_seconds is None


def test_a_zulip_that_is_away_certainly_took_nothing(
    zulip: SandboxZulip, gateway: Gateway, anna: SandboxPerson
) -> None:
    fresh = Gateway(gateway.credentials, timeout_seconds=TIMEOUT_SECONDS)
    gateway.fetch_own_profile()
    zulip.stop()
    for one in (fresh, gateway):
        with pytest.raises(ZulipUnavailable):
            one.send_direct(anna.user_id, "hello")
    zulip.start()
    for one in (fresh, gateway):
        one.send_direct(anna.user_id, "hello again")


@pytest.mark.parametrize("seconds", [0.25, 57.77])
def test_it_is_told_how_long_to_wait_and_does_not_wait_itself(
    zulip: SandboxZulip, gateway: Gateway, anna: SandboxPerson, seconds: float
) -> None:
    zulip.faults.add(Fault("rate_limited", seconds=seconds))
    began = time.monotonic()
    with pytest.raises(ZulipRateLimited) as caught:
        gateway.send_direct(anna.user_id, "hello")
    assert caught.value.retry_after_seconds == seconds
    assert time.monotonic() - began < 30


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda gateway, anna: gateway.send_direct(999_999, "hello"), "Invalid user ID 999999"),
        (lambda gateway, anna: gateway.send_direct(anna.user_id, "he\0llo"), "must not contain null bytes"),
        (lambda gateway, anna: gateway.send_direct(anna.user_id, " \n"), "must not be empty"),
        (lambda gateway, anna: gateway.find_sent(999_999, "hello", 0.0), "unknown user"),
    ],
)
def test_a_refusal_has_zulips_words(
    gateway: Gateway, anna: SandboxPerson, act: Callable[[Gateway, SandboxPerson], object], words: str
) -> None:
    with pytest.raises(ZulipRefused, match=words):
        act(gateway, anna)


def test_a_refused_key_is_not_a_refused_message(
    zulip: SandboxZulip, gateway: Gateway, bot: SandboxPerson, anna: SandboxPerson
) -> None:
    zulip.deactivate(bot)
    with pytest.raises(ZulipForbidden, match="Account is deactivated"):
        gateway.send_direct(anna.user_id, "hello")
    zulip.reactivate(bot)
    gateway.send_direct(anna.user_id, "hello")


@contextmanager
def answering(status: int, body: bytes, **headers: str) -> Iterator[Gateway]:
    """A gateway to something that answers every send so, as what stands before a Zulip may."""

    class Answer(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            is_send = self.path.endswith("/messages")
            self.send_response(status if is_send else 200)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            self.wfile.write(body if is_send else SETTINGS)

        do_GET = do_POST = answer

        def log_message(self, format: str, *args: object) -> None:
            """Nothing on stderr."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield Gateway(Credentials("bot@example.com", "x" * 32, f"http://127.0.0.1:{server.server_port}"))
        finally:
            server.shutdown()


SETTINGS = b'{"result": "success", "msg": "", "zulip_version": "7.0", "zulip_feature_level": 179}'
HTML = b"<html>Something stands before Zulip</html>"


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, HTML, ZulipFailed),
        (200, b"", ZulipFailed),
        (403, HTML, ZulipUnavailable),
        (404, HTML, ZulipUnavailable),
        (408, HTML, ZulipUnavailable),
        (413, HTML, ZulipRefused),
        (429, HTML, ZulipRateLimited),
        (500, HTML, ZulipFateUnknown),
        (503, b"", ZulipFateUnknown),
        (504, HTML, ZulipFateUnknown),
        (403, b'{"result": "error", "msg": "gone", "code": "REALM_DEACTIVATED"}', ZulipForbidden),
        (401, b'{"result": "error", "msg": "gone", "code": "USER_DEACTIVATED"}', ZulipForbidden),
        (403, b'{"result": "error", "msg": "not for bots", "code": "BAD_REQUEST"}', ZulipRefused),
    ],
)
def test_answers_that_are_not_zulips_usual_ones(status: int, body: bytes, expected: type[LMSBotError]) -> None:
    with answering(status, body) as gateway, pytest.raises(LMSBotError) as caught:
        gateway.send_direct(9, "hello")
    assert type(caught.value) is expected


def test_a_proxy_that_limits_the_rate_is_obeyed_too() -> None:
    with answering(429, HTML, Retry_After="12") as gateway, pytest.raises(ZulipRateLimited) as caught:
        gateway.send_direct(9, "hello")
    assert caught.value.retry_after_seconds == 12


def test_no_failure_tells_a_secret(gateway: Gateway, zulip: SandboxZulip, anna: SandboxPerson) -> None:
    key = gateway.credentials.api_key
    assert key not in repr(gateway.credentials)
    zulip.stop()
    with pytest.raises(LMSBotError) as caught:
        gateway.send_direct(anna.user_id, "hello")
    assert key not in str(caught.value)


# ---- looking up ----


def test_a_sent_message_is_found_by_its_text(gateway: Gateway, anna: SandboxPerson) -> None:
    began = time.time() - 1
    first = gateway.send_direct(anna.user_id, "\n\nhello *you* \u200b here \n")
    assert gateway.find_sent(anna.user_id, "\n\nhello *you* \u200b here \n", began) == first
    assert gateway.find_sent(anna.user_id, "hello *you*", began) is None


def test_of_two_of_the_same_text_the_one_not_known_yet_is_found(gateway: Gateway, anna: SandboxPerson) -> None:
    first, second = (gateway.send_direct(anna.user_id, "hello") for _ in range(2))
    assert gateway.find_sent(anna.user_id, "hello", 0.0, {second}) == first
    assert gateway.find_sent(anna.user_id, "hello", 0.0, {first}) == second
    assert gateway.find_sent(anna.user_id, "hello", 0.0, {first, second}) is None


def test_nobody_elses_message_and_no_other_place_counts(
    gateway: Gateway, zulip: SandboxZulip, bot: SandboxPerson, anna: SandboxPerson
) -> None:
    carla = zulip.add_person("Carla")
    zulip.send(anna, bot, "hello")
    zulip.send(bot, carla, "hello")
    zulip.send(bot, [anna, carla], "hello")
    assert gateway.find_sent(anna.user_id, "hello", 0.0) is None


def test_an_older_message_than_asked_for_is_not_it(gateway: Gateway, anna: SandboxPerson) -> None:
    gateway.send_direct(anna.user_id, "hello")
    assert gateway.find_sent(anna.user_id, "hello", time.time() + 5) is None


def test_a_message_known_to_be_from_before_is_not_it(gateway: Gateway, anna: SandboxPerson) -> None:
    first, second = (gateway.send_direct(anna.user_id, "hello") for _ in range(2))
    assert gateway.find_sent(anna.user_id, "hello", 0.0, after_id=first) == second
    assert gateway.find_sent(anna.user_id, "hello", 0.0, after_id=second) is None


def test_it_looks_behind_many_later_messages_but_no_further_than_needed(
    gateway: Gateway, zulip: SandboxZulip, bot: SandboxPerson, anna: SandboxPerson
) -> None:
    sent_id = gateway.send_direct(anna.user_id, "hello")
    for number in range(320):
        zulip.send(bot, anna, f"later {number}")
    asked = len(zulip.requests)
    assert gateway.find_sent(anna.user_id, "hello", 0.0) == sent_id
    assert gateway.find_sent(anna.user_id, "never sent", 0.0) is None
    assert len(zulip.requests) - asked <= 9  # four pages each, and once who we are


def test_a_text_that_zulip_cut_is_found(gateway: Gateway, anna: SandboxPerson) -> None:
    for text in ("a" * (MESSAGE_LENGTH + 1), "b " * MESSAGE_LENGTH, "c" * MESSAGE_LENGTH):
        sent_id = gateway.send_direct(anna.user_id, text)
        assert gateway.find_sent(anna.user_id, text, 0.0) == sent_id


# ---- people, credentials, pace ----


def test_people_are_read_as_they_are(gateway: Gateway, zulip: SandboxZulip, anna: SandboxPerson) -> None:
    ada = zulip.add_person("Ada", role=200, timezone="Europe/Berlin")
    zulip.deactivate(ada)
    users = {one.user_id: one for one in gateway.fetch_users()}
    assert users[anna.user_id].delivery_email is None
    assert not users[anna.user_id].is_admin
    assert users[ada.user_id].is_admin
    assert not users[ada.user_id].is_active
    assert users[ada.user_id].timezone == "Europe/Berlin"
    assert users[gateway.fetch_own_user_id()].is_bot


def test_credentials_are_those_the_bot_was_started_with(
    zulip: SandboxZulip, bot: SandboxPerson, anna: SandboxPerson
) -> None:
    client = zulip_client.Client(email=bot.delivery_email, api_key=bot.api_key, site=zulip.site)
    Gateway(Credentials.of_client(client)).send_direct(anna.user_id, "hello")
    assert len(zulip.messages(sender=bot, to=anna)) == 1


def test_it_learns_what_zulip_allows() -> None:
    with SandboxZulip(requests_per_minute=50) as zulip:
        bot = zulip.add_person("LMS bot", is_bot=True)
        gateway = Gateway(Credentials(bot.delivery_email, bot.api_key, zulip.site))
        assert gateway.pace.seconds_until_free(8) == 0.0
        for _ in range(42):
            assert gateway.pace.seconds_until_free(8) == 0.0
            gateway.fetch_own_profile()
        assert gateway.pace.limit == 50
        assert 55 < gateway.pace.seconds_until_free(8) <= 60
        assert gateway.pace.seconds_until_free(0) == 0.0


# ---- hearing ----


def test_polls_are_counted_apart_from_what_requests_may(gateway: Gateway, anna: SandboxPerson) -> None:
    queue = gateway.register()
    left = gateway.pace._remaining
    for number in range(5):
        gateway.send_direct(anna.user_id, f"{number}")
        (event,) = gateway.fetch_events(queue)
        queue.last_event_id = event["id"]
    assert left - gateway.pace._remaining == 5


def test_a_queue_that_is_gone_is_refused_and_ends_the_wait(gateway: Gateway, zulip: SandboxZulip) -> None:
    queue = gateway.register()
    ending = threading.Timer(0.1, gateway.delete_queue, [queue])
    ending.start()
    with pytest.raises(ZulipRefused, match="Bad event queue ID"):
        gateway.fetch_events(queue)
    ending.join()


# ---- files ----


@pytest.mark.parametrize("name", ["chart.png", "Ergebnisse für Zoë.csv"])
def test_a_file_is_uploaded_and_can_be_read_by_who_gets_the_link(
    gateway: Gateway, zulip: SandboxZulip, bot: SandboxPerson, anna: SandboxPerson, name: str
) -> None:
    address = gateway.upload_file(name, b"content")
    gateway.send_direct(anna.user_id, f"[{name}]({address})")
    response = requests.get(zulip.site + address, auth=(anna.delivery_email, anna.api_key), timeout=60)
    assert response.content == b"content"


def test_a_file_that_is_too_large_is_refused_in_zulips_words(gateway: Gateway) -> None:
    with pytest.raises(ZulipRefused, match="larger than the allowed limit of 25 MiB"):
        Gateway(gateway.credentials).upload_file("big.csv", b"x" * (26 * 1024 * 1024))
