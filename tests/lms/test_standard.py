"""The standard LMS: rows that say little, rows that say nonsense, and the rights the bot needs to read them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg2
import pytest

from lms_bot.core.activities import UNKNOWN_STATE, UNREADABLE, ActivityType
from lms_bot.core.errors import LMSBotError
from lms_bot.insight.reports.students import get_attention
from lms_bot.lms.driver import Unreadable
from lms_bot.lms.known_rows import Remembered
from lms_bot.lms.standard import READ_COLUMNS, STREAMS, grant_statements
from lms_bot.lms.values import FURTHEST_AHEAD
from lms_bot.sandbox.lms.school import School
from lms_bot.store.messages import Delivery
from lms_bot.store.models import LMSActivityEvent
from tests.worlds.watching import CONTENT, LONG_AGO, Watching, add_attempts, fill, passed, run

if TYPE_CHECKING:
    from lms_bot.lms.reading import Reading
    from lms_bot.lms.stream import Stream
    from lms_bot.sandbox.lms.postgres import EmbeddedPostgres

ATTEMPTS, CONTENTS = STREAMS
FAR = 2**40
NOW = datetime(2026, 1, 15, 12, tzinfo=timezone.utc)


@pytest.fixture
def watching(watching: Watching) -> Watching:
    """On either store: what one of them cannot keep must not stop the other rows. Its first look is over."""
    watching.poll()
    return watching


# ---- values that cannot be kept ----

ABSURD_TIMES = ("infinity", "-infinity", "0044-03-15 BC", "20000-01-01", "0001-01-01", "9999-12-31", "4713-01-01 BC")


@pytest.mark.parametrize("kind", ["timestamp(3)", "timestamp(3) with time zone"])
def test_absurd_times_are_rejected_one_by_one(school: School, watching: Watching, kind: str) -> None:
    run(school, f"ALTER TABLE attempts ALTER COLUMN date TYPE {kind}")
    for row_id, moment in enumerate(ABSURD_TIMES, start=1):
        add_attempts(school, row_id, row_id, date=moment)
    add_attempts(school, 50, 50)
    assert watching.poll() == {("50", "exam_passed")}
    rejected = watching.rejected()
    assert set(rejected) == {str(row_id) for row_id in range(1, len(ABSURD_TIMES) + 1)}
    assert all(reason.startswith("date: ") for reason in rejected.values())
    run(school, "UPDATE attempts SET date = '2026-01-15 10:00' WHERE id IN (1, 4)")
    assert watching.poll() == {("1", "exam_passed"), ("4", "exam_passed")}
    assert not {"1", "4"} & set(watching.rejected())


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_numbers_that_are_none_are_rejected_until_they_change(
    school: School, watching: Watching, number: str
) -> None:
    add_attempts(school, 1, 3)
    run(school, "UPDATE attempts SET percentile = %s WHERE id = 2", number)
    assert watching.poll() == {("1", "exam_passed"), ("3", "exam_passed")}
    (reason,) = watching.rejected().values()
    assert reason.startswith("percentile: ")
    run(school, "UPDATE attempts SET percentile = 99.5 WHERE id = 2")
    assert watching.poll() == {("2", "exam_passed")}
    assert watching.rejected() == {}


def test_numbers_too_large_for_the_store_do_not_stop_the_others(school: School, watching: Watching) -> None:
    run(school, "ALTER TABLE attempts DROP CONSTRAINT attempts_user_id_fkey")
    run(school, "ALTER TABLE attempts ALTER id TYPE bigint, ALTER user_id TYPE numeric, ALTER score TYPE numeric")
    add_attempts(school, 1, 1)
    run(school, "INSERT INTO attempts (id, user_id, state) VALUES (2, 1180591620717411303424, 'started')")
    run(school, "INSERT INTO attempts (id, user_id, state) VALUES (3, 1.5, 'started')")
    run(school, "INSERT INTO attempts (id, user_id, state, score) VALUES (4, 1, 'started', 1e300)")
    add_attempts(school, 9, 9)
    assert watching.poll() == {("1", "exam_passed"), ("4", "exam_started"), ("9", "exam_passed")}
    assert watching.rejected() == {
        "2": "the student's id: 1180591620717411303424 is larger than can be kept",
        "3": "the student's id: “1.5” is no whole number",
    }


def test_ids_may_have_64_bits(school: School, watching: Watching) -> None:
    for constraint in ("attempts_user_id_fkey", "attempts_exam_id_fkey"):
        run(school, f"ALTER TABLE attempts DROP CONSTRAINT {constraint}")
    run(
        school,
        """ALTER TABLE "_MentorToStudent" DROP CONSTRAINT "_MentorToStudent_A_fkey",
        DROP CONSTRAINT "_MentorToStudent_B_fkey", ALTER "A" TYPE bigint, ALTER "B" TYPE bigint""",
    )
    run(school, "ALTER TABLE content_attempts DROP CONSTRAINT content_attempts_user_id_fkey")
    run(school, "ALTER TABLE students ALTER id TYPE bigint")
    run(school, "ALTER TABLE mentors ALTER id TYPE bigint, ALTER user_id TYPE bigint")
    run(school, "ALTER TABLE attempts ALTER id TYPE bigint, ALTER user_id TYPE bigint, ALTER exam_id TYPE bigint")
    run(school, "INSERT INTO students (id, username) VALUES (%s, 'far')", FAR)
    run(school, "INSERT INTO mentors (id, username, user_id) VALUES (%s, 'ida', %s)", FAR + 1, FAR + 2)
    run(school, 'INSERT INTO "_MentorToStudent" VALUES (%s, %s)', FAR + 1, FAR)
    run(school, "INSERT INTO attempts (id, user_id, exam_id, state) VALUES (%s, %s, 1, 'ended')", FAR + 3, FAR)
    assert watching.poll() == {(str(FAR + 3), "exam_completed")}
    with watching.app.store.session():
        event = LMSActivityEvent.get()
        assert (event.attempt_id, event.student_id, event.mentor_id) == (FAR + 3, FAR, FAR + 2)
        assert [one.recipient for one in Delivery.select()] == [f"mentor:{FAR + 1}"]
    watching.app.counters.catch_up()
    with watching.app.store.session():
        assert get_attention([FAR], NOW)[FAR].last_result is not None
    assert [one.outcome for one in watching.attempts(FAR)] == ["completed"]


def test_scores_kept_as_numeric_are_read_as_numbers(school: School, watching: Watching) -> None:
    run(school, "ALTER TABLE attempts ALTER percentage TYPE numeric(10, 2), ALTER score TYPE numeric(10, 2)")
    add_attempts(school, 1, 1)
    run(school, "UPDATE attempts SET percentage = 82.50, score = 40, time_taken = '0:45:00'")
    assert watching.poll() == {("1", "exam_passed")}
    assert watching.event(1).activity_metadata["percentage"] == 82.5
    assert watching.event(1).activity_metadata["score"] == 40


def test_a_numeric_that_is_no_number_is_rejected(school: School, watching: Watching) -> None:
    run(school, "ALTER TABLE attempts ALTER percentage TYPE numeric")
    add_attempts(school, 1, 2)
    run(school, "UPDATE attempts SET percentage = 'NaN' WHERE id = 1")
    assert watching.poll() == {("2", "exam_passed")}
    assert set(watching.rejected()) == {"1"}


def test_a_time_taken_kept_as_interval_is_read(school: School, watching: Watching) -> None:
    run(school, "ALTER TABLE attempts ALTER time_taken TYPE interval USING time_taken::interval")
    add_attempts(school, 1, 1)
    run(school, "UPDATE attempts SET time_taken = '45 minutes'")
    assert watching.poll() == {("1", "exam_passed")}
    assert watching.event(1).activity_metadata["time_taken"] == "0:45:00"


def test_every_nullable_column_may_be_null(school: School, watching: Watching) -> None:
    run(school, "INSERT INTO attempts (id, user_id, state) VALUES (1, 1, 'completed')")
    run(school, "INSERT INTO attempts (id, state) VALUES (2, 'started')")
    run(school, "INSERT INTO attempts (id) VALUES (3)")
    run(school, "INSERT INTO attempts (id, user_id) VALUES (4, 1)")
    assert watching.poll() == {("1", "exam_completed")}
    event = watching.event(1)
    assert (event.student_username, event.student_display_name, event.activity_title) == ("one", None, None)
    assert set(watching.rejected()) == {"2", "3", "4"}
    run(school, "UPDATE attempts SET user_id = 2, state = 'started'")
    assert watching.poll() == {(row_key, "exam_started") for row_key in "1234"}
    assert watching.rejected() == {}


def test_deleted_students_and_exams_leave_the_activity(school: School, watching: Watching) -> None:
    run(school, "ALTER TABLE attempts DROP CONSTRAINT attempts_user_id_fkey, DROP CONSTRAINT attempts_exam_id_fkey")
    run(school, "INSERT INTO attempts (id, user_id, exam_id, username, state) VALUES (1, 77, 78, 'gone', 'started')")
    assert watching.poll() == {("1", "exam_started")}
    assert watching.event(1).student_username == "gone"


def test_text_of_any_kind_arrives_as_it_is(school: School, watching: Watching) -> None:
    texts = ["tab\tnew\nline\\n\r\x08\x0b\x1f", "عمر 李娜 🎓", "'; DROP TABLE x; --", "%s %(x)s {}", "\\N", "\u202e"]
    for number, text in enumerate(texts, start=100):
        run(school, "INSERT INTO exams (id, slug, title) VALUES (%s, %s, %s)", number, str(number), text)
        run(school, "INSERT INTO attempts (id, user_id, exam_id, state) VALUES (%s, 1, %s, 'ended')", number, number)
    watching.poll()
    assert [watching.event(number).activity_title for number in range(100, 100 + len(texts))] == texts


def test_a_title_without_end_is_cut(school: School, watching: Watching) -> None:
    run(school, "UPDATE exams SET title = repeat('long ', 10000)")
    add_attempts(school, 1, 1)
    watching.poll()
    title = watching.event(1).activity_title
    assert title is not None and len(title) == 500 and title.endswith("…")


def test_times_with_zone_and_without_are_the_same_moment(new_database: Callable[..., str], tmp_path: Path) -> None:
    with School(new_database(), timestamps="timestamptz") as school:
        fill(school.create())
        name = school.url.rpartition("/")[2]
        run(school, f"ALTER DATABASE {name} SET timezone = 'Asia/Kolkata'")
        watching = Watching(school.url, f"sqlite:///{tmp_path / 'store.db'}")
        watching.poll()
        add_attempts(school, 1, 1, "started", date="2026-01-15 14:30+05:30")
        add_attempts(school, 2, 2, "started", date="2026-01-15 09:00+00")
        watching.poll()
        assert watching.event(1).timestamp == watching.event(2).timestamp == NOW.replace(hour=9)
        watching.close()


# ---- what an event is about ----


def test_an_event_names_the_exam_or_content_and_the_row(school: School, watching: Watching) -> None:
    run(school, "INSERT INTO exams (id, slug, title) VALUES (50, 'art', 'Art')")
    run(school, "INSERT INTO attempts (id, user_id, exam_id, state) VALUES (7, 1, 50, 'started')")
    run(school, """UPDATE "ChapterContent" SET id = 60""")
    run(school, CONTENT.replace("1, 1, 1,", "1, 1, 60,"), 8, "started", LONG_AGO)
    watching.poll()
    named = [
        (event.stream, event.attempt_id, event.activity_id, event.activity_title)
        for event in (watching.event(7), watching.event(8))
    ]
    assert named == [("attempts", 7, 50, "Art"), ("content_attempts", 8, 60, "Film")]
    assert {(one.activity_id, one.title) for one in watching.attempts()} == {(50, "Art"), (60, "Film")}


@pytest.mark.parametrize("loss", ["DELETE FROM exams", "UPDATE attempts SET exam_id = NULL"])
def test_what_becomes_of_an_attempt_whose_exam_is_gone_is_told_with_the_title_as_last_known(
    school: School, watching: Watching, loss: str
) -> None:
    run(school, "ALTER TABLE attempts DROP CONSTRAINT attempts_exam_id_fkey")
    add_attempts(school, 1, 1, "started")
    watching.poll()
    run(school, loss)
    run(school, "UPDATE attempts SET state = 'ended'")
    assert watching.poll() == passed(1)
    with watching.app.store.session():
        event = LMSActivityEvent.get(LMSActivityEvent.event_type == "exam_passed")
    assert (event.attempt_id, event.activity_id, event.activity_title) == (1, 0, "Maths")
    assert [(one.activity_id, one.title, one.outcome) for one in watching.attempts()] == [(0, "Maths", "passed")]


def test_attempts_of_exams_that_never_were_have_no_title(school: School, watching: Watching) -> None:
    run(school, "INSERT INTO attempts (id, user_id, state) VALUES (1, 1, 'started'), (2, 1, 'ended')")
    assert watching.poll() == {("1", "exam_started"), ("2", "exam_completed")}
    assert {(one.activity_id, one.title) for one in watching.attempts()} == {(0, None)}


# ---- other encodings ----


def create_lms(server: EmbeddedPostgres, name: str, encoding: str) -> School:
    with closing(server.connect()) as admin, admin.cursor() as sql:
        sql.execute(f"CREATE DATABASE {name} ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0")
        sql.execute(f"ALTER DATABASE {name} SET client_encoding = 'UTF8'")
    return fill(School(server.url(name)).create())


def test_broken_bytes_in_a_database_that_checks_nothing_cost_only_their_row(
    postgres: EmbeddedPostgres, store_url: str
) -> None:
    with create_lms(postgres, "bytes", "SQL_ASCII") as school:
        add_attempts(school, 1, 4)
        run(school, "SET client_encoding = 'SQL_ASCII'; UPDATE exams SET title = E'Pr\\xc3\\xbcfung'")
        watching = Watching(school.url, store_url)
        run(school, "UPDATE attempts SET state = E'compl\\xff' WHERE id = 2")
        run(school, "UPDATE attempts SET username = E'\\xc3' WHERE id = 3")
        watching.poll()
        run(school, "UPDATE attempts SET result = 'fail'")
        assert watching.poll() == {("1", "exam_failed"), ("4", "exam_failed")}
        assert watching.event(1).activity_title == "Prüfung"
        assert set(watching.rejected()) == {"2", "3"}
        assert "not valid UTF-8" in watching.rejected()["2"]
        run(school, "UPDATE students SET first_name = E'\\xff\\xfe' WHERE id = 1")
        assert [one.first_name for one in watching.app.reader.fetch_students([1])] == [None]
        run(school, "UPDATE students SET first_name = 'One'; UPDATE attempts SET state = 'ended', username = 'one'")
        assert watching.poll() == {("2", "exam_failed"), ("3", "exam_failed")}
        watching.close()
    postgres.drop_database("bytes")


def test_an_lms_in_another_encoding_is_read(
    postgres: EmbeddedPostgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with create_lms(postgres, "elsewhere", "WIN1250") as school:
        run(school, "UPDATE exams SET title = 'Próba, Łódź'")
        monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")  # the bot's surroundings have no say in it
        watching = Watching(school.url, f"sqlite:///{tmp_path / 'store.db'}")
        watching.poll()
        add_attempts(school, 1, 1)
        assert watching.poll() == {("1", "exam_passed")}
        assert watching.event(1).activity_title == "Próba, Łódź"
        watching.close()
    postgres.drop_database("elsewhere")


# ---- reading a row ----


def exam(**columns: Any) -> Reading:
    return read(ATTEMPTS, {"state": "started", "date": NOW} | columns)


def content(**columns: Any) -> Reading:
    return read(CONTENTS, {"state": "viewed", "created": NOW} | columns)


def read(stream: Stream, columns: dict[str, Any]) -> Reading:
    row = dict.fromkeys(stream.columns) | {"id": 1, "user_id": 2} | columns
    (reading,) = stream.read_all([tuple(row[name] for name in stream.columns)], NOW)
    return reading


@pytest.mark.parametrize(
    ("columns", "problem"),
    [
        ({"state": "lost"}, UNKNOWN_STATE),
        ({"state": None}, UNKNOWN_STATE),
        ({"state": "watched"}, UNKNOWN_STATE),  # an exam cannot be watched
        ({"user_id": None}, UNREADABLE),
        ({"percentile": float("nan")}, UNREADABLE),
        ({"date": datetime(1970, 1, 1)}, UNREADABLE),
        ({"date": NOW + FURTHEST_AHEAD + timedelta(seconds=1)}, UNREADABLE),
        ({"title": Unreadable("text that is not valid UTF-8")}, UNREADABLE),
    ],
)
def test_a_rejection_has_the_row_a_problem_and_a_reason(columns: dict[str, Any], problem: str) -> None:
    reading = exam(**columns)
    assert reading.activity is None and not reading.is_open
    assert reading.rejection is not None
    assert (reading.rejection.stream, reading.rejection.row_key) == ("attempts", "1")
    assert reading.rejection.problem == problem
    assert reading.rejection.reason


def test_times_at_the_edge_of_the_possible_are_kept() -> None:
    for moment in (datetime(1990, 1, 1), NOW + FURTHEST_AHEAD):
        assert exam(date=moment).rejection is None


def test_a_running_exam_is_open_and_a_finished_one_is_not() -> None:
    assert exam().is_open and content(state="in_progress").is_open
    assert not exam(state="ended").is_open and not content().is_open


def test_what_travels_in_the_metadata_is_json() -> None:
    activity = content(completed_on=datetime(2026, 1, 15, 11), content_type="Video").activity
    assert activity is not None and activity.event_type is ActivityType.CONTENT_WATCHED
    assert json.loads(json.dumps(dict(activity.activity_metadata)))["completed_on"] == "2026-01-15T11:00:00+00:00"


# ---- what a guest must be allowed ----


def grant_guest(server: EmbeddedPostgres, school: School) -> str:
    """The URL of a role that has been granted what `grant_statements` says, and nothing else."""
    role_url = server.create_role("lms_guest")
    run(school, grant_statements("lms_guest"))
    return f"{role_url.rpartition('/')[0]}/{school.url.rpartition('/')[2]}"


def remove_guest(school: School) -> None:
    run(school, "DROP OWNED BY lms_guest CASCADE; DROP ROLE lms_guest")


@pytest.fixture
def guest(postgres: EmbeddedPostgres, school: School) -> Iterator[str]:
    yield grant_guest(postgres, school)
    remove_guest(school)


def read_all(url: str, folder: Path) -> Watching:
    """Everything the bot ever reads: the first look, polls by all three ways, people, history."""
    watching = Watching(url, f"sqlite:///{folder / f'{len(list(folder.iterdir()))}.db'}")
    try:
        watching.poll(2)
        source, app = watching.app.source, watching.app
        for stream in source.streams:
            position = watching.position(stream.name)
            list(source.fetch_changes(stream, position, Remembered(open_keys=["1"], keys=["1"])))
            list(source.fetch_history(stream, NOW, position))
        people = app.reader
        people.fetch_mentors(), people.fetch_mentors_of_students([1]), people.fetch_students([1])
        people.fetch_students_of_mentors([1]), people.fetch_all_students()
        people.fetch_enrolled()
        people.fetch_shared_student_emails(["x"]), people.fetch_students_called(["x"], ["x"])
        app.users.clear_cache()
        app.users.get_mapping_stats(), app.users.get_unmapped_mentors(), app.events.get_recipients([1])
    finally:
        watching.close()
    return watching


def test_a_student_without_a_display_name_is_called_by_first_and_last_name(school: School, tmp_path: Path) -> None:
    run(school, "UPDATE students SET display_name = ' ', first_name = 'Ada', last_name = 'Ng' WHERE id = 1")
    watching = Watching(school.url, f"sqlite:///{tmp_path / 'store.db'}")
    assert [one.display_name for one in watching.app.reader.fetch_students([1])] == ["Ada Ng"]
    watching.close()


def test_who_is_active_is_read(school: School, tmp_path: Path) -> None:
    run(school, "UPDATE students SET is_active = FALSE WHERE id = 1")
    watching = Watching(school.url, f"sqlite:///{tmp_path / 'store.db'}")
    assert {one.student_id: one.is_active for one in watching.app.reader.fetch_all_students()} == {1: False, 2: True}
    watching.close()


def test_the_granted_columns_suffice(school: School, guest: str, tmp_path: Path) -> None:
    add_attempts(school, 1, 20, "started")
    read_all(guest, tmp_path)


def test_they_suffice_on_an_old_server(postgres15: EmbeddedPostgres, tmp_path: Path) -> None:
    with School(postgres15.create_database("guests")) as school:
        fill(school.create())
        add_attempts(school, 1, 20, "started")
        read_all(grant_guest(postgres15, school), tmp_path)
        remove_guest(school)
    postgres15.drop_database("guests")


GRANTED = [(table, column) for table, columns in READ_COLUMNS.items() for column in columns]


WRITTEN = [(table, "xmin") for table in ("students", "exams", '"ChapterContent"', "courses", "chapters")]
SPARED = [("students", "created"), ("exams", "pass_percentage"), *WRITTEN]
"""By `xmin`, only what was written since is looked at; where an older role lacks it, all of the table is. Without
`created`, a student is new from when we first see them; without `pass_percentage`, charts have no pass mark."""


def test_every_granted_column_is_needed(school: School, guest: str, tmp_path: Path) -> None:
    add_attempts(school, 1, 1, "started")
    unneeded = []
    for table, column in GRANTED:
        run(school, f"REVOKE SELECT ({column}) ON {table} FROM lms_guest")
        try:
            read_all(guest, tmp_path)
            unneeded.append((table, column))
        except LMSBotError as error:
            assert "lets us in but not read" in str(error)  # which columns pass is what is asserted  # noqa: PT017  # which columns pass is what is asserted
        run(school, f"GRANT SELECT ({column}) ON {table} TO lms_guest")
    assert set(unneeded) == set(SPARED)


SECRETS = [("students", "password_hash"), ("students", "phone"), ("students", "parent_number"), ("batches", "id")]


@pytest.mark.parametrize(("table", "column"), SECRETS)
def test_a_guest_cannot_read_what_the_bot_has_no_business_with(guest: str, table: str, column: str) -> None:
    with closing(psycopg2.connect(guest)) as connected, pytest.raises(psycopg2.errors.InsufficientPrivilege):
        connected.cursor().execute(f"SELECT {column} FROM {table}")


def test_a_guest_cannot_write(guest: str) -> None:
    for statement in ("UPDATE attempts SET state = 'x'", "DELETE FROM attempts", "CREATE TABLE mine (id int)"):
        with closing(psycopg2.connect(guest)) as connected, pytest.raises(psycopg2.errors.InsufficientPrivilege):
            connected.cursor().execute(statement)
