"""Whose turn it is to be answered: in order for each person, by turns among people, slowly for who floods."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lms_bot.inbox import Letter
from lms_bot.inbox.turns import Turns

ADA, BEA, CARLA = 1, 2, 3


class World:
    """Turns whose time a test moves: three answers at once, then one every two seconds; five may wait."""

    def __init__(self) -> None:
        self.now = 100.0
        self.turns = Turns(per_minute=lambda: 30.0, at_once=3, most_waiting=5, now=lambda: self.now)
        self._number = 0

    def write(self, person: int, times: int = 1) -> list[bool]:
        return [self.turns.put(self.letter(person)) for _ in range(times)]

    def letter(self, person: int) -> Letter:
        self._number += 1
        return Letter(self._number, person, "help", (person,), sent_at=self._number)

    def answer(self) -> Letter | float | None:
        """Answers whose turn it is."""
        letter = self.turns.take()
        if isinstance(letter, Letter):
            self.turns.done(letter)
        return letter

    def answer_all(self) -> list[int]:
        """Answers all that may be answered now; the people, in order."""
        people = []
        while isinstance(letter := self.answer(), Letter):
            people.append(letter.sender_id)
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
    first = world.turns.take()
    assert isinstance(first, Letter)
    assert world.turns.take() is None
    world.turns.done(first)
    second = world.turns.take()
    assert isinstance(second, Letter) and second.message_id == first.message_id + 1


def test_what_is_put_twice_waits_once_also_while_it_is_in_hand(world: World) -> None:
    letter = world.letter(ADA)
    assert world.turns.put(letter) and world.turns.put(letter)
    assert world.turns.take() == letter
    assert world.turns.put(letter)
    world.turns.done(letter)
    assert world.turns.take() is None


def test_the_first_too_many_gets_a_word_and_the_rest_is_left_out_until_it_is_said(world: World) -> None:
    assert world.write(ADA, 8) == [True] * 6 + [False] * 2
    world.answer_all()
    assert world.write(ADA) == [False]
    said = []
    while isinstance(letter := world.answer(), Letter) or world.turns.get_keys():
        world.now += 2.0
        said += [letter.is_too_much] if isinstance(letter, Letter) else []
    assert said == [False, False, True]
    assert world.write(ADA) == [True]


def test_what_was_begun_before_comes_first_and_is_never_left_out(world: World) -> None:
    world.write(ADA, 8)
    resumed = Letter(99, ADA, is_resumed=True)
    assert world.turns.put(resumed)
    assert world.answer() == resumed


def test_what_is_dropped_waits_no_longer(world: World) -> None:
    world.write(ADA, 2)
    world.turns.drop_waiting()
    assert world.turns.wait_until_empty(0.0)
    assert world.answer() is None


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([ADA, BEA, CARLA]), st.floats(0, 3)), max_size=60))
def test_whatever_comes_is_answered_in_order_and_nobody_faster_than_allowed(acts: list[tuple[int, float]]) -> None:
    world = World()
    answered: list[tuple[int, int, float]] = []
    taken: list[Letter] = []
    for person, pause in [*acts, *[(0, 2.0)] * 40]:
        letter = world.letter(person)
        if person and world.turns.put(letter):
            taken.append(letter)
        world.now += pause
        found = world.answer()
        if isinstance(found, Letter):
            answered.append((found.sender_id, found.message_id, world.now))
    for person in (ADA, BEA, CARLA):
        mine = [(message_id, at) for who, message_id, at in answered if who == person]
        assert [message_id for message_id, _ in mine] == [one.message_id for one in taken if one.sender_id == person]
        for (_, first), (_, fourth) in zip(mine, mine[3:], strict=False):
            assert fourth - first >= 2.0 - 1e-6
