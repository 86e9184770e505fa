"""Faults at will: what the client sees of each, and for which requests they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import requests

from lms_bot.sandbox.zulip import Fault, SandboxPerson, SandboxZulip
from lms_bot.sandbox.zulip.faults import KINDS
from tests.worlds.zulip_clients import PATIENCE_SECONDS, client_of, post_message

if TYPE_CHECKING:
    from zulip import Client


IMPATIENT_SECONDS = 0.1

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
    zulip.faults.add(Fault(kind, seconds=600, status=503))
    if isinstance(saw, int):
        assert post_message(zulip, bot, anna, "one").status_code == saw
    else:
        patience_seconds = IMPATIENT_SECONDS if saw is requests.ReadTimeout else PATIENCE_SECONDS
        with pytest.raises(saw):  # type: ignore[call-overload]
            post_message(zulip, bot, anna, "one", patience_seconds)
    if is_sent:
        zulip.wait_for(lambda message: message.content == "one")
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
    zulip.faults.add(Fault("slow_before", seconds=1))
    with pytest.raises(requests.ReadTimeout):
        post_message(zulip, bot, anna, "late", IMPATIENT_SECONDS)
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
