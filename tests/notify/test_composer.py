"""What is written to whom and when: real store, real formatter, people from a Zulip over HTTP."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from lms_bot.app import build_app
from lms_bot.core.clock import to_utc
from lms_bot.notify import composer as composer_module
from lms_bot.notify.composer import UNWANTED, Composer
from lms_bot.notify.formatter import MessageFormatter
from lms_bot.notify.formatters import Formatters
from lms_bot.notify.message_writer import MessageWriter
from lms_bot.notify.preferences import FOR_EVER
from lms_bot.settings.settings import Settings
from lms_bot.store.concerns import PersonNews
from lms_bot.store.messages import Delivery, DeliveryState, Lane, Message, MessageState
from lms_bot.store.models import LMSActivityEvent, LMSEventLog
from lms_bot.zulip.gateway import Credentials

if TYPE_CHECKING:
    from lms_bot.sandbox.zulip import SandboxZulip

BERLIN = ZoneInfo("Europe/Berlin")
NOON = to_utc(datetime(2026, 3, 18, 12, 0, tzinfo=BERLIN))  # a Wednesday
SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
JOHN, JANE = 11, 12
PASSED, FAILED, STARTED = "exam_passed", "exam_failed", "exam_started"


class Desk:
    """Anna, in Berlin, is owed events; the composer writes, and the test says when messages are sent."""

    def __init__(self, zulip: SandboxZulip, store_url: str, **settings: Any) -> None:
        bot = zulip.add_person("LMS bot", is_bot=True)
        self.anna = zulip.add_person("Anna", timezone="Europe/Berlin").user_id
        self.bob = zulip.add_person("Bob", timezone="America/New_York").user_id
        credentials = Credentials(bot.delivery_email, bot.api_key, zulip.site)
        everything = {"lms_default_notify": "everything", "lms_group_seconds": 30, "lms_activity_poll_interval": 1}
        self.app = build_app(Settings(**{"lms_bot_store": store_url, **everything, **settings}), credentials)
        with self.app.store.transaction():
            for person in (self.anna, self.bob):
                PersonNews.create(zulip_user_id=person, welcomed_at=NOON - 30 * DAY)
        self.composer = self.app.composer
        self._numbers = count(1)

    def use(self, formatter: MessageFormatter) -> None:
        writer = MessageWriter(self.app.deliveries, self.app.outbox, Formatters(formatter, formatter))
        self.composer = Composer(replace(self.app.composer.parts, writer=writer))

    def owe(self, at: datetime, kind: str = PASSED, student: int = JOHN, who: int | None = None) -> int:
        """Records an event owed to somebody. Returns its id."""
        number = next(self._numbers)
        with self.app.store.transaction():
            event = LMSActivityEvent.create(
                event_type=kind,
                student_id=student,
                student_username=f"student_{student}",
                activity_id=number,
                activity_title=f"Exam {number}",
                timestamp=at,
                created_at=at,
                source_key=f"attempts:{number}",
                has_deliveries=True,
            )
            person = who or self.anna
            Delivery.create(event=event, recipient=f"zulip:{person}", zulip_user_id=person, created_at=at)
            self.app.deliveries.settle([event.event_id], at)
        return int(event.event_id)

    def choose(self, who: int | None = None, **choices: Any) -> None:
        self.app.preferences.change(who or self.anna, **choices)
        self.composer.look_again()

    def write(self, now: datetime) -> list[Message]:
        """Lets the composer write. Returns the new messages."""
        with self.app.store.session():
            before = {one.message_id for one in Message.select()}
        self.composer.write_messages(now)
        with self.app.store.session():
            return [one for one in Message.select().order_by(Message.message_id) if one.message_id not in before]

    def send(self, now: datetime) -> int:
        """Zulip takes all that is ready. Returns how many messages that were."""
        sent = 0
        with self.app.store.session():
            while message := self.app.outbox.claim("test", now):
                self.app.outbox.mark_sent(message, 1000 + message.message_id, now)
                sent += 1
        return sent

    def tell(self, now: datetime) -> list[list[int]]:
        """Writes and sends. Returns which events each message carries."""
        messages = self.write(now)
        self.send(now)
        return [self.carried(one) for one in messages]

    def live(self, start: datetime, end: datetime, step: timedelta) -> list[tuple[datetime, list[int]]]:
        """Writes and sends every `step`. Returns when which events were told."""
        told = []
        for number in range((end - start) // step + 1):
            now = start + number * step
            told += [(now, carried) for carried in self.tell(now)]
        return told

    def carried(self, message: Message) -> list[int]:
        with self.app.store.session():
            query = Delivery.select().where(Delivery.message == message).order_by(Delivery.event)
            return [one.event_id for one in query]

    def states(self) -> dict[int, str]:
        with self.app.store.session():
            return {one.event_id: str(one.state) for one in Delivery.select()}

    def log(self, event_id: int) -> tuple[LMSActivityEvent, LMSEventLog]:
        with self.app.store.session():
            return LMSActivityEvent.get_by_id(event_id), LMSEventLog.get_by_id(event_id)


@pytest.fixture
def desk(zulip: SandboxZulip, store_url: str) -> Iterator[Desk]:
    desk = Desk(zulip, store_url)
    yield desk
    desk.app.store.close_thread()


@pytest.fixture
def small_desk(zulip: SandboxZulip, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    desk = Desk(zulip, f"sqlite:///{tmp_path_factory.mktemp('composer') / 'store.db'}")
    yield desk
    desk.app.store.close_thread()


def refs_in(text: str) -> list[int]:
    return sorted(int(number) for number in re.findall(r"`#(\d+)`", text))


# ---- gathering ----


def test_first_news_goes_out_alone_and_what_follows_is_gathered(desk: Desk) -> None:
    first = desk.owe(NOON)
    assert desk.tell(NOON) == [[first]]

    rest = [desk.owe(NOON + number * SECOND, student=JOHN + number % 2) for number in range(1, 9)]
    assert desk.tell(NOON + 29 * SECOND) == []
    (message,) = desk.write(NOON + 30 * SECOND)

    assert desk.carried(message) == rest == refs_in(message.content)
    assert message.is_gathered and len(message.content) <= 10_000


def test_a_gathered_message_that_is_too_long_goes_on_in_the_next_and_loses_nothing(small_desk: Desk) -> None:
    events = [small_desk.owe(NOON, (PASSED, FAILED, STARTED)[number % 3], number % 97) for number in range(400)]
    messages = small_desk.write(NOON)
    assert len(messages) > 1 and all(len(one.content) <= 10_000 and one.is_gathered for one in messages)
    assert sorted(one for message in messages for one in small_desk.carried(message)) == events
    assert sorted(one for message in messages for one in refs_in(message.content)) == events


def test_routine_waits_seven_minutes_and_a_failure_takes_it_along(small_desk: Desk) -> None:
    desk = small_desk
    desk.owe(NOON), desk.owe(NOON)
    assert len(desk.tell(NOON)) == 1
    start = desk.owe(NOON + 5 * SECOND, STARTED)
    assert desk.live(NOON + 5 * SECOND, NOON + 419 * SECOND, 7 * SECOND) == []
    assert desk.tell(NOON + 420 * SECOND) == [[start]]

    again = desk.owe(NOON + 425 * SECOND, STARTED)
    failure = desk.owe(NOON + 430 * SECOND, FAILED)
    assert desk.tell(NOON + 449 * SECOND) == []
    (message,) = desk.write(NOON + 450 * SECOND)
    assert desk.carried(message) == [again, failure] and message.lane == Lane.URGENT


def test_after_an_outage_each_gets_one_message(desk: Desk) -> None:
    first = desk.owe(NOON)
    assert len(desk.write(NOON)) == 1  # and Zulip goes away
    rest = [desk.owe(NOON + number * MINUTE, (PASSED, STARTED)[number % 2]) for number in range(1, 61)]
    other = desk.owe(NOON + 10 * MINUTE, who=desk.bob)

    written = [one for number in range(60) for one in desk.write(NOON + number * MINUTE + SECOND)]
    assert [desk.carried(one) for one in written] == [[other]]

    back = NOON + 61 * MINUTE
    assert desk.send(back) == 2
    assert desk.tell(back) == [rest]
    assert set(desk.states()) == {first, *rest, other} and set(desk.states().values()) == {"sent"}


def test_a_message_in_doubt_or_in_hand_holds_back_the_next_one(desk: Desk) -> None:
    desk.owe(NOON)
    (message,) = desk.write(NOON)
    later = NOON + HOUR
    desk.owe(later)
    for state in (MessageState.SENDING, MessageState.UNKNOWN):
        with desk.app.store.transaction():
            Message.update(state=state).where(Message.message_id == message.message_id).execute()
        assert desk.write(later) == []
    with desk.app.store.transaction():
        Message.update(state=MessageState.DEAD).where(Message.message_id == message.message_id).execute()
    assert len(desk.write(later)) == 1


def test_without_grouping_each_event_has_its_message(zulip: SandboxZulip, tmp_path: Path) -> None:
    desk = Desk(zulip, f"sqlite:///{tmp_path / 'store.db'}", lms_group_seconds=0)
    events = [desk.owe(NOON) for _ in range(5)]
    messages = desk.write(NOON)
    assert [desk.carried(one) for one in messages] == [[one] for one in events]
    assert not any(one.is_gathered for one in messages)
    desk.app.store.close_thread()


# ---- what people chose ----


def test_what_is_unwanted_is_settled_without_an_error(desk: Desk) -> None:
    desk.choose(notify={STARTED: "off"})
    unwanted, wanted = desk.owe(NOON, STARTED), desk.owe(NOON)

    assert desk.tell(NOON) == [[wanted]]

    assert desk.states() == {unwanted: DeliveryState.UNWANTED, wanted: DeliveryState.SENT}
    event, log = desk.log(unwanted)
    assert event.is_settled and not log.notification_sent and log.error_message is None
    with desk.app.store.session():
        assert Delivery.get(Delivery.event == unwanted).reason == UNWANTED
    stats = desk.app.events.get_event_stats()
    assert (stats["pending_events"], stats["events_with_errors"], stats["events_with_notifications"]) == (0, 0, 1)


def test_the_admins_default_is_for_who_chose_nothing(zulip: SandboxZulip, tmp_path: Path) -> None:
    desk = Desk(zulip, f"sqlite:///{tmp_path / 'store.db'}", lms_default_notify="exam_started=off, everything")
    desk.choose(desk.bob, notify={STARTED: "now"})
    for_anna, for_bob = desk.owe(NOON, STARTED), desk.owe(NOON, STARTED, who=desk.bob)
    assert desk.tell(NOON) == [[for_bob]]
    assert desk.states()[for_anna] == DeliveryState.UNWANTED
    desk.app.store.close_thread()


def test_a_muted_student_is_held_and_told_in_one_message_afterwards(small_desk: Desk) -> None:
    desk = small_desk
    desk.choose(mutes={str(JOHN): (NOON + 2 * HOUR).isoformat()})
    held = [desk.owe(NOON + number * MINUTE) for number in range(60)]
    other = desk.owe(NOON, student=JANE)

    assert desk.live(NOON, NOON + 4 * HOUR, 5 * MINUTE) == [(NOON, [other]), (NOON + 2 * HOUR, held)]


def test_unmute_releases_what_was_held_without_end(small_desk: Desk) -> None:
    desk = small_desk
    desk.choose(muted_until=FOR_EVER)
    held = [desk.owe(NOON + number * MINUTE) for number in range(5)]
    assert desk.live(NOON, NOON + 400 * DAY, 50 * DAY) == []
    desk.choose(muted_until=None)
    assert desk.tell(NOON + 400 * DAY) == [held]


def test_quiet_times_go_by_each_ones_own_clock(small_desk: Desk) -> None:
    desk = small_desk
    evening = NOON + 10 * HOUR  # 22:00 in Berlin, 17:00 in New York
    for who in (desk.anna, desk.bob):
        desk.choose(who, quiet=("21:00", "07:00"), failed_pass=False)
    for_anna = [desk.owe(evening), desk.owe(evening + HOUR, FAILED)]
    for_bob = desk.owe(evening, who=desk.bob)

    told = desk.live(evening, evening + 12 * HOUR, 15 * MINUTE)

    assert told == [(evening, [for_bob]), (NOON + 19 * HOUR, for_anna)]  # 07:00 in Berlin


def test_failed_exams_pass_unless_the_person_says_otherwise(small_desk: Desk) -> None:
    desk = small_desk
    evening = NOON + 10 * HOUR
    desk.choose(quiet=("21:00", "07:00"))
    held, failure = desk.owe(evening), desk.owe(evening, FAILED)
    assert desk.tell(evening) == [[failure]]
    assert desk.live(evening, evening + 12 * HOUR, 15 * MINUTE) == [(NOON + 19 * HOUR, [held])]


def test_what_was_to_be_told_before_the_night_but_was_not_waits_for_the_morning(small_desk: Desk) -> None:
    """The bot was away from 20:00 to 22:00."""
    desk = small_desk
    desk.choose(quiet=("21:00", "07:00"))
    late = desk.owe(NOON + 8 * HOUR)
    assert desk.live(NOON + 10 * HOUR, NOON + 20 * HOUR, 15 * MINUTE) == [(NOON + 19 * HOUR, [late])]


def test_hourly_and_daily_come_in_one_message_each_round(small_desk: Desk) -> None:
    desk = small_desk
    desk.choose(notify={PASSED: "hourly", STARTED: "daily"})
    passes = [desk.owe(NOON + number * 10 * MINUTE + SECOND) for number in range(6)]
    starts = [desk.owe(NOON + number * HOUR, STARTED) for number in range(5)]
    assert desk.live(NOON, NOON + 8 * HOUR, 5 * MINUTE) == [(NOON + HOUR, passes), (NOON + 6 * HOUR, starts)]


def test_a_choice_of_another_process_is_seen_at_once(small_desk: Desk) -> None:
    desk = small_desk
    desk.choose(muted_until=FOR_EVER)
    held = desk.owe(NOON)
    assert desk.tell(NOON) == []
    desk.app.preferences.change(desk.anna, muted_until=None)  # and nobody says `look_again`
    assert desk.tell(NOON + 5 * SECOND) == [[held]]


def test_what_is_held_back_does_not_hide_what_is_not(small_desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(composer_module, "MOST_AT_ONCE", 10)
    small_desk.choose(mutes={str(JOHN): FOR_EVER})
    for number in range(35):
        small_desk.owe(NOON + number * SECOND)
    news = [small_desk.owe(NOON + MINUTE + number * SECOND, student=JANE) for number in range(8)]

    told = small_desk.live(NOON + 2 * MINUTE, NOON + 3 * MINUTE, 5 * SECOND)

    assert sorted(one for _, carried in told for one in carried) == news and len(told) <= 2


def test_while_nobody_knows_where_people_live_nobody_is_woken_up(zulip: SandboxZulip, tmp_path: Path) -> None:
    desk = Desk(zulip, f"sqlite:///{tmp_path / 'store.db'}")
    desk.choose(quiet=("21:00", "07:00"))
    zulip.stop()
    desk.owe(NOON)
    bobs = desk.owe(NOON, who=desk.bob)
    assert [desk.carried(one) for one in desk.write(NOON)] == [[bobs]]
    desk.app.store.close_thread()


# ---- a formatter of somebody else's ----


class Broken(MessageFormatter):
    def format_notification_message(self, event: Any) -> str:
        raise ZeroDivisionError

    format_group_messages = format_notification_message  # type: ignore[assignment]


class Forgetful(MessageFormatter):
    def format_group_messages(self, events: Any) -> list[tuple[str, list[int]]]:
        return [("the first only", [next(iter(events)).event_id])]


class Confused(MessageFormatter):
    def format_group_messages(self, events: Any) -> list[tuple[str, list[int]]]:
        return [("somebody else's", [987654])]


@pytest.mark.parametrize(("formatter", "told"), [(Broken(), 0), (Forgetful(), 1), (Confused(), 0)])
def test_what_a_formatter_cannot_write_is_an_error_an_admin_sees_and_can_retry(
    desk: Desk, formatter: MessageFormatter, told: int
) -> None:
    desk.use(formatter)
    events = [desk.owe(NOON) for _ in range(3)]
    messages = desk.write(NOON)

    assert len(messages) == told
    failed = events[told:]
    assert [one for one in events if desk.states()[one] == DeliveryState.DEAD] == failed
    assert all("in the formatter" in (desk.log(one)[1].error_message or "") for one in failed)

    desk.use(MessageFormatter())
    assert desk.app.events.retry(None).retried == len(failed)
    desk.send(NOON)
    assert desk.tell(NOON + HOUR) == [failed]


class Indiscreet(MessageFormatter):
    def format_notification_message(self, event: Any) -> str:
        raise KeyError(event.student_username)


def test_the_log_says_where_a_formatter_failed_but_nothing_of_whom(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    desk.use(Indiscreet())
    event_id = desk.owe(NOON)
    desk.write(NOON)
    assert f"events [{event_id}]" in caplog.text and "in format_notification_message" in caplog.text
    assert "KeyError" in caplog.text and str(desk.log(event_id)[0].student_username) not in caplog.text


# ---- giving up ----


def test_discard_ends_what_failed_and_may_be_repeated(desk: Desk) -> None:
    desk.use(Broken())
    events = [desk.owe(NOON) for _ in range(3)]
    desk.write(NOON)

    def errors() -> Sequence[int]:
        with desk.app.store.session():
            return sorted(one.event_id for one in LMSActivityEvent.get_with_errors())

    assert errors() == events
    assert desk.app.events.discard([events[0], 404], "Ada") == [events[0]]
    assert desk.app.events.discard([events[0]], "Ada") == []
    assert errors() == events[1:]
    assert desk.app.events.discard(None, "Ada") == events[1:]
    assert desk.app.events.discard(None, "Ada") == []
    assert errors() == [] and set(desk.states().values()) == {DeliveryState.UNWANTED}
    assert desk.app.events.retry(events).retried == 0
    assert all(desk.log(one)[0].is_settled for one in events)


def test_what_did_not_happen_today_says_when_it_did(desk: Desk) -> None:
    """Today is the reader's: in Berlin it was yesterday, in New York it was not."""
    late = to_utc(datetime(2026, 3, 17, 23, 30, tzinfo=BERLIN))
    early = to_utc(datetime(2026, 3, 18, 0, 30, tzinfo=BERLIN))
    for happened_at, who, is_said in ((late, desk.anna, True), (late, desk.bob, False)):
        desk.owe(happened_at, who=who)
        (message,) = desk.write(early)
        desk.send(early)
        assert message.content.endswith("\n🕒 <time:2026-03-17T22:30:00Z>") == is_said
