"""Zulip was away: what waits goes out with the first request that works; a refused key is forgotten."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lms_bot.core.clock import utc_now
from lms_bot.outbox.draft import Draft
from lms_bot.sandbox.zulip import SandboxZulip
from lms_bot.store.messages import Lane, Message
from lms_bot.zulip import outage
from tests.worlds.inbox_world import UNSENT, Clock, InboxWorld
from tests.worlds.running_bot import PATIENCE_SECONDS, wait_until

if TYPE_CHECKING:
    from lms_bot.app import App

LONG_SECONDS = 10 * PATIENCE_SECONDS


@pytest.fixture
def world(tmp_path: Path) -> Iterator[InboxWorld]:
    clock = Clock()
    with SandboxZulip(requests_per_minute=100_000, now=clock) as zulip:
        yield InboxWorld(zulip, clock, f"sqlite:///{tmp_path / 'store.db'}")


def write(app: App, *drafts: Draft) -> None:
    with app.store.transaction():
        for draft in drafts:
            app.outbox.write(draft, utc_now())
    app.outbox.wake()


def is_noted(app: App, words: str) -> bool:
    """Whether a sender has found Zulip so."""
    with app.store.session():
        return Message.select().where(Message.reason.contains(words)).exists()


@pytest.mark.parametrize("lane", [Lane.ANSWERS, Lane.URGENT])
def test_what_waits_goes_out_when_somebody_else_reaches_zulip(
    world: InboxWorld, lane: Lane, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sender would wait for minutes; it is the listener that finds Zulip again."""
    monkeypatch.setattr(outage, "BACKOFF_SECONDS", (LONG_SECONDS,))
    with world.running() as app:
        world.zulip.stop()
        write(app, *(Draft(one.user_id, "hello", lane) for one in (world.ada, world.bea)))
        wait_until(lambda: is_noted(app, "cannot be reached"), "it is found out")
        world.zulip.start()
        wait_until(lambda: world.told(world.ada) == world.told(world.bea) == ["hello"], "both are told")
        wait_until(lambda: not world.store.value(UNSENT), "both are settled")


def test_a_key_that_was_refused_is_tried_at_once_after_a_restart(
    world: InboxWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outage, "FORBIDDEN_SECONDS", LONG_SECONDS)
    with world.running() as app:
        key, world.bot.api_key = world.bot.api_key, "x" * len(world.bot.api_key)
        write(app, Draft(world.ada.user_id, "hello", Lane.ANSWERS))
        wait_until(lambda: is_noted(app, "refuses the bot itself"), "it is found out")
    world.bot.api_key = key
    with world.running():
        world.wait_until_told(world.ada, 1)
