"""Events stored by hand: what makes one unique, with and without the row of the LMS that it is of."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from lms_bot.people.recipients import Recipients
from lms_bot.store.models import LMSActivityEvent
from lms_bot.watch.event_data import to_activity, to_event_data
from tests.worlds.watching import Watching, add_attempts, passed, run

if TYPE_CHECKING:
    from lms_bot.sandbox.lms.school import School

NOON = datetime(2026, 1, 15, 12, tzinfo=timezone.utc)
INDIA = timezone(timedelta(hours=5, minutes=30))


def about(**changes: Any) -> dict[str, Any]:
    """Event data without the LMS's row."""
    return {"event_type": "exam_passed", "student_id": 1, "activity_id": 4711, "timestamp": NOON} | changes


def key(**changes: Any) -> str:
    return to_activity(about(**changes)).source_key


# ---- what makes an event unique ----


@pytest.mark.parametrize(
    "changes",
    [
        {"student_id": 2},
        {"activity_id": 4712},
        {"timestamp": NOON + timedelta(seconds=1)},
        {"timestamp": None},
        {"event_type": "exam_failed"},
        {"event_type": "content_watched"},
        {"stream": "quiz_runs"},
        {"attempt_id": 4711},
    ],
)
def test_events_that_differ_in_what_makes_them_unique_are_two(changes: dict[str, Any]) -> None:
    assert key(**changes) != key()


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"timestamp": NOON.replace(tzinfo=None)},
        {"timestamp": NOON.astimezone(INDIA)},
        {"stream": "attempts"},
        {"student_username": "one", "activity_title": "Maths", "activity_metadata": {"percentage": 80}},
        {"attempt_id": None},
    ],
)
def test_the_same_event_said_in_other_words_is_one(changes: dict[str, Any]) -> None:
    assert key(**changes) == key()


def test_with_the_row_of_the_lms_that_alone_says_which_event_it_is() -> None:
    rows = [about(attempt_id=7), about(attempt_id=7, student_id=2, activity_id=0, timestamp=None)]
    assert {to_activity(one).source_key for one in rows} == {"attempts:7:exam_passed"}
    assert key(attempt_id=7, event_type="content_watched") == "content_attempts:7:content_watched"


def test_what_was_made_of_an_activity_makes_it_again() -> None:
    with_all: dict[str, Any] = {"student_username": "one", "activity_title": "Maths", "activity_metadata": {"a": 1}}
    activity = to_activity(about(attempt_id=7, stream="quiz_runs", **with_all))
    assert to_activity(to_event_data(activity, Recipients(()))) == activity


# ---- stored ----


@pytest.fixture
def watching(school: School, store_url: str) -> Iterator[Watching]:
    one = Watching(school.url, store_url)
    one.poll()
    yield one
    one.close()


def create(watching: Watching, **changes: Any) -> LMSActivityEvent | None:
    return watching.app.monitor.create_activity_event(about(**changes))


def test_two_students_at_the_same_exam_are_two_events(watching: Watching) -> None:
    first, second = create(watching), create(watching, student_id=2)
    assert first is not None and second is not None
    assert {(one.student_id, one.activity_id, one.attempt_id) for one in (first, second)} == {
        (1, 4711, None),
        (2, 4711, None),
    }
    assert [len(watching.attempts(student_id)) for student_id in (1, 2)] == [1, 1]


def test_the_same_data_twice_is_one_event(watching: Watching) -> None:
    assert create(watching) is not None
    assert create(watching, timestamp=NOON.astimezone(INDIA)) is None
    assert len(watching.events()) == 1
    assert len(watching.attempts()) == 1


def test_a_row_that_was_stored_by_hand_is_not_stored_again_by_the_poll(school: School, watching: Watching) -> None:
    add_attempts(school, 7, 7)
    (found,) = watching.app.monitor.poll_for_new_activities()
    assert (found["stream"], found["attempt_id"], found["activity_id"]) == ("attempts", 7, 1)
    assert watching.app.monitor.create_activity_event(found) is not None
    assert watching.app.monitor.process_activities() == 0
    assert watching.events() == passed(7)


def test_what_was_stored_by_hand_does_not_stop_the_polls(school: School, watching: Watching) -> None:
    """Its key is none that the LMS could have."""
    assert create(watching) is not None
    assert create(watching, event_type="content_started") is not None
    run(school, "DELETE FROM attempts")
    assert watching.app.monitor.process_activities() == 0
    add_attempts(school, 7, 7)
    assert watching.app.monitor.process_activities() == 1
    assert len(watching.attempts()) == 3
