"""`history`: what one student did."""

from __future__ import annotations

from datetime import timedelta

import pytest

from lms_bot.chat.language.arguments import UNKNOWN_TO_ADMIN
from lms_bot.core.activities import ActivityType
from tests.worlds.chat_world import ADMIN, JOHN, ZOE, World, add_exam, lines_of, make_student

PASSED, FAILED, STARTED = ActivityType.EXAM_PASSED, ActivityType.EXAM_FAILED, ActivityType.EXAM_STARTED
WATCHED = ActivityType.CONTENT_WATCHED
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
AN_HOUR_AGO = "<time:2026-03-18T11:00:00Z>"


def test_history_shows_what_when_result_and_number_newest_first(world: World) -> None:
    first = world.add_event(JOHN, STARTED, ago=2 * HOUR, activity_metadata=None)
    second = world.add_event(JOHN, PASSED)

    reply = world.ask("history john_doe")

    assert reply.is_private
    assert reply.text == (
        "**John Doe (john_doe)** · all that is known · 2 events\n"
        "\n"
        "| What | When | Event |\n"
        "|---|---|---|\n"
        f"| 🎉 passed: Mathematics Final Exam 85% | Wed 18 Mar | `#{second.event_id}` |\n"
        f"| 📝 started: Mathematics Final Exam | Wed 18 Mar | `#{first.event_id}` |"
    )


def test_history_of_somebody_who_did_nothing_says_so(small_world: World) -> None:
    assert small_world.ask("history john_doe today").text == "**John Doe (john_doe)** · today\n\nNo activity."


def test_history_may_be_of_exams_or_contents_alone_and_of_a_period(small_world: World) -> None:
    add_exam(small_world, JOHN, "Algebra", 80)
    small_world.add_event(JOHN, WATCHED, activity_title="Video")
    small_world.add_event(JOHN, WATCHED, activity_title="Old", ago=9 * DAY)

    exams, contents = (lines_of(small_world, f"history john {what} this week") for what in ("exams", "content"))

    assert exams[0] == "**John Doe (john_doe)** · this week · exams · 1 event" and "Algebra" in exams[4]
    assert contents[0] == "**John Doe (john_doe)** · this week · contents · 1 event" and "Video" in contents[4]


def test_a_long_history_comes_in_pages_that_say_how_to_get_the_next(small_world: World) -> None:
    for number in range(45):
        small_world.add_event(JOHN, PASSED, ago=timedelta(minutes=number), activity_title=f"Exam {number:02}")

    first, last = (lines_of(small_world, f"history john exams{page}") for page in ("", " page 3"))

    assert len(first) == 4 + 20 + 2 and "Exam 00" in first[4]
    assert first[-1] == "Page 1 of 3. `history john_doe exams page 2` shows the next."
    assert len(last) == 4 + 5 + 2 and "Exam 44" in last[-3]
    assert last[-1] == "Page 3 of 3, the last."
    assert lines_of(small_world, "history john page 4")[0] == "There are only 3 pages."
    assert small_world.ask(first[-1].split("`")[1]).text.count("Exam 2") == 10


@pytest.mark.parametrize(
    "said",
    [
        "history john_doe 3 days",
        "History of John, last 3 days please",
        "show me the history of john for the last 3 days, thank you",
        "history `john_doe` 3d",
        "history doe john in the past 3 days",
    ],
)
def test_history_understands_names_and_periods_in_plain_words(small_world: World, said: str) -> None:
    small_world.add_event(JOHN, activity_title="Recent")
    small_world.add_event(JOHN, ago=9 * DAY, activity_title="Long ago")

    text = small_world.ask(said).text

    assert "the last 3 days" in text and "Recent" in text and "Long ago" not in text


def test_a_name_that_is_an_everyday_word_is_found(small_world: World) -> None:
    can, an = make_student(50, "can_y", "Can", "Kaya"), make_student(51, "an", "An", "Nguyễn")
    small_world.people.students_of[1] += (can, an)
    assert small_world.ask("history can").text.startswith("**Can Kaya (can_y)**")
    assert small_world.ask("student an please").text.startswith("🎓 **An Nguyễn (an)**")


def test_an_admin_reads_the_history_of_anybody_by_name_or_id(world: World) -> None:
    world.add_event(ZOE)
    nameless = make_student(77, "")
    world.add_event(nameless, student_username=None, student_display_name=None)

    assert world.ask("history Zoe Muller", ADMIN).text.startswith("**Zoë Müller (zoe_m)**")
    assert world.ask("history 77 today", ADMIN).text.startswith("**Student 77** · today")
    assert "No activity." in world.ask("history jane_smith", ADMIN).text, "the LMS knows her"
    assert world.ask("history nobody", ADMIN).text == UNKNOWN_TO_ADMIN
