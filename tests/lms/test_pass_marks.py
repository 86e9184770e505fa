"""With which percentage an exam is passed: whatever the LMS lets us read, and never in an answer's way."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from lms_bot.lms import pass_marks
from lms_bot.lms.connection import LMSConnection
from lms_bot.lms.pass_marks import PassMarkReader
from lms_bot.lms.standard import PASS_MARKS, grant_statements

if TYPE_CHECKING:
    from lms_bot.sandbox.lms.postgres import EmbeddedPostgres
    from lms_bot.sandbox.lms.school import School

EXAMS = """
INSERT INTO exams (id, slug, title, pass_percentage) VALUES
    (1, 'algebra', 'Algebra', 40), (2, 'physics', 'Physics', NULL), (3, 'chemistry', 'Chemistry', 33);
"""
BIG = 2**40


def run(school: School, sql: str) -> None:
    with school.transaction() as cursor:
        cursor.execute(sql)


@pytest.fixture
def connection(lms: School) -> Iterator[LMSConnection]:
    run(lms, EXAMS)
    connection = LMSConnection(lms.url)
    yield connection
    connection.close()


@pytest.fixture
def reader(connection: LMSConnection) -> PassMarkReader:
    return PassMarkReader(connection, PASS_MARKS)


def test_the_exams_that_have_one_are_told_with_it(reader: PassMarkReader) -> None:
    assert reader.get_pass_marks([1, 2, 3, 0, BIG]) == {1: 40.0, 3: 33.0}
    assert reader.get_pass_marks([]) == {}


def test_it_is_asked_for_once_an_hour(reader: PassMarkReader, lms: School, monkeypatch: pytest.MonkeyPatch) -> None:
    assert reader.get_pass_marks([1, 2]) == {1: 40.0}
    run(lms, "UPDATE exams SET pass_percentage = 60")
    assert reader.get_pass_marks([1, 2]) == {1: 40.0} and reader.get_pass_marks([3]) == {3: 60.0}
    monkeypatch.setattr("lms_bot.core.cache.monotonic", lambda: 1e9)
    assert reader.get_pass_marks([1, 2]) == {1: 60.0, 2: 60.0}


@pytest.mark.parametrize(("kind", "value", "mark"), [("numeric", "37.5", 37.5), ("text", "'40 %'", 40.0)])
def test_columns_of_other_types_are_read(
    reader: PassMarkReader, lms: School, kind: str, value: str, mark: float
) -> None:
    run(lms, f"ALTER TABLE exams ALTER pass_percentage TYPE {kind}; UPDATE exams SET pass_percentage = {value}")
    assert reader.get_pass_marks([1]) == {1: mark}


@pytest.mark.parametrize("value", ["'unknown'", "'NaN'", "'1e9'", "''"])
def test_what_is_no_percentage_is_no_pass_mark(reader: PassMarkReader, lms: School, value: str) -> None:
    run(lms, f"ALTER TABLE exams ALTER pass_percentage TYPE text; UPDATE exams SET pass_percentage = {value}")
    assert reader.get_pass_marks([1]) == {}


def test_an_lms_that_has_no_such_column_or_is_away_has_none(reader: PassMarkReader, lms: School) -> None:
    run(lms, "ALTER TABLE exams DROP pass_percentage")
    assert reader.get_pass_marks([1]) == {}
    assert PassMarkReader(LMSConnection("postgresql://127.0.0.1:1/none"), PASS_MARKS).get_pass_marks([1]) == {}
    assert PassMarkReader(LMSConnection(None), PASS_MARKS).get_pass_marks([1]) == {}
    assert PassMarkReader(LMSConnection(lms.url), None).get_pass_marks([1]) == {}


def test_a_role_of_earlier_versions_may_not_read_them_and_nothing_fails(
    postgres: EmbeddedPostgres, lms: School, connection: LMSConnection
) -> None:
    role_url = postgres.create_role("plain_guest")
    run(lms, grant_statements("plain_guest"))
    guest = LMSConnection(f"{role_url.rpartition('/')[0]}/{lms.url.rpartition('/')[2]}")
    try:
        assert PassMarkReader(guest, PASS_MARKS).get_pass_marks([1]) == {1: 40.0}
        run(lms, "REVOKE SELECT (pass_percentage) ON exams FROM plain_guest")
        reader = PassMarkReader(guest, PASS_MARKS)
        assert reader.get_pass_marks([1]) == {}
        run(lms, "GRANT SELECT (pass_percentage) ON exams TO plain_guest")
        assert reader.get_pass_marks([1]) == {}  # it is asked again in a minute
    finally:
        guest.close()
        run(lms, "DROP OWNED BY plain_guest CASCADE; DROP ROLE plain_guest")


def test_nobody_waits_for_them_until_a_poll_has_ended(
    reader: PassMarkReader, connection: LMSConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pass_marks, "HURRY_SECONDS", 0.01)
    is_polling, is_over = threading.Event(), threading.Event()

    def poll() -> None:
        with connection.snapshot():
            is_polling.set()
            is_over.wait(30)

    thread = threading.Thread(target=poll)
    thread.start()
    try:
        assert is_polling.wait(30)
        assert reader.get_pass_marks([1]) == {} and not is_over.is_set()
    finally:
        is_over.set()
        thread.join()
