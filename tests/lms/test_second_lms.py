"""One module of SELECTs is all that a further kind of LMS takes."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, timezone
from pathlib import Path

import pytest

from lms_bot.lms import horizon, poll
from lms_bot.sandbox.lms.school import School
from lms_bot.store.database import rows
from lms_bot.store.messages import Delivery
from lms_bot.store.models import LMSActivityEvent
from tests.worlds import second_lms
from tests.worlds.watching import Found, Watching, run

TEACHER, PUPIL = uuid.uuid4(), uuid.uuid4()


@pytest.fixture
def lms(new_database: Callable[..., str]) -> Iterator[School]:
    with School(new_database()) as school:
        run(school, second_lms.SCHEMA)
        run(school, "INSERT INTO teacher VALUES (%s, 'tanya', 'tanya@school.example')", str(TEACHER))
        run(school, "INSERT INTO pupil VALUES (%s, 'pim', 'Pim Pupil', %s)", str(PUPIL), str(TEACHER))
        yield school


@pytest.fixture(autouse=True)
def app_reads_second_lms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lms_bot.app.STREAMS", second_lms.STREAMS)
    monkeypatch.setattr("lms_bot.app.PEOPLE", second_lms.PEOPLE)


@pytest.fixture
def watching(lms: School, store_url: str) -> Iterator[Watching]:
    one = Watching(lms.url, store_url)
    yield one
    one.close()


VISIT = "INSERT INTO lesson_visit (pupil_id, lesson, progress, visited) VALUES (%s, %s, %s, %s) RETURNING id"


def visit(lms: School, progress: int | None, visited: str | None = "15.01.2026 14:30", lesson: str = "Bees") -> str:
    ((key,),) = run(lms, VISIT, str(PUPIL), lesson, progress, visited)
    return str(key)


def completed(*keys: str) -> Found:
    return {(key, "content_completed") for key in keys}


def test_new_rows_and_changed_rows_are_events(lms: School, watching: Watching) -> None:
    old = [visit(lms, 100) for _ in range(5)]
    running = visit(lms, 20)
    assert watching.poll() == set()
    fresh = [visit(lms, 100) for _ in range(5)]
    assert watching.poll() == completed(*fresh)
    run(lms, "UPDATE lesson_visit SET progress = 100 WHERE id = %s", running)
    assert watching.poll() == completed(running)
    run(lms, "UPDATE lesson_visit SET lesson = lesson")
    run(lms, "VACUUM FULL lesson_visit")
    run(lms, "DELETE FROM lesson_visit WHERE id = %s", old[0])
    assert watching.poll() == set()


def test_what_an_event_says_comes_from_the_module(
    lms: School, watching: Watching, monkeypatch: pytest.MonkeyPatch
) -> None:
    watching.replace_parts(monkeypatch, news_max_age_seconds=10**9)  # it happened long ago
    watching.poll()
    key = visit(lms, 40)
    assert watching.poll() == {(key, "content_started")}
    with watching.app.store.session():
        event = LMSActivityEvent.get()
        ((recipient, reason),) = rows(Delivery.select(Delivery.recipient, Delivery.reason))
    assert (event.student_username, event.student_display_name) == ("pim", "Pim Pupil")
    assert event.student_id == second_lms.integer_id(PUPIL)
    assert event.activity_id == second_lms.integer_id(uuid.UUID(key))
    assert event.mentor_id == second_lms.integer_id(TEACHER)
    assert event.timestamp.isoformat() == "2026-01-15T14:30:00+00:00"
    assert (recipient, reason) == (f"mentor:{event.mentor_id}", "the bot runs without Zulip")


def test_rows_committed_late_are_found(lms: School, watching: Watching) -> None:
    watching.poll()
    with closing(lms.connect()) as late, late.cursor() as sql:
        sql.execute(VISIT, (str(PUPIL), "Bees", 100, "01.01.2026 08:00"))
        ((key,),) = sql.fetchall()
        fresh = [visit(lms, 100) for _ in range(3)]
        assert watching.poll() == completed(*fresh)
        late.commit()
    assert watching.poll() == completed(str(key))
    assert watching.poll() == set()


def test_poison_is_kept_aside_by_its_key(lms: School, watching: Watching) -> None:
    watching.poll()
    broken, unknown, fine = visit(lms, 100, "yesterday"), visit(lms, None), visit(lms, 100)
    assert watching.poll() == completed(fine)
    assert set(watching.rejected()) == {broken, unknown}
    run(lms, "UPDATE lesson_visit SET visited = '16.01.2026 08:00' WHERE id = %s", broken)
    assert watching.poll() == completed(broken)


def test_open_rows_are_followed_while_the_sweep_is_slow(
    lms: School, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("FIRST_SLICE_BLOCKS", "SMALLEST_SLICE_BLOCKS", "LARGEST_SLICE_BLOCKS"):
        monkeypatch.setattr(poll, name, 1)
    monkeypatch.setattr(horizon, "SLICE_BLOCKS", 1)
    many = "INSERT INTO lesson_visit (pupil_id, progress, visited) SELECT %s, 100, '15.01.2026 14:30'"
    run(lms, f"{many} FROM generate_series(1, 1000)", str(PUPIL))
    running = visit(lms, 10)
    watching = Watching(lms.url, f"sqlite:///{tmp_path / 'store.db'}")
    watching.app.source.memory.budget_seconds = 60.0
    watching.poll(2)
    watching.app.source.memory.budget_seconds = 1e-9
    run(lms, "UPDATE lesson_visit SET progress = 100 WHERE id = %s", running)
    assert watching.poll() == completed(running)
    fresh = visit(lms, 100)
    assert watching.poll(40) == completed(fresh)
    watching.close()


def test_people_are_found_by_the_same_integers(lms: School, watching: Watching) -> None:
    people = watching.app.reader
    (mentor,) = people.fetch_mentors()
    (student,) = people.fetch_students_of_mentors([mentor.key])[mentor.key]
    assert student == people.fetch_all_students()[0] == people.fetch_students([student.student_id])[0]
    assert people.fetch_mentors_of_students([student.student_id]) == {student.student_id: [mentor]}
    assert people.fetch_shared_student_emails(["x"]) == set()
    assert student.student_id == second_lms.integer_id(PUPIL)


def test_the_same_module_gives_the_history(lms: School, watching: Watching) -> None:
    keys = {visit(lms, 100, f"{day:02}.01.2026 10:00") for day in range(1, 11)}
    watching.poll()
    (stream,) = watching.app.source.streams
    since = datetime(2026, 1, 6, tzinfo=timezone.utc)
    found = watching.app.source.fetch_history(stream, since, watching.position("lesson_visit"))
    assert len({reading.row_key for readings, _ in found for reading in readings} & keys) == 5
