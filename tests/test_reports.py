"""The questions the commands ask, on both kinds of store."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from chat_world import JANE, JOHN, JOSE, NOW, ZOE, World, close_world, open_world

from lms_bot import reports
from lms_bot.activities import ActivityType
from lms_bot.reports import Unwritten
from lms_bot.store.models import DeliveryState, Fact, LMSActivityEvent, MessageState, RejectedRow

DAY = timedelta(days=1)
START, END = NOW - DAY, NOW


@pytest.fixture
def world(store_url: str) -> Iterator[World]:
    world = open_world(store_url)
    with world.app.store.session():
        yield world
    close_world(world)


def test_history_is_newest_first_and_counts_what_it_leaves_out(world: World) -> None:
    for hours in (3, 1, 2):
        world.add_event(JOHN, ago=timedelta(hours=hours), activity_title=f"{hours} hours ago")
    world.add_event(JANE)

    history = reports.get_history(JOHN.student_id, limit=2)

    assert history.total == 3
    assert [event.activity_title for event in history.events] == ["1 hours ago", "2 hours ago"]


def test_a_period_includes_its_start_and_not_its_end(world: World) -> None:
    for ago in (timedelta(0), DAY, DAY + timedelta(seconds=1)):
        world.add_event(JOHN, ago=ago)

    assert [one.timestamp for one in reports.get_history(JOHN.student_id, START, END).events] == [START]
    assert [one.last_at for one in reports.get_summary(START, END)] == [START]


def test_summary_puts_failures_first_then_what_was_left_then_passes(world: World) -> None:
    world.add_event(JOHN, ActivityType.EXAM_PASSED)
    world.add_event(JANE, ActivityType.EXAM_FAILED)
    world.add_event(JOSE, ActivityType.EXAM_STARTED)
    world.add_event(ZOE, ActivityType.CONTENT_WATCHED)

    order = [one.student_id for one in reports.get_summary(START, END)]

    assert order == [JANE.student_id, JOSE.student_id, JOHN.student_id, ZOE.student_id]


def test_summary_keeps_to_the_students_asked_about(world: World) -> None:
    world.add_event(JOHN)
    world.add_event(ZOE)

    assert [one.student_id for one in reports.get_summary(START, END, [JOHN.student_id])] == [JOHN.student_id]
    assert reports.get_summary(START, END, []) == []


def test_more_students_than_fit_a_query_are_asked_about_in_pieces(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reports, "IDS_PER_QUERY", 2)
    everybody = [JOHN, JANE, JOSE, ZOE]
    for student in everybody:
        world.add_event(student, ActivityType.EXAM_STARTED)
    ids = [one.student_id for one in everybody]

    assert sorted(one.student_id for one in reports.get_summary(START, END, ids)) == ids
    assert [one.left_open for one in reports.get_summary(START, END, ids)] == [1, 1, 1, 1]
    assert reports.get_counts_by_type(ids) == {"exam_started": 4}
    assert sorted(reports.get_last_events(ids)) == ids


def test_an_exam_that_ended_is_not_left_open_even_when_it_ended_after_the_period(world: World) -> None:
    world.add_event(JOHN, ActivityType.EXAM_STARTED, ago=timedelta(hours=3), activity_id=1)
    world.add_event(JOHN, ActivityType.EXAM_PASSED, ago=timedelta(minutes=1), activity_id=1)
    world.add_event(JOHN, ActivityType.EXAM_STARTED, ago=timedelta(hours=3), activity_id=2)
    world.add_event(JOHN, ActivityType.CONTENT_COMPLETED, ago=timedelta(hours=2), activity_id=2)

    (summary,) = reports.get_summary(NOW - timedelta(hours=4), NOW - timedelta(hours=2.5))

    assert summary.left_open == 1, "a content of the same number is another thing than the exam"
    assert summary.counts == {"exam_started": 2}


def test_counts_are_by_type_for_the_students_and_since_the_moment(world: World) -> None:
    world.add_event(JOHN, ActivityType.EXAM_PASSED, ago=9 * DAY)
    world.add_event(JOHN, ActivityType.EXAM_PASSED)
    world.add_event(ZOE, ActivityType.EXAM_FAILED)

    assert reports.get_counts_by_type([JOHN.student_id]) == {"exam_passed": 2}
    assert reports.get_counts_by_type([JOHN.student_id], NOW - 7 * DAY) == {"exam_passed": 1}
    assert reports.get_counts_by_type(None) == {"exam_passed": 2, "exam_failed": 1}


def test_the_last_event_of_each_student_is_the_latest_and_of_two_at_once_the_later_recorded(
    world: World,
) -> None:
    world.add_event(JOHN, ago=2 * DAY)
    world.add_event(JOHN, ActivityType.EXAM_STARTED)
    last = world.add_event(JOHN, ActivityType.EXAM_FAILED)

    found = reports.get_last_events([JOHN.student_id, JANE.student_id])

    assert {student_id: event.event_id for student_id, event in found.items()} == {
        JOHN.student_id: last.event_id
    }


def test_stored_students_are_known_by_their_latest_name(world: World) -> None:
    world.add_event(ZOE)
    world.add_event(JOHN, ago=2 * DAY, student_username="old_name")
    world.add_event(JOHN, student_display_name=None)

    assert reports.get_stored_students() == [
        reports.StoredStudent(JOHN.student_id, "john_doe", None),
        reports.StoredStudent(ZOE.student_id, "zoe_m", "Zoë Müller"),
    ]


def test_nobody_is_stored_in_an_empty_store(world: World) -> None:
    assert reports.get_stored_students() == []
    assert reports.get_undecided() == (0, None)


def test_errors_are_grouped_by_reason_most_frequent_first(world: World) -> None:
    ids = [world.add_event(JOHN).event_id for _ in range(4)]
    for event_id, reason in zip(ids, ("deactivated", "unmapped", "deactivated", None), strict=True):
        if reason:
            world.add_error(LMSActivityEvent.get_by_id(event_id), reason)

    groups = reports.get_error_groups()

    assert [(one.reason, one.count, one.event_ids) for one in groups] == [
        ("deactivated", 2, [ids[2], ids[0]]),
        ("unmapped", 1, [ids[1]]),
    ]
    assert groups[0].last_at == NOW - timedelta(hours=1)


def test_rejected_rows_are_grouped_by_stream_and_problem(world: World) -> None:
    for key in ("5", "6"):
        RejectedRow.create(stream="attempts", row_key=key, problem="unknown state", reason="state is 'limbo'")
    RejectedRow.create(stream="attempts", row_key="7", problem="unreadable", reason="year 9999")

    groups = reports.get_rejected_groups()

    assert [(one.problem, one.count, sorted(one.row_keys)) for one in groups] == [
        ("unknown state", 2, ["5", "6"]),
        ("unreadable", 1, ["7"]),
    ]


def test_waiting_tells_recipient_state_and_reason_and_leaves_out_what_is_settled(world: World) -> None:
    old, new = world.add_event(JOHN, ago=DAY), world.add_event(JANE)
    retrying = world.add_message(state=MessageState.READY.value, reason="Zulip was away")
    sent = world.add_message(state=MessageState.SENT.value)
    world.add_delivery(old, "mentor:3", state=DeliveryState.UNMAPPED.value, reason="no e-mail address")
    world.add_delivery(old, "zulip:1", message=retrying)
    world.add_delivery(new, "zulip:1")
    world.add_delivery(new, "zulip:2", message=sent, state=DeliveryState.SENT.value)
    world.add_delivery(new, "zulip:3", state=DeliveryState.DEAD.value)

    waiting = {(one.recipient, one.state, one.reason, one.count) for one in reports.get_waiting()}

    assert waiting == {
        ("mentor:3", "unmapped", "no e-mail address", 1),
        ("zulip:1", "ready", "Zulip was away", 1),
    }
    assert reports.get_waiting()[0].since == old.created_at
    unwritten = Unwritten("zulip:1", 1, new.event_type, new.student_id, new.created_at)
    assert reports.get_unwritten() == reports.get_unwritten(1) == [unwritten]
    assert reports.get_unwritten(2) == []
    assert (reports.count_unsent(1), reports.count_unsent(2)) == (1, 0)


def test_ids_that_are_no_events_are_told_apart(world: World) -> None:
    event = world.add_event(JOHN)
    assert reports.get_stored_ids([event.event_id, event.event_id + 1]) == {event.event_id}
    assert reports.get_stored_ids([]) == set()


def test_events_nobody_decided_on_are_counted_with_the_oldest(world: World) -> None:
    event = world.add_event(JOHN, ago=DAY, has_deliveries=False)
    world.add_event(JOHN, has_deliveries=False)

    assert reports.get_undecided() == (2, event.created_at)


def test_a_fact_that_is_no_moment_is_none(world: World) -> None:
    Fact.put("when", NOW.isoformat())
    Fact.put("what", {"not": "a moment"})

    assert [reports.get_moment(name) for name in ("when", "what", "missing")] == [NOW, None, None]


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_questions_about_students_go_by_the_index(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, Any]] = []
    database = world.app.store.database
    execute = database.execute_sql

    def note(sql: str, params: Any = None) -> Any:
        asked.append((sql, params))
        return execute(sql, params)

    monkeypatch.setattr(database, "execute_sql", note)
    reports.get_history(11, START, END)
    reports.get_summary(START, END, [11, 12])
    reports.get_summary(START, END)
    reports.get_counts_by_type([11], START)
    reports.get_last_events([11, 12])
    reports.get_stored_students()

    plans = [[row[3] for row in execute("EXPLAIN QUERY PLAN " + sql, params)] for sql, params in asked]

    assert len(plans) == 9
    scans = [
        step for plan in plans for step in plan if step.startswith("SCAN") and "lms_activity_events" in step
    ]
    assert not scans, plans
