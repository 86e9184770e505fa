"""Admins hear once when deliveries start failing, and once when they recover."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lms_bot.app import App, build_app
from lms_bot.core.activities import Activity, ActivityType
from lms_bot.core.clock import utc_now
from lms_bot.people.recipients import Owed, Recipients
from lms_bot.settings.settings import Settings
from lms_bot.watch.recorder import Recorder
from lms_bot.zulip.gateway import Credentials
from tests.worlds.outbox_world import get_notifier

if TYPE_CHECKING:
    from lms_bot.sandbox.zulip import SandboxPerson, SandboxZulip


class World:
    def __init__(self, zulip: SandboxZulip, store: Path) -> None:
        self.zulip = zulip
        self.bot = zulip.add_person("LMS bot", is_bot=True)
        self.admin = zulip.add_person("Head", role=200)
        self.anna = zulip.add_person("Anna")
        self.app: App = build_app(
            Settings.model_validate(
                {"lms_bot_store": f"sqlite:///{store}", "lms_group_seconds": 0, "lms_default_notify": "everything"}
            ),
            Credentials(self.bot.delivery_email, self.bot.api_key, zulip.site),
        )
        self._count = 0

    def owe(self, person: SandboxPerson) -> int:
        self._count += 1
        activity = Activity(
            "attempts", str(self._count), ActivityType.EXAM_STARTED, 1, "john_doe", None, 1, "Maths", {}, utc_now()
        )
        recipients = {1: Recipients((Owed(f"zulip:{person.user_id}", person.user_id),))}
        with self.app.store.transaction():
            (event_id,) = Recorder(self.app.store).insert_events([activity], recipients, now=utc_now(), is_told=True)
        return event_id

    def send_all(self) -> None:
        for _ in range(3):
            self.app.alerts.look_again()
            get_notifier(self.app).send_all_due()

    def alarms(self) -> list[str]:
        return [message.content.split("\n")[0] for message in self.zulip.messages(to=self.admin)]


@pytest.fixture
def world(zulip: SandboxZulip, tmp_path: Path) -> Iterator[World]:
    world = World(zulip, tmp_path / "store.db")
    yield world
    world.app.stop()


def test_no_alarm_while_all_is_well(world: World) -> None:
    world.owe(world.anna)
    world.send_all()
    assert world.alarms() == []
    assert len(world.zulip.messages(to=world.anna)) == 1


def test_one_alarm_however_many_fail_and_one_all_clear(world: World) -> None:
    world.zulip.deactivate(world.anna)
    failed = [world.owe(world.anna) for _ in range(3)]
    world.send_all()
    world.owe(world.anna)
    world.send_all()
    assert len(world.alarms()) == 1
    assert "failing" in world.alarms()[0]

    world.zulip.reactivate(world.anna)
    world.app.events.retry(None)
    world.send_all()
    assert len(world.alarms()) == 2
    assert len(world.zulip.messages(to=world.anna)) == len(failed) + 1


def test_discarding_what_failed_ends_the_alarm(world: World) -> None:
    world.zulip.deactivate(world.anna)
    event_id = world.owe(world.anna)
    world.send_all()
    assert world.app.events.discard([event_id], "Head") == [event_id]
    assert world.app.events.discard([event_id], "Head") == []
    world.send_all()
    assert len(world.alarms()) == 2
    assert world.app.events.get_event_stats()["events_with_errors"] == 0
