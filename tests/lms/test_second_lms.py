"""One module of SELECTs is all that a further kind of LMS takes."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, timezone
from typing import TYPE_CHECKING

import pytest

from lms_bot.insight.reports.students import get_totals_of_students
from lms_bot.lms.kind import Kind
from lms_bot.sandbox.lms.school import School
from lms_bot.store.database import rows
from lms_bot.store.messages import Delivery
from lms_bot.store.models import LMSActivityEvent
from tests.worlds import second_lms
from tests.worlds.watching import Found, Watching, run

if TYPE_CHECKING:
    from tests.lms.conftest import Watch

TEACHER, PUPIL = uuid.uuid4(), uuid.uuid4()


@pytest.fixture
def school(new_database: Callable[..., str]) -> Iterator[School]:
    with School(new_database()) as school:
        run(school, second_lms.SCHEMA)
        run(school, "INSERT INTO teacher VALUES (%s, 'tanya', 'tanya@school.example')", str(TEACHER))
        run(school, "INSERT INTO pupil VALUES (%s, 'pim', 'Pim Pupil', %s)", str(PUPIL), str(TEACHER))
        yield school


@pytest.fixture(autouse=True)
def app_reads_second_lms(monkeypatch: pytest.MonkeyPatch) -> None:
    kind = Kind(lambda _: second_lms.STREAMS, lambda _: second_lms.PEOPLE)
    monkeypatch.setattr("lms_bot.app.KIND", kind)


VISIT = """
INSERT INTO lesson_visit (pupil_id, lesson_id, progress, visited)
SELECT %s, id, %s, %s FROM lesson WHERE name = 'Bees' RETURNING id
"""


def visit(school: School, progress: int | None, visited: str | None = "15.01.2026 14:30") -> str:
    ((key,),) = run(school, VISIT, str(PUPIL), progress, visited)
    return str(key)


def completed(*keys: str) -> Found:
    return {(key, "content_completed") for key in keys}


def test_new_rows_and_changed_rows_are_events(school: School, watching: Watching) -> None:
    old = [visit(school, 100) for _ in range(5)]
    running = visit(school, 20)
    assert watching.poll() == set()
    fresh = [visit(school, 100) for _ in range(5)]
    assert watching.poll() == completed(*fresh)
    run(school, "UPDATE lesson_visit SET progress = 100 WHERE id = %s", running)
    assert watching.poll() == completed(running)
    run(school, "UPDATE lesson_visit SET progress = progress")
    run(school, "VACUUM FULL lesson_visit")
    run(school, "DELETE FROM lesson_visit WHERE id = %s", old[0])
    assert watching.poll() == set()


def test_what_an_event_says_comes_from_the_module(
    school: School, watching: Watching, monkeypatch: pytest.MonkeyPatch
) -> None:
    watching.replace_parts(monkeypatch, news_max_age_seconds=10**9)  # it happened long ago
    watching.poll()
    key = visit(school, 40)
    assert watching.poll() == {(key, "content_started")}
    with watching.app.store.session():
        event = LMSActivityEvent.get()
        ((recipient, reason),) = rows(Delivery.select(Delivery.recipient, Delivery.reason))
    assert (event.student_username, event.student_display_name) == ("pim", "Pim Pupil")
    assert event.student_id == second_lms.integer_id(PUPIL)
    ((lesson_id,),) = run(school, "SELECT id FROM lesson WHERE name = 'Bees'")
    assert (event.activity_id, event.activity_title) == (second_lms.integer_id(uuid.UUID(str(lesson_id))), "Bees")
    assert (event.stream, event.attempt_id) == ("lesson_visit", None)  # the row's key is no number
    assert event.mentor_id == second_lms.integer_id(TEACHER)
    assert event.timestamp.isoformat() == "2026-01-15T14:30:00+00:00"
    assert (recipient, reason) == (f"mentor:{event.mentor_id}", "the bot runs without Zulip")


def test_rows_committed_late_are_found(school: School, watching: Watching) -> None:
    watching.poll()
    with closing(school.connect()) as late, late.cursor() as sql:
        sql.execute(VISIT, (str(PUPIL), 100, "01.01.2026 08:00"))
        ((key,),) = sql.fetchall()
        fresh = [visit(school, 100) for _ in range(3)]
        assert watching.poll() == completed(*fresh)
        late.commit()
    assert watching.poll() == completed(str(key))
    assert watching.poll() == set()


def test_poison_is_kept_aside_by_its_key(school: School, watching: Watching) -> None:
    watching.poll()
    broken, unknown, fine = visit(school, 100, "yesterday"), visit(school, None), visit(school, 100)
    assert watching.poll() == completed(fine)
    assert set(watching.rejected()) == {broken, unknown}
    run(school, "UPDATE lesson_visit SET visited = '16.01.2026 08:00' WHERE id = %s", broken)
    assert watching.poll() == completed(broken)


def test_open_rows_are_followed_while_the_sweep_is_slow(school: School, watch: Watch, one_block_a_poll: None) -> None:
    many = "INSERT INTO lesson_visit (pupil_id, progress, visited) SELECT %s, 100, '15.01.2026 14:30'"
    run(school, f"{many} FROM generate_series(1, 1000)", str(PUPIL))
    running = visit(school, 10)
    watching = watch(school)
    watching.app.source.memory.budget_seconds = 60.0
    watching.poll(2)
    watching.app.source.memory.budget_seconds = 1e-9
    run(school, "UPDATE lesson_visit SET progress = 100 WHERE id = %s", running)
    assert watching.poll() == completed(running)
    fresh = visit(school, 100)
    assert watching.poll(40) == completed(fresh)


def test_a_lesson_or_pupil_that_is_renamed_is_seen(school: School, watching: Watching) -> None:
    student_id = second_lms.integer_id(PUPIL)
    visit(school, 100)
    watching.poll(2)
    run(school, "UPDATE lesson SET name = 'Bumblebees' WHERE name = 'Bees'")
    run(school, "UPDATE pupil SET full_name = 'Pim P. Upil'")
    assert watching.poll() == set()
    assert [one.title for one in watching.attempts(student_id)] == ["Bumblebees"]
    with watching.app.store.session():
        assert get_totals_of_students([student_id])[student_id].display_name == "Pim P. Upil"


def test_rows_that_do_not_matter_and_those_that_are_no_more_are_not_shown(school: School, watching: Watching) -> None:
    kept, deleted, preview = (visit(school, 100) for _ in range(3))
    watching.poll()
    run(school, "DELETE FROM lesson_visit WHERE id = %s", deleted)
    run(school, "UPDATE lesson_visit SET is_preview = TRUE WHERE id = %s", preview)
    watching.poll()
    assert watching.shown("lesson_visit") == {kept}


def test_what_was_given_up_is_followed_no_longer_and_no_event(school: School, watching: Watching) -> None:
    watching.poll()
    begun = visit(school, 10)
    assert watching.poll() == {(begun, "content_started")}
    run(school, "UPDATE lesson_visit SET progress = -1")
    assert watching.poll() == set()
    assert watching.open_rows() == set()
    assert watching.rejected() == {}
    assert [one.outcome for one in watching.attempts(second_lms.integer_id(PUPIL))] == ["withdrawn"]


def test_a_visit_of_a_pupil_who_is_gone_is_rejected_and_news_once_it_is_known_whose_it_is(
    school: School, watching: Watching
) -> None:
    watching.poll()
    run(school, "ALTER TABLE lesson_visit DROP CONSTRAINT lesson_visit_pupil_id_fkey")
    run(school, "UPDATE pupil SET id = gen_random_uuid()")
    key = visit(school, 100)
    assert watching.poll() == set()
    assert watching.rejected() == {key: "it names no student"}
    run(school, "UPDATE pupil SET id = %s", str(PUPIL))
    assert watching.poll() == completed(key)
    assert watching.rejected() == {}


def test_people_are_found_by_the_same_integers(school: School, watching: Watching) -> None:
    people = watching.app.reader
    (mentor,) = people.fetch_mentors()
    (student,) = people.fetch_students_of_mentors([mentor.key])[mentor.key]
    assert student == people.fetch_all_students()[0] == people.fetch_students([student.student_id])[0]
    assert people.fetch_mentors_of_students([student.student_id]) == {student.student_id: [mentor]}
    assert people.fetch_shared_student_emails(["x"]) == set()
    assert student.student_id == second_lms.integer_id(PUPIL)


def test_the_same_module_gives_the_history(school: School, watching: Watching) -> None:
    keys = {visit(school, 100, f"{day:02}.01.2026 10:00") for day in range(1, 11)}
    watching.poll()
    (stream,) = watching.app.source.streams
    since = datetime(2026, 1, 6, tzinfo=timezone.utc)
    found = watching.app.source.fetch_history(stream, since, watching.position("lesson_visit"))
    assert len({reading.row_key for readings, _ in found for reading in readings} & keys) == 5
