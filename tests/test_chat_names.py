"""Whom somebody means."""

from __future__ import annotations

import pytest
from chat_world import JANE, JOHN, JOSE, ZOE, make_student

from lms_bot.chat.names import Directory, fold
from lms_bot.markdown import disarm

STUDENTS = (
    JOHN,
    JANE,
    JOSE,
    ZOE,
    make_student(21, "olena_k", "Олена", "Коваль"),
    make_student(22, "tunde_a"),
)


@pytest.mark.parametrize(
    ("said", "usernames"),
    [
        ("john_doe", ["john_doe"]),
        ("JOHN_DOE", ["john_doe"]),
        ("John", ["john_doe"]),
        ("doe", ["john_doe"]),
        ("Doe John", ["john_doe"]),
        ("jose", ["jgarcia"]),
        ("GARCIA", ["jgarcia"]),
        ("José García", ["jgarcia"]),
        ("zoe", ["zoe_m"]),
        ("MULLER", ["zoe_m"]),
        ("Олена", ["olena_k"]),
        ("коваль", ["olena_k"]),
        ("12", ["jane_smith"]),
        ("#12", ["jane_smith"]),
        ("tunde", ["tunde_a"]),
        ("smi", ["jane_smith"]),
        ("jane sm", ["jane_smith"]),
        ("jo", ["jgarcia", "john_doe"]),
        ("j", []),
        ("ohn", []),
        ("", []),
        ("\u200b", []),
        ("nobody", []),
    ],
)
def test_students_are_found_by_any_of_their_names(said: str, usernames: list[str]) -> None:
    assert [student.username for student in Directory(STUDENTS).find(said)] == usernames


def test_a_username_wins_over_somebody_elses_name() -> None:
    ann, other = make_student(1, "ann"), make_student(2, "ann_b", "Ann", "B")
    assert Directory([ann, other]).find("Ann") == [ann]
    assert Directory([ann, other]).find("ann_b") == [other]


def test_usernames_that_differ_in_case_can_each_be_named() -> None:
    lower, upper = make_student(1, "kim"), make_student(2, "KIM")
    assert Directory([lower, upper]).find("KIM") == [upper]
    assert Directory([lower, upper]).find("Kim") == [upper, lower]


def test_two_students_of_one_name_are_both_found() -> None:
    twins = [make_student(1, "b", "Li", "Na"), make_student(2, "a", "Li", "Na")]
    assert [student.username for student in Directory(twins).find("li na")] == ["a", "b"]


@pytest.mark.parametrize("name", ["a*b", "x|y", "`q`", "@**all**", "evil.com", "Zo\u0308e", "അഞ്ജലി"])
def test_a_name_copied_from_our_message_is_the_same_name(name: str) -> None:
    assert fold(disarm(name)) == fold(name)


def test_vowel_signs_are_part_of_a_name() -> None:
    assert fold("കാ") != fold("കി")
