"""Buttons cost nobody a message, and have none come twice: over HTTP, with the store on either database."""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from lms_bot.core.errors import ZulipRefused
from lms_bot.outbox import draft as drafts
from lms_bot.outbox.draft import Button, Draft, get_place, get_widget
from lms_bot.sandbox.zulip import Fault, SandboxZulip
from lms_bot.store.messages import Lane, Message, MessageState
from tests.worlds.outbox_world import OutboxWorld

UNKNOWN_TYPE = {"widget_type": "buttons", "extra_data": {}}
"""What a Zulip refuses, as recorded."""

TEXT = "Which one do you mean?\n\n1. John\n2. José\n\nAnswer with the number."
BUTTONS = (Button("1. John", "1"), Button("2. José", "2"))
DEAD_HERE = f"{socket.gethostname()}:{2**22 + 1}:a"  # no process has such a number


@pytest.fixture
def world(zulip: SandboxZulip, store_url: str) -> Iterator[OutboxWorld]:
    world = OutboxWorld(zulip, store_url)
    yield world
    world.close()


@pytest.fixture
def refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    """Zulip knows no such widgets."""
    monkeypatch.setattr(drafts, "make_choices", lambda *_: UNKNOWN_TYPE)


def ask(world: OutboxWorld, text: str = TEXT, buttons: tuple[Button, ...] = BUTTONS) -> Message:
    with world.app.store.transaction():
        draft = Draft(world.anna.user_id, text, Lane.ANSWERS, buttons=buttons, heading="Which one do you mean?")
        return world.app.outbox.write(draft, world.now)


def told(world: OutboxWorld) -> list[tuple[str, bool]]:
    """What anna was told: the text, and whether it had buttons."""
    return [(one.content, one.widget is not None) for one in world.zulip.messages(sender=world.bot, to=world.anna)]


def get_row(message: Message) -> Message:
    return Message.get_by_id(message.message_id)


def test_a_message_comes_with_its_buttons(world: OutboxWorld) -> None:
    ask(world)
    world.run()
    (message,) = world.zulip.messages(sender=world.bot, to=world.anna)
    assert message.content == TEXT
    form: dict[str, Any] = json.loads(message.widget or "")["extra_data"]
    assert form["heading"] == "Which one do you mean?"
    assert [(one["short_name"], one["reply"]) for one in form["choices"]] == [("1. John", "1"), ("2. José", "2")]


def test_refused_with_its_buttons_it_is_sent_once_without_and_in_its_turn(
    world: OutboxWorld, refuse: None, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        first = ask(world)
        ask(world, "the next answer", ())
        world.run()
    assert told(world) == [(TEXT, False), ("the next answer", False)]
    assert world.count_sends() == 3
    row = get_row(first)
    assert (row.state, row.reason, row.tries, row.buttons) == (MessageState.SENT, None, 0, None)
    assert "John" not in caplog.text


def test_a_person_who_cannot_be_told_is_told_nothing_with_buttons_either(world: OutboxWorld) -> None:
    message = ask(world)
    world.zulip.deactivate(world.anna)
    world.run()
    row = get_row(message)
    assert row.state == MessageState.DEAD and "no longer using Zulip" in (row.reason or "")
    assert world.count_sends() == 2 and row.buttons is None


def test_another_may_send_what_one_was_refused_and_the_first_sends_nothing_more(
    world: OutboxWorld, refuse: None
) -> None:
    message = ask(world)
    one, other = world.notifier.sender, world.new_notifier().sender
    assert one.step(world.now) == 0.0
    row = get_row(message)
    assert (row.state, row.buttons) == (MessageState.READY, None)
    assert (row.reason or "").startswith("Widgets: unknown widget type")
    assert other.step(world.now) == 0.0
    assert one.step(world.now) is None
    assert told(world) == [(TEXT, False)]


# ---- in doubt ----


@pytest.mark.parametrize("kind", ["answer_lost", "error_after", "truncated_json", "truncated_body"])
def test_a_message_whose_fate_is_unknown_is_found_though_it_has_buttons(world: OutboxWorld, kind: str) -> None:
    world.zulip.faults.add(Fault(kind))
    message = ask(world)
    world.run()
    assert told(world) == [(TEXT, True)]
    assert world.count_sends() == 1 and get_row(message).state == MessageState.SENT


@pytest.mark.parametrize(
    ("kind", "has_buttons"), [("error_before", False), ("html_502", False), ("rate_limited", True)]
)
def test_what_zulip_may_have_failed_at_is_tried_again_without_buttons(
    world: OutboxWorld, kind: str, has_buttons: bool
) -> None:
    world.zulip.faults.add(Fault(kind, seconds=1.0))
    ask(world)
    world.run()
    assert told(world) == [(TEXT, has_buttons)]


def die_in_the_middle(world: OutboxWorld) -> None:
    """A process claims a message, sends it, and is killed before it notes what became of that."""
    message = world.app.outbox.claim(DEAD_HERE, world.now)
    assert message is not None and world.app.gateway is not None
    with suppress(ZulipRefused):
        world.app.gateway.send(get_place(message), message.content, get_widget(message))


def test_killed_after_it_was_sent_with_buttons_it_comes_once(world: OutboxWorld) -> None:
    ask(world)
    die_in_the_middle(world)
    world.run()
    assert told(world) == [(TEXT, True)] and world.count_sends() == 1


def test_killed_after_it_was_refused_with_buttons_it_comes_once(world: OutboxWorld, refuse: None) -> None:
    ask(world)
    die_in_the_middle(world)
    assert told(world) == []
    world.run()
    assert told(world) == [(TEXT, False)] and world.count_sends() == 2


def test_killed_between_the_refusal_and_what_is_sent_without_buttons_it_comes_once(
    world: OutboxWorld, refuse: None
) -> None:
    ask(world)
    assert world.notifier.sender.step(world.now) == 0.0  # refused, and noted
    die_in_the_middle(world)  # sent without, and not noted
    world.run()
    assert told(world) == [(TEXT, False)] and world.count_sends() == 2


def test_while_the_store_is_away_an_answer_is_sent_without_buttons(world: OutboxWorld) -> None:
    draft = Draft(world.anna.user_id, TEXT, Lane.ANSWERS, buttons=BUTTONS)
    world.notifier.sender.send_unwritten(draft)
    assert told(world) == [(TEXT, False)]
