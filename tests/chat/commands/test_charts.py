"""`chart`: a picture, and its figures."""

from __future__ import annotations

import importlib.util
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from lms_bot.chat.offers import FOR_STUDENTS
from lms_bot.core.activities import ActivityType
from lms_bot.insight import charts
from lms_bot.store.conversation import AuditEntry
from tests.worlds.chat_world import ADMIN, JANE, JOHN, MARIA, PUPIL, ZOE, World, make_user

if TYPE_CHECKING:
    from lms_bot.chat import Reply

HOUR, DAY, WEEK = timedelta(hours=1), timedelta(days=1), timedelta(weeks=1)
FAILED, PASSED, STARTED = ActivityType.EXAM_FAILED, ActivityType.EXAM_PASSED, ActivityType.EXAM_STARTED
WATCHED = ActivityType.CONTENT_WATCHED
PNG = b"\x89PNG\r\n\x1a\n"
HOW = 'pip install "lms-bot[charts]"'
needs_matplotlib = pytest.mark.skipif(not charts.is_available(), reason="the extra `charts` is not installed")


@pytest.fixture
def no_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the extra is not installed."""
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(charts, "find_spec", lambda name: None if name == "matplotlib" else find_spec(name))


def scored(percentage: float) -> dict[str, Any]:
    return {"activity_metadata": {"score": percentage / 2, "percentage": percentage}}


def has_picture(reply: Reply) -> bool:
    is_named = "\n\n[chart.png](attachment:0)\n\n```spoiler The figures\n" in reply.text
    assert is_named == bool(reply.files)
    return is_named and reply.files[0].name == "chart.png" and reply.files[0].content.startswith(PNG)


def get_figures(reply: Reply) -> list[str]:
    """The tables that are folded up under the picture."""
    _, _, folded = reply.text.partition("```spoiler The figures\n")
    assert folded.endswith("\n```") and folded.count("```") == 1
    return folded.removesuffix("\n```").split("\n\n")


def draw_results(world: World, said: str, monkeypatch: pytest.MonkeyPatch) -> list[charts.Result]:
    """The results in the picture that is the answer, the oldest first."""
    drawn: list[charts.Result] = []
    draw = charts.draw_student

    def note(names: Any, what: str, results: list[charts.Result], *rest: Any) -> bytes:
        drawn.extend(results)
        return draw(names, what, results, *rest)

    monkeypatch.setattr(charts, "draw_student", note)
    assert has_picture(world.ask(said))
    return sorted(drawn, key=lambda one: one.at)


def get_audited(world: World) -> list[tuple[int, int | None, str]]:
    with world.store.session():
        return [(entry.zulip_user_id, entry.student_id, entry.command) for entry in AuditEntry.select()]


@needs_matplotlib
def test_a_students_chart_comes_with_its_figures_under_it(world: World) -> None:
    world.add_event(JOHN, FAILED, ago=8 * DAY, **scored(40))
    world.add_event(JOHN, STARTED, activity_title="Left open", ago=2 * HOUR, activity_metadata=None)
    world.add_event(JOHN, PASSED, ago=HOUR, **scored(85))
    world.add_event(JOHN, WATCHED, ago=HOUR)
    world.add_event(JOHN, PASSED, ago=20 * WEEK, activity_title="Long ago")

    reply = world.ask("chart john_doe")

    assert reply.is_private and has_picture(reply)
    assert reply.text.startswith("📈 **John Doe (john_doe)** · the last 12 weeks\n\n[chart.png](attachment:0)\n\n")
    results, activity = get_figures(reply)
    assert results.splitlines()[2:] == [
        "| Mathematics Final Exam | 🎉 85% | Wed 18 Mar |",
        "| Mathematics Final Exam | ❌ 40% | Tue 10 Mar |",
    ]
    assert activity.splitlines() == [
        "| Day | ❌ Failed 🎉 Passed 📝 Started 📚 Contents |",
        "|---|---|",
        "| Wed 18 Mar | 🎉 1 📝 1 📚 1 |",
        *(f"| {day} Mar |  |" for day in ("Tue 17", "Mon 16", "Sun 15", "Sat 14", "Fri 13", "Thu 12", "Wed 11")),
        "| Tue 10 Mar | ❌ 1 |",
    ]


@pytest.mark.parametrize(
    ("ago", "unit", "first"),
    [
        (3 * DAY, "Day", "Sun 15 Mar"),
        (30 * DAY, "Week from", "Mon 16 Feb"),
        (77 * DAY, "Week from", "Mon 29 Dec 2025"),
    ],
)
def test_a_chart_begins_with_the_first_event_and_counts_by_what_suits_the_time_since(
    small_world: World, ago: timedelta, unit: str, first: str
) -> None:
    small_world.add_event(JOHN, WATCHED, ago=HOUR)
    small_world.add_event(JOHN, WATCHED, ago=ago)
    small_world.add_event(JOHN, WATCHED, ago=20 * WEEK)

    (activity,) = get_figures(small_world.ask("chart john_doe"))

    lines = activity.splitlines()
    assert lines[0] == f"| {unit} | 📚 Contents |" and lines[-1] == f"| {first} | 📚 1 |"


def test_a_chart_of_a_chosen_time_begins_with_the_first_event_too(small_world: World) -> None:
    small_world.add_event(JOHN, WATCHED, ago=HOUR)
    small_world.add_event(JOHN, WATCHED, ago=9 * DAY)

    (activity,) = get_figures(small_world.ask("chart john_doe 6 weeks"))

    assert activity.splitlines()[2:] == ["| Mon 16 Mar | 📚 1 |", "| Mon 9 Mar | 📚 1 |"]


@needs_matplotlib
def test_each_result_is_drawn_with_what_its_exam_is_called_and_what_it_takes_to_pass(
    small_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for at, (exam, course) in enumerate([(1, "Algebra"), (2, "Physics"), (1, "Algebra")]):
        metadata = {"percentage": 50 + at, "course_title": course}
        small_world.add_event(
            JOHN, PASSED, ago=(9 - at) * DAY, activity_id=exam, activity_title="Midterm", activity_metadata=metadata
        )
    small_world.add_event(JOHN, PASSED, activity_id=0, activity_title=None, **scored(60))
    asked: list[set[int]] = []

    def get_pass_marks(exam_ids: Any) -> dict[int, float]:
        asked.append(set(exam_ids))
        return {1: 40.0}

    small_world.change(get_pass_marks=get_pass_marks)
    results = draw_results(small_world, "chart john_doe", monkeypatch)

    first, second, third, unknown = results
    assert [one.percentage for one in results] == [50, 51, 52, 60]
    assert first.exam == third.exam != second.exam and unknown.exam is None
    assert first.titles == ["Midterm · Algebra", "Exam 1"] and second.titles == ["Midterm · Physics", "Exam 2"]
    assert unknown.titles == ["Exam"]
    assert asked == [{1, 2}]
    assert [one.pass_mark for one in results] == [40.0, None, 40.0, None]


def test_a_chart_of_some_time_counts_days_weeks_or_months_of_the_asker(small_world: World) -> None:
    """At noon UTC it is 01:00 in Auckland: what was two hours ago was yesterday."""
    small_world.people.zulip_users[MARIA] = make_user(MARIA, "Maria", timezone="Pacific/Auckland")
    small_world.add_event(JOHN, WATCHED, ago=2 * HOUR)

    assert "| Day | 📚 Contents |\n|---|---|\n| Thu 19 Mar |  |\n| Wed 18 Mar | 📚 1 |" in (
        small_world.ask("chart john 3 days").text
    )
    assert (
        "| Week from | 📚 Contents |\n|---|---|\n| Mon 16 Mar | 📚 1 |" in small_world.ask("chart john 1 month").text
    )
    assert "| Month | 📚 Contents |\n|---|---|\n| March 2026 | 📚 1 |" in small_world.ask("chart john 1 year").text
    assert "No activity." in small_world.ask("chart john today").text
    assert "Usage: `chart <student> [period]`" in small_world.ask("chart john sometime").text


def test_without_the_extra_the_figures_are_shown_and_how_to_get_the_picture(
    small_world: World, no_matplotlib: None
) -> None:
    small_world.add_event(JOHN, PASSED)
    for said in ("chart john_doe", "chart exam mathematics final exam", "chart week"):
        reply = small_world.ask(said)
        assert not reply.files and f"`{HOW}`" in reply.text and "attachment" not in reply.text
        assert "|---|" in reply.text and "spoiler" not in reply.text  # the figures are all there is


@needs_matplotlib
@pytest.mark.parametrize(
    "title", [r"$\frac{1}$ $\undefined", "x](attachment:0) [y](attachment:0)", "M" * 500, "\u202eabc\x00\ud800|`*"]
)
def test_no_title_breaks_a_chart_or_its_table(small_world: World, title: str) -> None:
    title = title.replace("\x00", "").replace("\ud800", "")  # what no database holds
    small_world.add_event(JOHN, PASSED, activity_title=title)

    for reply in (small_world.ask("chart john_doe"), small_world.ask(f"chart exam {title}")):
        assert has_picture(reply) and reply.text.count("](attachment:") == 1
        assert len(reply.text) < 10_000


def test_a_chart_that_cannot_be_drawn_still_shows_its_figures(
    small_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> bytes:
        raise RuntimeError("John Doe")

    monkeypatch.setattr(charts, "draw_student", fail)
    monkeypatch.setattr(charts, "is_available", lambda: True)
    small_world.add_event(JOHN, PASSED)

    reply = small_world.ask("chart john_doe")

    assert "could not be drawn" in reply.text and "🎉 85%" in reply.text and not reply.files


@needs_matplotlib
def test_the_chart_of_an_exam_shows_what_the_own_students_made_of_it(small_world: World) -> None:
    for student in (JOHN, JANE, ZOE):
        small_world.add_event(student, FAILED, activity_title="Algebra", ago=DAY, **scored(30))
    small_world.add_event(JOHN, PASSED, activity_title="Algebra", **scored(90))

    reply = small_world.ask("chart exam algebra")

    assert has_picture(reply)
    assert "John Doe" in reply.text and "Jane Smith" in reply.text and "Zoë" not in reply.text
    assert "\n\n".join(get_figures(reply)) == small_world.ask("exam algebra").text.split("\n\n", 1)[1]
    assert small_world.ask("chart exam geometry").text == small_world.ask("exam geometry").text
    assert "Which exam?" in small_world.ask("chart exam").text


@needs_matplotlib
def test_the_chart_of_the_week_has_its_days_and_all_of_them(small_world: World) -> None:
    """NOW is a Wednesday."""
    small_world.add_event(JOHN, FAILED, ago=2 * DAY)
    small_world.add_event(JANE, WATCHED, ago=HOUR)
    small_world.add_event(ZOE, FAILED, ago=HOUR)
    small_world.add_event(JOHN, FAILED, ago=3 * DAY)  # Sunday

    reply = small_world.ask("chart week")

    assert has_picture(reply) and reply.text.startswith("📈 **Your 3 students** · this week")
    (table,) = get_figures(reply)
    assert table.splitlines() == [
        "| Day | ❌ Failed 📚 Contents |",
        "|---|---|",
        "| Mon | ❌ 1 |",
        "| Tue |  |",
        "| Wed | 📚 1 |",
        *(f"| {day} |  |" for day in ("Thu", "Fri", "Sat", "Sun")),
        "| **All** | ❌ 1 📚 1 |",
    ]


def test_the_week_of_an_admin_who_mentors_nobody_is_everybodys_and_is_written_down(world: World) -> None:
    world.add_event(JOHN, FAILED)
    world.add_event(ZOE, FAILED)

    week = world.ask("chart week", ADMIN).text

    assert week.startswith("📈 **All students** · this week") and "| Wed | ❌ 2 |" in week
    assert get_audited(world) == [(ADMIN, None, "chart week")]


def test_a_week_without_activity_needs_no_picture(small_world: World) -> None:
    reply = small_world.ask("chart week")
    assert reply.text == "📈 **Your 3 students** · this week\n\nNo activity." and not reply.files


@needs_matplotlib
def test_a_student_who_may_ask_sees_charts_of_themselves_alone(small_world: World) -> None:
    small_world.let_students_ask()
    for student in (JOHN, JANE):
        small_world.add_event(student, PASSED)
        small_world.ask(f"note {student.username} for mentors only")

    assert has_picture(small_world.ask("chart", PUPIL)) and has_picture(small_world.ask("chart 3 days", PUPIL))
    week = small_world.ask("chart week", PUPIL)
    assert has_picture(week) and "**You** · this week" in week.text and "| Wed | 🎉 1 |" in week.text
    assert not small_world.ask("chart jane_smith", PUPIL).files
    for said in ("chart exam mathematics", "export john_doe", "notes john_doe", "open", "done all", "whoami", "test"):
        assert small_world.ask(said, PUPIL).text == FOR_STUDENTS
    assert "for mentors only" not in small_world.ask("student", PUPIL).text


@needs_matplotlib
def test_the_pass_mark_of_an_exam_is_drawn_in_its_chart(small_world: World) -> None:
    small_world.add_event(JOHN, PASSED, activity_id=7, activity_title="Algebra", **scored(90))
    without = small_world.ask("chart exam algebra")
    small_world.change(get_pass_marks=lambda exam_ids: dict.fromkeys(exam_ids, 40.0))
    with_mark = small_world.ask("chart exam algebra")

    assert has_picture(without) and has_picture(with_mark) and without.text == with_mark.text
    scores = [charts.Scores(["John Doe", "john_doe", "Student 11"], 90, 90, "passed")]
    assert with_mark.files[0].content == charts.draw_exam(("Algebra", "Exam"), scores, 40.0)
    assert without.files[0].content == charts.draw_exam(("Algebra", "Exam"), scores, None)
