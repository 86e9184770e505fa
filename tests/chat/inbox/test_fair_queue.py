"""Whose turn it is to be answered: in order for each person, by queue among people, slowly for who floods."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lms_bot.chat.inbox import IncomingMessage
from lms_bot.chat.inbox.fair_queue import FairQueue

ADA, BEA, CARLA = 1, 2, 3


class World:
    """FairQueue whose time a test moves: three answers at once, then one every two seconds; five may wait."""

    def __init__(self) -> None:
        self.now = 100.0
        self.queue = FairQueue(per_minute=lambda: 30.0, at_once=3, most_waiting=5, now=lambda: self.now)
        self._number = 0

    def write(self, person: int, times: int = 1) -> list[bool]:
        return [self.queue.put(self.incoming(person)) for _ in range(times)]

    def incoming(self, person: int) -> IncomingMessage:
        self._number += 1
        return IncomingMessage(self._number, person, "help", (person,), sent_at=self._number)

    def answer(self) -> IncomingMessage | float | None:
        """Answers whose turn it is."""
        incoming = self.queue.take()
        if isinstance(incoming, IncomingMessage):
            self.queue.done(incoming)
        return incoming

    def answer_all(self) -> list[int]:
        """Answers all that may be answered now; the people, in order."""
        people = []
        while isinstance(incoming := self.answer(), IncomingMessage):
            people.append(incoming.sender_id)
        return people


@pytest.fixture
def world() -> World:
    return World()


def test_people_take_turns(world: World) -> None:
    world.write(ADA, 3)
    world.write(BEA, 2)
    world.write(CARLA)
    assert world.answer_all() == [ADA, BEA, CARLA, ADA, BEA, ADA]


def test_who_writes_more_than_a_few_at_once_is_slowed_and_nobody_else_is(world: World) -> None:
    world.write(ADA, 5)
    assert world.answer_all() == [ADA] * 3
    assert world.answer() == 2.0  # seconds until there is more
    world.write(BEA)
    assert world.answer_all() == [BEA]
    world.now += 2.0
    assert world.answer_all() == [ADA]
    world.now += 60.0
    world.write(ADA, 4)
    assert world.answer_all() == [ADA] * 3


def test_one_person_is_answered_one_thing_at_a_time(world: World) -> None:
    world.write(ADA, 2)
    first = world.queue.take()
    assert isinstance(first, IncomingMessage)
    assert world.queue.take() is None
    world.queue.done(first)
    second = world.queue.take()
    assert isinstance(second, IncomingMessage) and second.message_id == first.message_id + 1


def test_what_is_put_twice_waits_once_also_while_it_is_in_hand(world: World) -> None:
    incoming = world.incoming(ADA)
    assert world.queue.put(incoming) and world.queue.put(incoming)
    assert world.queue.take() == incoming
    assert world.queue.put(incoming)
    world.queue.done(incoming)
    assert world.queue.take() is None


def test_the_first_too_many_gets_a_word_and_the_rest_is_left_out_until_it_is_said(world: World) -> None:
    assert world.write(ADA, 8) == [True] * 6 + [False] * 2
    world.answer_all()
    assert world.write(ADA) == [False]
    said = []
    while isinstance(incoming := world.answer(), IncomingMessage) or world.queue.get_keys():
        world.now += 2.0
        said += [incoming.is_too_much] if isinstance(incoming, IncomingMessage) else []
    assert said == [False, False, True]
    assert world.write(ADA) == [True]


def test_what_could_not_be_answered_comes_again_before_what_was_written_later(world: World) -> None:
    world.write(ADA, 3)
    first = world.queue.take()
    assert isinstance(first, IncomingMessage)
    world.queue.done(first, again_in_seconds=5.0)
    assert world.queue.take() == 5.0
    world.now += 5.0
    assert world.answer() == first


def test_what_is_dropped_waits_no_longer(world: World) -> None:
    world.write(ADA, 2)
    world.queue.drop_waiting()
    assert world.queue.wait_until_empty(0.0)
    assert world.answer() is None


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([ADA, BEA, CARLA]), st.floats(0, 3)), max_size=60))
def test_whatever_comes_is_answered_in_order_and_nobody_faster_than_allowed(acts: list[tuple[int, float]]) -> None:
    world = World()
    answered: list[tuple[int, int, float]] = []
    taken: list[IncomingMessage] = []
    for person, pause in [*acts, *[(0, 2.0)] * 40]:
        incoming = world.incoming(person)
        if person and world.queue.put(incoming):
            taken.append(incoming)
        world.now += pause
        found = world.answer()
        if isinstance(found, IncomingMessage):
            answered.append((found.sender_id, found.message_id, world.now))
    for person in (ADA, BEA, CARLA):
        mine = [(message_id, at) for who, message_id, at in answered if who == person]
        assert [message_id for message_id, _ in mine] == [one.message_id for one in taken if one.sender_id == person]
        for (_, first), (_, fourth) in zip(mine, mine[3:], strict=False):
            assert fourth - first >= 2.0 - 1e-6
