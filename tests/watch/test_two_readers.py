"""A process that froze with a page in hand, and goes on when another has read further."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone

import pytest

from lms_bot.lms.stream import Changes, Position
from lms_bot.sandbox.lms.school import School
from tests.worlds.watching import Watching, add_attempts, failed, passed, run


@pytest.fixture
def watching(school: School, store_url: str) -> Iterator[Watching]:
    one = Watching(school.url, store_url)
    one.poll()
    yield one
    one.close()


def read_a_page(watching: Watching) -> tuple[Changes, Position]:
    """As far as a process came that froze before it recorded the page."""
    monitor, stream = watching.app.monitor, watching.app.source.streams[0]
    position = monitor.get_position(stream)
    assert position is not None
    with watching.app.source.connection.snapshot():
        pages = monitor._changes(stream, position)
        page = next(pages)
        pages.close()
    return page, position


def test_what_it_holds_is_older_and_is_not_recorded(school: School, watching: Watching) -> None:
    add_attempts(school, 1, 1, date=datetime.now(timezone.utc))
    page, position = read_a_page(watching)
    run(school, "UPDATE attempts SET result = 'fail', percentage = 20")
    run(school, "UPDATE exams SET title = 'Algebra'")
    assert watching.poll() == failed(1)
    assert watching.app.monitor._record(page, position) is None
    assert [(one.outcome, one.percentage, one.title) for one in watching.attempts()] == [("failed", 20.0, "Algebra")]
    assert watching.poll() == set()


def test_what_it_holds_is_recorded_if_nobody_read_on(school: School, watching: Watching) -> None:
    add_attempts(school, 1, 1, date=datetime.now(timezone.utc))
    page, position = read_a_page(watching)
    assert watching.app.monitor._record(page, position) == 1
    assert watching.events() == passed(1)
