"""Answers with files: charts, with the same figures under them, and exports."""

from __future__ import annotations

import csv
import importlib.util
import io
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from lms_bot.chat import Reply
from lms_bot.chat.commands import export_answers
from lms_bot.chat.language.calendar_units import split
from lms_bot.chat.respond import REFUSAL
from lms_bot.core.activities import ActivityType
from lms_bot.core.clock import find_zone
from lms_bot.core.markdown import one_line
from lms_bot.insight import charts
from lms_bot.insight.export import CSV_HEADER
from lms_bot.store.conversation import AuditEntry
from tests.worlds.chat_world import ADMIN, ARJUN, JANE, JOHN, MARIA, PUPIL, ZOE, World, make_user

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
    is_named = "\n\n[chart.png](attachment:0)" in reply.text
    assert is_named == bool(reply.files)
    return is_named and reply.files[0].name == "chart.png" and reply.files[0].content.startswith(PNG)


def looks(world: World) -> list[tuple[int, int | None, str]]:
    with world.app.store.session():
        return [(look.zulip_user_id, look.student_id, look.command) for look in AuditEntry.select()]


# ---- chart <student> ----


@needs_matplotlib
def test_a_students_chart_comes_with_its_figures_under_it(world: World) -> None:
    world.add_event(JOHN, FAILED, ago=8 * DAY, **scored(40))
    world.add_event(JOHN, STARTED, activity_title="Left open", ago=2 * HOUR, activity_metadata=None)
    world.add_event(JOHN, PASSED, ago=HOUR, **scored(85))
    world.add_event(JOHN, WATCHED, ago=HOUR)
    world.add_event(JOHN, PASSED, ago=20 * WEEK, activity_title="Long ago")

    reply = world.ask("chart john_doe")

    assert reply.is_private and has_picture(reply)
    assert reply.text.startswith(
        "📈 **John Doe (john_doe)** · the last 12 weeks\n\n[chart.png](attachment:0)\n\n| When"
    )
    results, activity = reply.text.split("\n\n")[2:]
    assert results.splitlines()[2:] == [
        "| <time:2026-03-18T11:00:00Z> | Mathematics Final Exam | 🎉 85% |",
        "| <time:2026-03-10T12:00:00Z> | Mathematics Final Exam | ❌ 40% |",
    ]
    assert activity.splitlines()[:5] == [
        "| Week from | ❌ Failed | 🎉 Passed | 📝 Started | 📚 Contents |",
        "|---|---|---|---|---|",
        "| 16 March 2026 |  | 1 | 1 | 1 |",
        "| 9 March 2026 | 1 |  |  |  |",
        "| 2 March 2026 |  |  |  |  |",
    ]
    assert len(activity.splitlines()) == 2 + 12


def test_a_chart_of_some_time_counts_days_weeks_or_months_of_the_asker(small_world: World) -> None:
    """At noon UTC it is 01:00 in Auckland: what was two hours ago was yesterday."""
    small_world.people.zulip_users[MARIA] = make_user(MARIA, "Maria", timezone="Pacific/Auckland")
    small_world.add_event(JOHN, WATCHED, ago=2 * HOUR)

    assert "| Day | 📚 Contents |\n|---|---|\n| 19 March 2026 |  |\n| 18 March 2026 | 1 |" in (
        small_world.ask("chart john 3 days").text
    )
    assert (
        "| Week from | 📚 Contents |\n|---|---|\n| 16 March 2026 | 1 |" in small_world.ask("chart john 1 month").text
    )
    assert "| Month | 📚 Contents |\n|---|---|\n| March 2026 | 1 |" in small_world.ask("chart john 1 year").text
    assert "No activity." in small_world.ask("chart john today").text
    assert "Usage: `chart <student> [period]`" in small_world.ask("chart john sometime").text


def test_without_the_extra_the_figures_are_shown_and_how_to_get_the_picture(
    small_world: World, no_matplotlib: None
) -> None:
    small_world.add_event(JOHN, PASSED)
    for said in ("chart john_doe", "chart exam mathematics final exam", "chart week"):
        reply = small_world.ask(said)
        assert not reply.files and f"`{HOW}`" in reply.text and "attachment" not in reply.text
        assert "|---|" in reply.text


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


# ---- chart exam, chart week ----


@needs_matplotlib
def test_the_chart_of_an_exam_shows_what_the_own_students_made_of_it(small_world: World) -> None:
    for student in (JOHN, JANE, ZOE):
        small_world.add_event(student, FAILED, activity_title="Algebra", ago=DAY, **scored(30))
    small_world.add_event(JOHN, PASSED, activity_title="Algebra", **scored(90))

    reply = small_world.ask("chart exam algebra")

    assert has_picture(reply)
    assert "John Doe" in reply.text and "Jane Smith" in reply.text and "Zoë" not in reply.text
    table = reply.text.split("(attachment:0)\n\n")[1]
    assert table == small_world.ask("exam algebra").text.split("\n\n", 1)[1]
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
    assert reply.text.split("\n\n")[2].splitlines() == [
        "| Day | ❌ Failed | 📚 Contents |",
        "|---|---|---|",
        "| Mon | 1 |  |",
        "| Tue |  |  |",
        "| Wed |  | 1 |",
        *(f"| {day} |  |  |" for day in ("Thu", "Fri", "Sat", "Sun")),
        "| **All** | 1 | 1 |",
    ]


def test_the_week_of_an_admin_who_mentors_nobody_is_everybodys_and_is_written_down(world: World) -> None:
    world.add_event(JOHN, FAILED)
    world.add_event(ZOE, FAILED)

    week = world.ask("chart week", ADMIN).text

    assert week.startswith("📈 **All students** · this week") and "| Wed | 2 |" in week
    assert looks(world) == [(ADMIN, None, "chart week")]


def test_a_week_without_activity_needs_no_picture(small_world: World) -> None:
    reply = small_world.ask("chart week")
    assert reply.text == "📈 **Your 3 students** · this week\n\nNo activity." and not reply.files


def test_days_weeks_and_months_join_without_a_gap_also_where_the_clock_is_changed() -> None:
    zone = find_zone("Europe/Madrid")
    start, end = (datetime(2026, month, 18, 12, tzinfo=timezone.utc) for month in (1, 12))
    for length, unit in ((DAY, "day"), (10 * WEEK, "week"), (30 * WEEK, "month"), (end - start, "month")):
        found = split(start, start + length, zone)
        assert found.unit == unit
        assert found.pieces[0][0] <= start and found.pieces[-1][1] >= start + length
        assert all(one[1] == other[0] for one, other in zip(found.pieces, found.pieces[1:], strict=False))
        assert all(moment.astimezone(zone).hour == 0 for piece in found.pieces for moment in piece)
    assert split(start - 4000 * DAY, start, zone).unit == "year"


# ---- export ----


def read_csv(reply: Reply) -> list[dict[str, str]]:
    (file,) = reply.files
    assert f"\n\n[{file.name}](attachment:0)" in reply.text
    assert file.content.startswith(b"\xef\xbb\xbfevent_id,event_type,timestamp,")
    return list(csv.DictReader(io.StringIO(file.content.decode("utf-8-sig"))))


def test_an_export_holds_what_one_student_did_in_that_time(small_world: World) -> None:
    event = small_world.add_event(JOHN, PASSED, activity_title='Álgebra, "part 1"', **scored(85.5))
    small_world.add_event(JOHN, PASSED, ago=10 * DAY)
    small_world.add_event(JANE, PASSED)
    small_world.add_event(JOHN, WATCHED, is_echo=True)

    reply = small_world.ask("export john_doe last 3 days")

    assert reply.is_private and "📄 **John Doe (john_doe)** · the last 3 days · 1 event" in reply.text
    assert reply.files[0].name == "events-john_doe.csv"
    (row,) = read_csv(reply)
    assert row["event_id"] == str(event.event_id) and row["timestamp"] == "2026-03-18T11:00:00+00:00"
    assert (row["activity_title"], row["score"], row["percentage"]) == ('Álgebra, "part 1"', "42.75", "85.5")


def test_export_all_is_the_own_students_and_for_an_admin_everybody(world: World) -> None:
    for student in (JOHN, JANE, ZOE, JOHN):
        world.add_event(student)

    own = read_csv(world.ask("export all"))
    everybody = read_csv(world.ask("export all 3 days please", ADMIN))

    assert [row["student_username"] for row in own] == ["john_doe", "john_doe", "jane_smith"]
    assert len(everybody) == 4
    assert looks(world) == [(ADMIN, None, "export")]


FORMULAS = ["=1+2", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "\uff1d1", "\u200b=1", "\xa0=1", '"=1"', "\n@A1"]


@pytest.mark.parametrize("text", FORMULAS)
def test_no_cell_is_a_formula_to_a_spreadsheet(small_world: World, text: str) -> None:
    metadata = {"result": text, "score": -5, "percentage": text}
    small_world.add_event(JOHN, activity_title=text, activity_metadata=metadata)

    (row,) = read_csv(small_world.ask("export john_doe"))

    assert row["activity_title"] == row["result"] == row["percentage"] == f"'{one_line(text)}"
    assert row["score"] == "-5"


@pytest.mark.parametrize("text", ["a;=1+2", "a; =1", 'a;"=1"', "a\t=1", "a\n=1", "a|-1", "a;;@SUM(A1)"])
def test_nor_to_one_that_takes_another_separator(small_world: World, text: str) -> None:
    small_world.add_event(JOHN, activity_title=text, activity_metadata={})

    (file,) = small_world.ask("export john_doe").files

    for delimiter in ";\t|":
        lines = csv.reader(io.StringIO(file.content.decode("utf-8-sig")), delimiter=delimiter)
        assert not [cell for line in lines for cell in line if cell.lstrip(' "').startswith(("=", "+", "-", "@"))]


def test_what_is_too_much_for_zulip_is_to_be_asked_for_in_shorter_periods(
    small_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_answers, "LARGEST_FILE", len(CSV_HEADER) + 300)
    small_world.add_event(JOHN, activity_title="Recent")
    for _ in range(5):
        small_world.add_event(JOHN, ago=9 * DAY)

    assert "choose a shorter period" in small_world.ask("export john_doe").text
    assert not small_world.ask("export john_doe").files
    assert len(small_world.ask("export john_doe today").files[0].content) <= len(CSV_HEADER) + 300


def test_others_students_cannot_be_charted_or_exported(small_world: World) -> None:
    small_world.add_event(ZOE)
    for command in ("chart", "export"):
        assert small_world.ask(f"{command} zoe").text == small_world.ask(f"{command} nobody").text
        assert not small_world.ask(f"{command} zoe").files
        assert small_world.ask(f"{command} zoe", ARJUN).files or command == "chart"
        assert small_world.ask(f"{command} zoe", PUPIL).text == REFUSAL
    small_world.ask("chart zoe", ADMIN)
    small_world.ask("export zoe", ADMIN)
    assert looks(small_world) == [(ADMIN, ZOE.student_id, "chart"), (ADMIN, ZOE.student_id, "export")]


@needs_matplotlib
def test_a_student_who_may_ask_sees_charts_of_themselves_alone(small_world: World) -> None:
    small_world.app.settings = small_world.app.settings.model_copy(update={"lms_students_may_ask": True})
    for student in (JOHN, JANE):
        small_world.add_event(student, PASSED)
        small_world.ask(f"note {student.username} for mentors only")

    assert has_picture(small_world.ask("chart", PUPIL)) and has_picture(small_world.ask("chart 3 days", PUPIL))
    week = small_world.ask("chart week", PUPIL)
    assert has_picture(week) and "**You** · this week" in week.text and "| Wed | 1 |" in week.text
    assert not small_world.ask("chart jane_smith", PUPIL).files
    for said in ("chart exam mathematics", "export john_doe", "notes john_doe", "open", "done all", "whoami", "test"):
        assert small_world.ask(said, PUPIL).text == REFUSAL
    assert "for mentors only" not in small_world.ask("student", PUPIL).text


def test_nothing_to_export_makes_no_file_and_wrong_words_get_usage(small_world: World) -> None:
    assert small_world.ask("export john_doe").text == "📄 **John Doe (john_doe)** · all that is known\n\nNo activity."
    assert "Usage: `export <student>|all [period]`" in small_world.ask("export all sometime").text
    assert "Which student?" in small_world.ask("export").text
