"""A student named unclearly, and the number that says who is meant."""

from __future__ import annotations

from datetime import timedelta

import pytest

from lms_bot.chat import Reply
from lms_bot.chat.language.arguments import UNKNOWN_STUDENT
from lms_bot.store.conversation import Choice
from tests.worlds.chat_world import (
    ADMIN,
    ARJUN,
    JANE,
    JOHN,
    JOSE,
    MARIA,
    NOW,
    ZOE,
    World,
    close_world,
    make_student,
    open_world,
)

UNKNOWN_COMMAND = "I do not know that command."
OFFER = "Which one do you mean?\n\n1. José García (jgarcia)\n2. John Doe (john_doe)\n\nAnswer with the number."


def test_an_unclear_name_is_answered_with_a_list_and_the_number_with_the_answer(world: World) -> None:
    asked = world.ask("history jo last 3 days")
    assert (asked.text, asked.is_private) == (OFFER, True)

    chosen = world.ask("2")

    assert chosen == world.ask("history john_doe last 3 days") and chosen.is_private


@pytest.mark.parametrize(
    ("said", "name"),
    [
        *((said, "John Doe") for said in ("2", "#2", " 2. ", "(2)", "`2`", "2!", "2️⃣", "number 2", "no. 2", "two")),
        *((said, "John Doe") for said in ("the second", "the second one", "2 please", "@**LMS Bot** 2")),
        *((said, "José García") for said in ("1", "one", "the first one", "option 1")),
    ],
)
def test_a_number_may_be_said_in_many_ways(small_world: World, said: str, name: str) -> None:
    small_world.ask("history jo")
    assert small_world.ask(said).text.startswith(f"**{name} (")


@pytest.mark.parametrize("said", ["0", "3", "999"])
def test_a_number_that_was_not_offered_is_said_so_and_the_offer_stays(small_world: World, said: str) -> None:
    small_world.ask("history jo")
    assert small_world.ask(said).text == "Please answer with a number from 1 to 2."
    assert small_world.ask("1").text.startswith("**José García (jgarcia)**")


def test_one_after_the_other_can_be_chosen(small_world: World) -> None:
    small_world.ask("history jo")
    assert small_world.ask("2").text.startswith("**John Doe")
    assert small_world.ask("1").text.startswith("**José García")


def test_a_number_alone_is_no_command(small_world: World) -> None:
    assert small_world.ask("2").text.startswith(UNKNOWN_COMMAND)


@pytest.mark.parametrize("said", ["help", "history nobody", "what?", "students", "ok", "2026"])
def test_anything_else_forgets_the_offer(small_world: World, said: str) -> None:
    small_world.ask("history jo")
    small_world.ask(said)
    assert small_world.ask("2").text.startswith(UNKNOWN_COMMAND)


def test_an_offer_lasts_ten_minutes(small_world: World) -> None:
    small_world.ask("history jo")
    late = NOW + timedelta(minutes=10)
    assert small_world.ask("2", now=late - timedelta(seconds=1)).text.startswith("**John Doe")
    assert small_world.ask("2", now=late).text.startswith(UNKNOWN_COMMAND)


def test_an_offer_is_for_the_one_who_asked(small_world: World) -> None:
    small_world.ask("history jo", MARIA)
    assert small_world.ask("2", ARJUN).text.startswith(UNKNOWN_COMMAND)
    assert small_world.ask("2", ADMIN).text.startswith(UNKNOWN_COMMAND)


def test_another_process_can_take_the_number(world: World, store_url: str) -> None:
    world.ask("history jo")
    other = open_world(store_url)
    assert other.ask("2").text.startswith("**John Doe")
    close_world(other)


def test_whether_the_chosen_one_is_still_ones_own_is_looked_up_again(small_world: World) -> None:
    small_world.ask("history jo")
    small_world.people.students_of[1] = (JANE, JOSE)
    assert small_world.ask("2").text == UNKNOWN_STUDENT


def test_the_number_means_that_very_student_whatever_others_are_called(small_world: World) -> None:
    other = make_student(50, "11", "Joe", "Eleven")  # John's number is this one's username
    small_world.people.students_of[1] = (JOHN, other)
    assert "2. John Doe (john_doe)" in small_world.ask("history jo").text
    assert small_world.ask("2").text.startswith("**John Doe (john_doe)**")


def test_students_of_the_same_name_are_told_apart(small_world: World) -> None:
    small_world.people.students_of[1] = (make_student(50, "Kim"), make_student(51, "kim"), make_student(52, "kim"))
    assert small_world.ask("history Ki").text.splitlines()[2:5] == ["1. Kim", "2. kim `#51`", "3. kim `#52`"]


def test_a_long_list_is_cut_at_nine_and_asks_for_more_of_the_name(small_world: World) -> None:
    small_world.people.students_of[1] = tuple(make_student(100 + n, f"anna_{n:02}", "Anna", "Bo") for n in range(12))
    lines = small_world.ask("history anna").text.splitlines()
    assert lines[2] == "1. Anna Bo (anna_00)" and lines[10] == "9. Anna Bo (anna_08)"
    assert lines[12] == "… and 3 more: write more of the name to find them. Answer with the number."
    assert small_world.ask("9").text.startswith("**Anna Bo (anna_08)**")
    assert small_world.ask("10").text == "Please answer with a number from 1 to 9."


def test_names_in_the_list_are_disarmed(small_world: World) -> None:
    small_world.people.students_of[1] = (make_student(1, "@**all**", "Jo"), make_student(2, "jo|`x`", "Jo"))
    text = small_world.ask("history jo").text
    assert "@**" not in text and "`x`" not in text and "|" not in text


@pytest.mark.parametrize(
    ("said", "same"),
    [
        ("mute jo 3 days", "mute john_doe 3 days"),
        ("unmute jo", "unmute john_doe"),
        ("student jo", "student john_doe"),
        ("how is jo doing?", "student john_doe"),
        ("compare jane jo", "compare jane_smith john_doe"),
        ("compare jo and jane", "compare john_doe jane_smith"),
    ],
)
def test_every_command_about_a_student_takes_the_number(small_world: World, said: str, same: str) -> None:
    assert small_world.ask(said).text.endswith(OFFER)
    chosen = small_world.ask("2").text
    assert chosen == small_world.ask(same).text and "John Doe" in chosen


def test_two_unclear_names_are_asked_for_one_after_the_other(small_world: World) -> None:
    assert small_world.ask("compare jo jo").text == OFFER
    assert small_world.ask("1").text == OFFER
    assert small_world.ask("2").text == small_world.ask("compare jgarcia john_doe").text


def test_what_follows_the_name_is_kept_as_it_was_written(small_world: World) -> None:
    small_world.ask("note jo Talked to the parents - they're *fine*; call again!")
    assert "José García" in small_world.ask("1").text
    assert "Talked to the parents - they're \u2217fine\u2217; call again!" in small_world.ask("notes jgarcia").text


# ---- buttons ----


def labels(reply: Reply) -> list[str]:
    return [one.label for one in reply.buttons]


def test_what_is_offered_can_be_clicked_and_a_click_says_the_number(small_world: World) -> None:
    asked = small_world.ask("history jo")
    assert labels(asked) == ["1. José García (jgarcia)", "2. John Doe (john_doe)"]
    assert [one.says for one in asked.buttons] == ["1", "2"] and asked.is_private
    assert asked.heading.strip() == "Which one do you mean?"
    assert small_world.ask(asked.buttons[1].says) == small_world.ask("history john_doe")


def test_a_single_guess_can_be_taken_with_a_click(small_world: World) -> None:
    asked = small_world.ask("history jhon today")
    assert [(one.label, one.says) for one in asked.buttons] == [("Yes", "yes")]
    assert asked.heading == f"{UNKNOWN_STUDENT}\nDid you mean **John Doe (john_doe)**?"
    assert small_world.ask(asked.buttons[0].says) == small_world.ask("history john_doe today")


def test_who_sees_buttons_reads_all_that_the_text_says(small_world: World) -> None:
    """The text is not shown together with them."""
    small_world.people.students_of[1] = tuple(make_student(100 + n, f"anna_{n:02}", "Anna", "Bo") for n in range(12))
    asked = small_world.ask("history anna")
    assert len(asked.buttons) == 9
    assert asked.heading.strip() == "Which one do you mean? … and 3 more: write more of the name to find them."
    small_world.people.students_of[1] = (make_student(1, "marta"), make_student(2, "marla"))
    assert small_world.ask("history marka").heading.startswith(UNKNOWN_STUDENT)


def test_buttons_show_names_as_they_are_and_tell_them_apart(small_world: World) -> None:
    name = "Maximiliane Alexandra Friederike von Hohenzollern"
    hostile = make_student(1, "jo_x", "Jo", "@**all**\nevil.example")
    twins = [make_student(2 + number, f"jo{number}", "Jo", name) for number in range(2)]
    small_world.people.students_of[1] = (hostile, *twins, make_student(51, "kim"), make_student(52, "kim"))
    *others, last = small_world.ask("history jo").buttons
    assert last.label == "3. Jo @\u2217\u2217all\u2217\u2217 evil.example (jo_x)"
    assert [len(one.label) for one in others] == [60, 60]
    assert [one.meaning[-5:] for one in others] == ["(jo0)", "(jo1)"], "what does not fit stands beside it"
    assert labels(small_world.ask("history ki")) == ["1. kim “#51”", "2. kim “#52”"]


def test_what_is_said_over_or_under_an_answer_is_seen_since_it_has_no_buttons_then(small_world: World) -> None:
    small_world.people.is_stale = True
    asked = small_world.ask("history jo")
    assert asked.text.endswith(OFFER) and asked.text != OFFER
    assert (asked.buttons, asked.heading) == ((), "")


def test_other_answers_have_no_buttons(small_world: World) -> None:
    for said in ("history john_doe", "students", "history nobody", "nonsense"):
        assert small_world.ask(said).buttons == ()


# ---- typos ----


def test_a_typo_in_a_name_is_guessed_and_yes_takes_the_guess(small_world: World) -> None:
    assert small_world.ask("history jhon today").text == (
        f"{UNKNOWN_STUDENT}\nDid you mean **John Doe (john_doe)**? Then answer `yes`."
    )
    assert small_world.ask("Yes, please!") == small_world.ask("history john_doe today")
    small_world.ask("help")
    assert small_world.ask("yes").text.startswith("There is nothing that I asked you.")


def test_several_guesses_are_numbered(small_world: World) -> None:
    small_world.people.students_of[1] = (make_student(1, "marta"), make_student(2, "marla"))
    text = small_world.ask("history marka").text
    assert text.splitlines()[0] == UNKNOWN_STUDENT and text.splitlines()[3:5] == ["1. marla", "2. marta"]
    assert small_world.ask("2").text.startswith("**marta**")


def test_guesses_are_among_ones_own_students_only(small_world: World) -> None:
    assert small_world.ask("history zoe_n").text == UNKNOWN_STUDENT
    assert small_world.ask("history zoe_m").text == UNKNOWN_STUDENT
    small_world.add_event(ZOE)
    assert "Did you mean" not in small_world.ask("history zoe_n", ADMIN).text, "an admin's own are none"


def test_nothing_is_remembered_where_nothing_is_offered(small_world: World) -> None:
    small_world.ask("history nobody")
    with small_world.store.session():
        assert Choice.select().count() == 0
