from __future__ import annotations

import json
import re
from datetime import datetime, timezone
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lms_bot.core.activities import ActivityType
from lms_bot.notify.formatter import EMOJI, LABELS, WORST_FIRST, MessageFormatter
from tests.places import FIXTURES
from tests.worlds.zulip_rules import constructs, hostile_texts, marks, render_widely, text_of

GOLDEN = FIXTURES
CASES = [
    pytest.param(case, id=f"{path.stem}: {case['description']}")
    for path in sorted(GOLDEN.glob("*.json"))
    for case in json.loads(path.read_text(encoding="utf-8"))
]
METADATA_KEYS = [
    *("score", "percentage", "result", "time_taken"),
    *("course_title", "chapter_name", "content_type"),
]
ALL_TYPES = [event_type.value for event_type in ActivityType]


def make_event(**changes: Any) -> SimpleNamespace:
    """An event row as the formatter sees it; without `student_display_name`, which not every row has."""
    values = {
        "event_id": 12,
        "event_type": "exam_passed",
        "student_id": 17,
        "student_username": "john_doe",
        "mentor_id": 7,
        "mentor_username": "anna_mentor",
        "activity_id": 42,
        "activity_title": "Mathematics Final Exam",
        "activity_metadata": {"score": 85, "percentage": 85, "result": "pass", "time_taken": "0:45:00"},
        "timestamp": datetime(2026, 1, 15, 14, 30, tzinfo=timezone.utc),
    }
    return SimpleNamespace(**{**values, **changes})


def message_of(**changes: Any) -> str:
    return MessageFormatter().format_notification_message(make_event(**changes))


@pytest.mark.parametrize("case", CASES)
def test_each_golden_event_gives_its_message(case: dict[str, Any]) -> None:
    moment = case["event"]["timestamp"]
    event = {**case["event"], "timestamp": moment and datetime.fromisoformat(moment)}
    assert MessageFormatter().format_notification_message(SimpleNamespace(**event)) == case["message"]


def test_there_is_a_golden_file_an_emoji_a_label_and_a_rank_for_each_type() -> None:
    assert {path.stem for path in GOLDEN.glob("*.json")} == set(ALL_TYPES)
    assert set(EMOJI) == set(LABELS) == set(WORST_FIRST) == set(ALL_TYPES)


def test_the_shape_of_a_message() -> None:
    assert message_of() == (
        "🎉 **Exam Passed!**\n"
        "\n"
        "**john_doe** has passed: **Mathematics Final Exam**\n"
        "📊 **Score:** 85 | **Percentage:** 85% | **Result:** pass | **Time Taken:** 45 minutes\n"
        "🎉 Congratulations to the student!\n"
        "`#12`"
    )


def test_a_type_may_be_given_as_a_word_or_as_a_member() -> None:
    assert message_of(event_type=ActivityType.EXAM_PASSED) == message_of(event_type="exam_passed")


@pytest.mark.parametrize("event_type", ["quiz_skipped", "notification", "summary", "", "@**all**"])
def test_a_type_nobody_knows_still_makes_a_message(event_type: str) -> None:
    message = message_of(event_type=event_type)
    assert message.startswith("🔔 **Student Activity**\n\n**john_doe**")
    assert message.endswith("`#12`")
    assert marks(message) == {"strong": 3, "code": 1, "time": 1}


anything = st.none() | hostile_texts | st.integers() | st.floats()


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(ALL_TYPES),
    *[st.none() | hostile_texts] * 3,
    st.dictionaries(
        st.sampled_from(
            ["score", "percentage", "result", "time_taken", "course_title", "chapter_name", "content_type"]
        ),
        anything,
    ),
)
def test_no_text_of_the_lms_changes_what_a_message_is_made_of(
    event_type: str, username: str | None, display_name: str | None, title: str | None, known: dict[str, Any]
) -> None:
    message = message_of(
        event_type=event_type,
        student_username=username,
        student_display_name=display_name,
        activity_title=title,
        activity_metadata=known,
    )
    assert re.fullmatch(r"[^\n]+\n\n[^\n]+(\n[^\n]+){1,3}", message)
    assert message.endswith("\n`#12`")
    assert "None" not in message or "None" in f"{username}{display_name}{title}{known}"
    found = constructs(message)
    parts = len(re.findall(r"\*\*[A-Z][\w ]*:\*\* [^|\n]", message))
    assert found.pop("time", 0) <= 1
    assert found == {"p": 2, "br": message.count("\n") - 2, "strong": 3 + parts, "code": 1}
    assert text_of(render_widely(message)).count("|") == max(parts - 1, 0)


def test_even_the_longest_texts_fit_into_one_message() -> None:
    long = "@" * 20_000
    metadata = dict.fromkeys(["score", "percentage", "result", "time_taken"], long)
    message = message_of(
        student_username=long,
        student_display_name=long + "x",
        activity_title=long,
        activity_metadata=metadata,
    )
    assert len(message) < 5_000


@pytest.mark.parametrize("metadata", [None, {}, [], "broken", {"score": None, "result": " "}])
def test_a_line_about_nothing_is_left_out(metadata: Any) -> None:
    assert "📊" not in message_of(activity_metadata=metadata)


@pytest.mark.parametrize(
    ("time_taken", "words"),
    [
        ("0:45:00", "45 minutes"),
        ("00:45:59", "45 minutes"),
        ("0:01:00", "1 minute"),
        ("1:00:00", "1 hour"),
        ("1:05:00", "1 hour 5 minutes"),
        ("2:00:59", "2 hours"),
        ("1 day, 2:03:04", "26 hours 3 minutes"),
        ("0:00:30.5", "30 seconds"),
        ("0:00:01", "1 second"),
        ("0:00:00", "0 seconds"),
        ("45 min", "45 min"),
        ("-0:45:00", "-0:\u200b45:\u200b00"),
        (2700, "2700"),
    ],
)
def test_a_duration_is_told_in_words(time_taken: object, words: str) -> None:
    message = message_of(activity_metadata={"time_taken": time_taken})
    assert f"📊 **Time Taken:** {words}\n" in message


@pytest.mark.parametrize(
    ("value", "shown"),
    [(85, "85%"), (85.0, "85%"), (85.5, "85.5%"), ("85", "85%"), ("85 %", "85%"), (0, "0%")],
)
def test_a_percentage_has_one_sign(value: object, shown: str) -> None:
    assert f"📊 **Percentage:** {shown}\n" in message_of(activity_metadata={"percentage": value})


@pytest.mark.parametrize(
    ("username", "display_name", "shown"),
    [
        ("jane_smith", "Jane Smith", "Jane Smith (jane_smith)"),
        ("jane_smith", "jane_smith", "jane_smith"),
        ("jane_smith", None, "jane_smith"),
        ("jane_smith", " ", "jane_smith"),
        (None, "Jane Smith", "Jane Smith"),
        (None, None, "Student 17"),
        ("", "", "Student 17"),
    ],
)
def test_a_student_is_named_as_well_as_the_lms_allows(
    username: str | None, display_name: str | None, shown: str
) -> None:
    event = make_event(student_username=username, student_display_name=display_name)
    assert MessageFormatter().format_student_name(event) == shown


def test_an_event_that_has_no_number_yet_is_told_without_one() -> None:
    assert message_of(event_id=None).endswith("🎉 Congratulations to the student!")


class ShortFormatter(MessageFormatter):
    def format_exam_passed_message(self, event: Any, emoji: str, student_name: str) -> str:
        return f"{emoji} {student_name} #{event.event_id}"


def test_a_subclass_decides_about_the_types_it_overrides() -> None:
    formatter = ShortFormatter()
    assert formatter.format_notification_message(make_event()) == "🎉 john_doe #12"
    failed = make_event(event_type="exam_failed")
    assert formatter.format_notification_message(failed).startswith("❌ **Exam Failed**")


def test_a_summary_counts_by_type_and_lists_students_worst_first() -> None:
    events = [
        make_event(event_id=1, student_id=1, student_username="passed"),
        make_event(event_id=2, student_id=2, student_username="watched", event_type="content_watched"),
        make_event(event_id=3, student_id=3, student_username="failed", event_type="content_started"),
        make_event(event_id=4, student_id=3, student_username="failed", event_type="exam_failed"),
        make_event(event_id=5, student_id=1, student_username="passed"),
    ]
    assert MessageFormatter().format_summary_message(iter(events), "today") == (
        "📊 **Activity Summary** (today)\n"
        "\n"
        "5 activities of 3 students\n"
        "❌ Exams failed: 1 | 📖 Contents started: 1 | 👀 Contents viewed: 1 | 🎉 Exams passed: 2\n"
        "\n"
        "| Student | Activities | Events |\n"
        "|---|---|---|\n"
        "| failed | ❌ 1 📖 1 | `#4` `#3` |\n"
        "| watched | 👀 1 | `#2` |\n"
        "| passed | 🎉 2 | `#1` `#5` |"
    )


def test_a_summary_of_nothing_says_so() -> None:
    assert MessageFormatter().format_summary_message([]) == (
        "📊 **Activity Summary** (recent)\n\nNo activities to report."
    )


def test_a_row_of_many_events_names_the_worst_and_counts_the_rest() -> None:
    events = [make_event(event_id=number) for number in range(1, 41)]
    events.append(make_event(event_id=41, event_type="exam_failed"))
    last_row = MessageFormatter().format_summary_message(events).splitlines()[-1]
    assert last_row.startswith("| john_doe | ❌ 1 🎉 40 | `#41` `#1` ")
    assert last_row.endswith(" … and 29 more |")


def test_a_summary_is_cut_between_rows_and_says_how_many_are_missing() -> None:
    events = [
        make_event(event_id=number, student_id=number, student_username=f"student_{number}") for number in range(1000)
    ]
    summary = MessageFormatter().format_summary_message(events)
    lines = summary.splitlines()
    rows = [line for line in lines if line.startswith("| student_")]
    assert 9_900 < len(summary) <= 10_000
    assert all(line.endswith("` |") for line in rows)
    assert lines[-1] == f"… and {1000 - len(rows)} more"


@settings(max_examples=100, deadline=None)
@given(hostile_texts, hostile_texts, hostile_texts)
def test_no_text_of_the_lms_changes_what_a_summary_is_made_of(
    username: str, event_type: str, time_period: str
) -> None:
    def summary(*texts: str) -> str:
        name, kind, period = (text if text.strip() else "x" for text in texts)
        events = [make_event(student_username=name, event_type=kind), make_event(student_id=2)]
        return MessageFormatter().format_summary_message(events, period)

    assert constructs(summary(username, event_type, time_period)) == constructs(summary("x", "x", "x"))


def test_an_alarm_says_why_and_what_to_do() -> None:
    assert MessageFormatter().format_alarm_message({"Invalid email 'a@b.c'": 3, "Zulip is away": 12}) == (
        "⚠️ **Deliveries are failing** · 15 so far\n"
        "\n"
        "| Reason | How many |\n"
        "|---|---|\n"
        "| Zulip is away | 12 |\n"
        "| Invalid email 'a@\u200bb.c' | 3 |\n"
        "\n"
        "`errors` shows them, `retry` sends them again."
    )


def test_an_alarm_of_very_many_reasons_fits_and_still_says_what_to_do() -> None:
    alarm = MessageFormatter().format_alarm_message({f"{number} " + "x" * 1000: 1 for number in range(500)})
    assert len(alarm) <= 10_000
    assert re.search(r"\n\n… and \d+ more\n\n`errors` shows them, `retry` sends them again\.$", alarm)


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(hostile_texts, st.integers(1, 99), min_size=1, max_size=5))
def test_no_reason_changes_what_an_alarm_is_made_of(reasons: dict[str, int]) -> None:
    found = constructs(MessageFormatter().format_alarm_message(reasons))
    rows = {"tr": 1 + len(reasons), "th": 2, "td": 2 * len(reasons)}
    assert found == {"p": 2, "strong": 1, "code": 2, "table": 1, "thead": 1, "tbody": 1, **rows}


def test_a_recovery_says_where_to_look() -> None:
    recovery = MessageFormatter().format_recovery_message()
    assert recovery.startswith("✅ **Deliveries work again**\n\n")
    assert marks(recovery) == {"strong": 1, "code": 2}
