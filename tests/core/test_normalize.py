"""What is stored and what is typed come to the same, however it is written."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lms_bot.core.markdown import disarm
from lms_bot.core.normalize import fold, normalize


@pytest.mark.parametrize(
    ("shown", "typed"),
    [
        ("Unit 3 \u2013 Forces", "unit 3 - forces"),
        ("Unit 3 \u2014 Forces", "UNIT 3: Forces"),
        ("Ana M. L\u00f3pez", "ana m lopez"),
        ("Martin L. King, Jr.", "Martin L King Jr"),
        ("St. John Smith", "St John Smith"),
        ("Doe, Jane", "Doe Jane"),
        ("O\u2019Brien", "o'brien"),
        ("O'Brien", "OBrien"),
        ("Jean-Luc", "jean luc"),
        ("\u0130stanbul", "istanbul"),
        ("I\u015eIK", "\u0131\u015f\u0131k"),
        ("\uff37\uff49\uff44\uff45\u3000Text", "wide text"),
        ("Gro\u00dfe Fuge", "GROSSE FUGE"),
        ("\u65e5\u672c\u8a9e\u30fb\u30c6\u30b9\u30c8", "\u65e5\u672c\u8a9e \u30c6\u30b9\u30c8"),
        ("Quiz (2nd try) #3!", "quiz 2nd try 3"),
    ],
)
def test_what_people_leave_out_makes_no_difference(shown: str, typed: str) -> None:
    assert normalize(shown) == normalize(typed) != ""


@pytest.mark.parametrize(
    ("one", "other"),
    [("C++", "C"), ("C#", "C"), ("F# in a day", "F in a day"), ("Unit 12", "Unit 1 2"), ("???", "!!!")],
)
def test_what_tells_two_apart_is_kept(one: str, other: str) -> None:
    assert normalize(one) != normalize(other)


def test_vowel_signs_are_no_punctuation() -> None:
    hindi = "\u0939\u093f\u0928\u094d\u0926\u0940"
    assert normalize(hindi) == hindi


def test_the_punctuation_of_usernames_tells_them_apart() -> None:
    assert len({fold("john.doe"), fold("john_doe"), fold("john-doe")}) == 3
    assert fold("John_D\u00f6e") == fold("john_doe")


@given(st.text(max_size=40))
@settings(max_examples=500, deadline=None)
def test_what_is_copied_from_our_messages_is_the_same(text: str) -> None:
    assert normalize(disarm(text)) == normalize(text)
    assert normalize(normalize(text)) == normalize(text)
