"""Who is enrolled is asked of the LMS, by whatever it lets us read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

import pytest

from lms_bot.core.clock import UTC
from lms_bot.core.errors import LMSRefused
from lms_bot.lms.connection import LMSConnection
from lms_bot.lms.people import PeopleReader
from lms_bot.lms.standard import PEOPLE, grant_statements

if TYPE_CHECKING:
    from lms_bot.sandbox.lms.postgres import EmbeddedPostgres
    from lms_bot.sandbox.lms.school import School

CREATED = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
STUDENTS = """
INSERT INTO mentors (id, username) VALUES (1, 'maria'), (2, 'arjun');
INSERT INTO students (id, username, created, is_active) VALUES
    (11, 'ada', '2026-01-05 08:00', TRUE), (12, 'ben', NULL, TRUE),
    (13, 'left', '2026-01-05 08:00', FALSE), (14, 'alone', '2026-01-05 08:00', TRUE);
INSERT INTO "_MentorToStudent" VALUES (1, 11), (2, 11), (1, 12), (1, 13);
"""


def run(school: School, sql: str) -> None:
    with school.transaction() as cursor:
        cursor.execute(sql)


@pytest.fixture
def reader(lms: School) -> Iterator[PeopleReader]:
    run(lms, STUDENTS)
    connection = LMSConnection(lms.url)
    yield PeopleReader(connection, PEOPLE)
    connection.close()


def test_the_active_students_with_a_mentor_are(reader: PeopleReader) -> None:
    assert reader.fetch_enrolled() == {11: CREATED, 12: None}


def test_moments_with_a_zone_are_read_too(reader: PeopleReader, lms: School) -> None:
    run(lms, "ALTER TABLE students ALTER created TYPE timestamptz USING created AT TIME ZONE 'Asia/Tokyo'")
    assert reader.fetch_enrolled()[11] == CREATED.replace(day=4, hour=23)


def test_a_kind_that_does_not_say_has_all_who_are_active(reader: PeopleReader) -> None:
    reader.selects = replace(PEOPLE, enrolled=None)
    assert reader.fetch_enrolled() == {11: None, 12: None, 14: None}


@pytest.fixture
def guest(postgres: EmbeddedPostgres, lms: School, reader: PeopleReader) -> Iterator[PeopleReader]:
    """A role that was granted what earlier versions asked for."""
    role_url = postgres.create_role("plain_guest")
    run(lms, grant_statements("plain_guest"))
    run(lms, "REVOKE SELECT (created) ON students FROM plain_guest")
    connection = LMSConnection(f"{role_url.rpartition('/')[0]}/{lms.url.rpartition('/')[2]}")
    yield PeopleReader(connection, PEOPLE)
    connection.close()
    run(lms, "DROP OWNED BY plain_guest CASCADE; DROP ROLE plain_guest")


def test_who_may_not_read_since_when_reads_who(guest: PeopleReader) -> None:
    assert guest.fetch_enrolled() == {11: None, 12: None}
    guest.selects = replace(PEOPLE, enrolled_ids=None)
    with pytest.raises(LMSRefused):
        guest.fetch_enrolled()
