"""The questions the commands ask, on both kinds of store."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lms_bot.core.activities import ActivityType
from lms_bot.insight.reports import students
from lms_bot.insight.reports.counting import (
    StudentSummary,
    SummaryPage,
    Totals,
    get_counts_by_type,
    get_summary,
    get_week_counts,
    split_period,
)
from lms_bot.insight.reports.outgoing import (
    Unwritten,
    count_dead,
    count_unsent,
    get_error_groups,
    get_moment,
    get_rejected_groups,
    get_stored_ids,
    get_undecided,
    get_unwritten,
    get_waiting,
)
from lms_bot.insight.reports.students import (
    StoredStudent,
    get_attempts,
    get_former_students,
    get_history,
    get_stored_students,
    get_students_with_events,
    get_totals_of_students,
)
from lms_bot.insight.reports.titles import Taker, find_labelled, find_titles, get_coursework, get_labels, get_takers
from lms_bot.outbox.outbox import Outbox
from lms_bot.store.deliveries import Deliveries
from lms_bot.store.messages import DeliveryState, MessageState
from lms_bot.store.models import KeyValue, LMSActivityEvent, RejectedRow
from tests.worlds.chat_world import JANE, JOHN, JOSE, NOW, ZOE, World, close_world, open_world

DAY = timedelta(days=1)
START, END = NOW - DAY, NOW


@pytest.fixture
def world(store_url: str) -> Iterator[World]:
    world = open_world(store_url)
    with world.store.session():
        yield world
    close_world(world)


def summarise(world: World, start: datetime = START, end: datetime = END, **asked: Any) -> SummaryPage:
    world.context.counters.catch_up()
    return get_summary(start, end, **asked)


def test_history_is_newest_first_in_pages_and_counts_them_all(world: World) -> None:
    for hours in (3, 1, 2):
        world.add_event(JOHN, ago=timedelta(hours=hours), activity_title=f"{hours} hours ago")
    world.add_event(JANE)
    world.add_event(JOHN, is_echo=True)

    history = get_history(JOHN.student_id, limit=2)
    second_page = get_history(JOHN.student_id, limit=2, offset=2)

    assert history.total == second_page.total == 3
    assert [event.activity_title for event in history.events] == ["1 hours ago", "2 hours ago"]
    assert [event.activity_title for event in second_page.events] == ["3 hours ago"]


def test_history_may_be_of_exams_or_of_contents_alone(world: World) -> None:
    world.add_event(JOHN, ActivityType.EXAM_PASSED)
    world.add_event(JOHN, ActivityType.CONTENT_WATCHED)

    def kinds(is_exam: bool | None) -> set[str]:
        return {event.event_type for event in get_history(JOHN.student_id, is_exam=is_exam).events}

    assert kinds(True) == {"exam_passed"}
    assert kinds(False) == {"content_watched"}
    assert kinds(None) == {"exam_passed", "content_watched"}


def test_a_period_includes_its_start_and_not_its_end(world: World) -> None:
    for ago in (timedelta(0), DAY, DAY + timedelta(microseconds=1)):
        world.add_event(JOHN, ago=ago)

    assert [one.timestamp for one in get_history(JOHN.student_id, START, END).events] == [START]
    assert [one.last_at for one in summarise(world).rows] == [START]
    assert get_counts_by_type(None, START, END) == {"exam_passed": 1}


def test_summary_puts_failures_first_then_what_was_left_then_passes(world: World) -> None:
    world.add_event(JOHN, ActivityType.EXAM_PASSED)
    world.add_event(JANE, ActivityType.EXAM_FAILED)
    world.add_event(JOSE, ActivityType.EXAM_STARTED)
    world.add_event(ZOE, ActivityType.CONTENT_WATCHED)
    world.add_event(ZOE, ActivityType.CONTENT_WATCHED, is_echo=True)

    found = summarise(world)

    an_hour_ago = NOW - timedelta(hours=1)
    assert found.rows == [
        StudentSummary(JANE.student_id, 1, 0, 0, 0, 0, an_hour_ago),
        StudentSummary(JOSE.student_id, 0, 1, 0, 0, 0, an_hour_ago),
        StudentSummary(JOHN.student_id, 0, 0, 1, 0, 0, an_hour_ago),
        StudentSummary(ZOE.student_id, 0, 0, 0, 0, 1, an_hour_ago),
    ]
    assert (found.students, found.totals) == (4, Totals(failed=1, left_open=1, passed=1, completed=0, contents=1))


def test_summary_comes_in_pages_with_the_totals_of_all(world: World) -> None:
    for student, passed in ((JOHN, 3), (JANE, 2), (ZOE, 1)):
        for _ in range(passed):
            world.add_event(student)
    whole = summarise(world)

    pages = [summarise(world, limit=2, offset=offset) for offset in (0, 2, 4)]

    assert [page.rows for page in pages] == [whole.rows[:2], whole.rows[2:], []]
    assert all((page.students, page.totals) == (3, Totals(passed=6)) for page in pages)


def test_summary_keeps_to_the_students_asked_about(world: World) -> None:
    world.add_event(JOHN)
    world.add_event(ZOE)

    assert [one.student_id for one in summarise(world, student_ids=[JOHN.student_id]).rows] == [JOHN.student_id]
    assert summarise(world, student_ids=[]) == SummaryPage(0, Totals(), [])


def test_more_students_than_fit_a_query_are_asked_about_in_several(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(students, "IDS_PER_QUERY", 2)
    everybody = [JOHN, JANE, JOSE, ZOE]
    for student in everybody:
        world.add_event(student, ActivityType.EXAM_STARTED)
    world.context.counters.catch_up()
    ids = [one.student_id for one in everybody]

    assert sorted(get_totals_of_students(ids)) == ids
    assert [one.student_id for one in get_stored_students(ids)] == ids


def test_an_exam_that_ended_is_not_left_open_even_when_it_ended_after_the_period(world: World) -> None:
    world.add_event(JOHN, ActivityType.EXAM_STARTED, ago=timedelta(hours=3), attempt_id=1)
    world.add_event(JOHN, ActivityType.EXAM_PASSED, ago=timedelta(minutes=1), attempt_id=1)
    world.add_event(JOHN, ActivityType.EXAM_STARTED, ago=timedelta(hours=3), attempt_id=2)
    world.add_event(JOHN, ActivityType.CONTENT_COMPLETED, ago=timedelta(hours=2), attempt_id=2)

    (summary,) = summarise(world, NOW - timedelta(hours=4), NOW - timedelta(hours=2.5)).rows

    assert summary.left_open == 1, "a content of the same number is another thing than the exam"
    assert summary == StudentSummary(JOHN.student_id, 0, 1, 0, 0, 0, NOW - timedelta(hours=3))


def test_counts_are_by_type_for_the_students_and_the_time(world: World) -> None:
    world.add_event(JOHN, ActivityType.EXAM_PASSED, ago=9 * DAY)
    world.add_event(JOHN, ActivityType.EXAM_PASSED)
    world.add_event(ZOE, ActivityType.EXAM_FAILED, event_type="nonsense")
    world.context.counters.catch_up()

    assert get_counts_by_type([JOHN.student_id]) == {"exam_passed": 2}
    assert get_counts_by_type([JOHN.student_id], NOW - 7 * DAY) == {"exam_passed": 1}
    assert get_counts_by_type([JOHN.student_id], None, NOW - 7 * DAY) == {"exam_passed": 1}
    assert get_counts_by_type(None) == {"exam_passed": 2, "other": 1}
    assert get_counts_by_type([]) == {}


def test_what_is_not_counted_yet_is_in_no_count(world: World) -> None:
    world.add_event(JOHN)
    world.context.counters.catch_up()
    world.add_event(JOHN)

    assert get_counts_by_type(None, START, END) == {"exam_passed": 1}
    assert get_summary(START, END).totals == Totals(passed=1)


ZONES = ["UTC", "Asia/Kathmandu", "Pacific/Chatham", "America/St_Johns", "Pacific/Kiritimati", "Pacific/Niue"]
DAYS = st.sampled_from([datetime(1990, 1, 1), datetime(2025, 12, 1), datetime(2026, 2, 27), datetime(2104, 2, 28)])
"""Days around which something happens, and periods begin and end."""
MINUTES = st.sampled_from([-1, 0, 1, 345, 765, 1439]) | st.integers(-100_000, 300_000)


@st.composite
def moments(draw: st.DrawFn) -> datetime:
    """Midnights in odd zones, and moments around them."""
    local = draw(DAYS) + draw(st.integers(-130, 130)) * DAY
    moment = local.replace(tzinfo=ZoneInfo(draw(st.sampled_from(ZONES)))).astimezone(timezone.utc)
    return moment + timedelta(minutes=draw(MINUTES)) * draw(st.integers(0, 1))


@pytest.fixture
def many_events(world: World) -> list[LMSActivityEvent]:
    """Some events of two students at each end of many days, and at far ones."""
    minute = timedelta(minutes=1)
    for number in range(100):
        middle = datetime(2025, 11, 1, tzinfo=timezone.utc) + number * 3 * DAY
        world.add_event(JOHN, ActivityType.EXAM_FAILED, timestamp=middle - minute)
        world.add_event(JANE, ActivityType.CONTENT_WATCHED, timestamp=middle, is_echo=number % 10 == 0)
        world.add_event(JANE, ActivityType.EXAM_STARTED, timestamp=middle + number * minute)
    for year in (1990, 2104):
        world.add_event(JOHN, ActivityType.EXAM_PASSED, timestamp=datetime(year, 1, 5, tzinfo=timezone.utc))
    world.context.counters.catch_up()
    return [event for event in LMSActivityEvent.select() if not event.is_echo]


def count_plainly(
    events: list[LMSActivityEvent], ids: Collection[int] | None, start: datetime | None, end: datetime | None
) -> dict[str, int]:
    counts: dict[str, int] = {}
    for event in events:
        is_in_time = (start is None or event.timestamp >= start) and (end is None or event.timestamp < end)
        if is_in_time and (ids is None or event.student_id in ids):
            counts[event.event_type] = counts.get(event.event_type, 0) + 1
    return counts


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    periods=st.lists(st.tuples(st.none() | moments(), st.none() | moments()), min_size=1, max_size=4),
    ids=st.sampled_from([None, [JOHN.student_id], [JOHN.student_id, JANE.student_id]]),
)
def test_a_period_counts_what_happened_in_it(
    many_events: list[LMSActivityEvent],
    periods: list[tuple[datetime | None, datetime | None]],
    ids: list[int] | None,
) -> None:
    plainly = [count_plainly(many_events, ids, *period) for period in periods]

    assert get_week_counts(ids, periods) == plainly
    assert get_counts_by_type(ids, *periods[0]) == plainly[0]
    for (start, end), counts in zip(periods, plainly, strict=True):
        if start is not None and end is not None:
            found = get_summary(start, end, ids)
            assert found.totals == Totals(
                failed=counts.get("exam_failed", 0),
                left_open=counts.get("exam_started", 0),
                passed=counts.get("exam_passed", 0),
                contents=counts.get("content_watched", 0),
            )
            assert found.students == len(found.rows)


def test_a_period_is_counted_in_few_spans() -> None:
    start, end = datetime(2025, 1, 2, 5, tzinfo=timezone.utc), datetime(2026, 1, 2, 7, tzinfo=timezone.utc)

    spans, rest = split_period((start, end), 0, 100_000)

    days = [day for span, firsts in spans.items() for first in firsts for day in range(first, first + span)]
    assert sorted(days) == list(range(20_091, 20_455)), "each whole day once"
    assert sum(map(len, spans.values())) <= 2 * 14 + 365 // 64
    assert rest == [
        (start, datetime(2025, 1, 3, tzinfo=timezone.utc)),
        (datetime(2026, 1, 2, tzinfo=timezone.utc), end),
    ]


def test_a_period_of_all_there_ever_was_is_counted_in_few_spans_too() -> None:
    all_of_it = (datetime.min, datetime.max)
    assert split_period(all_of_it, 20_032, 20_160)[0] == {64: [20_032, 20_096]}
    assert split_period((None, None), 0, 0)[0] == {}


def test_the_last_attempt_of_a_student_is_the_latest_and_of_two_at_once_one_of_them(world: World) -> None:
    world.add_event(JOHN, ActivityType.EXAM_STARTED, ago=2 * DAY)
    world.add_event(JOHN, ActivityType.EXAM_FAILED)
    world.add_event(JOHN, ago=3 * DAY)

    assert [one.outcome for one in get_attempts(JOHN.student_id, limit=1)] == ["failed"]
    assert get_attempts(JANE.student_id, limit=1) == []


def test_stored_students_are_known_by_the_name_they_were_read_with_last(world: World) -> None:
    world.add_event(ZOE)
    world.add_event(JOHN, student_username="old_name")
    world.add_event(JOHN, ago=2 * DAY, student_display_name=None)

    assert get_stored_students() == [
        StoredStudent(JOHN.student_id, "john_doe", "John Doe"),
        StoredStudent(ZOE.student_id, "zoe_m", "Zoë Müller"),
    ]
    assert [one.student_id for one in get_stored_students({ZOE.student_id, 99})] == [ZOE.student_id]


def test_former_students_are_those_of_whom_the_events_are_all_that_is_stored(world: World) -> None:
    world.add_event(ZOE)
    world.add_event(JOHN, attempt_id=501, student_username="old_name")
    world.add_event(JOHN, attempt_id=502)
    world.add_event(JANE, attempt_id=503)
    world.context.counters.catch_up()
    assert get_former_students() == []

    world.lose(501, 502)
    world.read_again(JOSE, ActivityType.EXAM_PASSED, attempt_id=503)

    john = StoredStudent(JOHN.student_id, "john_doe", "John Doe")
    jane = StoredStudent(JANE.student_id, "jane_smith", "Jane Smith")
    assert get_former_students() == get_students_with_events([JOHN.student_id, JANE.student_id]) == [john, jane]
    assert [one.student_id for one in get_stored_students()] == [JOSE.student_id, ZOE.student_id]


def test_attempts_are_newest_first_with_all_tries(world: World) -> None:
    for number, kind in enumerate((ActivityType.EXAM_FAILED, ActivityType.EXAM_PASSED, ActivityType.CONTENT_STARTED)):
        world.add_event(JOHN, kind, ago=(9 - number) * DAY, attempt_id=number)
    world.add_event(ZOE)
    world.context.counters.catch_up()

    def ids(*period: datetime | None, is_exam: bool | None = None) -> list[int]:
        return [(NOW - one.last_at) // DAY for one in get_attempts(JOHN.student_id, *period, is_exam=is_exam)]

    assert ids() == [7, 8, 9]
    assert ids(is_exam=True) == [8, 9]
    assert ids(NOW - 8 * DAY) == [7, 8]
    assert ids(None, NOW - 8 * DAY) == [9]


def test_the_totals_hold_the_sum_of_the_percentages_of_exams(world: World) -> None:
    for kind in (ActivityType.EXAM_FAILED, ActivityType.EXAM_PASSED, ActivityType.CONTENT_WATCHED):
        world.add_event(JOHN, kind)
    world.context.counters.catch_up()

    totals = get_totals_of_students([JOHN.student_id, JANE.student_id])

    assert list(totals) == [JOHN.student_id]
    assert (totals[JOHN.student_id].scored, totals[JOHN.student_id].percentage_total) == (2, 170)


def test_titles_are_found_by_any_part_of_them_in_any_case_with_the_whole_one_first(world: World) -> None:
    for title, student in (("Advanced Algèbra", JOHN), ("ALGEBRA", JANE), ("Algebra", ZOE), ("100% _", ZOE)):
        world.add_event(student, activity_title=title)
    world.add_event(JOHN, ActivityType.CONTENT_WATCHED, activity_title="Algebra")
    world.context.counters.catch_up()
    exam, film, advanced = (True, "Algebra", 2), (False, "Algebra", 1), (True, "Advanced Algèbra", 1)

    def find(*asked: Any, **more: Any) -> list[tuple[bool, str, int]]:
        return [(one.is_exam, one.title, one.students) for one in find_titles(*asked, **more)]

    assert find("algebra", None) == [exam, film, advanced]
    assert find(" alGÉbra ", None, limit=1) == [exam]
    assert find("algebra", [JOHN.student_id]) == [film, advanced]
    assert find_titles("algebra", []) == find_titles("chemistry", None) == []
    assert find_titles("%", None) == find_titles("_", None) == []
    assert [one.title for one in find_titles("00%", None)] == ["100% _"]
    assert find_titles(" ", None) == []


def test_takers_of_an_exam_are_told_with_their_best_and_their_last_try(world: World) -> None:
    for number, (kind, percentage) in enumerate(
        ((ActivityType.EXAM_FAILED, 40), (ActivityType.EXAM_PASSED, "90%"), (ActivityType.EXAM_FAILED, 45))
    ):
        metadata = {"percentage": percentage}
        world.add_event(JOHN, kind, ago=(9 - number) * DAY, activity_title="Algebra", activity_metadata=metadata)
    world.add_event(ZOE, ActivityType.EXAM_STARTED, activity_title="ALGEBRA")
    world.add_event(ZOE, ActivityType.CONTENT_WATCHED, activity_title="Algebra")
    world.context.counters.catch_up()
    john = Taker(JOHN.student_id, 3, 1, 2, 90.0, 45.0, "failed", NOW - 7 * DAY)
    zoe = Taker(ZOE.student_id, 1, 0, 0, None, None, "started", NOW - timedelta(hours=1))

    exam, film = (one.coursework_id for one in find_titles("algebra", None))
    assert get_takers(exam, None) == [john, zoe]
    assert get_takers(exam, [ZOE.student_id]) == [zoe]
    assert [one.last_outcome for one in get_takers(film, None)] == ["watched"]
    assert get_takers(film + 1, None) == []


def test_nobody_is_stored_in_an_empty_store(world: World) -> None:
    assert get_stored_students() == []
    assert get_undecided() == (0, None)


def test_errors_are_grouped_by_reason_most_frequent_first(world: World) -> None:
    ids = [world.add_event(JOHN).event_id for _ in range(4)]
    for event_id, reason in zip(ids, ("deactivated", "unmapped", "deactivated", None), strict=True):
        if reason:
            world.add_error(LMSActivityEvent.get_by_id(event_id), reason)

    groups = get_error_groups()

    assert [(one.reason, one.count, one.event_ids) for one in groups] == [
        ("deactivated", 2, [ids[2], ids[0]]),
        ("unmapped", 1, [ids[1]]),
    ]
    assert groups[0].last_at == NOW - timedelta(hours=1)


def test_rejected_rows_are_grouped_by_stream_and_problem(world: World) -> None:
    for key in ("5", "6"):
        RejectedRow.create(stream="attempts", row_key=key, problem="unknown state", reason="state is 'limbo'")
    RejectedRow.create(stream="attempts", row_key="7", problem="unreadable", reason="year 9999")

    groups = get_rejected_groups()

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

    waiting = {(one.recipient, one.state, one.reason, one.count) for one in get_waiting()}

    assert waiting == {
        ("mentor:3", "unmapped", "no e-mail address", 1),
        ("zulip:1", "ready", "Zulip was away", 1),
    }
    assert get_waiting()[0].since == old.created_at
    unwritten = Unwritten("zulip:1", 1, new.event_type, new.student_id, new.created_at)
    assert get_unwritten() == get_unwritten(1) == [unwritten]
    assert get_unwritten(2) == []
    assert (count_unsent(1), count_unsent(2)) == (1, 0)


def test_ids_that_are_no_events_are_told_apart(world: World) -> None:
    event = world.add_event(JOHN)
    assert get_stored_ids([event.event_id, event.event_id + 1]) == {event.event_id}
    assert get_stored_ids([]) == set()


def test_events_nobody_decided_on_are_counted_with_the_oldest(world: World) -> None:
    event = world.add_event(JOHN, ago=DAY, has_deliveries=False)
    world.add_event(JOHN, has_deliveries=False)

    assert get_undecided() == (2, event.created_at)


def test_a_fact_that_is_no_moment_is_none(world: World) -> None:
    KeyValue.put("when", NOW.isoformat())
    KeyValue.put("what", {"not": "a moment"})

    assert [get_moment(name) for name in ("when", "what", "missing")] == [NOW, None, None]


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_no_question_and_no_sender_scans_what_is_stored(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, Any]] = []
    database = world.store.database
    execute = database.execute_sql
    world.add_event(JOHN)
    world.context.counters.catch_up()

    def note(sql: str, params: Any = None) -> Any:
        asked.append((sql, params))
        return execute(sql, params)  # type: ignore[no-untyped-call]

    monkeypatch.setattr(database, "execute_sql", note)
    world.context.counters.catch_up()
    for ids in ([11, 12], None):
        get_summary(NOW - 40 * DAY, END, ids)
        get_counts_by_type(ids)
        get_counts_by_type(ids, NOW - 40 * DAY)
        get_takers(1, ids)
        get_coursework(1, ids)
        find_labelled("algebra", ids, is_exam=True)
        find_titles("algebra", ids)
        get_labels(["algebra"], ids)
    get_former_students()
    get_students_with_events([11, 12])
    get_history(11, START, END)
    get_totals_of_students([11, 12])
    get_attempts(11, START, END)
    count_unsent(1)
    count_dead(1)
    get_waiting()
    get_unwritten()
    get_undecided()
    deliveries = Deliveries(world.store)
    outbox = Outbox(world.store, deliveries)
    outbox.claim("sender", NOW)
    outbox.claim_unknown(NOW, timedelta(0))
    deliveries.revive(None, NOW)
    asked = [(sql, params) for sql, params in asked if sql.startswith(("SELECT", "WITH", "UPDATE"))]
    steps = [(sql, row[3]) for sql, params in asked for row in execute("EXPLAIN QUERY PLAN " + sql, params)]  # type: ignore[no-untyped-call]

    tables = ("lms_activity_events", "lms_student_counts", "lms_attempts", "lms_standings", "tried", "t1", "t2")
    scans = [(sql, step) for sql, step in steps if step.startswith("SCAN") and step.split()[1] in tables]
    assert len(steps) > 60
    assert not [(sql, step) for sql, step in scans if "USING INDEX" not in step]
