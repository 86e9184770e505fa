"""A pause after a failure: who may ask meanwhile, how long it grows, and what ends it."""

from __future__ import annotations

import pytest

from lms_bot.core.errors import ZulipForbidden, ZulipRateLimited, ZulipUnavailable
from lms_bot.zulip.outage import BACKOFF_SECONDS, FORBIDDEN_SECONDS, TRY_SECONDS, Outage

AWAY = ZulipUnavailable("Zulip cannot be reached")


class World:
    def __init__(self) -> None:
        self.now = 1024.0
        self.woken = 0
        self.outage = Outage(lambda: self.now)
        self.outage.call_at_end(self.wake)

    def wake(self) -> None:
        self.woken += 1

    def succeed(self) -> None:
        """A request of now on."""
        self.outage.note_success(self.outage.start_request())


@pytest.fixture
def world() -> World:
    return World()


def test_nobody_waits_while_all_is_well(world: World) -> None:
    assert [world.outage.take_turn() for _ in range(3)] == [0.0, 0.0, 0.0]
    world.succeed()
    assert not world.woken


def test_pauses_grow_up_to_the_longest(world: World) -> None:
    pauses = [world.outage.note_failure(AWAY) for _ in range(8)]
    for pause, usual in zip(pauses, [*BACKOFF_SECONDS, *[BACKOFF_SECONDS[-1]] * 3], strict=True):
        assert 0.8 * usual <= pause <= 1.2 * usual


def test_the_first_success_of_anybody_ends_the_pause_and_wakes_who_waits(world: World) -> None:
    for _ in range(5):
        world.outage.note_failure(AWAY)
    world.now += 1
    assert world.outage.take_turn() > 5
    world.succeed()
    assert world.woken == 1
    assert world.outage.take_turn() == 0
    assert world.outage.note_failure(AWAY) <= 1.2 * BACKOFF_SECONDS[0], "it begins anew"


def test_a_success_from_before_the_failure_tells_nothing(world: World) -> None:
    began_at = world.outage.start_request()
    world.now += 1
    world.outage.note_failure(AWAY)
    world.outage.note_success(began_at)
    assert world.outage.take_turn() > 0
    assert not world.woken


def test_after_a_pause_one_tries_and_the_others_wait_for_how_it_fares(world: World) -> None:
    world.now += world.outage.note_failure(AWAY)
    assert world.outage.take_turn() == 0
    assert world.outage.take_turn() == pytest.approx(TRY_SECONDS)
    world.outage.give_back_turn()
    assert world.outage.take_turn() == 0
    world.outage.note_failure(AWAY)
    world.outage.give_back_turn()
    assert world.outage.take_turn() > 0, "who failed has no turn to give back"


@pytest.mark.parametrize("seconds", [0.25, 90.0])
def test_what_zulip_asks_to_wait_for_is_waited_out_whoever_succeeds(world: World, seconds: float) -> None:
    assert world.outage.note_failure(ZulipRateLimited("slow down", retry_after_seconds=seconds)) == seconds
    world.succeed()
    assert world.outage.take_turn() == pytest.approx(seconds)
    world.now += seconds
    assert world.outage.take_turn() == 0
    world.succeed()
    assert [world.outage.take_turn() for _ in range(2)] == [0, 0]


def test_a_refused_key_is_tried_again_after_a_minute_and_by_a_new_process_at_once(world: World) -> None:
    assert world.outage.note_failure(ZulipForbidden("Invalid API key")) == FORBIDDEN_SECONDS
    assert Outage(lambda: world.now).take_turn() == 0
