"""A message as it is wanted: its buttons are sane whatever they were made of."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from lms_bot.core.markdown import one_line
from lms_bot.outbox.draft import LABEL_LENGTH, Button, Draft, to_stored_buttons
from lms_bot.store.messages import Lane
from lms_bot.zulip.gateway import Channel, Place
from tests.worlds.zulip_rules import hostile_texts

ANNA, BOB = 9, 10
YES = Button("Yes", "yes")


@settings(max_examples=300, deadline=None)
@given(hostile_texts)
def test_a_button_is_one_short_line_whatever_it_is_made_of(text: str) -> None:
    button = Button(text, text, text)
    for shown in (button.label, button.says, button.meaning):
        assert shown == one_line(shown)
    assert len(button.label) <= LABEL_LENGTH
    assert button.says == one_line(text), "commands are sent as they are"


def test_what_is_too_long_for_a_button_stands_beside_it() -> None:
    name = "1. " + "Maximiliane " * 6 + "(max_1)"
    button = Button(name, "1")
    assert (len(button.label), button.label[-1], button.meaning) == (LABEL_LENGTH, "…", name)
    assert Button("1. Max (max_1)", "1").meaning == ""
    assert Button(name, "1", "a student").meaning == "a student"


def test_a_button_without_a_label_shows_what_it_says() -> None:
    assert Button("\u200b", "help").label == "help"


def test_the_heading_is_the_text_where_there_is_no_other() -> None:
    asked = Draft(ANNA, "Did you mean **Jane**?\nThen answer `yes`.", Lane.ANSWERS, buttons=(YES,))
    assert to_stored_buttons(asked)["heading"] == "Did you mean Jane? Then answer “yes”."
    asked = Draft(ANNA, "Did you mean **Jane**? …", Lane.ANSWERS, buttons=(YES,), heading="Did you mean **Jane**?")
    assert to_stored_buttons(asked) == {
        "heading": "Did you mean Jane?",
        "choices": [{"label": "Yes", "says": "yes", "meaning": ""}],
    }


@pytest.mark.parametrize(
    ("place", "has_buttons"),
    [(None, True), ((ANNA,), True), ((BOB,), False), ((ANNA, BOB), False), (Channel("algebra", "week 3"), False)],
)
def test_buttons_are_left_out_where_others_read(place: Place | None, has_buttons: bool) -> None:
    draft = Draft(ANNA, "Really?", Lane.ANSWERS, place=place, buttons=(YES,))
    assert (to_stored_buttons(draft) is not None) == has_buttons
    assert to_stored_buttons(Draft(ANNA, "So it is.", Lane.ANSWERS, place=place)) is None
