"""The outbox: one sender at a time holds a message, and what became of it is in the log. On either database."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from itertools import count

import pytest

from lms_bot.outbox.draft import Button, Draft, File, get_place, get_widget
from lms_bot.outbox.outbox import LEASE, LOOKING_UP, Outbox
from lms_bot.store.database import Store, open_store
from lms_bot.store.deliveries import Deliveries
from lms_bot.store.messages import Delivery, DeliveryState, Lane, Message, MessageState
from lms_bot.store.models import LMSActivityEvent, LMSEventLog
from lms_bot.zulip.gateway import Channel, Place

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
def deliveries(store: Store) -> Deliveries:
    return Deliveries(store)


@pytest.fixture
def outbox(store: Store, deliveries: Deliveries) -> Outbox:
    return Outbox(store, deliveries)


@pytest.fixture
def owe(deliveries: Deliveries) -> Callable[..., list[Delivery]]:
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
        deliveries.settle([event.event_id], NOW)
        return made

    return create


@pytest.fixture
def carry(outbox: Outbox, deliveries: Deliveries) -> Callable[..., Message]:
    """Writes down a message that carries these deliveries, all to one person."""

    def create(carried: list[Delivery], content: str = "hello", lane: Lane = Lane.ROUTINE) -> Message:
        message = outbox.write(Draft(carried[0].zulip_user_id or 0, content, lane), NOW)
        deliveries.put_into(message, carried, NOW)
        return message

    return create


@pytest.fixture
def write(carry: Callable[..., Message], owe: Callable[..., list[Delivery]]) -> Callable[..., Message]:
    """Writes down a message to one person of one new event."""
    return lambda person=ANNA, content="hello", lane=Lane.ROUTINE: carry(owe(person), content, lane)


def log_of(event_id: int) -> LMSEventLog:
    return LMSEventLog.get_by_id(event_id)


# ---- claiming ----


def test_a_message_is_held_by_one_sender(outbox: Outbox, write: Callable[..., Message]) -> None:
    written = write()
    claimed = outbox.claim(SENDER, NOW)
    assert claimed is not None
    assert (claimed.message_id, claimed.state, claimed.claimed_by) == (written.message_id, "sending", SENDER)
    assert outbox.claim("some-machine:2:b", NOW) is None
    assert outbox.claim_unknown(NOW, GRACE) is None


def test_failed_exams_go_first_then_the_oldest(outbox: Outbox, write: Callable[..., Message]) -> None:
    lanes = (Lane.ROUTINE, Lane.ROUTINE, Lane.URGENT, Lane.URGENT)
    ids = [write(person, lane=lane).message_id for person, lane in enumerate(lanes)]
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
    ids = {write(person).message_id for person in range(60)}
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
    assert outbox.claim_unknown(NOW + LEASE, GRACE) is None
    doubtful = outbox.claim_unknown(NOW + LEASE + timedelta(seconds=1), GRACE)
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
    doubtful = outbox.claim_unknown(after(1), GRACE)
    assert (doubtful is not None) == is_doubted
    if doubtful is not None:
        assert doubtful.lease_until == after(1) + GRACE


def test_a_doubtful_message_is_looked_up_when_it_is_due(outbox: Outbox, write: Callable[..., Message]) -> None:
    write()
    claimed = outbox.claim(SENDER, NOW)
    assert claimed is not None
    assert outbox.mark_unknown(claimed, after(2), "no answer", lease_until=after(30))
    assert outbox.claim_unknown(after(1), GRACE) is None
    doubtful = outbox.claim_unknown(after(2), GRACE)
    assert doubtful is not None
    assert outbox.mark_unknown(doubtful, after(4), "no answer")
    assert Message.get_by_id(doubtful.message_id).lease_until == after(30)


def test_who_no_longer_holds_a_message_changes_nothing(outbox: Outbox, write: Callable[..., Message]) -> None:
    write()
    late = outbox.claim(SENDER, NOW)
    doubtful = outbox.claim_unknown(after(61), GRACE)
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


def test_of_two_who_looked_a_message_up_only_the_first_decides(outbox: Outbox, write: Callable[..., Message]) -> None:
    write()
    outbox.claim(SENDER, NOW)
    late = outbox.claim_unknown(after(61), GRACE)
    assert late is not None
    assert outbox.claim_unknown(after(61), GRACE) is None, "it is being looked up"
    first = outbox.claim_unknown(after(61) + LOOKING_UP, GRACE)
    assert first is not None
    assert outbox.mark_sent(first, 77, after(82))
    assert not outbox.mark_ready(late, after(82), "not found", 1)
    assert not outbox.mark_dead(late, "not found", after(82))
    assert Message.get().state == MessageState.SENT


# ---- what became of it ----


def test_a_sent_message_settles_all_it_carries(
    outbox: Outbox, owe: Callable[..., list[Delivery]], carry: Callable[..., Message]
) -> None:
    owed = [owe(ANNA)[0] for _ in range(3)]
    carry(owed, "three at once")
    claimed = outbox.claim(SENDER, NOW)
    assert claimed is not None
    assert outbox.mark_sent(claimed, 77, after(1))
    for one in owed:
        assert Delivery.get_by_id(one.delivery_id).state == DeliveryState.SENT
        assert LMSActivityEvent.get_by_id(one.event_id).is_settled
        log = log_of(one.event_id)
        assert (log.notification_sent, log.notification_message_id, log.error_message) == (True, 77, None)
        assert log.processed_at == after(1)


def test_an_event_is_settled_also_when_two_senders_settle_its_last_two_deliveries_at_once(
    store: Store, outbox: Outbox, owe: Callable[..., list[Delivery]], carry: Callable[..., Message]
) -> None:
    for _ in range(20):
        for one in owe(ANNA, BOB):
            carry([one])
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
    outbox: Outbox, owe: Callable[..., list[Delivery]], carry: Callable[..., Message]
) -> None:
    to_anna, to_bob = owe(ANNA, BOB)
    carry([to_anna])
    carry([to_bob])
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
    outbox: Outbox, owe: Callable[..., list[Delivery]], carry: Callable[..., Message], deliveries: Deliveries
) -> None:
    to_anna, to_bob = owe(ANNA, BOB)
    for one in (to_anna, to_bob):
        carry([one])
    first, second = outbox.claim(SENDER, NOW), outbox.claim(SENDER, NOW)
    assert first is not None
    assert second is not None
    outbox.mark_sent(first, 77, NOW)
    outbox.mark_dead(second, "no", NOW)
    assert deliveries.revive(None, after(1)) == [to_anna.event_id]
    assert deliveries.revive(None, after(2)) == []
    assert Delivery.get_by_id(to_anna.delivery_id).state == DeliveryState.SENT
    assert [one.delivery_id for one in deliveries.get_unwritten(BOB, 10, NOW)] == [to_bob.delivery_id]
    assert log_of(to_anna.event_id).error_message is None
    assert outbox.claim(SENDER, after(3)) is None  # the dead message stays dead


def test_a_retry_can_be_of_some_events_only(
    outbox: Outbox, write: Callable[..., Message], deliveries: Deliveries
) -> None:
    for _ in range(3):
        write()
        claimed = outbox.claim(SENDER, NOW)
        assert claimed is not None
        outbox.mark_dead(claimed, "no", NOW)
    first, second, third = (one.event.event_id for one in LMSEventLog.select().order_by(LMSEventLog.event))
    assert deliveries.revive([third, first], NOW) == [first, third]
    assert log_of(second).error_message == "no"


def test_what_is_discarded_is_neither_owed_nor_an_error(
    outbox: Outbox, write: Callable[..., Message], deliveries: Deliveries
) -> None:
    write()
    claimed = outbox.claim(SENDER, NOW)
    assert claimed is not None
    outbox.mark_dead(claimed, "no", NOW)
    (event_id,) = deliveries.discard(None, "an admin gave it up", NOW)
    assert deliveries.discard(None, "an admin gave it up", NOW) == []
    assert deliveries.revive(None, NOW) == []
    assert log_of(event_id).error_message is None
    assert not log_of(event_id).notification_sent


def test_messages_known_to_be_sent_are_told_apart_by_conversation(
    outbox: Outbox, write: Callable[..., Message]
) -> None:
    for number, (person, content) in enumerate([(ANNA, "hello"), (ANNA, "hello"), (BOB, "hello"), (ANNA, "bye")]):
        write(person, content)
        claimed = outbox.claim(SENDER, NOW)
        assert claimed is not None
        outbox.mark_sent(claimed, 70 + number, NOW)
    message = write(ANNA, "hello")
    assert outbox.get_known_ids(message, 0) == {70, 71, 73}
    assert outbox.get_known_ids(message, 70) == {71, 73}
    assert outbox.get_last_zulip_id(message, before=after(1)) == 73
    assert outbox.get_last_zulip_id(message, before=NOW) == 0


def test_in_one_conversation_and_lane_messages_go_out_in_order(outbox: Outbox, write: Callable[..., Message]) -> None:
    first, second, urgent = write(), write(), write(lane=Lane.URGENT)
    claimed = [outbox.claim(SENDER, NOW) for _ in range(3)]
    assert [one and one.message_id for one in claimed] == [urgent.message_id, first.message_id, None]
    assert claimed[1] is not None
    outbox.mark_ready(claimed[1], after(60), "Zulip is away", 1)
    assert outbox.claim(SENDER, after(59)) is None, "the second waits for the first, whatever keeps that"
    again = outbox.claim(SENDER, after(60))
    assert again is not None and again.message_id == first.message_id
    outbox.mark_sent(again, 77, after(61))
    last = outbox.claim(SENDER, after(61))
    assert last is not None and last.message_id == second.message_id


def test_nobody_waits_for_somebody_elses_message(outbox: Outbox, write: Callable[..., Message]) -> None:
    write(ANNA)
    to_bob = write(BOB)
    assert outbox.claim(SENDER, NOW) is not None
    claimed = outbox.claim(SENDER, NOW)
    assert claimed is not None and claimed.message_id == to_bob.message_id


def test_an_answer_is_kept_only_until_it_is_sent(outbox: Outbox) -> None:
    files, buttons = (File("chart.png", b"png"),), (Button("1. Jane", "1"),)
    more = {"files": files, "instead": "late", "buttons": buttons}
    answer = outbox.write(Draft(ANNA, "so it is", Lane.ANSWERS, after_id=5, **more), NOW)  # type: ignore[arg-type]
    claimed = outbox.claim(SENDER, NOW)
    assert claimed is not None and claimed.content == "so it is" and len(outbox.get_files(claimed)) == 1
    assert "Jane" in str(get_widget(claimed))
    outbox.mark_sent(claimed, 77, NOW)
    sent = Message.get_by_id(answer.message_id)
    assert (sent.content, sent.instead, sent.zulip_message_id, outbox.get_files(sent)) == ("", None, 77, [])
    assert sent.buttons is None


def test_what_is_sent_in_place_of_an_expired_answer_has_no_buttons(outbox: Outbox) -> None:
    outbox.write(Draft(ANNA, "Really?", Lane.ANSWERS, instead="I was away.", buttons=(Button("Yes", "yes"),)), NOW)
    claimed = outbox.claim(SENDER, NOW)
    assert claimed is not None and outbox.replace_expired(claimed)
    kept = Message.get_by_id(claimed.message_id)
    assert (kept.content, kept.buttons) == ("I was away.", None)


def test_what_is_to_be_tried_again_keeps_its_buttons_or_loses_them_for_good(outbox: Outbox) -> None:
    outbox.write(Draft(ANNA, "Really?", Lane.ANSWERS, buttons=(Button("Yes", "yes"),)), NOW)
    for has_buttons in (True, False):
        claimed = outbox.claim(SENDER, NOW)
        assert claimed is not None and claimed.buttons
        outbox.mark_ready(claimed, NOW, "no", 0, has_buttons=has_buttons)
    last = outbox.claim(SENDER, NOW)
    assert last is not None and get_widget(last) is None and last.content == "Really?"


@pytest.mark.parametrize(
    "place", [None, (ANNA, BOB), Channel("algebra", "week 3")], ids=["to one", "to a group", "to a channel"]
)
def test_where_a_message_goes_is_kept(outbox: Outbox, place: Place | None) -> None:
    outbox.write(Draft(ANNA, "hello", Lane.ANSWERS, place=place), NOW)
    claimed = outbox.claim(SENDER, NOW)
    assert claimed is not None
    assert get_place(claimed) == (place or (ANNA,))


def test_a_text_neither_zulip_nor_postgresql_takes_is_mended(outbox: Outbox, write: Callable[..., Message]) -> None:
    assert write(content="a\0b").content == "a\N{REPLACEMENT CHARACTER}b"


def test_a_transaction_that_fails_settles_nothing(
    store: Store, outbox: Outbox, write: Callable[..., Message]
) -> None:
    write()
    claimed = outbox.claim(SENDER, NOW)
    assert claimed is not None
    with pytest.raises(ZeroDivisionError), store.transaction():  # noqa: PT012
        outbox.mark_sent(claimed, 77, NOW)
        _ = 1 / 0
    assert Message.get().state == MessageState.SENDING
    assert Delivery.get().state == DeliveryState.PENDING
    assert not LMSEventLog.get().notification_sent
