from __future__ import annotations

import re
from collections import Counter
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lms_bot import BriefFormatter
from lms_bot.core.activities import ActivityType
from lms_bot.core.so_far import SoFar
from lms_bot.notify.wording import MOST_CORRECTIONS
from tests.worlds.zulip_rules import constructs, hostile_texts, marks

ALL_TYPES = [event_type.value for event_type in ActivityType]
EXAM_RESULTS = ["exam_failed", "exam_passed", "exam_completed"]
NOON = datetime(2026, 1, 15, 12, tzinfo=timezone.utc)
NAMES = {1: "John Doe", 2: "Jane Smith", 3: "Ama Owusu", 4: "Li Na"}


def make_event(event_id: int, event_type: str = "exam_failed", student_id: int = 1, **changes: Any) -> Any:
    values = {
        "event_id": event_id,
        "event_type": event_type,
        "student_id": student_id,
        "student_username": f"student_{student_id}",
        "student_display_name": NAMES.get(student_id, f"Student No {student_id}"),
        "activity_id": 7,
        "attempt_id": event_id,
        "activity_title": "Algebra",
        "activity_metadata": {"percentage": 40},
        "timestamp": NOON + timedelta(minutes=event_id),
        "so_far": None,
        "correction": None,
    }
    return SimpleNamespace(**{**values, **changes})


def turned(was: str, was_percentage: float | None, now: str, percentage: float | None) -> Any:
    return SimpleNamespace(was_type=was, was_percentage=was_percentage, event_type=now, percentage=percentage)


def line_of(event: Any) -> str:
    return BriefFormatter().format_notification_message(event)


def messages_of(events: list[Any]) -> list[tuple[str, list[int]]]:
    return BriefFormatter().format_group_messages(events)


def lines_of(events: list[Any]) -> list[str]:
    [(text, event_ids)] = messages_of(events)
    assert sorted(event_ids) == sorted(event.event_id for event in events)
    return text.splitlines()


def check_all_carried(messages: list[tuple[str, list[int]]], events: list[Any]) -> None:
    """Every event in exactly one message; every message within the limit and about something."""
    carried = [event_id for _, event_ids in messages for event_id in event_ids]
    assert sorted(carried) == sorted(event.event_id for event in events)
    for text, event_ids in messages:
        assert 0 < len(text) <= 10_000
        assert event_ids


@pytest.mark.parametrize(
    ("so_far", "said"),
    [
        (None, ""),
        (SoFar(failures_in_row=1, failures_of_exam=1), ""),
        (SoFar(failures_in_row=2, failures_of_exam=1), ""),
        (SoFar(failures_in_row=3, failures_of_exam=1), " · 3rd failure in a row"),
        (SoFar(2, None, 2, 2), " · 2nd try"),
        (SoFar(2, 35.0, 2, 2), " · 2nd try (35 % before)"),
        (SoFar(2, 35.0, 3, 2), " · 2nd try (35 % before), 3rd failure in a row"),
        (SoFar(2, 66.666, 1, 1), " · 2nd try (66.7 % before)"),
        (SoFar(2, 0.0, 2, 2), " · 2nd try (0 % before)"),
        (SoFar(3, 35.0, 3, 3), " · 3rd failure in a row (35 % before)"),
        (SoFar(3, None, 3, 3), " · 3rd failure in a row"),
        (SoFar(3, 35.0, 1, 3), " · 3rd try (35 % before), failed 3 times"),
        (SoFar(4, 35.0, 3, 3), " · 4th try (35 % before), 3rd failure in a row"),
        (SoFar(11, None, 22, 11), " · 11th try, 22nd failure in a row"),
    ],
)
def test_a_failure_says_how_it_stands_among_the_others(so_far: SoFar | None, said: str) -> None:
    event = make_event(28, activity_title="Mathematics Final Exam", so_far=so_far)
    assert line_of(event) == f"❌ **John Doe** failed **Mathematics Final Exam** · 40 %{said} · `#28`"


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        ({"percentage": 40.0}, " · 40 %"),
        ({"percentage": "40 %", "score": 8}, " · 40 %"),
        ({"percentage": 0}, " · 0 %"),
        ({"score": 8}, " · score 8"),
        ({}, ""),
        (None, ""),
    ],
)
def test_a_result_is_told_as_well_as_the_lms_knows_it(metadata: Any, said: str) -> None:
    assert line_of(make_event(1, activity_metadata=metadata)) == f"❌ **John Doe** failed **Algebra**{said} · `#1`"


@pytest.mark.parametrize(
    ("event_type", "line"),
    [
        ("exam_started", "📝 **John Doe** started **Algebra**"),
        ("exam_completed", "✅ **John Doe** completed **Algebra** · 40 %"),
        ("exam_passed", "🎉 **John Doe** passed **Algebra** · 40 %"),
        ("exam_failed", "❌ **John Doe** failed **Algebra** · 40 %"),
        ("content_started", "📖 **John Doe** started **Algebra**"),
        ("content_completed", "📚 **John Doe** completed **Algebra**"),
        ("content_watched", "👀 **John Doe** watched **Algebra**"),
    ],
)
def test_each_type_is_one_line(event_type: str, line: str) -> None:
    ref = " · `#5`" if event_type == "exam_failed" else ""  # what is to be acted upon
    assert line_of(make_event(5, event_type)) == line + ref
    assert BriefFormatter().format_group_messages([make_event(5, event_type)]) == [(line + ref, [5])]


def test_who_passes_after_failing_recovered() -> None:
    recovered = make_event(5, "exam_passed", so_far=SoFar(2, 30.0, is_recovery=True))
    assert line_of(recovered) == "🎉 **John Doe** passed **Algebra** · 40 % · recovered (30 % before it)"
    recovered.so_far = SoFar(2, is_recovery=True)
    assert line_of(recovered) == "🎉 **John Doe** passed **Algebra** · 40 % · recovered"


def test_a_correction_says_what_it_is_now_and_what_it_was() -> None:
    event = make_event(31, correction=turned("exam_failed", 30, "exam_passed", 75.5))
    assert line_of(event) == "✏️ **John Doe**: **Algebra** is now passed 75.5 % (was failed 30 %) · `#31`"
    event.correction = turned("exam_passed", None, "exam_failed", None)
    assert line_of(event) == "✏️ **John Doe**: **Algebra** is now failed (was passed) · `#31`"


@pytest.mark.parametrize(
    ("display_name", "username", "shown"),
    [
        ("John Doe", "john_doe", "John Doe"),
        (" ", "john_doe", "john_doe"),
        (None, "john_doe", "john_doe"),
        (None, None, "Student 1"),
    ],
)
def test_a_student_is_called_by_name(display_name: str | None, username: str | None, shown: str) -> None:
    event = make_event(1, student_display_name=display_name, student_username=username)
    assert line_of(event).startswith(f"❌ **{shown}** failed ")


def test_an_exam_without_a_title_and_an_event_without_a_number() -> None:
    event = make_event(1, activity_title=None, activity_id=None)
    event.event_id = None
    assert line_of(event) == "❌ **John Doe** failed an untitled exam · 40 %"


def test_a_type_nobody_knows_still_makes_a_message() -> None:
    assert "John Doe" in line_of(make_event(1, "quiz_skipped"))


def test_no_events_make_no_message() -> None:
    assert messages_of([]) == []


# ---- many at once ----


def test_what_calls_for_a_mentor_is_first_and_all_else_is_summed_up() -> None:
    events = [
        make_event(1, "content_watched", 1, activity_title="Sets"),
        make_event(2, "exam_passed", 2, activity_metadata={"percentage": 85}),
        make_event(3, "exam_passed", 3, activity_metadata={"percentage": 90}),
        make_event(4, "exam_completed", 3, activity_title="Essay", activity_id=8, activity_metadata=None),
        make_event(
            5, "exam_passed", 4, activity_title="Physics", activity_id=9, so_far=SoFar(2, 30, is_recovery=True)
        ),
        make_event(6, correction=turned("exam_failed", 30, "exam_passed", 75)),
        make_event(7, "exam_failed", 2, activity_title="Physics", activity_id=9),
        make_event(
            8, "exam_failed", 3, activity_title="Physics", activity_id=9, activity_metadata={"percentage": 12}
        ),
    ]
    assert lines_of(events) == [
        "❌ **Ama Owusu** failed **Physics** · 12 % · `#8`",
        "❌ **Jane Smith** failed **Physics** · 40 % · `#7`",
        "✏️ **John Doe**: **Algebra** is now passed 75 % (was failed 30 %) · `#6`",
        "🎉 **Li Na** passed **Physics** · 40 % · recovered (30 % before it)",
        "🎉 **Algebra**: Jane Smith 85 %, Ama Owusu 90 %",
        "✅ **Essay** completed: Ama Owusu",
        "👀 1 lesson watched by John Doe",
    ]


def test_who_failed_again_and_again_is_before_who_failed_worse() -> None:
    events = [
        make_event(1, student_id=1, activity_metadata={"percentage": 5}),
        make_event(2, student_id=2, activity_metadata=None),
        make_event(3, student_id=3, so_far=SoFar(1, None, 4, 1)),
    ]
    assert [re.findall(r"`#(\d)`", line) for line in lines_of(events)] == [["3"], ["1"], ["2"]]


def test_a_start_with_more_after_it_is_never_the_news() -> None:
    events = [
        make_event(1, "exam_started", 1, attempt_id=50),
        make_event(2, "exam_completed", 1, attempt_id=50),
        make_event(3, "exam_failed", 1, attempt_id=50),
        make_event(4, "exam_started", 2, attempt_id=51),
        make_event(5, "exam_passed", 2, attempt_id=51),
    ]
    for given_order in (events, events[::-1]):
        assert lines_of(given_order) == [
            "❌ **John Doe** failed **Algebra** · 40 % · `#3`",
            "🎉 **Algebra**: Jane Smith 40 %",
        ]


def test_a_failure_that_was_made_good_meanwhile_is_told_beside_the_recovery() -> None:
    recovered = SoFar(2, 40.0, 0, 0, is_recovery=True)
    events = [
        make_event(1, student_id=1, so_far=SoFar(1, None, 1, 1)),
        make_event(2, "exam_passed", student_id=1, activity_metadata={"percentage": 85}, so_far=recovered),
        make_event(3, student_id=2),
    ]
    assert lines_of(events) == [
        "❌ **Jane Smith** failed **Algebra** · 40 % · `#3`",
        "❌ **John Doe** failed **Algebra** · 40 % · `#1`",
        "🎉 **John Doe** passed **Algebra** · 85 % · recovered (40 % before it)",
    ]


def test_an_exam_and_a_content_of_one_number_are_two() -> None:
    events = [
        make_event(1, "content_started", attempt_id=50, activity_title="Sets"),
        make_event(2, attempt_id=50),
    ]
    assert len(lines_of(events)) == 2


def test_two_who_are_called_alike_are_told_apart() -> None:
    events = [make_event(number, student_id=number, student_display_name="Jane Smith") for number in (1, 2)]
    events.append(make_event(3, student_id=3))
    named = [line.split("** failed")[0] for line in lines_of(events)]
    assert named == ["❌ **Jane Smith (student_1)", "❌ **Jane Smith (student_2)", "❌ **Ama Owusu"]


def test_of_many_who_passed_an_exam_some_are_named() -> None:
    events = [make_event(number, "exam_passed", number) for number in range(1, 16)]
    [line] = lines_of(events)
    assert line.startswith("🎉 **Algebra**: John Doe 40 %, ") and line.endswith(" … and 11 more")
    assert line.count(" 40 %") == 4


def test_of_many_exams_some_are_named() -> None:
    events = [
        make_event(number, "exam_passed", number, activity_title=f"Exam {number % 13}", activity_id=1 + number % 13)
        for number in range(1, 40)
    ]
    lines = lines_of(events)
    assert len(lines) == 7
    assert lines[-1] == "… and 21 results of 7 exams, passed"


def test_many_corrections_are_one_line() -> None:
    correction = turned("exam_failed", 30, "exam_passed", 75)
    events = [
        make_event(number, student_id=number, correction=correction) for number in range(1, MOST_CORRECTIONS + 2)
    ]
    [line] = lines_of(events)
    assert line == "✏️ **6 results of 6 students were corrected**: 🎉 6 now passed"
    assert len(lines_of(events[1:])) == MOST_CORRECTIONS


def test_everybody_who_failed_is_named_however_many() -> None:
    """Of a class an exam is named once; who failed again and again has a line also then."""
    events = [make_event(number, student_id=number, activity_title="Algebra") for number in range(1, 201)]
    events[6].so_far = SoFar(tries=1, failures_in_row=3, failures_of_exam=1)
    messages = messages_of(events)
    check_all_carried(messages, events)
    text = "\n".join(one for one, _ in messages)
    assert text.splitlines()[0].startswith("❌ **") and "3rd failure in a row · `#7`" in text.splitlines()[0]
    assert all(NAMES.get(number, f"Student No {number}") in text for number in range(1, 201))
    assert len(text.splitlines()) == 1 + 7 and len(text) < 6_000


def test_a_usual_day_is_read_in_a_minute() -> None:
    """Six failures, all with all there is to say of them, twenty passes and many contents; a sign is no word."""
    failures = [make_event(number, student_id=number, so_far=SoFar(2, 35, 3, 2)) for number in range(1, 7)]
    passes = [make_event(number, "exam_passed", number, activity_id=number % 4) for number in range(7, 27)]
    contents = [make_event(number, "content_watched", number) for number in range(27, 90)]
    for event in (*failures, *passes):
        event.student_display_name = f"Student {event.student_id:02}"
    [(text, _)] = messages_of([*contents, *passes, *failures])
    assert sum(any(map(str.isalnum, word)) for word in text.split()) <= 200


# ---- whatever the LMS says ----

values = st.none() | hostile_texts | st.integers() | st.floats()
so_fars = st.none() | st.builds(
    SoFar,
    st.integers(1, 30),
    st.none() | st.floats(0, 100),
    st.integers(0, 30),
    st.integers(0, 30),
    st.booleans(),
)
corrections = st.none() | st.builds(
    turned, st.sampled_from(EXAM_RESULTS), st.none() | st.floats(), st.sampled_from(EXAM_RESULTS), st.none()
)
event_lists = st.lists(
    st.fixed_dictionaries(
        {
            "event_id": st.integers(1, 2**63),
            "event_type": st.sampled_from([*ALL_TYPES, "quiz_skipped", "", "@**all**"]),
            "student_id": st.integers(1, 3),
            "student_username": st.none() | hostile_texts,
            "student_display_name": st.none() | hostile_texts,
            "activity_id": st.none() | st.integers(1, 3),
            "attempt_id": st.none() | st.integers(1, 3),
            "activity_title": st.none() | hostile_texts | st.sampled_from(["x" * 600, "Exam"]),
            "activity_metadata": st.none() | st.dictionaries(st.sampled_from(["percentage", "score"]), values),
            "timestamp": st.none() | st.integers(0, 99).map(lambda minutes: NOON + timedelta(minutes=minutes)),
            "so_far": so_fars,
            "correction": corrections,
        }
    ),
    min_size=1,
    max_size=12,
    unique_by=lambda event: event["event_id"],
).map(lambda events: [SimpleNamespace(**event) for event in events])

OWN = {"strong", "code", "time"}


@settings(max_examples=150, deadline=None)
@given(event_lists)
def test_no_text_of_the_lms_breaks_out_of_a_message(events: list[Any]) -> None:
    messages = messages_of(events)
    check_all_carried(messages, events)
    for text, _ in messages:
        found = marks(text)
        assert not found.keys() - OWN, text
        assert found["code"] == len(re.findall(r"`#\d+`", text))
        assert found["strong"] == text.count("**") / 2


def line_with(event_type: str, so_far: SoFar | None, *texts: str) -> str:
    name, username, title, number = texts
    known = {"percentage": number, "score": number}
    event = make_event(
        1,
        event_type,
        student_display_name=name,
        student_username=username,
        activity_title=title,
        activity_metadata=known,
        so_far=so_far,
    )
    return line_of(event)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(ALL_TYPES), so_fars, *[hostile_texts.filter(str.strip)] * 4)
def test_one_line_stays_one_line_made_of_the_same_things(
    event_type: str, so_far: SoFar | None, name: str, username: str, title: str, number: str
) -> None:
    line = line_with(event_type, so_far, name, username, title, number)
    found = constructs(line)
    assert found.pop("strong") in (1, 2)  # a title of nothing that can be seen is none
    assert found == Counter({"p": 1, "code": 1 if event_type == "exam_failed" else 0}) - Counter(), line
    assert "\n" not in line


@settings(max_examples=20, deadline=None)
@given(event_lists, st.integers(60, 600))
def test_however_many_events_each_is_carried_once(some: list[Any], count: int) -> None:
    events = [
        SimpleNamespace(**{**vars(some[number % len(some)]), "event_id": number + 1, "student_id": number % 50})
        for number in range(count)
    ]
    messages = messages_of(events)
    check_all_carried(messages, events)
    for text, _ in messages:
        assert not marks(text).keys() - OWN
