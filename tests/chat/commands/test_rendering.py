"""What answers are made of, and what they look like to Zulip."""

from __future__ import annotations

from types import SimpleNamespace

from hypothesis import given, settings
from hypothesis import strategies as st

from lms_bot.chat.commands import history, overview, stats, students, titles, undelivered
from lms_bot.chat.commands.notes import write_note
from lms_bot.chat.commands.rendering import format_name, format_stale_note
from lms_bot.chat.language.student_index import word_for
from lms_bot.core.clock import UTC
from lms_bot.core.markdown import MAX_MESSAGE_LENGTH
from lms_bot.core.results import add_up
from lms_bot.insight.reports.counting import StudentSummary, SummaryPage, Totals
from lms_bot.insight.reports.outgoing import ErrorGroup, RejectedGroup, Waiting
from lms_bot.insight.reports.students import Attention, EventPage, Flag, LastResult, StudentAttempt
from lms_bot.insight.reports.titles import LABEL_LENGTH, FoundTitle, Taker
from lms_bot.store.conversation import Note
from lms_bot.store.totals import StudentTotals
from tests.worlds.chat_world import ADMIN, JOHN, MARIA, NOW, World, add_exam, lines_of, make_student, make_user
from tests.worlds.zulip_rules import constructs, hostile_texts

PLAIN = "plain"


def make_attempt(text: str, number: int = 5, outcome: str = "passed") -> StudentAttempt:
    return StudentAttempt(True, number, number, text, text, outcome, NOW, NOW, 50.0, 40.0)


def make_event(text: str) -> SimpleNamespace:
    return SimpleNamespace(
        event_id=12,
        event_type="exam_passed",
        activity_id=5,
        activity_title=text,
        activity_metadata={"score": text, "percentage": text},
        timestamp=NOW,
    )


def make_card(text: str, tries: int) -> students.Card:
    attempts = [make_attempt(f"{text}{number % 40}", number) for number in range(tries)]
    attempts += [make_attempt(f"{text} open", number, "started") for number in range(tries)]
    name = format_name(7, text, text + text)
    notes = [Note(student_id=7, author_name=text, text=text, created_at=NOW) for _ in range(3)]
    word = word_for(make_student(7, text))
    return students.Card(name, word, make_attempt(text), add_up(attempts), (UTC, NOW), 3, (1, 2), notes, note_count=9)


def answers_with(text: str, rows: int = 1) -> list[str]:
    """One of each kind of answer, with `text` wherever the LMS or Zulip has a say."""
    many = range(rows)
    name = format_name(7, text, text + text)
    names, totals, note = dict.fromkeys(many, name), Totals(1, 2, 3, 4, 5), "Page 1 of 2."
    found = FoundTitle(5, True, text, text, 3, text[:LABEL_LENGTH])
    takers = [Taker(one, 2, 1, 1, 50.0, 40.0, "failed", NOW) for one in many]
    attention = [Attention(one, tuple(Flag), NOW, LastResult(5, text, "failed", 5.0)) for one in many]
    summary = SummaryPage(rows, totals, [StudentSummary(one, 1, 1, 1, 1, 1, NOW) for one in many])
    card = make_card(text, rows)
    return [
        history.format_history(name, EventPage(rows, [make_event(text) for _ in many]), ["today"], note, (UTC, NOW)),  # type: ignore[misc]
        students.format_card(card),
        students.format_comparison(card, card),
        overview.format_summary(summary, names, str, "today", ("before", totals), rows + 1, note),
        overview.format_students("Yours", names, attention, dict.fromkeys(Flag, 1), note, (UTC, NOW)),
        titles.format_takers(found, takers, [titles.format_taker(one, names, (UTC, NOW)) for one in takers], 9, note),
        titles.format_choice(text, [found] * rows, 10),
        titles.format_nothing_found("exam", [found] * min(rows, 10), of_everybody=True),
        titles.format_found(
            text,
            {"student": rows, "exam": rows},
            [titles.format_found_student(name, "7"), *[titles.format_found_title(found)] * (rows - 1)],
            note,
        ),
        stats.format_counts("Title", {text: 2}, {text: 1}, {}),
        stats.format_numbers("Title", {text[:100]: text[:100]}),
    ]


def admin_answers_with(text: str, rows: int = 1) -> list[str]:
    name = format_name(7, text, text)
    groups = [ErrorGroup(text, 50, list(range(10)), NOW)] * rows
    rejected = [RejectedGroup("attempts", text, 50, [text] * 10, text, NOW)] * rows
    return [
        undelivered.format_errors(groups, rejected),
        undelivered.format_errors([], rejected),
        undelivered.format_waiting([(name, Waiting("zulip:1", "ready", text, 1, NOW))] * rows, (5, NOW)),
    ]


def room_left(answer: str) -> int:
    return MAX_MESSAGE_LENGTH - len(answer) - len(format_stale_note(NOW)) - 2


@settings(max_examples=25, deadline=None)
@given(hostile_texts)
def test_text_of_others_adds_nothing_to_what_the_template_put_there(text: str) -> None:
    hostile, plain = ([*answers_with(said), *admin_answers_with(said)] for said in (text, PLAIN))
    for one, other in zip(hostile, plain, strict=True):
        assert not constructs(one) - constructs(other), one


@settings(max_examples=12, deadline=None)
@given(st.text(min_size=1, max_size=4))
def test_a_page_of_the_longest_names_and_titles_fits_a_message(piece: str) -> None:
    for answer in answers_with((piece * 500)[:500], rows=20):
        assert room_left(answer) >= 0


def test_what_has_no_pages_is_cut_at_a_row_and_counts_the_rest() -> None:
    for answer in [*admin_answers_with("x" * 1000, rows=100), students.format_card(make_card("x" * 500, 60))]:
        assert room_left(answer) >= 0
        assert "more" in answer


def test_an_answer_reads_the_names_of_no_more_students_than_it_shows(small_world: World) -> None:
    """A former student is called as when read last; one's own as the LMS says."""
    add_exam(small_world, JOHN, "Algebra", 80)
    with small_world.store.transaction():
        StudentTotals.update(display_name="Johnny").execute()
    assert "| John Doe |" in small_world.ask("summary").text
    assert "| Johnny |" in small_world.ask("summary", ADMIN).text


def test_every_command_that_a_page_names_shows_the_page_it_names(small_world: World) -> None:
    students = tuple(make_student(100 + number, f"pupil_{number:02}") for number in range(25))
    small_world.people.students_of[1] = students
    for student in students:
        add_exam(small_world, student, "Algebra", 80)
        add_exam(small_world, student, f"Essay of {student.username}", 80)
    for said in ("summary this week", "students", "exam algebra", "find pupil"):
        note = lines_of(small_world, said)[-1]
        assert note.startswith("Page 1 of "), said
        assert "Page 2 of " in lines_of(small_world, note.split("`")[1])[-1], said


def test_a_page_fits_a_message_whatever_the_lms_says(small_world: World) -> None:
    """Hostile names and titles of 500 characters, many attempts and long notes."""
    names = ["x" * 500, "@**all** " * 60, "[a](b) <time:2026> " * 30, "| ` $$ " * 70]
    named = [(200 + number, names[number % 4]) for number in range(30)]
    students = tuple(make_student(key, f"jo {key} {name}"[:500], name) for key, name in named)
    small_world.people.students_of[1] = students
    small_world.people.zulip_users[MARIA] = make_user(MARIA, "M" * 90)
    for number, student in enumerate(students):
        for percentage in (10, 90, None):
            add_exam(small_world, student, f"mine {number} {names[number % 4]}"[:500], percentage)
            add_exam(small_world, students[0], f"title {number} {names[number % 4]}"[:500], percentage)
        add_exam(small_world, student, names[2][:500], 40)
    with small_world.store.session():
        for _ in range(3):
            write_note(200, MARIA, "M" * 500, "| ` $$ @**all** " * 100, now=NOW)
    asked = (
        "history 200",
        "student 200",
        "compare 200 201",
        "summary",
        "students",
        "find title",
        "exam title",
        "find jo",
    )
    for said in (*asked, "find jo", f"exam {names[2][:150]}"):
        text = small_world.ask(said).text
        assert 100 < len(text) <= 9_800, said
        assert text.count("```") % 2 == 0
