"""What answers look like to Zulip."""

from __future__ import annotations

from types import SimpleNamespace

from hypothesis import given, settings
from hypothesis import strategies as st

from lms_bot.chat.commands import admin_replies, overview_replies, replies, student_replies, title_replies
from lms_bot.core.markdown import MAX_MESSAGE_LENGTH
from lms_bot.core.results import add_up
from lms_bot.insight.reports import (
    Attention,
    ErrorGroup,
    Flag,
    FoundTitle,
    History,
    LastResult,
    RejectedGroup,
    StudentSummary,
    SummaryPage,
    Taker,
    Totals,
    Waiting,
)
from lms_bot.store.conversation import Note
from lms_bot.store.totals import Attempt
from tests.worlds.chat_world import NOW
from tests.worlds.zulip_rules import constructs, hostile_texts

PLAIN = "plain"


def make_attempt(text: str, number: int = 5, outcome: str = "passed") -> Attempt:
    known = {"title": text, "title_key": text, "outcome": outcome, "started_at": NOW, "last_at": NOW}
    return Attempt(student_id=7, is_exam=True, activity_id=number, percentage=50.0, **known)


def make_event(text: str) -> SimpleNamespace:
    return SimpleNamespace(
        event_id=12,
        event_type="exam_passed",
        activity_id=5,
        activity_title=text,
        activity_metadata={"score": text, "percentage": text},
        timestamp=NOW,
    )


def make_card(text: str, tries: int) -> student_replies.Card:
    attempts = [make_attempt(f"{text}{number % 40}", number) for number in range(tries)]
    attempts += [make_attempt(f"{text} open", number, "started") for number in range(tries)]
    name = replies.format_name(7, text, text + text)
    notes = [Note(student_id=7, author_name=text, text=text, created_at=NOW) for _ in range(3)]
    rank = student_replies.Rank(1, 2)
    word = replies.get_word_for(7, text)
    return student_replies.Card(name, word, make_event(text), add_up(attempts), 3, rank, notes, note_count=9)


def answers_with(text: str, rows: int = 1) -> list[str]:
    """One of each kind of answer, with `text` wherever the LMS or Zulip has a say."""
    many = range(rows)
    name = replies.format_name(7, text, text + text)
    names, totals, note = dict.fromkeys(many, name), Totals(1, 2, 3, 4, 5), "Page 1 of 2."
    found = FoundTitle(True, text, text, 3)
    takers = [Taker(one, 2, 1, 1, 50.0, 40.0, "failed", NOW) for one in many]
    attention = [Attention(one, tuple(Flag), NOW, LastResult(5, text, "failed", 5.0)) for one in many]
    summary = SummaryPage(rows, totals, [StudentSummary(one, 1, 1, 1, 1, 1, NOW) for one in many])
    card = make_card(text, rows)
    return [
        student_replies.format_history(name, History(rows, [make_event(text) for _ in many]), ["today"], note),  # type: ignore[misc]
        student_replies.format_card(card),
        student_replies.format_comparison(card, card),
        overview_replies.format_summary(summary, names, "today", ("before", totals), rows + 1, note),
        overview_replies.format_students("Yours", names, attention, dict.fromkeys(Flag, 1), note),
        title_replies.format_takers(found, takers, takers, names, 9, note),
        title_replies.format_choice(text, [found] * rows, 10),
        title_replies.format_nothing_found("exam", [found] * min(rows, 10), of_everybody=True),
        title_replies.format_found(
            text,
            {"student": rows, "exam": rows},
            [title_replies.format_found_student(name, "7"), *[title_replies.format_found_title(found)] * (rows - 1)],
            note,
        ),
        replies.format_counts("Title", {"In total": {text: 1}}),
        admin_replies.format_numbers("Title", {text[:100]: text[:100]}),
    ]


def admin_answers_with(text: str, rows: int = 1) -> list[str]:
    name = replies.format_name(7, text, text)
    groups = [ErrorGroup(text, 50, list(range(10)), NOW)] * rows
    rejected = [RejectedGroup("attempts", text, 50, [text] * 10, text, NOW)] * rows
    return [
        admin_replies.format_errors(groups, rejected),
        admin_replies.format_errors([], rejected),
        admin_replies.format_waiting([(name, Waiting("zulip:1", "ready", text, 1, NOW))] * rows, (5, NOW)),
    ]


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
    for answer in [*admin_answers_with("x" * 1000, rows=100), student_replies.format_card(make_card("x" * 500, 60))]:
        assert room_left(answer) >= 0
        assert "more" in answer


def room_left(answer: str) -> int:
    return MAX_MESSAGE_LENGTH - len(answer) - len(replies.format_stale_note(NOW)) - 2
