"""Streams that look at some rows only: those that meet a condition, and of a log, those since the bot began."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest

from lms_bot.core.activities import ActivityType
from lms_bot.lms import poll
from lms_bot.lms.reading import RowFact
from lms_bot.lms.standard import STANDARD, STREAMS
from lms_bot.lms.stream import Dependency, Stream
from lms_bot.sandbox.lms.postgres import EmbeddedPostgres
from lms_bot.sandbox.lms.school import School
from lms_bot.store.totals import Attempt
from tests.worlds.watching import Found, Watching, add_attempts, fill, passed, run

if TYPE_CHECKING:
    from tests.lms.conftest import Watch

ATTEMPTS, _ = STREAMS

# ---- a condition ----

GRADED = replace(ATTEMPTS, condition="a.percentage IS NOT NULL")


@pytest.fixture
def graded(watching: Watching, monkeypatch: pytest.MonkeyPatch) -> Watching:
    """Watches exams that have a percentage, and no others. Its first look is yet to come."""
    monkeypatch.setattr(poll, "CRASH_MARGIN", 0)
    watching.watch_streams(monkeypatch, GRADED)
    return watching


def grade(school: School, *row_ids: int, percentage: int | None = 80) -> None:
    run(school, "UPDATE attempts SET percentage = %s WHERE id = ANY(%s)", percentage, list(row_ids))


def test_rows_that_do_not_matter_give_nothing(school: School, graded: Watching) -> None:
    add_attempts(school, 1, 5)
    graded.poll()
    add_attempts(school, 6, 9)
    add_attempts(school, 10, 10, "teleported")
    assert graded.poll(2) == set()
    assert graded.rejected() == {}
    assert graded.shown() == set()
    run(school, "UPDATE attempts SET result = 'fail'")
    assert graded.poll() == set()


def test_a_row_that_comes_to_matter_is_news(school: School, graded: Watching) -> None:
    add_attempts(school, 1, 5)
    graded.poll()
    add_attempts(school, 6, 9)
    graded.poll()
    grade(school, 2, 8)
    assert graded.poll() == passed(2, 8)
    add_attempts(school, 10, 12)
    grade(school, 11)
    assert graded.poll() == passed(11)


def test_a_row_that_matters_no_more_is_gone_and_no_news_when_it_matters_again(
    school: School, graded: Watching
) -> None:
    add_attempts(school, 1, 2)
    add_attempts(school, 3, 3, "started")
    add_attempts(school, 4, 4, "teleported")
    grade(school, 1, 2, 3, 4)
    graded.poll()
    assert (graded.shown(), graded.open_rows(), set(graded.rejected())) == ({"1", "2", "3"}, {"3"}, {"4"})
    grade(school, 2, 3, 4, percentage=None)
    assert graded.poll() == set()
    assert (graded.shown(), graded.open_rows(), graded.rejected()) == ({"1"}, set(), {})
    grade(school, 2, 3)
    assert graded.poll() == set()
    assert (graded.shown(), graded.open_rows()) == ({"1", "2", "3"}, {"3"})


def test_history_has_no_rows_that_do_not_matter(school: School, graded: Watching) -> None:
    add_attempts(school, 1, 5)
    grade(school, 2, 4)
    since = datetime(2019, 1, 1, tzinfo=timezone.utc)
    found = graded.app.source.fetch_history(GRADED, since, None)
    assert {one.row_key for readings, _ in found for one in readings} == {"2", "4"}


def test_many_rows_that_do_not_matter_do_not_hide_one_that_does(
    school: School, graded: Watching, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(poll, "PAGE_ROWS", 150)
    graded.poll()
    add_attempts(school, 1, 700)
    grade(school, 650)
    assert graded.poll() == passed(650)
    assert graded.position().high_key == 700


ACTIVE = "EXISTS (SELECT 1 FROM students AS active WHERE active.id = a.user_id AND active.is_active)"
OF_ACTIVE = replace(
    ATTEMPTS, condition=ACTIVE, depends_on=(Dependency("students", "is_active", concerns="a.user_id"),)
)


@pytest.mark.parametrize("stream", [OF_ACTIVE, replace(OF_ACTIVE, depends_on=())])
def test_whether_a_row_matters_may_be_up_to_another_table(
    school: School, watching: Watching, monkeypatch: pytest.MonkeyPatch, stream: Stream
) -> None:
    """It is seen at once where the stream says that it depends on that, and else when all rows are looked at."""
    monkeypatch.setattr(poll, "CRASH_MARGIN", 0)
    watching.watch_streams(monkeypatch, stream)
    run(school, "UPDATE students SET is_active = FALSE WHERE id = 2")
    add_attempts(school, 1, 3)
    run(school, "UPDATE attempts SET user_id = 2 WHERE id = 3")
    watching.poll(2)
    assert watching.shown() == {"1", "2"}
    run(school, "UPDATE students SET is_active = NOT is_active")
    if stream.depends_on:
        assert watching.poll() == passed(3)
        assert watching.shown() == {"3"}
    else:
        assert watching.poll() == set()
        assert watching.shown() == set()


# ---- a log ----

LOG = "CREATE TABLE page_views (id bigint PRIMARY KEY, student_id int, page text, at timestamptz DEFAULT now())"
FILL = "INSERT INTO page_views (id, student_id, page) SELECT 2 * i, 1, '/lesson' FROM generate_series(%s, %s) AS i"
VIEW = "INSERT INTO page_views VALUES (%s, 1, %s)"
BEFORE_THE_BOT = 300_000


class Reader:
    """Reads rows of the log, and remembers which, each time."""

    def __init__(self) -> None:
        self.ids: list[int] = []

    def __call__(self, row: dict[str, Any]) -> RowFact:
        self.ids.append(row["id"])
        return RowFact(
            ActivityType.CONTENT_WATCHED, row["student_id"], activity_title=row["page"], happened_at=row["at"]
        )


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> Reader:
    """Of a log, which is all that is watched."""
    reader = Reader()
    stream = Stream(
        name="page_views",
        table="page_views",
        alias="v",
        select="SELECT v.id, v.student_id, v.page, v.at FROM page_views AS v",
        columns=("id", "student_id", "page", "at"),
        latest_moment="at",
        read=reader,
        is_append_only=True,
        condition="v.page LIKE '/lesson%%'",  # twice, as in all SQL that takes parameters
    )
    monkeypatch.setattr("lms_bot.app.KIND", replace(STANDARD, make_streams=lambda _: (stream,)))
    return reader


def viewed(*row_ids: int) -> Found:
    return {(str(row_id), "content_watched") for row_id in row_ids}


def test_what_a_log_held_before_the_bot_is_known_without_being_read(
    school: School, reader: Reader, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(school, LOG)
    run(school, FILL, 1, BEFORE_THE_BOT)
    run(school, VIEW, 7, "/about")
    watching = Watching(school.url, store_url)
    assert watching.poll(2) == set()
    with watching.app.store.session():
        assert Attempt.select().count() == BEFORE_THE_BOT
    assert watching.shown("page_views") == set()
    assert reader.ids == []

    last = 2 * BEFORE_THE_BOT
    for row_id, page in ((last + 2, "/lesson/1"), (last + 4, "/about"), (11, "/lesson/2"), (13, "/about")):
        run(school, VIEW, row_id, page)  # those with lower ids come late
    assert watching.poll() == viewed(last + 2, 11)
    monkeypatch.setattr(poll, "CRASH_MARGIN", 0)
    watching.restart()
    assert watching.poll() == set()
    run(school, VIEW, last + 6, "/lesson/3")
    run(school, VIEW, 15, "/lesson/4")
    assert watching.poll() == viewed(last + 6, 15)
    assert sorted(reader.ids) == [11, 15, last + 2, last + 6]
    watching.close()


def test_nothing_a_log_held_before_the_bot_becomes_news_whatever_is_looked_at_again(
    reader: Reader, store_url: str
) -> None:
    """After a new connection, a restart of the bot, and one of the server, which may have been restored."""
    with EmbeddedPostgres() as server, School(server.create_database("lms")) as school:
        fill(school.create())
        run(school, LOG)
        run(school, FILL, 1, 5000)
        watching = Watching(school.url, store_url)
        watching.poll()
        run(school, VIEW, 11_000, "/lesson/1")
        assert watching.poll() == viewed(11_000)
        for number, look_again in enumerate((watching.app.source.connection.close, watching.restart, server.restart)):
            look_again()
            if look_again == server.restart:
                watching.restart()
            assert watching.poll(2) == set()
            run(school, VIEW, 12_000 + number, "/lesson/2")
            run(school, VIEW, 2 * number + 1, "/lesson/3")
            assert watching.poll() == viewed(12_000 + number, 2 * number + 1)
        watching.close()


def test_rows_of_a_log_committed_late_are_found(school: School, reader: Reader, watch: Watch) -> None:
    run(school, LOG)
    watching = watch(school)
    watching.poll()
    late = school.connect()
    with late.cursor() as sql:
        sql.execute(VIEW, (5, "/lesson"))
    run(school, VIEW, 8, "/lesson")
    assert watching.poll() == viewed(8)
    late.commit()
    late.close()
    assert watching.poll() == viewed(5)


def test_a_row_of_a_log_is_read_once_while_the_connection_holds(school: School, reader: Reader, watch: Watch) -> None:
    run(school, LOG)
    watching = watch(school)
    for number in range(1, 6):
        run(school, VIEW, number, "/lesson")
        watching.poll(2)
    assert reader.ids == [2, 3, 4, 5]
