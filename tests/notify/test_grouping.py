"""What is told at once and what is gathered, whatever comes when."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lms_bot.core.activities import ActivityType
from lms_bot.core.clock import UTC
from lms_bot.notify.grouping import (
    RESULTS_EVERY,
    ROUTINE_EVERY,
    ROUTINE_TYPES,
    Choice,
    Gathering,
    Recent,
    Waiting,
    choose,
    make_gathering,
)
from lms_bot.notify.preferences import Pace

START = datetime(2026, 3, 18, 12, 0, tzinfo=UTC)
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
PASSED, FAILED, STARTED, WATCHED = "exam_passed", "exam_failed", "exam_started", "content_watched"
CALM = make_gathering(None, 60)
NONE = make_gathering(0, 60)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def wait(key: int, kind: str, due_at: datetime, pace: Pace = Pace.AT_ONCE) -> Waiting:
    return Waiting(key, kind, pace, due_at)


@dataclass
class Told:
    at: datetime
    carried: tuple[Waiting, ...]
    is_gathered: bool

    def has(self, *paces: Pace) -> bool:
        return any(one.pace in paces for one in self.carried)


@dataclass
class Person:
    """Somebody to whom news come, on a clock that jumps to the next moment when something may happen."""

    gathering: Gathering
    send_seconds: float = 0.0
    told: list[Told] = field(default_factory=list)
    waiting: list[Waiting] = field(default_factory=list)
    recent: Recent = field(default_factory=Recent)

    def live_through(self, news: list[Waiting]) -> list[Told]:
        moments = sorted({one.due_at for one in news})
        now = START
        for _ in range(10_000):
            self.waiting += [one for one in news if one.due_at == now]
            last_at = self.recent.last_at
            sent_at = last_at + self.send_seconds * SECOND if last_at else START
            choice = choose(self.waiting, replace(self.recent, is_one_on_its_way=now < sent_at), self.gathering, now)
            self.tell(choice, now)
            ahead = [moment for moment in moments if moment > now]
            looks = [choice.look_again_at or now] if choice.look_again_at or choice.now else []
            ahead += [max(look, now + SECOND / 10) for look in looks]
            ahead += [moment for moment in (sent_at, now + self.send_seconds * SECOND) if moment > now]
            if not self.waiting and not any(moment > now for moment in moments):
                return self.told
            now = min(ahead)
        raise AssertionError("it never came to rest")

    def tell(self, choice: Choice, now: datetime) -> None:
        if not choice.now:
            return
        parts = [choice.now] if choice.is_gathered else [(one,) for one in choice.now]
        self.told += [Told(now, part, choice.is_gathered) for part in parts]
        self.waiting = [one for one in self.waiting if one not in choice.now]
        paces = {one.pace for one in choice.now}
        self.recent = Recent(
            now,
            now if Pace.URGENT in paces else self.recent.urgent_at,
            now if Pace.RESULT in paces else self.recent.results_at,
        )

    def told_at(self, one: Waiting) -> datetime:
        (moment,) = [message.at for message in self.told if one in message.carried]
        return moment


KINDS = st.sampled_from([kind.value for kind in ActivityType])
PACES = st.sampled_from([Pace.URGENT, Pace.RESULT, Pace.AT_ONCE])
MOMENTS = st.one_of(st.integers(0, 120), st.integers(0, 1200), st.integers(0, 20_000))


def news_of(kinds: st.SearchStrategy[str], paces: st.SearchStrategy[Pace]) -> st.SearchStrategy[list[Waiting]]:
    some = st.lists(st.tuples(MOMENTS, kinds, paces), min_size=1, max_size=40)
    return some.map(lambda found: [wait(key, kind, at(when), pace) for key, (when, kind, pace) in enumerate(found)])


NEWS = st.one_of(news_of(KINDS, PACES), news_of(KINDS, st.just(Pace.AT_ONCE)))
GATHERING = st.sampled_from([CALM, make_gathering(30, 60), make_gathering(600, 60), make_gathering(5, 1)])


@settings(max_examples=300, deadline=None)
@given(NEWS, GATHERING, st.sampled_from([0.0, 0.0, 3.0, 200.0]))
def test_everything_is_told_once_and_in_its_time(
    news: list[Waiting], gathering: Gathering, send_seconds: float
) -> None:
    person = Person(gathering, send_seconds)
    told = person.live_through(news)

    assert sorted(str(one.key) for message in told for one in message.carried) == sorted(str(one.key) for one in news)
    longest = {
        Pace.URGENT: gathering.urgent,
        Pace.RESULT: RESULTS_EVERY,
        Pace.AT_ONCE: max(gathering.at_once, ROUTINE_EVERY),
    }
    for one in news:
        patience = longest[one.pace] + 2 * send_seconds * SECOND + SECOND
        assert one.due_at <= person.told_at(one) <= one.due_at + patience


@settings(max_examples=300, deadline=None)
@given(NEWS, GATHERING)
def test_the_first_of_a_pace_after_a_silence_is_told_at_once(news: list[Waiting], gathering: Gathering) -> None:
    person = Person(gathering)
    told = person.live_through(news)

    silence = {Pace.URGENT: gathering.urgent, Pace.RESULT: RESULTS_EVERY}
    for one in news:
        if one.pace in silence:
            before = [message.at for message in told if message.at < one.due_at and message.has(one.pace)]
            if not before or one.due_at >= max(before) + silence[one.pace]:
                assert person.told_at(one) == one.due_at


@settings(max_examples=300, deadline=None)
@given(NEWS, GATHERING)
def test_what_is_only_routine_comes_some_minutes_after_any_message(news: list[Waiting], gathering: Gathering) -> None:
    for earlier, later in pairwise(Person(gathering).live_through(news)):
        is_routine = all(one.event_type in ROUTINE_TYPES for one in later.carried)
        if is_routine and not later.has(Pace.URGENT, Pace.RESULT):
            assert later.at >= earlier.at + ROUTINE_EVERY


@settings(max_examples=300, deadline=None)
@given(NEWS, GATHERING)
def test_messages_of_one_pace_keep_their_distance(news: list[Waiting], gathering: Gathering) -> None:
    told = Person(gathering).live_through(news)
    for pace, distance in ((Pace.URGENT, gathering.urgent), (Pace.RESULT, RESULTS_EVERY)):
        alone = [one for one in told if {each.pace for each in one.carried} == {pace}]
        with_it = [one.at for one in told if one.has(pace)]
        for message in alone:
            assert all(message.at >= moment + distance for moment in with_it if moment < message.at)


@given(NEWS)
def test_without_gathering_each_is_told_at_once_in_its_own_message(news: list[Waiting]) -> None:
    person = Person(NONE, send_seconds=100.0)
    told = person.live_through(news)

    assert all(person.told_at(one) == one.due_at for one in news)
    assert all(len(message.carried) == 1 and not message.is_gathered for message in told)


def test_while_a_message_is_on_its_way_all_else_is_gathered_for_the_next() -> None:
    person = Person(CALM, send_seconds=3600.0)  # Zulip is away for an hour
    told = person.live_through([wait(number, FAILED, at(10 * number), Pace.URGENT) for number in range(300)])
    assert [len(message.carried) for message in told] == [1, 299]


def test_a_class_that_fails_is_told_at_once_and_then_every_quarter_of_an_hour() -> None:
    failures = [wait(minute, FAILED, at(60 * minute), Pace.URGENT) for minute in range(40)]
    told = Person(CALM).live_through(failures)
    assert [(message.at, len(message.carried)) for message in told] == [
        (START, 1), (START + 15 * MINUTE, 15), (START + 30 * MINUTE, 15), (START + 45 * MINUTE, 9),
    ]  # fmt: skip


def test_an_exam_week_is_a_message_an_hour() -> None:
    passes = [wait(minute, PASSED, at(60 * minute), Pace.RESULT) for minute in range(150)]
    told = Person(CALM).live_through(passes)
    assert [message.at for message in told] == [START, START + HOUR, START + 2 * HOUR, START + 3 * HOUR]


def test_whatever_waits_goes_with_a_message_that_goes_anyway() -> None:
    news = [
        wait(1, PASSED, START, Pace.RESULT),
        wait(2, PASSED, at(60), Pace.RESULT),
        wait(3, FAILED, at(120), Pace.URGENT),
    ]
    told = Person(CALM).live_through(news)
    assert [[one.key for one in message.carried] for message in told] == [[1], [2, 3]]


def test_what_waits_alone_is_looked_at_again_when_it_is_due() -> None:
    later = wait(1, PASSED, at(50))
    assert choose([later], Recent(), CALM, START) == Choice(look_again_at=at(50))
    assert choose([], Recent(), CALM, START) == Choice()
    assert choose([later], Recent(is_one_on_its_way=True), CALM, at(60)) == Choice()


@pytest.mark.parametrize(
    ("kind", "pace", "seconds"),
    [
        (FAILED, Pace.URGENT, 900),
        (PASSED, Pace.RESULT, 3600),
        (FAILED, Pace.AT_ONCE, 120),
        (STARTED, Pace.AT_ONCE, 420),
    ],
)
def test_how_long_a_follower_is_gathered(kind: str, pace: Pace, seconds: int) -> None:
    recent = Recent(START, START, START)
    assert choose([wait(1, kind, at(1), pace)], recent, CALM, at(2)) == Choice(look_again_at=at(seconds))


def test_nothing_is_gathered_for_less_than_a_poll_takes() -> None:
    assert make_gathering(None, 60) == Gathering(15 * MINUTE, 2 * MINUTE)
    assert make_gathering(None, 300) == Gathering(15 * MINUTE, 10 * MINUTE)
    assert make_gathering(30, 60) == Gathering(30 * SECOND, MINUTE)
    assert not make_gathering(0, 60).is_on
