"""The LMS in a box: a PostgreSQL that leaves nothing behind, and a school that behaves like one."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg2
import pytest
from playhouse.db_url import connect as open_store

from lms_bot.sandbox.lms import school as school_module
from lms_bot.sandbox.lms.postgres import EmbeddedPostgres, find_binaries
from lms_bot.sandbox.lms.sample import fill
from lms_bot.sandbox.lms.school import School, utc
from lms_bot.sandbox.reaper import Reaper
from tests.places import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ORIGINAL_SCHEMA = REPOSITORY.parent / "shared" / "lms" / "schema.sql"
NOON = datetime(2026, 1, 15, 12, 0)  # noqa: DTZ001  (as the LMS has it)


def rows(school: School, query: str, *values: Any) -> list[tuple[Any, ...]]:
    with school.transaction() as sql:
        sql.execute(query, values)
        return sql.fetchall()


def eventually(condition: Callable[[], bool], seconds: float = 5.0) -> bool:
    """For what other processes do, of which no event tells us."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


def processes_using(folder: Path) -> list[str]:
    """The command lines that name the folder; elsewhere than on Linux, none are known."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue  # it ended meanwhile
        if str(folder) in words:
            found.append(words)
    return found


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


# ---- the server ----


@pytest.fixture(params=["postgres", "postgres15"])
def server(request: pytest.FixtureRequest) -> EmbeddedPostgres:
    found: EmbeddedPostgres = request.getfixturevalue(request.param)
    return found


def test_a_server_answers_by_tcp_and_by_socket(server: EmbeddedPostgres) -> None:
    by_socket = f"host={server.folder} port={server.port} user=postgres"
    for address in (server.url(), by_socket):
        with closing(psycopg2.connect(address)) as connection, connection.cursor() as sql:
            sql.execute("SELECT lower('ÉÄ'), current_setting('TimeZone'), current_setting('fsync')")
            assert sql.fetchone() == ("éä", "UTC", "off")


def test_what_was_committed_survives_an_absence_and_a_crash(server: EmbeddedPostgres) -> None:
    url = server.create_database("absence")
    with School(url) as school:
        school.create()
        student = school.add_student("john_doe")
        with server.away():
            assert not server.is_running
            with pytest.raises(psycopg2.OperationalError):
                psycopg2.connect(url)
        server.restart("immediate")
        assert rows(school, "SELECT id FROM students") == [(student,)]
    server.drop_database("absence")


def test_a_database_is_dropped_even_when_somebody_uses_it(server: EmbeddedPostgres) -> None:
    with closing(psycopg2.connect(server.create_database("Odd name!"))):
        server.drop_database("Odd name!")
        server.drop_database("Odd name!")
    with pytest.raises(psycopg2.OperationalError):
        psycopg2.connect(server.url("Odd name!"))


def test_a_new_role_may_log_in_by_its_password_and_read_nothing(postgres: EmbeddedPostgres, lms: School) -> None:
    url = postgres.create_role("guest")
    assert url == postgres.url(user="guest")
    database = lms.url.rsplit("/", 1)[1]
    as_guest = closing(psycopg2.connect(postgres.url(database, "guest")))
    refused = pytest.raises(psycopg2.errors.InsufficientPrivilege)
    with as_guest as connection, connection.cursor() as sql, refused:
        sql.execute("SELECT 1 FROM students")
    with pytest.raises(psycopg2.OperationalError, match="password"):
        psycopg2.connect(postgres.url(user="guest", password="wrong"))


def test_several_servers_run_at_once_and_leave_nothing_when_stopped() -> None:
    with EmbeddedPostgres() as one, EmbeddedPostgres() as other:
        folders, ports = {one.folder, other.folder}, {one.port, other.port}
        assert len(folders) == len(ports) == 2
        assert all(processes_using(folder) for folder in folders) or sys.platform != "linux"
    assert not any(processes_using(folder) or folder.exists() for folder in folders)
    assert not any(is_listening(port) for port in ports)


def test_a_stopped_server_starts_again_empty() -> None:
    server = EmbeddedPostgres()
    with server:
        server.create_database("gone")
    server.stop()
    with server, server.connect() as connection, connection.cursor() as sql:
        sql.execute("SELECT count(*) FROM pg_database WHERE datname = 'gone'")
        assert sql.fetchone() == (0,)


def test_binaries_that_are_not_there_are_an_error_that_says_where(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=f"no PostgreSQL in {tmp_path}"):
        EmbeddedPostgres(tmp_path)


def test_a_server_that_cannot_start_says_why_and_leaves_nothing(tmp_path: Path) -> None:
    binaries = tmp_path / "postgresql" / "bin"
    binaries.mkdir(parents=True)
    for name in ("initdb", "postgres"):
        (binaries / name).write_text("#!/bin/sh\necho no such luck\nexit 1\n")
        (binaries / name).chmod(0o755)
    server = EmbeddedPostgres(binaries)
    with pytest.raises(RuntimeError, match="no such luck"):
        server.start()
    with pytest.raises(RuntimeError, match="not started"):
        _ = server.folder


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has files that its server may not read")
def test_binaries_in_a_folder_of_roots_are_used_all_the_same(tmp_path: Path) -> None:
    package = find_binaries().parents[1]
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    for part in package.parent.glob(f"{package.name}*/"):
        (private / part.name).symlink_to(part)
    with EmbeddedPostgres(private / find_binaries().relative_to(package.parent)) as server:
        assert server.is_running


# ---- its end, when the owner ends ----

OWNER = """
import signal, sys, threading
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell in the background starts all with SIGINT ignored
from contextlib import nullcontext
from lms_bot.sandbox.lms.postgres import EmbeddedPostgres
server = EmbeddedPostgres().start()
with server.away() if "away" in sys.argv else nullcontext():
    print(server.folder, server.port, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def owner(request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[str]]:
    """A program that owns a server until its standard input closes."""
    process = subprocess.Popen(
        [sys.executable, "-c", OWNER, getattr(request, "param", "")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    with process:
        yield process
        process.kill()


def folder_and_port(owner: subprocess.Popen[str]) -> tuple[Path, int]:
    assert owner.stdout is not None
    folder, port = owner.stdout.readline().split()
    assert Path(folder).exists()
    return Path(folder), int(port)


@pytest.mark.parametrize(
    ("owner", "last_word"),
    [
        ("", signal.SIGKILL),
        ("", signal.SIGTERM),
        ("", signal.SIGINT),
        ("", None),
        ("away", signal.SIGKILL),
    ],
    indirect=["owner"],
)
def test_nothing_is_left_however_the_owner_ends(
    owner: subprocess.Popen[str], last_word: signal.Signals | None
) -> None:
    folder, port = folder_and_port(owner)
    if last_word is None:
        assert owner.stdin is not None
        owner.stdin.close()
    else:
        owner.send_signal(last_word)
    owner.wait()
    assert eventually(lambda: not folder.exists() and not processes_using(folder))
    assert not is_listening(port)


def test_a_kept_process_that_does_not_listen_is_killed() -> None:
    reaper = Reaper()
    deaf = "import signal; signal.signal(15, signal.SIG_IGN); print('up', flush=True); signal.pause()"
    pid = reaper.start([sys.executable, "-c", deaf])
    assert eventually(lambda: "up" in (reaper.folder / "log").read_text())
    assert reaper.exit_code(pid) is None
    assert reaper.stop(pid, patience_seconds=0.1) == -signal.SIGKILL
    assert reaper.exit_code(pid) == -signal.SIGKILL
    reaper.close()
    reaper.close()
    assert not reaper.folder.exists()


def test_a_process_that_cannot_start_is_an_error_and_the_reaper_goes_on() -> None:
    reaper = Reaper()
    with pytest.raises(OSError, match="no-such-program"):
        reaper.start(["/no-such-program"])
    assert reaper.stop(reaper.start(["/bin/sleep", "60"])) == -signal.SIGTERM
    reaper.close()


# ---- the school ----


def test_the_schema_is_the_one_the_lms_has() -> None:
    if not ORIGINAL_SCHEMA.exists():
        pytest.skip(f"no {ORIGINAL_SCHEMA} to compare with")
    assert school_module.SCHEMA.read_bytes() == ORIGINAL_SCHEMA.read_bytes()


def test_an_empty_school_has_tables_only(lms: School) -> None:
    tables = rows(lms, "SELECT relname FROM pg_stat_user_tables")
    assert {("attempts",), ("content_attempts",), ("ChapterContent",), ("_MentorToStudent",)} <= set(tables)
    assert rows(lms, "SELECT count(*) FROM students") == [(0,)]


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


def test_an_exam_is_started_and_then_finished_in_the_same_row(school: School) -> None:
    attempt = school.start_exam("john_doe", "math-final", NOON)
    started = rows(school, "SELECT username, state, result, date, score FROM attempts WHERE id = %s", attempt)
    assert started == [("john_doe", "started", None, NOON, None)]

    school.finish_exam(attempt, "pass", 85, NOON + timedelta(minutes=45))
    query = (
        "SELECT state, result, percentage, score, correct_answers_count, incorrect_answers_count,"
        " unanswered_count, time_taken, remaining_time, last_answer_updated_time FROM attempts WHERE id = %s"
    )
    ended_at = NOON + timedelta(minutes=45)
    finished = ("completed", "pass", 85, 85, 34, 4, 2, "0:45:00", "0:45:00", ended_at)
    assert rows(school, query, attempt) == [finished]


def test_an_exam_may_be_finished_without_a_grade_and_graded_later(school: School) -> None:
    attempt = school.start_exam("john_doe", "math-final")
    query = "SELECT state, result, percentage FROM attempts WHERE id = %s"
    school.finish_exam(attempt, result=None)
    assert rows(school, query, attempt) == [("completed", None, None)]
    school.update_attempt(attempt, result="fail", percentage=12)
    assert rows(school, query, attempt) == [("completed", "fail", 12)]


def test_content_is_started_completed_and_watched(school: School) -> None:
    query = "SELECT state, content_type, created, completed_on FROM content_attempts WHERE id = %s"
    attempt = school.start_content("jane_smith", "Formula Sheet", NOON, chapter="Calculus")
    assert rows(school, query, attempt) == [("started", "Attachment", NOON, None)]
    school.complete_content(attempt, NOON + timedelta(minutes=1))
    assert rows(school, query, attempt)[0][::3] == ("completed", NOON + timedelta(minutes=1))

    video = school.watch_content("jane_smith", "Linear Equations", NOON)
    assert rows(school, query, video) == [("watched", "Video", NOON - timedelta(minutes=5), NOON)]


def test_people_are_added_and_paired(lms: School) -> None:
    chief = lms.add_mentor("chief")
    mentor = lms.add_mentor("mentor", supervisor="chief", user_id=77, display_name="A Mentor")
    student = lms.add_student("student", mentors=["mentor"], first_name=None)
    lms.pair(chief, student)
    lms.pair(chief, "student")
    assert rows(lms, 'SELECT * FROM "_MentorToStudent" ORDER BY 1') == [(chief, student), (mentor, student)]
    query = "SELECT user_id, supervisor_id, supervisor_email, students_count FROM mentors ORDER BY id"
    assert rows(lms, query) == [
        (chief + school_module.PLATFORM_ID_OFFSET, None, None, 1),
        (77, chief, "chief@school.example.com", 1),
    ]
    lms.unpair("chief", student)
    assert rows(lms, 'SELECT "A" FROM "_MentorToStudent"') == [(mentor,)]


def test_exams_and_content_are_added(lms: School) -> None:
    exam = lms.add_exam("Ünïts & Measures", pass_percentage=None)
    lms.add_course("Physics", ["Units", "Waves"])
    content = lms.add_content("Units Exam", "Exam", course="Physics", exam="ünïts-measures")
    assert rows(lms, 'SELECT id, "examId" FROM "ChapterContent"') == [(content, exam)]
    lms.start_content(lms.add_student("student"), content)
    assert rows(lms, "SELECT name FROM content_attempts JOIN chapters ON chapters.id = chapter_id") == [("Units",)]


def test_rows_may_be_as_poor_as_the_lms_allows(lms: School) -> None:
    first, second = lms.insert_attempt(), lms.insert_attempt(state="ENDED", id=900)
    assert (first, second, lms.insert_attempt()) == (1, 900, 901)
    lms.finish_exam(first)
    assert rows(lms, "SELECT state, date FROM attempts WHERE id = 1") == [("completed", None)]


@pytest.mark.parametrize(
    "at", [NOON, NOON.replace(tzinfo=timezone.utc), datetime.fromisoformat("2026-01-15T17:30:00+05:30")]
)
def test_times_are_written_as_naive_utc(school: School, at: datetime) -> None:
    attempt = school.start_exam("john_doe", "math-final", at)
    assert rows(school, "SELECT date FROM attempts WHERE id = %s", attempt) == [(NOON,)]


def test_now_is_when_no_time_is_given(school: School) -> None:
    attempt = school.start_exam("john_doe", "math-final")
    ((at,),) = rows(school, "SELECT date FROM attempts WHERE id = %s", attempt)
    assert utc() - timedelta(seconds=10) < at <= utc()


@pytest.mark.parametrize(
    "wrong",
    [
        lambda school: school.start_exam("nobody", "math-final"),
        lambda school: school.start_exam("john_doe", "no such exam"),
        lambda school: school.watch_content("john_doe", 12345),
        lambda school: school.finish_exam(12345),
        lambda school: school.add_student("new", mentors=["nobody"]),
    ],
)
def test_what_is_not_there_is_a_lookup_error_and_changes_nothing(
    school: School, wrong: Callable[[School], object]
) -> None:
    counts = (
        "SELECT (SELECT count(*) FROM attempts), (SELECT count(*) FROM content_attempts),"
        " (SELECT count(*) FROM students)"
    )
    before = rows(school, counts)
    with pytest.raises(LookupError, match="nothing in"):
        wrong(school)
    assert rows(school, counts) == before


def test_a_refused_row_leaves_the_school_usable(lms: School) -> None:
    lms.insert_attempt(id=1)
    with pytest.raises(psycopg2.errors.UniqueViolation):
        lms.insert_attempt(id=1)
    assert lms.insert_attempt() == 2


def test_names_are_values_never_sql(lms: School) -> None:
    name = "x'); DROP TABLE students; --%s"
    student = lms.add_student(name, display_name='"%(id)s"')
    assert rows(lms, "SELECT id FROM students WHERE username = %s", name) == [(student,)]


def test_a_verb_is_seen_by_others_at_once_and_holds_no_transaction(lms: School) -> None:
    attempt = lms.insert_attempt()
    with closing(lms.connect()) as other, other.cursor() as sql:
        sql.execute("SELECT id FROM attempts")
        assert sql.fetchall() == [(attempt,)]
        sql.execute("SELECT state FROM pg_stat_activity WHERE datname = current_database() AND state <> 'active'")
        assert sql.fetchall() == [("idle",)]


# ---- the ground other tests stand on ----


def test_a_store_opens_where_the_fixture_says(store_url: str) -> None:
    with open_store(store_url) as store:
        assert store.execute_sql("SELECT 1").fetchone() == (1,)


def test_no_setting_of_the_developers_reaches_a_test(tmp_path: Path) -> None:
    assert not [name for name in os.environ if name.startswith(("LMS_", "ZULIP_"))]
    assert Path.cwd() == tmp_path


def test_two_schools_do_not_see_each_other(new_lms: Callable[[], School]) -> None:
    new_lms().add_student("john_doe")
    assert rows(new_lms(), "SELECT * FROM students") == []
