"""Whatever a kind of LMS makes of its rows: what is wrong with one costs no other."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

import pytest

from lms_bot.core.errors import LMSRefused
from lms_bot.lms.source import Source
from lms_bot.lms.standard import STREAMS
from lms_bot.lms.stream import Reading
from lms_bot.sandbox.lms.school import School
from lms_bot.store.models import LMSActivityEvent
from tests.worlds.watching import Watching, add_attempts, fill, run

ATTEMPTS, CONTENTS = STREAMS
BAD = 2


def read_but_one(row: tuple[Any, ...], lms_now: datetime) -> Reading:
    if row[0] == BAD:
        datetime.fromtimestamp(99999999999999)  # raises ValueError: the year 3170843  # noqa: DTZ006
    return ATTEMPTS.read(row, lms_now)


def watch(watching: Watching, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    """Has it read its first stream in another way."""
    source = Source(watching.app.source.connection, [replace(ATTEMPTS, **changes), CONTENTS], 60)
    monkeypatch.setattr(watching.app.monitor, "_source", source)


@pytest.fixture
def school(lms: School) -> School:
    return fill(lms)


@pytest.fixture
def watching(school: School, store_url: str) -> Iterator[Watching]:
    one = Watching(school.url, store_url)
    yield one
    one.close()


@pytest.mark.parametrize("is_first_look", [False, True])
def test_a_row_whose_reading_raises_is_rejected_and_stops_nothing(
    school: School, watching: Watching, monkeypatch: pytest.MonkeyPatch, is_first_look: bool
) -> None:
    watch(watching, monkeypatch, read=read_but_one)
    if not is_first_look:
        watching.poll()
    add_attempts(school, 1, 3)
    run(school, CONTENT)
    expected = set() if is_first_look else {("1", "exam_passed"), ("3", "exam_passed"), ("9", "content_started")}
    assert watching.poll() == expected
    assert list(watching.rejected()) == ["2"]
    assert watching.rejected()["2"].startswith("it cannot be read: ")
    watch(watching, monkeypatch)
    run(school, "UPDATE attempts SET state = state")
    assert watching.poll() == {("2", "exam_passed")}
    assert watching.rejected() == {}


def test_of_two_rows_with_one_key_the_later_counts() -> None:
    stream = replace(ATTEMPTS, read=lambda row, _: Reading(str(row[0]), is_open=row[1]))
    found = stream.read_all([(1, True), (2, True), (1, False)], datetime(2026, 1, 15, tzinfo=timezone.utc))
    assert found == [Reading("1", is_open=False), Reading("2", is_open=True)]


def test_two_rows_of_one_attempt_in_a_page_stop_nothing(
    school: School, watching: Watching, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch(watching, monkeypatch, select=ATTEMPTS.select + "JOIN (VALUES (1), (2)) AS twice (number) ON TRUE\n")
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
CONTENT = """INSERT INTO content_attempts
    (id, course_id, chapter_id, chapter_content_id, content_type, user_id, state, created)
    VALUES (9, 1, 1, 1, 'Video', 1, 'started', '2020-01-01')"""


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
    run(school, CONTENT)
    change_type(school, table, column, kind, using)
    assert watching.poll() == {("1", "exam_passed"), ("9", "content_started")}
    assert watching.rejected() == {}


@pytest.mark.parametrize(("table", "column", "kind", "using"), ELSE)
def test_a_stream_that_cannot_be_read_is_named_and_the_other_goes_on(
    school: School, watching: Watching, table: str, column: str, kind: str, using: str
) -> None:
    watching.poll()
    add_attempts(school, 1, 1)
    run(school, CONTENT)
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


# ---- tables that are none ----

PARTS = """
ALTER TABLE attempts RENAME TO old_attempts;
CREATE TABLE attempts (LIKE old_attempts) PARTITION BY HASH (id);
CREATE TABLE attempts_0 PARTITION OF attempts FOR VALUES WITH (MODULUS 1, REMAINDER 0)
"""
VIEW = "ALTER TABLE attempts RENAME TO old_attempts; CREATE VIEW attempts AS SELECT * FROM old_attempts"
HEIRS = "CREATE TABLE more_attempts () INHERITS (attempts)"


@pytest.mark.parametrize("is_first_look", [False, True])
@pytest.mark.parametrize(("change", "kind"), [(PARTS, "in parts"), (HEIRS, "in parts"), (VIEW, "view")])
def test_what_cannot_be_watched_is_refused_and_not_read_in_silence(
    school: School, watching: Watching, change: str, kind: str, is_first_look: bool
) -> None:
    if not is_first_look:
        watching.poll()
    for statement in change.split(";"):
        run(school, statement)
    run(school, CONTENT)
    with pytest.raises(LMSRefused, match=f"^attempts: “attempts” is a .*{kind}"):
        watching.poll()
    assert watching.events() == (set() if is_first_look else {("9", "content_started")})
