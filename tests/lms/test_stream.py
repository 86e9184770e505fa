"""Whatever a kind of LMS makes of its rows: what is wrong with one costs no other."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

import pytest

from lms_bot.core.activities import ActivityType
from lms_bot.core.errors import LMSRefused
from lms_bot.lms.reading import RowFact
from lms_bot.lms.standard import STREAMS
from lms_bot.lms.values import LARGEST_ID
from lms_bot.sandbox.lms.school import School
from lms_bot.store.models import LMSActivityEvent
from tests.worlds.watching import Watching, add_attempts, add_content, run

ATTEMPTS, CONTENTS = STREAMS
NOW = datetime(2026, 1, 15, tzinfo=timezone.utc)
BAD = 2


def read_but_one(row: dict[str, Any]) -> RowFact:
    if row["id"] == BAD:
        datetime.fromtimestamp(99999999999999)  # raises ValueError: the year 3170843  # noqa: DTZ006
    return ATTEMPTS.read(row)


def watch_in_another_way(watching: Watching, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    """Has it read its first stream so."""
    watching.watch_streams(monkeypatch, replace(ATTEMPTS, **changes), CONTENTS)


@pytest.mark.parametrize("is_first_look", [False, True])
def test_a_row_whose_reading_raises_is_rejected_and_stops_nothing(
    school: School, watching: Watching, monkeypatch: pytest.MonkeyPatch, is_first_look: bool
) -> None:
    watch_in_another_way(watching, monkeypatch, read=read_but_one)
    if not is_first_look:
        watching.poll()
    add_attempts(school, 1, 3)
    add_content(school, 9)
    expected = set() if is_first_look else {("1", "exam_passed"), ("3", "exam_passed"), ("9", "content_started")}
    assert watching.poll() == expected
    assert list(watching.rejected()) == ["2"]
    assert watching.rejected()["2"].startswith("it cannot be read: ")
    watch_in_another_way(watching, monkeypatch)
    run(school, "UPDATE attempts SET state = state")
    assert watching.poll() == {("2", "exam_passed")}
    assert watching.rejected() == {}


def read_all(*rows: tuple[Any, ...], **changes: Any) -> dict[str, str]:
    """What rows of (id, state) are read as, or why not, by key."""

    def read(row: dict[str, Any]) -> RowFact:
        return RowFact(ActivityType(row["state"]), **{"student_id": 1, **changes})

    stream = replace(ATTEMPTS, columns=("id", "state"), read=read)
    return {
        one.row_key: str(one.activity.event_type if one.activity else one.rejection and one.rejection.reason)
        for one in stream.read_all(rows, NOW)
    }


def test_of_two_rows_with_one_key_the_later_counts() -> None:
    rows = (1, "exam_started"), (2, "exam_started"), (1, "exam_passed")
    assert read_all(*rows) == {"1": "exam_passed", "2": "exam_started"}


def test_a_row_of_other_columns_than_those_named_is_rejected() -> None:
    assert "argument" in read_all((1, "exam_started", "more"))["1"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"student_id": None}, "it names no student"),
        ({"student_id": "x"}, "the student's id: “x” is no whole number"),
        ({"activity_id": 2**63}, f"the exam's or content's id: {2**63} is larger than can be kept"),
        ({"metadata": {"score": 1e308 * 10}}, "score: inf is no number that can be kept"),
        ({"happened_at": "yesterday"}, "when it happened: “yesterday” is no moment"),
    ],
)
def test_what_a_row_says_is_checked_whatever_kind_of_lms_it_is(changes: dict[str, Any], reason: str) -> None:
    assert read_all((1, "exam_passed"), **changes) == {"1": reason}


def test_a_row_is_named_by_its_key_where_that_is_a_number() -> None:
    def attempt_id(key: Any) -> int | None:
        stream = replace(ATTEMPTS, columns=("id",), read=lambda _: RowFact(ActivityType.EXAM_STARTED, student_id=1))
        (reading,) = stream.read_all([(key,)], NOW)
        return reading.activity.attempt_id if reading.activity else -1

    assert [attempt_id(key) for key in (LARGEST_ID, "17", "a-uuid", 2**63)] == [LARGEST_ID, 17, None, -1]


def test_two_rows_of_one_attempt_in_a_page_stop_nothing(
    school: School, watching: Watching, monkeypatch: pytest.MonkeyPatch
) -> None:
    twice = ATTEMPTS.select + "JOIN (VALUES (1), (2)) AS twice (number) ON TRUE\n"
    watch_in_another_way(watching, monkeypatch, select=twice)
    watching.poll()
    add_attempts(school, 1, 2)
    assert watching.poll() == {("1", "exam_passed"), ("2", "exam_passed")}
    add_attempts(school, 3, 3)
    assert watching.poll() == {("3", "exam_passed")}


# ---- columns of other types than we expect ----

READ = [  # column, its type, and how it gets there
    ("attempts", "result", "boolean", "result = 'pass'"),
    ("attempts", "id", "numeric", "id"),
    ("attempts", "id", "numeric(20, 2)", "id"),
    ("attempts", "date", "text", "date::text"),
    ("attempts", "date", "date", "date::date"),
    ("attempts", "last_answer_updated_time", "text", "'2020-01-02T03:04:05Z'"),
    ("attempts", "time_taken", "time", "'0:45:00'::time"),
    ("attempts", "time_taken", "interval", "'45 minutes'::interval"),
    ("attempts", "percentage", "text", "'82,5 %'"),
    ("attempts", "percentage", "jsonb", '\'{"of": 100, "got": 82}\'::jsonb'),
    ("attempts", "score", "real[]", "ARRAY[1.5, 2.5]"),
    ("attempts", "state", "bytea", "state::bytea"),
    ("attempts", "username", "jsonb", '\'{"en": "one"}\'::jsonb'),
    ("students", "display_name", "jsonb", '\'{"de": "Eins", "en": "One"}\'::jsonb'),
    ("students", "first_name", "text[]", "ARRAY['One', 'Of', 'Two']"),
    ("students", "email", "uuid", "gen_random_uuid()"),
    ("mentors", "user_id", "text", "user_id::text"),
    ("mentors", "display_name", "jsonb", "'[\"Anna\"]'::jsonb"),
    ("exams", "title", "text[]", "ARRAY[title]"),
    ("exams", "title", "jsonb", "jsonb_build_object('en', title)"),
    ("exams", "title", "varchar(40)", "title"),
]
ELSE = [  # the stream's SELECT itself cannot be
    ("attempts", "user_id", "text", "user_id::text"),
    ("attempts", "exam_id", "uuid", "NULL::uuid"),
    ("attempts", "id", "text", "id::text"),
]


def change_type(school: School, table: str, column: str, kind: str, using: str) -> None:
    found = run(school, "SELECT conrelid::regclass::text, conname FROM pg_constraint WHERE contype = 'f'")
    for owner, constraint in found:
        run(school, f'ALTER TABLE {owner} DROP CONSTRAINT "{constraint}"')
    run(school, f"ALTER TABLE {table} ALTER {column} DROP DEFAULT")
    run(school, f"ALTER TABLE {table} ALTER {column} TYPE {kind} USING {using}")


@pytest.mark.parametrize(("table", "column", "kind", "using"), READ)
def test_a_column_of_another_type_is_read(
    school: School, watching: Watching, table: str, column: str, kind: str, using: str
) -> None:
    watching.poll()
    add_attempts(school, 1, 1)
    add_content(school, 9)
    change_type(school, table, column, kind, using)
    assert watching.poll() == {("1", "exam_passed"), ("9", "content_started")}
    assert watching.rejected() == {}


@pytest.mark.parametrize(("table", "column", "kind", "using"), ELSE)
def test_a_stream_that_cannot_be_read_is_named_and_the_other_goes_on(
    school: School, watching: Watching, table: str, column: str, kind: str, using: str
) -> None:
    watching.poll()
    add_attempts(school, 1, 1)
    add_content(school, 9)
    change_type(school, table, column, kind, using)
    with pytest.raises(LMSRefused, match=r"^attempts: the LMS "):
        watching.poll()
    assert watching.events() == {("9", "content_started")}


def test_long_values_do_not_fill_the_memory(school: School, watching: Watching) -> None:
    watching.poll()
    run(school, "UPDATE exams SET title = repeat('long ', 200000)")
    run(school, "UPDATE students SET display_name = repeat('n', 10000000) WHERE id = 1")
    add_attempts(school, 1, 300)
    tracemalloc.start()
    assert len(watching.poll()) == 300
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 20_000_000
    with watching.app.store.session():
        event = LMSActivityEvent.get()
        assert (len(event.activity_title or ""), len(event.student_display_name or "")) == (500, 255)


def test_when_it_began_costs_nothing_else_where_it_cannot_be_read() -> None:
    assert read_all((1, "exam_passed"), started_at="1066-10-14") == {"1": "exam_passed"}
    assert read_all((1, "exam_passed"), started_at="in autumn") == {"1": "exam_passed"}
