"""Rows that are no more: how they are found, and what is left of them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from lms_bot.core.clock import utc_now
from lms_bot.insight.reports.students import get_totals_of_students
from lms_bot.lms import comparison
from lms_bot.lms.comparison import SMALL_BLOCKS
from lms_bot.sandbox.lms.school import School
from tests.worlds.running_bot import wait_until
from tests.worlds.watching import Watching, add_attempts, add_content, failed, passed, run

if TYPE_CHECKING:
    from tests.lms.conftest import Watch

pytestmark = pytest.mark.usefixtures("no_crash_margin")

MANY = 110 * SMALL_BLOCKS  # rows of a table that is no small one
BLOCKS = "SELECT pg_relation_size('attempts') / current_setting('block_size')::int"
DELETED = "SELECT pg_stat_get_tuples_deleted('attempts'::regclass)"


def delete_counted(school: School, row_id: int) -> None:
    """Deletes a row, and returns when PostgreSQL has counted that."""
    before = run(school, DELETED)
    run(school, "DELETE FROM attempts WHERE id = %s", row_id)
    wait_until(lambda: run(school, DELETED) > before, "it is counted")


def keys(first: int, last: int) -> set[str]:
    return {str(row_id) for row_id in range(first, last + 1)}


def poll_until_shown(watching: Watching, expected: set[str]) -> None:
    """PostgreSQL counts what was deleted some time later."""

    def is_shown() -> bool:
        assert watching.poll() == set()
        return watching.shown() == expected

    wait_until(is_shown, "the deleted rows are missed")


# ---- finding them ----


def test_rows_deleted_from_a_small_table_are_missed_at_the_next_poll(school: School, watching: Watching) -> None:
    add_attempts(school, 1, 10)
    watching.poll()
    assert watching.shown() == keys(1, 10)
    run(school, "DELETE FROM attempts WHERE id > 4")
    assert watching.poll() == set()
    assert watching.shown() == keys(1, 4)


def test_rows_deleted_from_a_large_table_are_missed_once_they_are_counted(school: School, watch: Watch) -> None:
    add_attempts(school, 1, MANY)
    assert run(school, BLOCKS)[0][0] > SMALL_BLOCKS
    watching = watch(school)
    watching.poll(2)
    run(school, "DELETE FROM attempts WHERE id % 100 = 7")
    poll_until_shown(watching, keys(1, MANY) - {str(row_id) for row_id in range(7, MANY + 1, 100)})


@pytest.mark.parametrize("count", [10, MANY])
def test_a_table_that_was_emptied_is_missed_at_once(school: School, watch: Watch, count: int) -> None:
    add_attempts(school, 1, count)
    watching = watch(school)
    watching.poll(2)
    assert len(watching.shown()) == count
    run(school, "TRUNCATE attempts CASCADE")
    assert watching.poll() == set()
    assert watching.shown() == set()


def test_where_nothing_counts_what_is_deleted_it_is_missed_within_a_day(school: School, watch: Watch) -> None:
    """As on a replica."""
    add_attempts(school, 1, MANY)
    watching = watch(school)
    watching.poll(2)
    delete_counted(school, 7)
    files = str(watching.position().compared).partition("/")[2]
    watching.change_position(compared=f"1/{files}")  # as if that count had been there before
    watching.poll(3)
    assert "7" in watching.shown()
    watching.change_position(compared_at=(utc_now() - timedelta(days=1, seconds=1)).isoformat())
    watching.poll()
    assert watching.shown() == keys(1, MANY) - {"7"}
    compared_at = datetime.fromisoformat(str(watching.position().compared_at))
    assert utc_now() - compared_at < timedelta(minutes=5)


def test_many_keys_are_compared_some_at_a_poll(school: School, watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparison, "KEYS_AT_ONCE", 10)
    add_attempts(school, 1, 45)
    watching = watch(school)
    watching.poll()
    watching.slow_down()
    run(school, "DELETE FROM attempts")
    left = []
    for _ in range(5):
        watching.poll()
        left.append(len(watching.shown()))
    assert left == sorted(left, reverse=True)
    assert len(set(left)) == 5 and left[-1] == 0


def test_what_is_deleted_while_the_keys_are_compared_is_missed_too(
    school: School, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparison, "KEYS_AT_ONCE", 10)
    monkeypatch.setattr(comparison, "SMALL_BLOCKS", -1)  # as if it were a large one
    add_attempts(school, 1, 30)
    watching = watch(school)
    watching.poll()
    watching.slow_down()
    for row_id in (30, 1):  # the key of the second was compared a moment ago
        delete_counted(school, row_id)
        watching.poll()
    assert watching.position().comparing is not None
    watching.poll(10)
    assert watching.shown() == keys(2, 29)


def test_a_quiet_lms_is_not_asked_for_keys_at_each_poll(
    school: School, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_attempts(school, 1, 10)
    watching = watch(school)
    watching.poll(3)
    before = watching.position().compared_at
    watching.poll(3)
    assert watching.position().compared_at == before
    run(school, "SELECT pg_current_xact_id()")
    watching.poll()
    assert watching.position().compared_at != before


# ---- what becomes of them ----


def test_of_a_deleted_row_the_event_is_kept_and_answers_count_it_no_longer(
    school: School, watching: Watching
) -> None:
    watching.poll()
    add_attempts(school, 1, 2)
    run(school, "UPDATE attempts SET percentage = 40 * id")
    assert watching.poll() == passed(1, 2)
    run(school, "DELETE FROM attempts WHERE id = 2")
    watching.poll()
    assert watching.events() == passed(1, 2)
    assert [one.percentage for one in watching.attempts()] == [40]
    with watching.app.store.session():
        totals = get_totals_of_students([1])[1]
    assert (totals.scored, totals.percentage_total) == (1, 40)
    run(school, "DELETE FROM attempts")
    watching.poll()
    with watching.app.store.session():
        assert get_totals_of_students([1]) == {}


def test_a_row_deleted_and_inserted_again_is_shown_again_and_no_news(school: School, watching: Watching) -> None:
    watching.poll()
    add_attempts(school, 1, 3)
    assert watching.poll() == passed(1, 2, 3)
    run(school, "CREATE TABLE kept AS SELECT * FROM attempts")
    run(school, "DELETE FROM attempts")
    watching.poll()
    assert watching.shown() == set()
    run(school, "INSERT INTO attempts SELECT * FROM kept")
    assert watching.poll() == set()
    assert watching.shown() == keys(1, 3)
    run(school, "UPDATE attempts SET result = 'fail' WHERE id = 2")
    assert watching.poll() == failed(2)


def test_a_deleted_row_that_was_open_is_followed_no_longer(school: School, watching: Watching) -> None:
    add_attempts(school, 1, 2, "started")
    watching.poll()
    assert watching.open_rows() == {"1", "2"}
    run(school, "DELETE FROM attempts WHERE id = 1")
    watching.poll()
    assert watching.open_rows() == {"2"}


def test_contents_are_missed_as_exams_are(school: School, watching: Watching) -> None:
    add_content(school, 5)
    add_content(school, 6)
    watching.poll()
    run(school, "DELETE FROM content_attempts WHERE id = 5")
    watching.poll()
    assert watching.shown("content_attempts") == {"6"}


HAND_MADE: dict[str, Any] = {"event_type": "exam_passed", "student_id": 1, "activity_id": 1, "timestamp": utc_now()}


def test_what_was_stored_by_hand_and_is_no_row_of_the_lms_is_not_missed(school: School, watching: Watching) -> None:
    watching.poll()
    add_attempts(school, 1, 1)
    watching.poll()
    monitor = watching.app.monitor
    assert monitor.create_activity_event(HAND_MADE) is not None
    (by_hand,) = watching.shown() - {"1"}
    run(school, "DELETE FROM attempts")
    assert monitor.process_activities() == 0
    assert watching.shown() == {by_hand}
