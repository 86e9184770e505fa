"""Who was told of a result that the LMS turned since is told so, once, and nobody else."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta

import pytest

from lms_bot.core.activities import Activity, ActivityType
from lms_bot.core.clock import UTC
from lms_bot.outbox.draft import Draft
from lms_bot.outbox.outbox import Outbox
from lms_bot.people.recipients import Owed, Recipients
from lms_bot.store.attempts import AttemptBook
from lms_bot.store.corrections import CorrectionBook
from lms_bot.store.counters import Counters
from lms_bot.store.database import Store, open_store, rows
from lms_bot.store.deliveries import Deliveries
from lms_bot.store.messages import Correction, Delivery, DeliveryState, Lane, Message
from lms_bot.store.models import LMSActivityEvent, LMSEventLog
from lms_bot.watch.recorder import Recorder

NOON = datetime(2026, 3, 18, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
STUDENT = 1
ANNA, BOB = 7, 8
BOTH = (ANNA, BOB)


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    store = open_store(store_url)
    with store.session():
        yield store
    store.close_thread()


def say(
    store: Store,
    outcome: str,
    percentage: int,
    *,
    owed: Collection[int] = BOTH,
    to: Collection[int] | None = None,
    is_watched: bool = True,
) -> int:
    """The LMS says so of one exam: recorded as the polls do. `to` are owed an event of it, by default who is `owed`.

    What is not watched, or was so before the bot, is no event.

    Returns to how many a correction was owed anew.
    """
    exam = Activity(
        "attempts", "5", ActivityType(f"exam_{outcome}"), STUDENT, "ada", "Ada", 9, "Algebra",
        {"percentage": percentage}, NOON, attempt_id=5,
    )  # fmt: skip
    recorder = Recorder(store)
    people = Recipients(tuple(Owed(f"zulip:{person}", person) for person in (owed if to is None else to)))
    with store.transaction() as db:
        followed = AttemptBook(db).follow("attempts", [exam], NOON)
        fresh = [exam] if is_watched and not recorder.get_stored([exam.source_key]) else []
        created = recorder.insert_events(fresh, {STUDENT: people}, now=NOON, is_told=True)
        return CorrectionBook(db).record(followed.turns, created, {STUDENT: owed}, NOON)


def write(store: Store, person: int) -> Message | None:
    """Puts all that this person is owed into a message."""
    deliveries = Deliveries(store)
    with store.transaction():
        waiting = deliveries.get_unwritten(person, 10, NOON)
        if not waiting:
            return None
        message = Outbox(store, deliveries).write(Draft(person, "…", Lane.ROUTINE), NOON)
        deliveries.put_into(message, waiting, NOON)
    return message


def tell(store: Store, *people: int) -> None:
    """They are sent all that they are owed."""
    for person in people:
        message = write(store, person)
        if message is not None:
            Outbox(store, Deliveries(store)).mark_sent(message, 100 + message.message_id, NOON)


def get_waiting(store: Store, person: int) -> list[tuple[str, int]]:
    """What a person is owed that is in no message yet: the event's type, and the number of the correction."""
    with store.transaction():
        found = Deliveries(store).get_unwritten(person, 10, NOON)
        return [(one.event.event_type, one.correction) for one in found]


def get_correction(event_type: str) -> tuple[int, str, float | None, str, float | None]:
    """As it is kept for the event of that type."""
    one = Correction.select().join(LMSActivityEvent).where(LMSActivityEvent.event_type == event_type).get()
    return one.number, one.was_type, one.was_percentage, one.event_type, one.percentage


def is_settled(event_type: str) -> bool:
    return bool(LMSActivityEvent.get(LMSActivityEvent.event_type == event_type).is_settled)


def test_a_result_never_seen_before_is_an_event_which_tells_of_the_correction(store: Store) -> None:
    say(store, "passed", 70)
    tell(store, *BOTH)
    assert say(store, "failed", 30) == 0, "the event is owed anyway"
    assert get_waiting(store, ANNA) == get_waiting(store, BOB) == [("exam_failed", 0)]
    assert get_correction("exam_failed") == (0, "exam_passed", 70.0, "exam_failed", 30.0)


def test_who_was_told_of_the_former_result_is_owed_each_correction_of_it(store: Store) -> None:
    say(store, "passed", 70)
    tell(store, *BOTH)
    say(store, "failed", 30)
    tell(store, *BOTH)

    assert say(store, "passed", 75) == 2
    assert get_waiting(store, ANNA) == get_waiting(store, BOB) == [("exam_failed", 1)]
    assert get_correction("exam_failed") == (1, "exam_failed", 30.0, "exam_passed", 75.0)
    assert not is_settled("exam_failed")
    tell(store, *BOTH)
    assert is_settled("exam_failed")

    assert say(store, "failed", 40) == 2
    assert get_waiting(store, ANNA) == [("exam_passed", 1)]
    tell(store, *BOTH)

    assert say(store, "passed", 80) == 2
    assert get_waiting(store, ANNA) == [("exam_failed", 2)]
    assert get_correction("exam_failed") == (2, "exam_failed", 40.0, "exam_passed", 80.0)
    assert get_correction("exam_passed") == (1, "exam_passed", 75.0, "exam_failed", 40.0)


def test_who_was_told_of_only_one_of_both_results_is_owed_the_correction(store: Store) -> None:
    """Told that it was passed, not that it was failed since: also then, passed again is news, if good news."""
    say(store, "passed", 70, to=[ANNA])
    tell(store, ANNA)
    say(store, "failed", 30, to=[BOB])
    tell(store, BOB)
    assert say(store, "passed", 75) == 2
    assert get_waiting(store, ANNA) == get_waiting(store, BOB) == [("exam_failed", 1)]


def test_a_message_on_its_way_tells_as_well(store: Store) -> None:
    say(store, "passed", 70, to=[])
    say(store, "failed", 30)
    assert write(store, ANNA) is not None
    assert say(store, "passed", 75) == 1, "of Bob's there is no message yet, and it will tell of both"
    assert get_waiting(store, ANNA) == [("exam_failed", 1)]
    assert get_waiting(store, BOB) == [("exam_failed", 0)]


def test_whose_message_is_not_written_yet_is_not_owed_the_same_twice(store: Store) -> None:
    say(store, "passed", 70)
    tell(store, *BOTH)
    say(store, "failed", 30)
    assert say(store, "passed", 75) == 0
    assert get_waiting(store, ANNA) == [("exam_failed", 0)]
    with store.transaction():
        (waiting,) = Deliveries(store).get_unwritten(ANNA, 10, NOON)
        correction = waiting.event.correction
    assert (correction.was_type, correction.event_type, correction.percentage) == ("exam_failed", "exam_passed", 75.0)


def test_who_is_no_longer_owed_is_not_told(store: Store) -> None:
    say(store, "passed", 70)
    tell(store, *BOTH)
    say(store, "failed", 30)
    tell(store, *BOTH)
    assert say(store, "passed", 75, owed=[BOB]) == 1
    assert get_waiting(store, ANNA) == []
    assert get_waiting(store, BOB) == [("exam_failed", 1)]
    tell(store, BOB)

    assert say(store, "failed", 40, owed=[]) == 0, "of this student nobody is told any more"


def test_where_nobody_was_told_nobody_is_owed_anything(store: Store) -> None:
    for outcome, percentage in (("passed", 70), ("failed", 30), ("passed", 75), ("failed", 40)):
        assert say(store, outcome, percentage, to=[]) == 0
    assert Delivery.select().count() == 0
    assert is_settled("exam_failed")


def test_what_a_person_did_not_want_or_could_not_be_told_is_not_corrected(store: Store) -> None:
    say(store, "passed", 70)
    say(store, "failed", 30)
    deliveries = Deliveries(store)
    for person, state in ((ANNA, DeliveryState.UNWANTED), (BOB, DeliveryState.DEAD)):
        with store.transaction():
            deliveries.end(deliveries.get_unwritten(person, 10, NOON), state, "…", NOON)
    assert say(store, "passed", 75) == 0


def test_a_result_that_is_no_event_is_told_with_the_event_of_the_other_result_each_time(store: Store) -> None:
    """Failed before the bot, say: who was told that it is passed since is told of each turn after that."""
    say(store, "failed", 20, is_watched=False)
    say(store, "passed", 70)
    tell(store, *BOTH)
    for number, (outcome, percentage) in enumerate((("failed", 30), ("passed", 75), ("failed", 40)), 1):
        assert say(store, outcome, percentage, is_watched=False) == 2
        assert get_waiting(store, ANNA) == [("exam_passed", number)]
        assert get_correction("exam_passed")[3:] == (f"exam_{outcome}", percentage)
        tell(store, *BOTH)


def test_a_turn_of_what_has_no_event_is_owed_to_nobody(store: Store) -> None:
    """Passed before the bot began, or of a type that is not watched."""
    say(store, "passed", 70)
    say(store, "failed", 30)
    tell(store, *BOTH)
    LMSActivityEvent.delete().execute()
    with store.transaction() as db:
        exam = Activity("attempts", "5", ActivityType.EXAM_PASSED, STUDENT, "ada", "Ada", 9, "Algebra", {}, NOON)
        (turn,) = AttemptBook(db).follow("attempts", [exam], NOON).turns
        assert CorrectionBook(db).record([turn], [], {STUDENT: BOTH}, NOON) == 0
    assert Correction.select().count() == 0


def test_of_how_many_events_somebody_was_told_does_not_rise_with_corrections(store: Store) -> None:
    say(store, "passed", 70)
    tell(store, *BOTH)
    say(store, "failed", 30)
    tell(store, *BOTH)
    counters = Counters(store)
    assert counters.get_totals() == (2, 2)
    say(store, "passed", 75)
    assert counters.get_totals() == (2, 2)
    tell(store, ANNA)
    tell(store, BOB)
    assert counters.get_totals() == (2, 2)
    assert [one.notification_sent for one in LMSEventLog.select()] == [True, True]


def test_an_event_whose_correction_is_not_told_yet_stays_told(store: Store) -> None:
    say(store, "passed", 70)
    tell(store, *BOTH)
    say(store, "failed", 30)
    tell(store, *BOTH)
    say(store, "passed", 75)
    deliveries = Deliveries(store)
    with store.transaction():
        deliveries.end(deliveries.get_unwritten(ANNA, 10, NOON), DeliveryState.DEAD, "gave up", NOON)
    log = LMSEventLog.select().join(LMSActivityEvent).where(LMSActivityEvent.event_type == "exam_failed").get()
    assert (log.notification_sent, log.error_message) == (True, "gave up")


def test_what_is_owed_of_one_event_more_than_once_is_told_once_with_the_latest_correction(store: Store) -> None:
    """So it may be where an admin has what failed tried anew."""
    say(store, "passed", 70)
    tell(store, *BOTH)
    say(store, "failed", 30)
    tell(store, BOB)
    deliveries = Deliveries(store)
    with store.transaction():
        deliveries.end(deliveries.get_unwritten(ANNA, 10, NOON), DeliveryState.DEAD, "gave up", NOON)
    say(store, "passed", 75)  # Anna was told of the first result, and nothing waits for her
    deliveries.revive(None, NOON)

    assert deliveries.get_waiting_people()[ANNA][0] == 2
    assert get_waiting(store, ANNA) == [("exam_failed", 1)]
    states = Delivery.select(Delivery.correction, Delivery.state).join(LMSActivityEvent)
    failed = states.where(Delivery.zulip_user_id == ANNA, LMSActivityEvent.event_type == "exam_failed")
    assert sorted(rows(failed)) == [(0, DeliveryState.UNWANTED), (1, DeliveryState.PENDING)]
    assert not is_settled("exam_failed")
    assert deliveries.get_waiting_people()[ANNA][0] == 1


def test_what_is_owed_waits_in_the_order_in_which_it_came(store: Store) -> None:
    say(store, "passed", 70)
    tell(store, *BOTH)
    say(store, "failed", 30)
    tell(store, ANNA)
    say(store, "passed", 75)  # Bob's failed exam waits, Anna's is corrected
    with store.transaction():
        another = Activity(
            "attempts", "6", ActivityType.EXAM_PASSED, STUDENT, "ada", "Ada", 9, "Algebra", {}, NOON + MINUTE
        )
        owed = {STUDENT: Recipients(tuple(Owed(f"zulip:{person}", person) for person in BOTH))}
        Recorder(store).insert_events([another], owed, now=NOON, is_told=True)
        waiting = {person: Deliveries(store).get_unwritten(person, 10, NOON) for person in BOTH}
    for person in BOTH:
        kinds = [(one.event.event_type, one.event.correction is not None) for one in waiting[person]]
        assert kinds == [("exam_failed", True), ("exam_passed", False)]
