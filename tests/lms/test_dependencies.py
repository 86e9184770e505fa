"""Other tables that a stream's SELECT reads: what changes there is seen, though no row of the stream was written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from lms_bot.insight.reports.students import get_totals_of_students
from lms_bot.lms import dependencies, poll
from lms_bot.lms.standard import STREAMS, grant_statements
from lms_bot.lms.stream import Dependency, Position
from lms_bot.sandbox.lms.school import School
from lms_bot.store.totals import Coursework
from tests.worlds.watching import Watching, add_attempts, add_content, failed, passed, run

if TYPE_CHECKING:
    from lms_bot.lms.reading import Reading
    from lms_bot.sandbox.lms.postgres import EmbeddedPostgres
    from tests.lms.conftest import Watch

pytestmark = pytest.mark.usefixtures("no_crash_margin")

ATTEMPTS, CONTENTS = STREAMS
NO_FOREIGN_KEY = "ALTER TABLE attempts DROP CONSTRAINT attempts_exam_id_fkey"


@pytest.fixture
def watching(school: School, watching: Watching) -> Watching:
    """One exam and one content were started by student 1, and known at the first look."""
    add_attempts(school, 1, 1, "started")
    add_content(school, 2)
    watching.poll(2)
    return watching


def titles(watching: Watching, student_id: int = 1) -> set[str | None]:
    return {one.title for one in watching.attempts(student_id)}


def names(watching: Watching) -> tuple[str | None, str | None]:
    with watching.app.store.session():
        totals = get_totals_of_students([1])[1]
    return totals.username, totals.display_name


def read(watching: Watching, stream: str = "attempts") -> list[Reading]:
    """The rows that the next poll would read."""
    (chosen,) = (one for one in STREAMS if one.name == stream)
    source, position = watching.app.source, watching.position(stream)
    found = [one for page in source.fetch_changes(chosen, position, watching.known(stream)) for one in page.readings]
    source.forget()
    return found


# ---- what they say now ----


@pytest.mark.parametrize(
    ("rename", "expected"),
    [
        ("UPDATE exams SET title = 'Maths II'", {"Maths II", "Film"}),
        ("""UPDATE "ChapterContent" SET title = 'The film'""", {"Maths", "The film"}),
    ],
)
def test_a_new_title_is_seen_at_the_next_poll(
    school: School, watching: Watching, rename: str, expected: set[str]
) -> None:
    assert titles(watching) == {"Maths", "Film"}
    run(school, rename)
    assert watching.poll() == set()
    assert titles(watching) == expected


def test_a_course_that_is_renamed_is_seen_at_the_next_poll(school: School, watching: Watching) -> None:
    run(school, "UPDATE courses SET title = 'Films about maths'")
    assert watching.poll() == set()
    with watching.app.store.session():
        (content,) = Coursework.select().where(~Coursework.is_exam)
    assert content.course_title == "Films about maths"


def test_a_chapter_that_is_renamed_is_seen_at_the_next_poll(school: School, watching: Watching) -> None:
    run(school, "UPDATE chapters SET name = 'The first'")
    ((reading),) = read(watching, "content_attempts")
    assert reading.activity is not None
    assert reading.activity.activity_metadata["chapter_name"] == "The first"
    watching.poll()
    assert read(watching, "content_attempts") == []


@pytest.mark.parametrize("stream", ["attempts", "content_attempts"])
def test_a_student_who_is_renamed_is_seen_at_the_next_poll(school: School, watching: Watching, stream: str) -> None:
    run(school, f"DELETE FROM {'attempts' if stream == 'content_attempts' else 'content_attempts'}")
    watching.poll()
    assert names(watching) == ("one", None)
    run(school, "UPDATE students SET username = 'uno', first_name = 'Una', last_name = 'Ng' WHERE id = 1")
    assert watching.poll() == set()
    assert names(watching) == ("uno", "Una Ng")


def test_an_exam_that_comes_after_its_attempts_gives_them_its_title(school: School, watching: Watching) -> None:
    run(school, NO_FOREIGN_KEY)
    run(school, "INSERT INTO attempts (id, user_id, exam_id, state) VALUES (7, 2, 70, 'started')")
    watching.poll()
    assert [(one.activity_id, one.title) for one in watching.attempts(2)] == [(0, None)]
    run(school, "INSERT INTO exams (id, slug, title) VALUES (70, 'late', 'Late')")
    assert watching.poll() == set()
    assert [(one.activity_id, one.title) for one in watching.attempts(2)] == [(70, "Late")]


def test_an_exam_that_is_deleted_leaves_the_title_as_last_known(school: School, watching: Watching) -> None:
    run(school, NO_FOREIGN_KEY)
    run(school, "UPDATE exams SET title = 'Maths II'")
    watching.poll()
    run(school, "DELETE FROM exams")
    assert watching.poll() == set()
    assert {(one.activity_id, one.title) for one in watching.attempts()} == {(0, "Maths II"), (1, "Film")}
    run(school, "INSERT INTO exams (id, slug, title) VALUES (1, 'again', 'Maths III')")
    watching.poll()
    assert {(one.activity_id, one.title) for one in watching.attempts()} == {(1, "Maths III"), (1, "Film")}


def test_an_exam_replaced_by_another_in_one_moment_is_seen(school: School, watching: Watching) -> None:
    """There are as many as before."""
    run(school, NO_FOREIGN_KEY)
    run(school, "BEGIN; DELETE FROM exams; INSERT INTO exams (id, slug, title) VALUES (2, 'art', 'Art'); COMMIT")
    run(school, "UPDATE attempts SET exam_id = 2")
    watching.poll()
    assert titles(watching) == {"Art", "Film"}


def test_a_table_of_exams_swapped_in_is_seen(school: School, watching: Watching) -> None:
    run(school, "CREATE TABLE new_exams (LIKE exams INCLUDING ALL)")
    run(school, "INSERT INTO new_exams SELECT * FROM exams; UPDATE new_exams SET title = 'Maths II'")
    watching.poll()
    run(school, NO_FOREIGN_KEY)
    run(school, "BEGIN; ALTER TABLE exams RENAME TO old_exams; ALTER TABLE new_exams RENAME TO exams; COMMIT")
    assert watching.poll() == set()
    assert titles(watching) == {"Maths II", "Film"}


def test_exams_in_a_part_attached_later_are_seen_however_old_they_are(school: School, watching: Watching) -> None:
    run(school, NO_FOREIGN_KEY)
    run(school, "CREATE TABLE parts (LIKE exams) PARTITION BY RANGE (id)")
    run(school, "CREATE TABLE low PARTITION OF parts FOR VALUES FROM (0) TO (10)")
    run(school, "INSERT INTO parts SELECT * FROM exams")
    run(school, "BEGIN; ALTER TABLE exams RENAME TO old_exams; ALTER TABLE parts RENAME TO exams; COMMIT")
    run(school, "CREATE TABLE high (LIKE old_exams INCLUDING DEFAULTS)")
    run(school, "INSERT INTO high (id, slug, title) VALUES (70, 'late', 'Late')")
    run(school, "VACUUM FREEZE high")
    run(school, "INSERT INTO attempts (id, user_id, exam_id, state) VALUES (7, 2, 70, 'started')")
    watching.poll(2)
    assert titles(watching, 2) == {None}
    run(school, "ALTER TABLE exams ATTACH PARTITION high FOR VALUES FROM (10) TO (100)")
    watching.poll()
    assert titles(watching, 2) == {"Late"}


def test_a_title_changed_in_a_transaction_that_commits_late_is_seen(school: School, watching: Watching) -> None:
    run(school, "INSERT INTO exams (id, slug, title) VALUES (2, 'art', 'Art')")
    watching.poll()
    late = school.connect()
    with late.cursor() as sql:
        sql.execute("UPDATE exams SET title = 'Maths II' WHERE id = 1")
    run(school, "INSERT INTO attempts (id, user_id, exam_id, state) VALUES (7, 1, 2, 'started')")
    assert watching.poll(2) == {("7", "exam_started")}
    assert titles(watching) == {"Maths", "Art", "Film"}
    late.commit()
    late.close()
    watching.poll()
    assert titles(watching) == {"Maths II", "Art", "Film"}


def test_exams_that_are_a_view_are_looked_at_whole(school: School, watching: Watching) -> None:
    """It says not who wrote its rows."""
    run(school, "ALTER TABLE exams RENAME TO all_exams; CREATE VIEW exams AS SELECT * FROM all_exams")
    watching.poll()
    run(school, "UPDATE all_exams SET title = 'Maths II'")
    watching.poll()
    assert titles(watching) == {"Maths II", "Film"}
    assert read(watching) == []


def test_a_row_may_depend_on_two_rows_of_one_table(
    school: School, watching: Watching, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = tuple(Dependency("students", "username", concerns=f"a.{column}") for column in ("user_id", "speed"))
    watching.watch_streams(monkeypatch, replace(ATTEMPTS, depends_on=both))
    add_attempts(school, 5, 7)
    run(school, "UPDATE attempts SET speed = 2 WHERE id = 6")
    watching.poll(2)
    for student_id, expected in ((2, {"6"}), (1, {"1", "5", "6", "7"})):
        run(school, "UPDATE students SET username = username || '!' WHERE id = %s", student_id)
        source, position = watching.app.monitor._source, watching.position()
        pages = source.fetch_changes(source.streams[0], position, watching.known())
        assert {one.row_key for page in pages for one in page.readings} == expected
        watching.poll()


# ---- what that costs ----


def test_what_is_written_in_columns_that_are_not_ours_has_nothing_read_again(
    school: School, watching: Watching
) -> None:
    for number in range(5):
        run(school, f"UPDATE students SET streak = {number}, last_active_date = now()")
        run(school, "UPDATE exams SET modified = now(), duration = duration + 1")
        assert read(watching) == []
        watching.poll()
        position = watching.position()
        assert (position.concerned, position.concerned_next, position.pass_horizon) == ({}, {}, None)


def test_only_what_depends_on_the_changed_row_is_read_again(school: School, watching: Watching) -> None:
    run(school, "INSERT INTO exams (id, slug, title) VALUES (2, 'art', 'Art')")
    run(school, "INSERT INTO attempts (id, user_id, exam_id, state) VALUES (7, 2, 2, 'started'), (8, 2, 2, 'ended')")
    watching.poll()
    run(school, "UPDATE exams SET title = 'Arts' WHERE id = 2")
    assert {one.row_key for one in read(watching)} == {"7", "8"}
    watching.poll()
    run(school, "UPDATE students SET display_name = 'One' WHERE id = 1")
    assert {one.row_key for one in read(watching)} == {"1"}


def test_where_very_many_changed_all_is_read_again(
    school: School, watching: Watching, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dependencies, "MOST_CONCERNED", 3)
    run(school, "INSERT INTO exams (id, slug, title) SELECT i, i::text, 'Exam' FROM generate_series(10, 15) AS i")
    run(school, "UPDATE attempts SET exam_id = 10")
    watching.poll()
    run(school, "UPDATE exams SET title = title || ' ' || id")
    watching.poll()
    assert titles(watching) == {"Exam 10", "Film"}
    assert watching.position().concerned_next == {}


def test_titles_changed_in_the_middle_of_a_slow_pass_reach_every_attempt(
    school: School, watch: Watch, one_block_a_poll: None
) -> None:
    add_attempts(school, 1, 900)
    run(school, "INSERT INTO exams (id, slug, title) VALUES (2, 'art', 'Art')")
    run(school, "UPDATE attempts SET exam_id = 2 WHERE id > 450")
    watching = watch(school)
    watching.poll()
    watching.slow_down()
    run(school, "SELECT pg_current_xact_id()")
    watching.poll(4)
    for change in ("title = 'Maths II' WHERE id = 1", "title = 'Arts' WHERE id = 2"):
        assert watching.position().pass_block > 2
        run(school, f"UPDATE exams SET {change}")
        watching.poll()
    assert set(watching.position().concerned_next["exams"]) == {"1", "2"}
    watching.poll(60)
    for _ in range(60):  # other databases of the server are written to, and each time a pass begins
        if watching.position().pass_horizon is None:
            break
        watching.poll()
    position = watching.position()
    assert (position.concerned, position.concerned_next, position.pass_horizon) == ({}, {}, None)
    assert titles(watching) == {"Maths II", "Arts"}


def test_a_pass_under_way_that_can_be_ended_is_followed_by_the_next_at_once(
    school: School, watch: Watch, one_block_a_poll: None
) -> None:
    add_attempts(school, 1, 900)
    watching = watch(school)
    watching.poll()
    watching.slow_down()
    run(school, "SELECT pg_current_xact_id()")
    watching.poll(4)
    assert watching.position().pass_block > 2
    watching.app.source.memory.budget_seconds = 60.0
    run(school, "UPDATE exams SET title = 'Maths II'")
    watching.poll()
    assert titles(watching) == {"Maths II"}


def test_what_was_found_is_not_lost_where_the_poll_that_found_it_broke_off(
    school: School, watching: Watching, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(school, "UPDATE exams SET title = 'Maths II'")
    run(school, "UPDATE attempts SET state = 'ended'")

    def fail(_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        watching.replace_parts(broken, find_recipients=fail)
        with pytest.raises(KeyboardInterrupt):
            watching.poll()
    watching.restart()
    assert watching.poll() == passed(1)
    assert titles(watching) == {"Maths II", "Film"}


# ---- roles and stores of earlier versions ----


@pytest.fixture
def old_guest(postgres: EmbeddedPostgres, school: School) -> Iterator[str]:
    """The URL of a role that was granted what earlier versions asked for."""
    role_url = postgres.create_role("old_guest")
    run(school, grant_statements("old_guest"))
    for stream in STREAMS:
        for one in stream.depends_on:
            run(school, f"REVOKE SELECT (xmin) ON {one.table} FROM old_guest")
    yield f"{role_url.rpartition('/')[0]}/{school.url.rpartition('/')[2]}"
    run(school, "DROP OWNED BY old_guest CASCADE; DROP ROLE old_guest")


def test_a_role_that_may_not_read_who_wrote_the_exams_sees_their_new_titles_too(
    school: School, old_guest: str, watch: Watch
) -> None:
    add_attempts(school, 1, 3)
    allowed = School(old_guest)
    watching = watch(allowed)
    watching.poll(2)
    run(school, "UPDATE exams SET title = 'Maths II'; UPDATE students SET first_name = 'Una' WHERE id = 1")
    assert watching.poll() == set()
    assert titles(watching) == {"Maths II"}
    assert names(watching) == ("one", "Una")
    run(school, "UPDATE exams SET modified = now()")
    assert read(watching) == []


def test_a_position_of_an_earlier_version_has_everything_looked_at_once(school: School, watching: Watching) -> None:
    before = watching.position()
    with watching.app.store.transaction() as db:
        db.execute_sql("DELETE FROM lms_row_digests")
    for stream in STREAMS:
        old = {"table_id": before.table_id, "high_key": 1, "horizon": before.horizon, "pass_file": 17}
        position = watching.position(stream.name)
        assert Position.from_json(old).parts is None
        watching.set_position(stream.name, old | {"table_id": position.table_id, "high_key": position.high_key})
    run(school, "UPDATE exams SET title = 'Maths II'")
    assert {one.row_key for one in read(watching)} == {"1"}
    assert watching.poll() == set()
    assert titles(watching) == {"Maths II", "Film"}
    assert read(watching) == []


def test_after_a_new_connection_the_look_goes_further_back_as_that_at_the_rows_does(
    school: School, watching: Watching, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that crashed may have used the ids of transactions again."""
    add_attempts(school, 5, 5)
    for _ in range(30):
        run(school, "SELECT pg_current_xact_id()")
    run(school, "UPDATE exams SET title = 'Maths II'")
    assert watching.poll() == passed(5)
    with watching.app.store.transaction() as db:  # as if it had seen what the crash undid
        db.execute_sql("UPDATE lms_row_digests SET digest = 'lost' WHERE table_name = 'exams'")
    monkeypatch.setattr(poll, "CRASH_MARGIN", 20)
    assert "5" not in {one.row_key for one in read(watching)}
    watching.app.source.connection.close()
    assert "5" in {one.row_key for one in read(watching)}


def test_a_stream_that_names_nothing_it_depends_on_is_read_as_it_was(
    school: School, watching: Watching, monkeypatch: pytest.MonkeyPatch
) -> None:
    watching.watch_streams(monkeypatch, replace(ATTEMPTS, depends_on=()), CONTENTS)
    watching.poll()
    run(school, "UPDATE exams SET title = 'Maths II'")
    watching.poll()
    assert titles(watching) == {"Maths", "Film"}


def test_many_changes_at_every_poll_do_not_keep_a_pass_from_its_end(
    school: School, watching: Watching, one_block_a_poll: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A school that grows while a large table is looked at in small slices."""
    monkeypatch.setattr(dependencies, "MOST_CONCERNED", 3)
    add_attempts(school, 1001, 2000)
    watching.poll()
    watching.slow_down()
    run(school, "UPDATE attempts SET result = 'fail' WHERE id = 2000")
    found: set[tuple[str, str]] = set()
    for number in range(60):
        first = 1000 + 10 * number
        run(
            school,
            f"INSERT INTO students (id, username) SELECT i, 's' || i FROM generate_series({first}, {first + 4}) i",
        )
        found |= watching.poll()
    assert found == failed(2000)
