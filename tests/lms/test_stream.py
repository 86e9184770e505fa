"""Whatever a kind of LMS makes of its rows: what is wrong with one costs no other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

import pytest

from lms_bot.lms.source import Source
from lms_bot.lms.standard import STREAMS
from lms_bot.lms.stream import Reading
from lms_bot.sandbox.lms.school import School
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
    run(school, "INSERT INTO content_attempts (id, course_id, chapter_id, chapter_content_id, content_type, user_id,"
                " state, created) VALUES (9, 1, 1, 1, 'Video', 1, 'started', '2020-01-01')")  # fmt: skip
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
