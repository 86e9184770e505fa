from __future__ import annotations

import json
import re
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lms_bot.core.activities import ActivityType
from lms_bot.notify.formatter import MessageFormatter
from lms_bot.notify.group_message import READABLE_ROWS
from tests.places import FIXTURES
from tests.worlds.zulip_rules import constructs, hostile_texts, marks

GOLDEN = FIXTURES / "groups"
CASES = [
    pytest.param(case, id=f"{path.stem}: {case['description']}")
    for path in sorted(GOLDEN.glob("*.json"))
    for case in json.loads(path.read_text(encoding="utf-8"))
]
ALL_TYPES = [event_type.value for event_type in ActivityType]
NOON = datetime(2026, 1, 15, 12, tzinfo=timezone.utc)
COLUMNS = 3


def make_event(event_id: int, event_type: str = "exam_passed", student_id: int = 1, **changes: Any) -> Any:
    values = {
        "event_id": event_id,
        "event_type": event_type,
        "student_id": student_id,
        "student_username": f"student_{student_id}",
        "activity_id": event_id,
        "activity_title": "Mathematics Final Exam",
        "activity_metadata": {"percentage": 85},
        "timestamp": NOON + timedelta(minutes=event_id),
    }
    return SimpleNamespace(**{**values, **changes})


def messages_of(events: list[Any]) -> list[tuple[str, list[int]]]:
    return MessageFormatter().format_group_messages(events)


def rows_of(text: str) -> list[str]:
    """The lines that carry events."""
    return [line for line in text.splitlines() if "`#" in line]


def check_all_carried(messages: list[tuple[str, list[int]]], events: list[Any]) -> None:
    """Every event in exactly one message, named there exactly once; every message within the limit."""
    for text, event_ids in messages:
        assert len(text) <= 10_000
        assert event_ids == [int(number) for number in re.findall(r"`#(\d+)`", text)]
    carried = [event_id for _, event_ids in messages for event_id in event_ids]
    assert sorted(carried) == sorted(event.event_id for event in events)


@pytest.mark.parametrize("case", CASES)
def test_each_golden_group_gives_its_messages(case: dict[str, Any]) -> None:
    events = [SimpleNamespace(**event) for event in case["events"]]
    for event in events:
        event.timestamp = event.timestamp and datetime.fromisoformat(event.timestamp)
    for given_order in (events, events[::-1]):
        messages = messages_of(given_order)
        assert [list(message) for message in messages] == case["messages"]


def test_the_shape_of_a_group() -> None:
    events = [
        make_event(1, "exam_started", 1, activity_id=7),
        make_event(2, "exam_passed", 1, activity_id=7),
        make_event(3, "exam_failed", 2, activity_metadata={"percentage": 40.0}),
        make_event(4, "content_started", 3, activity_title="Sets"),
    ]
    assert messages_of(events) == [
        (
            "🔔 **4 updates on 3 students** · ❌ 1 failed · 🎉 1 passed · 📖 1 content started\n"
            "\n"
            "| Student | News | Exam or content |\n"
            "|---|---|---|\n"
            "| student_2 | ❌\u00a040% | Mathematics Final Exam `#3` |\n"
            "| student_3 | 📖 | Sets `#4` |\n"
            "| student_1 | 🎉\u00a085% | Mathematics Final Exam `#1` `#2` |",
            [3, 4, 1, 2],
        )
    ]


def test_what_does_not_fit_continues_in_further_messages() -> None:
    events = [make_event(number, student_id=number % 3, activity_title="x" * 120) for number in range(1, 1501)]
    messages = messages_of(events)
    check_all_carried(messages, events)
    first_lines = [text.splitlines()[0] for text, _ in messages]
    assert first_lines[0] == f"🔔 **1500 updates on 3 students** (1/{len(messages)}) · 🎉 1500 passed"
    assert first_lines[1:] == [
        f"🔔 **1500 updates on 3 students** … ({number}/{len(messages)})" for number in range(2, len(messages) + 1)
    ]
    assert len(messages) == 2


def test_a_row_of_very_many_events_becomes_several() -> None:
    events = [make_event(10**9 + number, activity_metadata=None, timestamp=NOON) for number in range(5000)]
    messages = messages_of(events)
    check_all_carried(messages, events)
    rows = [row for text, _ in messages for row in rows_of(text)]
    assert rows[0].startswith("| student_1 | 🎉 \u00d75000 | Mathematics Final Exam `#")
    assert all(row.startswith("| student_1 | … | Mathematics Final Exam `#") for row in rows[1:])
    assert all(len(text) > 9_000 for text, _ in messages[:-1])


def many_rows(students: int) -> list[Any]:
    """One event for each row; one in ten is a failure."""
    types = ["exam_passed"] * 7 + ["exam_failed"] + ["exam_passed"] * 2
    return [
        make_event(number, types[number % 10], number % students, activity_title=f"Exam {number}")
        for number in range(1, 2 * READABLE_ROWS)
    ]


def test_more_rows_than_one_reads_are_folded_under_totals() -> None:
    events = many_rows(students=20)
    [(text, _), *others] = messages = messages_of(events)
    check_all_carried(messages, events)
    lines = text.splitlines()
    assert lines[2:6] == [
        "| Student | In total |",
        "|---|---|",
        "| student_17 | ❌\u00a06 |",
        "| student_7 | ❌\u00a06 |",
    ]
    assert lines.index("```spoiler One by one, worst first") == 2 + 2 + 20 + 1
    assert lines[lines.index("```spoiler One by one, worst first") - 1] == ""
    for text, _ in messages:
        assert text.endswith(" |\n```")
    assert all(text.split("\n")[2] == "```spoiler One by one, worst first" for text, _ in others)


def test_a_few_rows_are_not_folded() -> None:
    [(text, _)] = messages_of(many_rows(students=20)[:READABLE_ROWS])
    assert "spoiler" not in text and "In total" not in text


def test_totals_of_very_many_students_say_how_many_are_left_out() -> None:
    events = many_rows(students=1000)
    messages = messages_of(events)
    check_all_carried(messages, events)
    assert f"\n\n… and {len(events) - 30} more, below\n\n```spoiler" in messages[0][0]


class NamingFormatter(MessageFormatter):
    def format_student_name(self, event: Any) -> str:
        return "**Student** " + "x" * 20_000 if event.student_id == 1 else "**Second**"

    def format_exam_passed_message(self, event: Any, emoji: str, student_name: str) -> str:
        return f"{emoji} #{event.event_id}"


def test_a_subclass_decides_how_students_are_named() -> None:
    events = [make_event(number, student_id=number) for number in (1, 2)]
    [(text, _)] = NamingFormatter().format_group_messages(iter(events))
    names = [row.split(" | ")[0] for row in rows_of(text)]
    assert names[0] == "| **Second**"
    assert names[1].startswith("| \u2217\u2217Student\u2217\u2217 xxx")
    assert len(names[1].replace("\u200b", "")) == len("| ") + 80
    assert NamingFormatter().format_group_messages(events[:1]) == [("🎉 #1", [1])]


SPOILER = ("div.spoiler-block", "div.spoiler-header", "div.spoiler-content")
values = st.none() | hostile_texts | st.integers() | st.floats()
event_lists = st.lists(
    st.fixed_dictionaries(
        {
            "event_id": st.integers(1, 2**63),
            "event_type": st.sampled_from([*ALL_TYPES, "quiz_skipped", "", "@**all**"]),
            "student_id": st.integers(1, 3),
            "student_username": st.none() | hostile_texts,
            "student_display_name": st.none() | hostile_texts,
            "activity_id": st.none() | st.integers(1, 3),
            "activity_title": st.none() | hostile_texts | st.sampled_from(["x" * 600, "Exam"]),
            "activity_metadata": st.none() | st.dictionaries(st.sampled_from(["percentage", "score"]), values),
            "timestamp": st.none() | st.integers(0, 99).map(lambda minutes: NOON + timedelta(minutes=minutes)),
        }
    ),
    min_size=2,
    max_size=12,
    unique_by=lambda event: event["event_id"],
).map(lambda events: [SimpleNamespace(**event) for event in events])


@settings(max_examples=60, deadline=None)
@given(event_lists)
def test_no_text_of_the_lms_changes_what_a_group_is_made_of(events: list[Any]) -> None:
    messages = messages_of(events)
    check_all_carried(messages, events)
    [(text, _)] = messages
    rows = rows_of(text)
    assert text.splitlines()[1] == "" and len(text.splitlines()) == 4 + len(rows)
    found = constructs(text)
    assert found.pop("time", 0) <= len(rows)
    table = {"table": 1, "thead": 1, "tbody": 1, "tr": 1 + len(rows), "th": COLUMNS, "td": COLUMNS * len(rows)}
    assert found == {"p": 1, "strong": 1, "code": len(events), **table}


@settings(max_examples=10, deadline=None)
@given(event_lists, st.integers(READABLE_ROWS, 600))
def test_however_many_events_each_is_told_once_and_nothing_breaks_out(some: list[Any], count: int) -> None:
    events = [
        SimpleNamespace(**{**vars(some[number % len(some)]), "event_id": number + 1, "student_id": number % 50})
        for number in range(count)
    ]
    messages = messages_of(events)
    check_all_carried(messages, events)
    for text, event_ids in messages:
        assert event_ids
        found = marks(text)
        assert not set(found) - {"strong", "code", "time", *SPOILER}
        assert (found["strong"], found["code"]) == (1, len(event_ids))
        assert {found[part] for part in SPOILER} <= {0, 1}
