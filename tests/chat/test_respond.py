"""What somebody writes, and what they are answered."""

from __future__ import annotations

from time import process_time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lms_bot.chat.commands.table import COMMANDS
from lms_bot.chat.respond import REFUSAL, respond
from lms_bot.core.activities import ActivityType
from lms_bot.core.errors import LMSUnavailable, StoreUnavailable, ZulipUnavailable
from lms_bot.store.counters import Counters
from lms_bot.store.database import Store
from tests.worlds.chat_world import ADMIN, JANE, JOHN, JOSE, MARIA, PEOPLE, PUPIL, World, make_student, make_user

HOSTILE = "@**all** | `x` [a](http://evil.example/)\n# **b**"
WORDS = st.sampled_from(
    [
        *(word for command in COMMANDS for word in command.usage.split()),
        "john",
        "all",
        "3",
        "days",
        "#5",
        "@**x**",
    ]
)
MESSAGES = st.one_of(st.text(max_size=200), st.lists(WORDS, max_size=8).map(" ".join))


@pytest.mark.parametrize(
    ("said", "plainly"),
    [
        ("john's history", "history john"),
        ("what\u2019s John Doe\u2019s history last week please", "history john last week"),
        ("can you show me john's card?", "student john"),
        ("how is john's progress", "student john"),
        ("last week's summary", "summary last week"),
        ("this week's chart", "chart week"),
        ("how did john do last week", "history john last week"),
    ],
)
def test_whose_it_is_may_be_said_first(small_world: World, said: str, plainly: str) -> None:
    small_world.add_event(JOHN)
    assert small_world.ask(said).text.endswith(small_world.ask(plainly).text)


@pytest.mark.parametrize("said", ["", "   ", "?", "@**LMS Bot**", "help"])
def test_somebody_who_asks_nothing_gets_help(small_world: World, said: str) -> None:
    reply = small_world.ask(said)
    assert reply.text.startswith("You can ask me in") and reply.is_private


def test_what_help_offers_can_be_clicked(small_world: World) -> None:
    reply = small_world.ask("help")
    assert [one.says for one in reply.buttons[-4:]] == ["help look", "help notes", "help news", "help all"]
    assert all(f"`{one.says}`" in reply.text for one in reply.buttons) and len(reply.buttons) <= 10
    assert small_world.ask(reply.buttons[0].says).text.startswith("☀️")


@pytest.mark.parametrize(
    "said",
    [
        "history john_doe\nlast 3 days",
        "history john_doe last 3 days\n\nThanks a lot!\nMaria",
        "Hello dear bot,\nhistory of john last 3 days please",
        "```quote\nsummary week\n```\nhistory john last 3 days",
    ],
)
def test_a_message_may_have_several_lines(small_world: World, said: str) -> None:
    assert small_world.ask(said).text.startswith("**John Doe (john_doe)** · the last 3 days")


def test_a_line_of_what_is_quoted_is_not_taken_for_a_command(small_world: World) -> None:
    said = "```quote\nhistory jane_smith\n```\nhistory john_doe whenever"
    assert small_world.ask(said).text.startswith("I know who you mean, but not which time.")


def test_a_file_alone_is_told_what_can_be_asked(small_world: World) -> None:
    for said in ("[marks.pdf](/user_uploads/2/ab/marks.pdf)", "![](/user_uploads/1/x.png)\n[a](/user_uploads/1/y)"):
        assert small_world.ask(said).text == "I cannot read files. `help` shows what you can ask."
    assert "cannot read files" not in small_world.ask("students [a](/user_uploads/1/y)").text


def test_who_says_thanks_is_welcome(small_world: World) -> None:
    for said in ("thanks!", "Thank you 🙏", "thx", "thanks a lot!", "thank you so much for that"):
        assert small_world.ask(said).text == "You are welcome."


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("hi", "Hello! `help` shows what you can ask."),
        ("Good morning dear bot!", "Hello! `help` shows what you can ask."),
        ("ok", "👍"),
        ("👍", "👍"),
        (":thumbs_up:", "👍"),
        ("Got it.", "👍"),
        ("bye :wave:", "👋"),
    ],
)
def test_politeness_alone_gets_a_short_word(small_world: World, said: str, answer: str) -> None:
    assert small_world.ask(said).text == answer


def test_who_asks_whether_somebody_is_there_is_told_in_one_line(small_world: World) -> None:
    for said in ("who are you?", "are you working", "are you there?", "still alive"):
        answer = small_world.ask(said).text
        assert "\n" not in answer and answer.startswith(("I am the bot", "⚠️ I have not been able")), said
    assert small_world.ask("hi, how is john doe doing").text.startswith("🎓")


@pytest.mark.parametrize(
    "said",
    [
        "`history john_doe today`",
        "``history john_doe today``",
        "**history john_doe today**",
        '"history john_doe today".',
        "\u201chistory john_doe today\u201d",
        "history john_doe today.",
        "history `john_doe` today!",
        "history john_doe today :slight_smile:",
        "history john_doe :point_right: today 🙂",
        "history john_doe 'today'?",
    ],
)
def test_what_is_pasted_back_is_understood(small_world: World, said: str) -> None:
    small_world.add_event(JOHN)
    assert small_world.ask(said).text == small_world.ask("history john_doe today").text


def test_what_is_pasted_back_keeps_pages_titles_and_numbers(small_world: World) -> None:
    for _ in range(25):
        small_world.add_event(JOHN)
    second = small_world.ask("history john_doe page 2").text
    for said in ("`history john_doe page 2`", "history john_doe page 2.", "history john_doe page 2 :smile:"):
        assert small_world.ask(said).text == second and "Page 2 of 2" in second
    assert small_world.ask("`exam Mathematics Final Exam`").text.startswith("📝 **Mathematics Final Exam**")
    assert small_world.ask("exam math final").text.endswith(small_world.ask("exam Mathematics Final Exam").text)
    assert small_world.ask("done #1 :check:").text == "✅ Seen to: `#1`."


def test_a_note_that_is_pasted_back_keeps_no_stray_sign(small_world: World) -> None:
    assert "to read: called home\n" in small_world.ask("`note john_doe called home`").text
    assert "to read: called home :\u200bsmile:\n" in small_world.ask("note john_doe called home :smile:").text


def test_long_messages_are_answered_quickly(small_world: World) -> None:
    small_world.people.students_of[1] = tuple(make_student(n, f"user{n}", f"First{n}", "Last") for n in range(900))
    small_world.ask("students")
    said_at_length = ("history " + "x " * 4900, "what did " + "a do " * 2400, "history user1 " + "1 " * 4900)
    for said in (*said_at_length, "frist1 " * 1400):
        started = process_time()
        assert small_world.ask(said).text
        assert process_time() - started < 0.5


def test_what_is_wrong_with_several_lines_is_said_of_all_of_them(small_world: World) -> None:
    assert small_world.ask("summary whenever\nyou like").text.startswith("I could not read that period.")


def test_a_command_with_a_typo_is_answered_as_it_was_meant(small_world: World) -> None:
    small_world.add_event(JOHN)
    assert small_world.ask("histroy john_doe") == small_world.ask("history john_doe")


@pytest.mark.parametrize(
    ("said", "usage"),
    [
        ("history", "Which student?\nUsage: `history <student> [period] [exams|content] [page N]`"),
        ("history john_doe fortnight", "Usage: `history <student> [period] [exams|content] [page N]`"),
        ("summary fortnight", "Usage: `summary [period] [page N]`"),
    ],
)
def test_wrong_arguments_are_answered_with_usage_and_an_example_of_ones_own(
    small_world: World, said: str, usage: str
) -> None:
    small_world.people.students_of[1] = (JANE, JOHN)
    reply = small_world.ask(said)
    assert usage in reply.text and reply.is_private
    assert ("`2026-01-10..2026-01-20`" in reply.text) == ("fortnight" in said)
    assert reply.text.splitlines()[-1] in (
        "For example: `history jane_smith last week exams`",
        "For example: `summary last week`",
    )


def test_an_example_never_holds_a_username_that_could_be_markup(small_world: World) -> None:
    small_world.people.students_of[1] = (make_student(50, "`@**all**`"),)
    assert small_world.ask("history").text.endswith("For example: `history john_doe last week exams`")


def test_an_answer_from_last_known_students_says_so_first(small_world: World) -> None:
    small_world.people.is_stale = True
    note = "⚠️ The LMS does not answer; whose students are whose is as of <time:2026-03-18T11:00:00Z>."
    for said in ("stats", "summary", "history john_doe", "history nobody", "students", "status"):
        assert small_world.ask(said).text.startswith(note), said
    assert note not in small_world.ask("help").text


def test_a_mentor_whose_students_are_not_known_is_told_so_plainly(small_world: World) -> None:
    small_world.people.students_trouble = LMSUnavailable("connection refused at 10.0.0.1")
    for said in ("stats", "summary", "history john_doe", "students"):
        assert small_world.ask(said).text == "The LMS does not answer just now. Please try again in a few minutes."
    assert small_world.ask("help").text.startswith("You can ask me in")
    assert "cannot be known now" in small_world.ask("status").text


@pytest.mark.parametrize(
    ("error", "who"),
    [
        (LMSUnavailable("10.0.0.1"), "The LMS"),
        (StoreUnavailable("/secret/path"), "My own store"),
        (ZulipUnavailable("10.0.0.2"), "Zulip"),
    ],
)
def test_what_is_away_is_said_in_one_plain_sentence(small_world: World, error: Exception, who: str) -> None:
    def fail() -> int:
        raise error

    small_world.change(poll=fail)
    reply = small_world.ask("poll now", ADMIN)
    assert reply.text == f"{who} does not answer just now. Please try again in a few minutes."


def test_health_and_help_answer_while_the_store_is_away(small_world: World) -> None:
    small_world.change(store=Store("postgresql://127.0.0.1:1/nothing"))

    assert small_world.ask("errors", ADMIN).text.startswith("My own store does not answer just now.")
    assert "connection refused" in small_world.ask("health", ADMIN).text
    assert small_world.ask("help").text.startswith("You can ask me in")


def test_a_mistake_of_ours_is_the_bots_to_report(small_world: World) -> None:
    small_world.change(poll=lambda: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        small_world.ask("poll now", ADMIN)


def test_text_from_the_lms_is_disarmed_in_every_answer(small_world: World) -> None:
    evil = make_student(66, HOSTILE, HOSTILE, HOSTILE)
    small_world.people.students_of[1] = (evil, JOSE)
    small_world.add_event(
        evil,
        ActivityType.EXAM_STARTED,
        activity_title=HOSTILE,
        activity_metadata={"score": HOSTILE, "percentage": []},
    )
    small_world.people.zulip_users[MARIA] = make_user(MARIA, HOSTILE, role=200)
    for command in COMMANDS:
        text = small_world.ask(command.get_example("66")).text
        assert "@**" not in text and "](http" not in text and "\n# " not in text, text


def test_the_same_people_may_be_passed_in(small_world: World) -> None:
    assert respond(small_world.context, "help", 12345, zulip_user=PEOPLE[0]).text.startswith(
        "You can ask me in your own words"
    )
    assert respond(small_world.context, "help", 12345).text == REFUSAL


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50)
@given(text=MESSAGES, who=st.sampled_from([MARIA, ADMIN, PUPIL]))
def test_nothing_that_can_be_typed_makes_it_raise(small_world: World, text: str, who: int) -> None:
    reply = small_world.ask(text, who)
    assert reply.text and len(reply.text) <= 10_000
    if who == PUPIL:
        assert reply.text == REFUSAL


def test_an_answer_says_how_many_events_it_does_not_count_yet(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lms_bot.store.counters.EVENTS_PER_SECOND", 0)  # none is waited for
    world.change(counters=Counters(world.store, events_at_once=1))
    for _ in range(3):
        world.add_event(JOHN)

    said = [world.ask("stats").text.rpartition("\n")[2] for _ in range(3)]

    assert said[:2] == [
        "⏳ 2 events recorded just now are not counted yet.",
        "⏳ 1 event recorded just now is not counted yet.",
    ]
    assert "counted yet" not in said[2]
