"""From a sentence to an answer: done at once, asked back, offered, or helped; and what goes on from it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from lms_bot.chat.understanding.followup import LASTS, forget_before, recall
from lms_bot.core.activities import ActivityType
from lms_bot.core.clock import utc_now
from tests.worlds.chat_world import ADMIN, ARJUN, JANE, JOHN, MARIA, NOW, PUPIL, ZOE, World, make_student

FAILED, PASSED = ActivityType.EXAM_FAILED, ActivityType.EXAM_PASSED


def text(world: World, said: str, who: int = MARIA) -> str:
    return world.ask(said, who).text


def fill(world: World) -> None:
    for student in (JOHN, JANE):
        world.add_event(student, FAILED, ago=timedelta(days=1), activity_title="Algebra")
        world.add_event(student, PASSED, ago=timedelta(days=9), activity_title="Physics")


@pytest.mark.parametrize(
    ("first", "then", "same"),
    [
        ("history john", "and jane?", "history jane_smith"),
        ("history john", "what about jane", "history jane_smith"),
        ("history john", "last week", "history john_doe last week"),
        ("history john last week", "and this week?", "history john_doe this week"),
        ("history john last week", "exams only", "history john_doe last week exams"),
        ("failed this week", "and last week", "failed last week"),
        ("exam algebra", "what about physics?", "exam physics"),
        ("summary today", "yesterday", "summary yesterday"),
        ("how is john doing", "and jane", "student jane_smith"),
        ("failed algebra", "same for physics", "failed physics"),
    ],
)
def test_a_question_may_go_on_from_the_last(small_world: World, first: str, then: str, same: str) -> None:
    fill(small_world)
    text(small_world, first)
    answer = text(small_world, then)
    assert answer == text(small_world, same)


def test_the_next_page_is_of_what_was_asked_last(small_world: World) -> None:
    for _ in range(45):
        small_world.add_event(JOHN, PASSED)
    text(small_world, "history john")
    assert "Page 2 of 3" in text(small_world, "next page")
    assert "Page 3 of 3" in text(small_world, "more")
    assert "Page 2 of 3" in text(small_world, "go back")
    assert "Page 1 of 3" in text(small_world, "page 1")
    assert text(small_world, "page 9").startswith("There are only 3 pages.")


def test_a_year_after_a_name_is_no_page(small_world: World) -> None:
    for _ in range(25):
        small_world.add_event(JOHN, PASSED)
    assert "2026 · 25 events" in text(small_world, "what did john do in 2026")
    answer = text(small_world, "next page")
    assert "· 2026 ·" in answer and answer.endswith("Page 2 of 2, the last.")


def test_what_was_asked_is_forgotten_after_a_while_and_is_each_ones_own(small_world: World) -> None:
    fill(small_world)
    text(small_world, "history john")
    assert small_world.ask("and last week?", ARJUN).text != text(small_world, "history john last week")
    text(small_world, "history john")
    late = small_world.ask("and last week?", now=NOW + LASTS + timedelta(minutes=1)).text
    assert not late.startswith("**John Doe")


def test_what_was_asked_is_not_kept_for_longer(small_world: World) -> None:
    text(small_world, "history john")
    with small_world.store.transaction():
        forget_before(utc_now() - LASTS)
        assert recall(MARIA, NOW)
        forget_before(utc_now() + timedelta(seconds=1))
        assert recall(MARIA, NOW) == ()


def test_what_changes_something_is_asked_back_unless_it_was_said_plainly(small_world: World) -> None:
    assert "are told nothing" in text(small_world, "stop telling me about john")
    asked = small_world.ask("hold everything back until monday")
    assert asked.text.startswith("🤔 Shall I do this? `mute all until monday`")
    assert [one.says for one in asked.buttons] == ["yes", "no"]
    assert text(small_world, "no") == "👍 Nothing was done."
    assert "**Muted:** nobody" in text(small_world, "settings")


def test_yes_does_what_was_asked_back(small_world: World) -> None:
    assert text(small_world, "delete all the errors", ADMIN).startswith("🤔 Shall I do this? `discard all`")
    assert small_world.events.discarded == []
    text(small_world, "yes", ADMIN)
    assert [asked for asked, _ in small_world.events.discarded] == [None]


def test_what_cannot_be_taken_back_is_asked_back_however_sure(small_world: World) -> None:
    small_world.ask("note john is ill")
    assert text(small_world, "could you get rid of my note 1").startswith("🤔 Shall I do this? `unnote #1`")
    assert "is ill" in text(small_world, "notes john")
    text(small_world, "could you get rid of my note 1")
    assert text(small_world, "yes").startswith("🗑️")


def test_what_is_for_admins_is_said_so_and_nothing_more(small_world: World) -> None:
    assert (
        text(small_world, "delete all the errors") == "`discard` is for admins only. `help` shows what you can ask."
    )
    assert small_world.events.discarded == []


@pytest.mark.parametrize(
    "said", ["who is struggling", "is there any student i should check in on?", "who is the worst student"]
)
def test_nothing_is_said_of_students_nobody_named(small_world: World, said: str) -> None:
    assert "no student of that name" not in text(small_world, said).casefold()


def test_a_reading_that_is_not_obvious_says_what_it_was_taken_for(small_world: World) -> None:
    fill(small_world)
    plain = text(small_world, "failed last week john")
    answer = text(small_world, "has john failed anything at all last week")
    assert answer.startswith("↳ `failed last week john_doe`\n\n") and answer.endswith(plain)


def test_somebody_elses_student_is_nobody_one_knows(small_world: World) -> None:
    small_world.add_event(ZOE)
    for said in ("how is zoe doing", "what did zoe do yesterday", "what has zoe done this week"):
        assert "no student of that name" in text(small_world, said)


def test_a_student_is_told_what_students_may_ask(small_world: World) -> None:
    small_world.let_students_ask()
    assert text(small_world, "who failed this week", PUPIL).startswith("You can ask: `history`, `student`, `chart`")


@pytest.mark.parametrize(
    ("said", "plainly"),
    [("how am i doing", "student"), ("what did i do last week", "history last week"), ("my marks", "history exams")],
)
def test_a_student_asks_about_themselves_in_their_own_words(small_world: World, said: str, plainly: str) -> None:
    small_world.let_students_ask()
    small_world.add_event(JOHN)
    assert text(small_world, said, PUPIL).endswith(text(small_world, plainly, PUPIL))


def test_a_mentor_who_is_a_student_too_may_ask_what_students_may(small_world: World) -> None:
    oneself = make_student(77, "maria_s", "Maria", "Santos")
    small_world.people.is_student[MARIA] = oneself
    small_world.add_event(oneself, activity_title="Teaching")
    assert "Which student?" in text(small_world, "history me"), "where students may not ask, no record is theirs"
    small_world.let_students_ask()
    for said in ("history me", "history maria santos", "show me the history of maria_s please"):
        assert "Teaching" in text(small_world, said), said
    assert text(small_world, "student me").startswith("🎓 **Maria Santos (maria_s)**")
    assert "`history me`" in text(small_world, "whoami")
    for said in ("notes maria santos", "concerns maria_s", "snooze maria_s until tomorrow"):
        assert "no student of that name" in text(small_world, said), said
    assert "maria_s" not in text(small_world, "students")


def test_a_number_after_a_list_is_of_the_list_also_with_another_command(small_world: World) -> None:
    small_world.add_event(JOHN)
    assert "1. José García" in text(small_world, "history jo")
    assert text(small_world, "student 2").startswith("🎓 **John Doe (john_doe)**")


def test_a_note_keeps_every_word(small_world: World) -> None:
    tim = make_student(31, "tim_notley", "Tim", "Notley")
    small_world.people.students_of[1] += (tim,)
    assert "to read: not here" in text(small_world, "note tim not here")
    assert "to read: do the exam again" in text(small_world, "note john do the exam again")
    assert "to read: was ill" in text(small_world, "note john doe was ill")
    assert "to read: don't call" in text(small_world, "write down about tim: don't call")


def test_only_failed_exams_can_be_chosen_and_taken_back(small_world: World) -> None:
    answer = text(small_world, "only tell me about failed exams")
    assert answer.startswith("🔔 Told at once: ❌ Exams failed. Of all else nothing but the digest.")
    assert "Told nothing" in text(small_world, "settings") or "Not told" in text(small_world, "settings")
    text(small_world, "notify calm")
    assert "Not told" not in text(small_world, "settings")


@pytest.mark.parametrize(
    ("said", "plainly"),
    [
        ("i have a talk with the parents in ten minutes, how is john doing", "student john_doe"),
        ("good morning, i would like to know what john did last week", "history john_doe last week"),
        ("john has a birthday, what did he do last week", "history john_doe last week"),
        ("jon doe", "student john_doe"),
        ("who faild yesterdays exams", "failed yesterday"),
        ("hows john this wk", "history john_doe this week"),
        ("who took algbra", "exam algebra"),
        ("johns fails in march", "failed march john_doe"),
    ],
)
def test_what_is_long_or_mistyped_is_understood(small_world: World, said: str, plainly: str) -> None:
    fill(small_world)
    assert text(small_world, said).endswith(text(small_world, plainly))


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ("jane is ill until friday", "snooze jane_smith until friday"),
        ("jane is ill, leave her off the worry list for two weeks", "snooze jane_smith two weeks ill"),
        ("too many messages", "notify calm"),
        ("john passed, so mute him until tomorrow", "mute john_doe until tomorrow"),
    ],
)
def test_nothing_is_done_that_was_only_hinted_at(small_world: World, said: str, line: str) -> None:
    fill(small_world)
    before = text(small_world, "settings"), text(small_world, "notes jane_smith")
    answer = text(small_world, said)
    assert answer.startswith(("🤔", "I am not sure", "Which do you mean")) and f"`{line}`" in answer, answer
    assert (text(small_world, "settings"), text(small_world, "notes jane_smith")) == before


@pytest.mark.parametrize(
    "said",
    [
        "mark the exams for me",
        "please write to jane that she should call me",
        "what is the weather like",
        "give john another attempt",
    ],
)
def test_what_it_cannot_do_it_says(small_world: World, said: str) -> None:
    fill(small_world)
    assert text(small_world, said).startswith("I cannot do that")


@pytest.mark.parametrize(
    "said",
    [
        "how do i mute john",
        "how to mute all",
        "is mute john",
        "what is mute all",
        "how do i snooze john until friday",
    ],
)
def test_nothing_is_done_that_was_only_asked_about(small_world: World, said: str) -> None:
    before = text(small_world, "settings")
    assert text(small_world, said).startswith("🤔 Shall I do this?")
    assert text(small_world, "settings") == before


def test_how_failures_are_discarded_may_be_asked(small_world: World) -> None:
    for said in ("how do i discard all", "is discard #5", "what is retry all", "how do i poll now"):
        text(small_world, said, ADMIN)
    assert not small_world.events.discarded and not small_world.events.retried
    assert small_world.polls == 0


def test_a_polite_question_is_a_request(small_world: World) -> None:
    assert "are told nothing" in text(small_world, "could you please mute john")
    assert "are told nothing" in text(small_world, "Hi, how are you?\nmute jane\nThanks")


def test_what_only_shows_something_is_not_asked_back(small_world: World) -> None:
    assert "School days" in text(small_world, "are we on holiday", ADMIN)


def test_what_was_asked_back_is_done_once(small_world: World) -> None:
    text(small_world, "resend everything that failed", ADMIN)
    text(small_world, "yes", ADMIN)
    assert text(small_world, "ok", ADMIN) == "👍"
    assert len(small_world.events.retried) == 1


@pytest.mark.parametrize("said", ["thanks", "great", "👍"])
def test_kindness_is_no_yes_and_says_so(small_world: World, said: str) -> None:
    text(small_world, "hold everything back until monday")
    assert text(small_world, said).endswith("Nothing was done: you did not say `yes`.")
    assert "**Muted:** nobody" in text(small_world, "settings")


@pytest.mark.parametrize("said", ["yes please do", "yes, do it!", "go ahead", "please do"])
def test_yes_may_be_said_in_more_words(small_world: World, said: str) -> None:
    text(small_world, "hold everything back until monday")
    assert text(small_world, said).startswith("🔕 You are told nothing")


@pytest.mark.parametrize("said", ["are you sure?", "is it right", "what"])
def test_a_question_is_no_yes(small_world: World, said: str) -> None:
    text(small_world, "delete all the errors", ADMIN)
    text(small_world, said, ADMIN)
    assert small_world.events.discarded == []


@pytest.mark.parametrize("said", ["yes", "no", "cancel"])
def test_yes_and_no_to_nothing_are_answered_so(small_world: World, said: str) -> None:
    assert text(small_world, said).startswith("There is nothing that I asked you.")


def test_a_title_that_begins_with_a_word_of_the_table_does_not_take_it(small_world: World) -> None:
    small_world.add_event(JOHN, FAILED, activity_title="Stop Motion")
    for said in ("stop", "please stop!"):
        assert text(small_world, said).startswith("🔕 `off`")
    assert text(small_world, "stop motion").startswith("📝 **Stop Motion**")


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ("who did not fail", "passed"),
        ("who hasn't failed anything", "passed"),
        ("who did not fail algebra", "passed algebra"),
        ("who has not failed this week", "passed this week"),
        ("who didn't do algebra", "exam algebra"),
    ],
)
def test_who_did_not_fail_is_not_who_failed(small_world: World, said: str, line: str) -> None:
    fill(small_world)
    assert text(small_world, said).startswith(f"↳ `{line}`")


def test_a_name_that_is_a_month_or_a_verb_is_a_name_where_it_stands_for_one(small_world: World) -> None:
    will, may = make_student(31, "will_s", "Will", "Smith"), make_student(32, "may_o", "May", "Owen")
    small_world.people.students_of[1] += (will, may)
    text(small_world, "history will")
    assert text(small_world, "may").startswith("🎓 **May Owen")
    text(small_world, "history will")
    assert text(small_world, "what about may").startswith("**May Owen")
    assert "Will Smith" not in text(small_world, "what will happen")
    assert "`mute all until monday`" in text(small_world, "i will be away until monday")
    assert "Will Smith" in text(small_world, "what did will do")


def test_a_question_does_not_go_on_with_what_it_does_not_take(small_world: World) -> None:
    fill(small_world)
    for first, then in (("needs", "and last week"), ("settings", "next page"), ("student john", "next page")):
        before = text(small_world, first)
        assert text(small_world, then) not in ("", before)
        assert "I could not read" not in text(small_world, then)
    text(small_world, "student john")
    assert text(small_world, "and last week?") == text(small_world, "history john last week")
    text(small_world, "student john")
    assert text(small_world, "exams only") == text(small_world, "history john exams")


@pytest.mark.parametrize(
    "said", ["john doe and jane smith", "john, jane", "average of john and jane", "how are john and jane doing"]
)
def test_two_students_are_compared(small_world: World, said: str) -> None:
    fill(small_world)
    assert text(small_world, said).endswith(text(small_world, "compare john jane"))


@pytest.mark.parametrize("said", ["delete john", "delete everything about john", "remove all notes about jane"])
def test_a_student_is_not_deleted_and_nothing_near_it_offered(small_world: World, said: str) -> None:
    assert text(small_world, said).startswith("I cannot do that")


def test_a_common_word_is_nobodys_name(small_world: World) -> None:
    assert "John" not in text(small_world, "where does she stand")


def test_a_word_is_not_put_right_into_its_opposite(small_world: World) -> None:
    answer = text(small_world, "unsilense john doe")
    assert "You are told nothing" not in answer


def test_one_student_and_one_exam_are_asked_about_together(small_world: World) -> None:
    fill(small_world)
    for said in ("did john fail algebra", "failed algebra john", "failed john algebra this month"):
        answer = text(small_world, said)
        assert "**John Doe (john_doe)** · **Algebra**" in answer and "1 result" in answer, said
        assert "Jane" not in answer, said
    passed = text(small_world, "did john pass algebra")
    assert "🎉 **Passed** · **John Doe (john_doe)** · **Algebra**" in passed and "No passed exam." in passed
    assert "Algebra" in text(small_world, "john's mark in algebra")
    for nobody in ("did zoe pass algebra", "did blarg pass algebra"):
        assert "no such student of yours" in text(small_world, nobody), nobody


def test_an_admin_who_mentors_nobody_asks_about_everybody(small_world: World) -> None:
    fill(small_world)
    assert text(small_world, "who is struggling", ADMIN).endswith(text(small_world, "needs all", ADMIN))
