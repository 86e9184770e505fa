"""The outbox: one sender at a time holds a message, and what became of it is in the log. On either database."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from itertools import count

import pytest

from lms_bot.outbox.outbox import LEASE, ROUTINE, URGENT, Outbox
from lms_bot.store.database import Store, open_store
from lms_bot.store.messages import Delivery, DeliveryState, Message, MessageState
from lms_bot.store.models import LMSActivityEvent, LMSEventLog

NOW = datetime(2026, 1, 15, 14, 30, tzinfo=timezone.utc)
GRACE = timedelta(seconds=30)
SENDER = "some-machine:1:a"
ANNA, BOB = 9, 10


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    opened = open_store(store_url)
    yield opened
    opened.close_thread()


@pytest.fixture
def outbox(store: Store) -> Outbox:
    return Outbox(store)


@pytest.fixture
def owe(outbox: Outbox) -> Callable[..., list[Delivery]]:
    """Makes an event owed to these people; returns the deliveries."""
    numbers = count(1)

    def create(*people: int) -> list[Delivery]:
        number = next(numbers)
        event = LMSActivityEvent.create(
            event_type="exam_passed",
            student_id=1,
            activity_id=number,
            timestamp=NOW,
            source_key=f"attempts:{number}:exam_passed",
            has_deliveries=True,
        )
        made = [Delivery.create(event=event, recipient=f"zulip:{one}", zulip_user_id=one) for one in people]
        outbox.settle([event.event_id], NOW)
        return made

    return create


@pytest.fixture
def write(outbox: Outbox, owe: Callable[..., list[Delivery]]) -> Callable[..., Message]:
    """Writes down a message to one person of one new event."""

    def create(person: int = ANNA, content: str = "hello", priority: int = ROUTINE) -> Message:
        return outbox.write(owe(person), content, priority, NOW)

    return create


def log_of(event_id: int) -> LMSEventLog:
    return LMSEventLog.get_by_id(event_id)


# ---- claiming ----


def test_a_message_is_held_by_one_sender(outbox: Outbox, write: Callable[..., Message]) -> None:
    written = write()
    claimed = outbox.claim(SENDER, NOW)
    assert claimed is not None
    assert (claimed.message_id, claimed.state, claimed.claimed_by) == (written.message_id, "sending", SENDER)
    assert outbox.claim("some-machine:2:b", NOW) is None
    assert outbox.get_unknown(NOW, GRACE) is None


def test_failed_exams_go_first_then_the_oldest(outbox: Outbox, write: Callable[..., Message]) -> None:
    ids = [write(priority=priority).message_id for priority in (ROUTINE, ROUTINE, URGENT, URGENT)]
    claimed = [outbox.claim(SENDER, NOW) for _ in ids]
    assert [one.message_id for one in claimed if one] == [ids[2], ids[3], ids[0], ids[1]]


def test_nothing_is_claimed_before_its_time(outbox: Outbox, write: Callable[..., Message]) -> None:
    message = write()
    claimed = outbox.claim(SENDER, NOW)
    assert claimed is not None
    outbox.mark_ready(claimed, after(10), "Zulip is away", 3)
    assert outbox.claim(SENDER, after(9.9)) is None
    again = outbox.claim(SENDER, after(10))
    assert again is not None
    assert (again.message_id, again.tries, again.reason) == (message.message_id, 3, "Zulip is away")


def test_many_senders_at_once_hold_each_message_once(
    store: Store, outbox: Outbox, write: Callable[..., Message]
) -> None:
    ids = {write().message_id for _ in range(60)}
    claimed: list[int] = []
    barrier = threading.Barrier(4)

    def claim_all(sender: str) -> None:
        barrier.wait()
        while (message := outbox.claim(sender, NOW)) is not None:
            claimed.append(message.message_id)
        store.close_thread()

    threads = [threading.Thread(target=claim_all, args=(f"some-machine:{number}:a",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(claimed) == sorted(ids)


# ---- doubt ----


def test_a_lease_that_ran_out_puts_the_message_in_doubt(outbox: Outbox, write: Callable[..., Message]) -> None:
    write()
    outbox.claim(SENDER, NOW)
    assert outbox.get_unknown(NOW + LEASE, GRACE) is None
    doubtful = outbox.get_unknown(NOW + LEASE + timedelta(seconds=1), GRACE)
    assert doubtful is not None
    assert doubtful.state == MessageState.UNKNOWN
    assert doubtful.reason == "the bot stopped while sending it"
    assert doubtful.lease_until == NOW + LEASE
    assert outbox.claim(SENDER, after(3600)) is None


@pytest.mark.parametrize(
    ("sender", "is_doubted"),
    [
        (f"{socket.gethostname()}:{2**22 + 1}:a", True),  # no process has such a number
        (f"{socket.gethostname()}:{os.getpid()}:a", False),
        (f"another-machine:{2**22 + 1}:a", False),
    ],
    ids=["dead here", "alive here", "elsewhere"],
)
def test_a_process_known_to_be_dead_is_not_waited_for(
    outbox: Outbox, write: Callable[..., Message], sender: str, is_doubted: bool
) -> None:
    write()
    outbox.claim(sender, NOW)
    doubtful = outbox.get_unknown(after(1), GRACE)
    assert (doubtful is not None) == is_doubted
    if doubtful is not None:
        assert doubtful.lease_until == after(1) + GRACE


def test_a_doubtful_message_is_looked_up_when_it_is_due(outbox: Outbox, write: Callable[..., Message]) -> None:
    write()
    claimed = outbox.claim(SENDER, NOW)
    assert claimed is not None
    assert outbox.mark_unknown(claimed, after(2), "no answer", lease_until=after(30))
    assert outbox.get_unknown(after(1), GRACE) is None
    doubtful = outbox.get_unknown(after(2), GRACE)
    assert doubtful is not None
    assert outbox.mark_unknown(doubtful, after(4), "no answer")
    assert Message.get_by_id(doubtful.message_id).lease_until == after(30)


def test_who_no_longer_holds_a_message_changes_nothing(outbox: Outbox, write: Callable[..., Message]) -> None:
    write()
    late = outbox.claim(SENDER, NOW)
    doubtful = outbox.get_unknown(after(61), GRACE)
    assert late is not None
    assert doubtful is not None
    assert outbox.mark_ready(doubtful, after(61), None, 1)
    assert outbox.claim("some-machine:2:b", after(62)) is not None
    for change in (
        outbox.mark_sent(late, 77, after(63)),
        outbox.mark_dead(late, "too late", after(63)),
        outbox.mark_ready(late, after(63), None, 0),
        outbox.mark_unknown(late, after(63), None),
        outbox.mark_sent(doubtful, 77, after(63)),
    ):
        assert not change
    assert Message.get_by_id(late.message_id).state == MessageState.SENDING


def test_of_two_who_looked_a_message_up_only_the_first_decides(
    outbox: Outbox, write: Callable[..., Message]
) -> None:
    write()
    outbox.claim(SENDER, NOW)
    first, second = outbox.get_unknown(after(61), GRACE), outbox.get_unknown(after(61), GRACE)
    assert first is not None
    assert second is not None
    assert outbox.mark_sent(first, 77, after(62))
    assert not outbox.mark_ready(second, after(62), "not found", 1)
    assert not outbox.mark_dead(second, "not found", after(62))
    assert Message.get().state == MessageState.SENT


# ---- what became of it ----


def test_a_sent_message_settles_all_it_carries(outbox: Outbox, owe: Callable[..., list[Delivery]]) -> None:
    deliveries = [owe(ANNA)[0] for _ in range(3)]
    outbox.write(deliveries, "three at once", ROUTINE, NOW)
    claimed = outbox.claim(SENDER, NOW)
    assert claimed is not None
    assert outbox.mark_sent(claimed, 77, after(1))
    for one in deliveries:
        assert Delivery.get_by_id(one.delivery_id).state == DeliveryState.SENT
        assert LMSActivityEvent.get_by_id(one.event_id).is_settled
        log = log_of(one.event_id)
        assert (log.notification_sent, log.notification_message_id, log.error_message) == (True, 77, None)
        assert log.processed_at == after(1)


def test_an_event_is_settled_also_when_two_senders_settle_its_last_two_deliveries_at_once(
    store: Store, outbox: Outbox, owe: Callable[..., list[Delivery]]
) -> None:
    for _ in range(20):
        for one in owe(ANNA, BOB):
            outbox.write([one], "hello", ROUTINE, NOW)
    barrier = threading.Barrier(2)

    def send_all(sender: str) -> None:
        for _ in range(20):
            claimed = outbox.claim(sender, NOW)
            assert claimed is not None
            barrier.wait()
            outbox.mark_sent(claimed, claimed.message_id, NOW)
        store.close_thread()

    threads = [threading.Thread(target=send_all, args=(f"some-machine:{number}:a",)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert LMSActivityEvent.select().where(~LMSActivityEvent.is_settled).count() == 0


def test_an_event_is_settled_when_the_last_of_its_people_is(
    outbox: Outbox, owe: Callable[..., list[Delivery]]
) -> None:
    to_anna, to_bob = owe(ANNA, BOB)
    outbox.write([to_anna], "hello", ROUTINE, NOW)
    outbox.write([to_bob], "hello", ROUTINE, NOW)
    first, second = outbox.claim(SENDER, NOW), outbox.claim(SENDER, NOW)
    assert first is not None
    assert second is not None
    outbox.mark_sent(first, 77, NOW)
    assert not LMSActivityEvent.get_by_id(to_anna.event_id).is_settled
    outbox.mark_dead(second, "Zulip says: no", NOW)
    assert LMSActivityEvent.get_by_id(to_anna.event_id).is_settled
    log = log_of(to_anna.event_id)
    assert (log.notification_sent, log.notification_message_id) == (True, 77)
    assert log.error_message == "Zulip says: no"


def test_a_retry_owes_anew_what_was_given_up_and_only_that(
    outbox: Outbox, owe: Callable[..., list[Delivery]]
) -> None:
    to_anna, to_bob = owe(ANNA, BOB)
    for one in (to_anna, to_bob):
        outbox.write([one], "hello", ROUTINE, NOW)
    first, second = outbox.claim(SENDER, NOW), outbox.claim(SENDER, NOW)
    assert first is not None
    assert second is not None
    outbox.mark_sent(first, 77, NOW)
    outbox.mark_dead(second, "no", NOW)
    assert outbox.revive(None, after(1)) == [to_anna.event_id]
    assert outbox.revive(None, after(2)) == []
    assert Delivery.get_by_id(to_anna.delivery_id).state == DeliveryState.SENT
    assert [one.delivery_id for one in outbox.get_unwritten(BOB, 10)] == [to_bob.delivery_id]
    assert log_of(to_anna.event_id).error_message is None
    assert outbox.claim(SENDER, after(3)) is None  # the dead message stays dead


def test_a_retry_can_be_of_some_events_only(outbox: Outbox, write: Callable[..., Message]) -> None:
    for _ in range(3):
        write()
        claimed = outbox.claim(SENDER, NOW)
        assert claimed is not None
        outbox.mark_dead(claimed, "no", NOW)
    first, second, third = (one.event.event_id for one in LMSEventLog.select().order_by(LMSEventLog.event))
    assert outbox.revive([third, first], NOW) == [first, third]
    assert log_of(second).error_message == "no"


def test_what_is_discarded_is_neither_owed_nor_an_error(outbox: Outbox, write: Callable[..., Message]) -> None:
    write()
    claimed = outbox.claim(SENDER, NOW)
    assert claimed is not None
    outbox.mark_dead(claimed, "no", NOW)
    (event_id,) = outbox.discard(None, "an admin gave it up", NOW)
    assert outbox.discard(None, "an admin gave it up", NOW) == []
    assert outbox.revive(None, NOW) == []
    assert log_of(event_id).error_message is None
    assert not log_of(event_id).notification_sent


def test_messages_known_to_be_sent_are_told_apart_by_person_and_text(
    outbox: Outbox, write: Callable[..., Message]
) -> None:
    for number, (person, content) in enumerate([(ANNA, "hello"), (ANNA, "hello"), (BOB, "hello"), (ANNA, "bye")]):
        write(person, content)
        claimed = outbox.claim(SENDER, NOW)
        assert claimed is not None
        outbox.mark_sent(claimed, 70 + number, NOW)
    write(ANNA, "hello")
    assert outbox.get_zulip_ids(ANNA, "hello") == {70, 71}
    assert outbox.get_last_zulip_id(ANNA, before=after(1)) == 73
    assert outbox.get_last_zulip_id(ANNA, before=NOW) == 0


def test_a_text_neither_zulip_nor_postgresql_takes_is_mended(outbox: Outbox, write: Callable[..., Message]) -> None:
    assert write(content="a\0b").content == "a\N{REPLACEMENT CHARACTER}b"


def test_a_transaction_that_fails_settles_nothing(
    store: Store, outbox: Outbox, write: Callable[..., Message]
) -> None:
    write()
    claimed = outbox.claim(SENDER, NOW)
    assert claimed is not None
    with pytest.raises(ZeroDivisionError), store.transaction():
        outbox.mark_sent(claimed, 77, NOW)
        _ = 1 / 0
    assert Message.get().state == MessageState.SENDING
    assert Delivery.get().state == DeliveryState.PENDING
    assert not LMSEventLog.get().notification_sent
