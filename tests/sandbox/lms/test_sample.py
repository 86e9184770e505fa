"""The sample school."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from lms_bot.sandbox.lms.sample import fill
from lms_bot.sandbox.lms.school import School, utc

if TYPE_CHECKING:
    from lms_bot.sandbox.lms.postgres import EmbeddedPostgres


from tests.worlds.school_rows import rows

NOON = datetime.fromisoformat("2026-01-15T12:00")  # naive, as the LMS has it


def test_the_sample_school_has_something_of_everything(school: School) -> None:
    assert rows(school, "SELECT count(*), count(email), count(supervisor_id) FROM mentors") == [(4, 4, 3)]
    assert rows(school, "SELECT count(*) FROM students") == [(8,)]
    assert rows(school, "SELECT count(*) FROM exams") == [(5,)]
    with_two = 'SELECT "B" FROM "_MentorToStudent" GROUP BY "B" HAVING count(*) = 2'
    assert len(rows(school, with_two)) >= 2
    assert len(rows(school, 'SELECT 1 FROM "ChapterContent" WHERE "examId" IS NOT NULL')) == 1
    assert rows(school, "SELECT DISTINCT result FROM attempts ORDER BY 1") == [("fail",), ("pass",), (None,)]
    assert len(rows(school, "SELECT 1 FROM content_attempts WHERE assessment_id IS NOT NULL")) >= 3


def test_the_sample_history_lies_in_the_last_two_weeks_and_is_over(school: School) -> None:
    ((first, last),) = rows(school, "SELECT min(date), max(last_answer_updated_time) FROM attempts")
    ((content_first, content_last),) = rows(school, "SELECT min(created), max(completed_on) FROM content_attempts")
    assert min(first, content_first) > utc() - timedelta(days=14)
    assert max(last, content_last) < utc() - timedelta(hours=2)
    assert rows(school, "SELECT count(*) FROM attempts WHERE state = 'started'") == [(0,)]


@pytest.mark.parametrize("timestamps", ["timestamp", "timestamptz"])
def test_the_sample_school_stands_on_either_kind_of_timestamp(server: EmbeddedPostgres, timestamps: Any) -> None:
    url = server.create_database("either")
    with fill(School(url, timestamps=timestamps).create()) as school:
        school.insert_attempt(date=NOON, id=5000)
        ((kind, at),) = rows(
            school, "SELECT pg_typeof(date)::text, extract(epoch FROM date) FROM attempts WHERE id = 5000"
        )
    server.drop_database("either")
    assert kind == ("timestamp without time zone", "timestamp with time zone")[timestamps == "timestamptz"]
    assert at == NOON.replace(tzinfo=timezone.utc).timestamp()
