"""What is told at once and what is gathered, whatever comes when."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lms_bot.core.activities import ActivityType
from lms_bot.core.clock import UTC
from lms_bot.notify.grouping import ROUTINE_EVERY, ROUTINE_TYPES, Choice, Waiting, choose
from lms_bot.outbox.outbox import Recent

START = datetime(2026, 3, 18, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
PASSED, FAILED, STARTED, WATCHED = "exam_passed", "exam_failed", "exam_started", "content_watched"


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


@dataclass
class Told:
    at: datetime
    carried: tuple[Waiting, ...]
    is_gathered: bool

    @property
    def is_routine(self) -> bool:
        return all(one.event_type in ROUTINE_TYPES for one in self.carried)


@dataclass
class Person:
    """Somebody to whom news come, on a clock that jumps to the next moment when something may happen."""

    group_seconds: float
    send_seconds: float = 0.0
    told: list[Told] = field(default_factory=list)
    waiting: list[Waiting] = field(default_factory=list)
    last_at: datetime | None = None
    last_gathered_at: datetime | None = None

    def live_through(self, news: list[Waiting]) -> None:
        moments = sorted({one.due_at for one in news})
        now = START
        for _ in range(10_000):
            self.waiting += [one for one in news if one.due_at == now]
            choice = choose(self.waiting, self.recent(now), self.group_seconds, now)
            self.tell(choice, now)
            ahead = [moment for moment in moments if moment > now]
            sent_at = self.last_at + self.send_seconds * SECOND if self.last_at else now
            looks = [choice.look_again_at or now] if choice.look_again_at or choice.now else []
            ahead += [max(look, now + SECOND / 10) for look in looks] + ([sent_at] if sent_at > now else [])
            if not ahead:
                return
            now = min(ahead)
        raise AssertionError("it never came to rest")

    def recent(self, now: datetime) -> Recent:
        is_on_its_way = self.last_at is not None and now < self.last_at + self.send_seconds * SECOND
        return Recent(self.last_at, self.last_gathered_at, is_on_its_way)

    def tell(self, choice: Choice, now: datetime) -> None:
        if not choice.now:
            return
        parts = [choice.now] if choice.is_gathered else [(one,) for one in choice.now]
        self.told += [Told(now, part, choice.is_gathered) for part in parts]
        self.waiting = [one for one in self.waiting if one not in choice.now]
        self.last_at = now
        if choice.is_gathered:
            self.last_gathered_at = now

    def told_at(self, one: Waiting) -> datetime:
        (moment,) = [message.at for message in self.told if one in message.carried]
        return moment


KINDS = st.sampled_from([kind.value for kind in ActivityType])
ROUTINE = st.sampled_from(sorted(ROUTINE_TYPES))
MOMENTS = st.one_of(st.integers(0, 120), st.integers(0, 1200))


def news_of(kinds: st.SearchStrategy[str]) -> st.SearchStrategy[list[Waiting]]:
    some = st.lists(st.tuples(MOMENTS, kinds), min_size=1, max_size=40)
    return some.map(lambda found: [Waiting(number, kind, at(when)) for number, (when, kind) in enumerate(found)])


NEWS = st.one_of(news_of(KINDS), news_of(ROUTINE))
GROUP_SECONDS = st.sampled_from([0.5, 5.0, 30.0, 60.0, 600.0])


@settings(max_examples=300, deadline=None)
@given(NEWS, GROUP_SECONDS, st.sampled_from([0.0, 0.0, 3.0, 200.0]))
def test_everything_is_told_once_and_nothing_waits_for_ever(
    news: list[Waiting], group_seconds: float, send_seconds: float
) -> None:
    person = Person(group_seconds, send_seconds)
    person.live_through(news)

    longest = max(timedelta(seconds=group_seconds), ROUTINE_EVERY) + 2 * send_seconds * SECOND + SECOND
    told = [one.delivery_id for message in person.told for one in message.carried]
    assert sorted(told) == [one.delivery_id for one in news]
    assert all(one.due_at <= person.told_at(one) <= one.due_at + longest for one in news)


@settings(max_examples=300, deadline=None)
@given(NEWS, GROUP_SECONDS)
def test_the_first_news_after_a_silence_is_told_at_once(news: list[Waiting], group_seconds: float) -> None:
    person = Person(group_seconds)
    person.live_through(news)

    for moment in sorted({one.due_at for one in news}):
        before = [message.at for message in person.told if message.at < moment]
        is_something_waiting = any(one.due_at < moment <= person.told_at(one) for one in news)
        is_silent = not before or moment >= max(before) + group_seconds * SECOND
        if is_silent and not is_something_waiting:
            assert any(message.at == moment for message in person.told)


@settings(max_examples=300, deadline=None)
@given(NEWS, GROUP_SECONDS)
def test_gathered_routine_comes_once_in_five_minutes(news: list[Waiting], group_seconds: float) -> None:
    person = Person(group_seconds)
    person.live_through(news)

    gathered = [message for message in person.told if message.is_gathered]
    for earlier, later in pairwise(gathered):
        assert not later.is_routine or later.at >= earlier.at + ROUTINE_EVERY


@settings(max_examples=300, deadline=None)
@given(NEWS, GROUP_SECONDS)
def test_what_is_not_routine_waits_for_the_gathering_time_at_most(news: list[Waiting], group_seconds: float) -> None:
    person = Person(group_seconds)
    person.live_through(news)

    for one in news:
        if one.event_type not in ROUTINE_TYPES:
            assert person.told_at(one) <= one.due_at + group_seconds * SECOND + SECOND / 5


@given(NEWS)
def test_without_grouping_each_is_told_at_once_in_its_own_message(news: list[Waiting]) -> None:
    person = Person(0.0, send_seconds=100.0)
    person.live_through(news)

    assert all(person.told_at(one) == one.due_at for one in news)
    assert all(len(message.carried) == 1 and not message.is_gathered for message in person.told)


@given(NEWS, GROUP_SECONDS)
def test_messages_are_never_closer_than_the_gathering_time(news: list[Waiting], group_seconds: float) -> None:
    person = Person(group_seconds)
    person.live_through(news)

    moments = [message.at for message in person.told]
    assert all(later - earlier >= group_seconds * SECOND for earlier, later in pairwise(moments))


def test_while_a_message_is_on_its_way_all_else_is_gathered_for_the_next() -> None:
    person = Person(30.0, send_seconds=3600.0)  # Zulip is away for an hour
    news = [Waiting(number, FAILED, at(10 * number)) for number in range(300)]
    person.live_through(news)
    assert [(len(message.carried), message.is_gathered) for message in person.told] == [(1, False), (299, True)]


def test_two_routine_things_at_once_are_one_message_but_for_the_five_minutes() -> None:
    pair = [Waiting(1, STARTED, START), Waiting(2, WATCHED, START)]
    assert choose(pair, Recent(), 30, START) == Choice(tuple(pair), is_gathered=True)
    lately = Recent(last_at=at(-60), last_gathered_at=at(-60))
    assert choose(pair, lately, 30, START).now == (pair[0],)
    long_ago = Recent(last_at=at(-60), last_gathered_at=at(-301))
    assert choose(pair, long_ago, 30, START).is_gathered


def test_what_waits_alone_is_looked_at_again_when_it_is_due() -> None:
    later = Waiting(1, PASSED, at(50))
    assert choose([later], Recent(), 30, START) == Choice(look_again_at=at(50))
    assert choose([], Recent(), 30, START) == Choice()
    assert choose([later], Recent(is_one_on_its_way=True), 30, at(60)) == Choice()


@pytest.mark.parametrize(("kind", "seconds"), [(FAILED, 30), (PASSED, 30), (STARTED, 300)])
def test_how_long_a_follower_is_gathered(kind: str, seconds: int) -> None:
    recent = Recent(last_at=START, last_gathered_at=START)
    assert choose([Waiting(1, kind, at(1))], recent, 30, at(2)) == Choice(look_again_at=at(seconds))
