"""The period before a period, in what `summary` compares."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from tests.worlds.chat_world import JOHN, NOW, World, add_exam


@pytest.mark.parametrize(
    ("said", "before", "start", "end"),
    [
        ("today", "yesterday by this time", (3, 17, 0), (3, 17, 12)),
        ("yesterday", "the day before", (3, 16, 0), (3, 17, 0)),
        ("this week", "last week by this time", (3, 9, 0), (3, 11, 12)),
        ("last week", "the 7 days before", (3, 2, 0), (3, 9, 0)),
        ("this month", "February by this time", (2, 1, 0), (2, 18, 12)),
        ("last month", "January", (1, 1, 0), (2, 1, 0)),
        ("february", "January", (1, 1, 0), (2, 1, 0)),
        ("last 7 days", "the 7 days before", (3, 3, 12), (3, 11, 0)),
        ("2026-03-10..2026-03-12", "the 3 days before", (3, 7, 0), (3, 10, 0)),
        ("last hour", "the hour before", (3, 18, 10), (3, 18, 11)),
    ],
)
def test_a_period_is_compared_with_the_like_one_before(
    small_world: World, said: str, before: str, start: tuple[int, int, int], end: tuple[int, int, int]
) -> None:
    """What is at its first moment and just before its end counts; what is beside it does not."""
    first, last = (datetime(2026, *moment, tzinfo=NOW.tzinfo) for moment in (start, end))
    second = timedelta(seconds=1)
    for moment in (first, last - second):
        add_exam(small_world, JOHN, "Algebra", 80, ago=NOW - moment)
    for moment in (first - second,):
        add_exam(small_world, JOHN, "Algebra", 20, ago=NOW - moment)

    text = small_world.ask(f"summary {said}").text

    assert before in text
    assert "2 passed" in text or "passed (▼ 2)" in text or "passed (▼ 1)" in text, text
    assert "failed (▼" not in text and "failed." not in text
