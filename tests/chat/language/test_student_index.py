"""Whom somebody means."""

from __future__ import annotations

from time import process_time
from typing import TYPE_CHECKING

import pytest

from lms_bot.chat.language.student_index import StudentIndex, StudentIndexes, chosen_word
from lms_bot.chat.language.words import split_words
from lms_bot.core.markdown import disarm
from lms_bot.core.normalize import normalize
from tests.worlds.chat_world import JANE, JOHN, JOSE, ZOE, make_student

if TYPE_CHECKING:
    from lms_bot.lms.people import Student

STUDENTS = (
    JOHN,
    JANE,
    JOSE,
    ZOE,
    make_student(21, "olena_k", "Олена", "Коваль"),
    make_student(22, "tunde_a"),
    make_student(23, "ibo", "\u0130brahim", "I\u015f\u0131k"),
    make_student(24, "lukas_w", "Łukasz", "Weiß"),
    make_student(25, "soren", "Søren", "Østergård"),
    make_student(26, "xm", "小明", "王"),
    make_student(27, "ali_k", "علی", "کریمی"),
    make_student(28, "muhammad", "مُحَمَّد", ""),
    make_student(29, "anjali", "അഞ്ജലി", "मीरा"),
    make_student(30, "jlp", "Jean-Luc", "O'Brien"),
)


def test_one_of_several_names_is_enough_with_one_of_the_others() -> None:
    anna, garcia = make_student(31, "ak", "Anna", "Maria Kim"), make_student(32, "gl", "Ana Sofía", "García López")
    index = StudentIndex((*STUDENTS, anna, garcia))
    for said in ("anna kim", "Anna Maria", "anna maria kim"):
        assert index.find_named(said) == index.find(said) == [anna], said
    for said in ("ana garcía", "Sofia Lopez", "ana lopez"):
        assert index.find_named(said) == [garcia], said


def test_who_is_called_just_so_goes_before_who_has_more_names() -> None:
    longer, plain = make_student(31, "ak", "Anna", "Maria Kim"), make_student(32, "anna_kim", "Anna", "Kim")
    assert StudentIndex((longer, plain)).find_named("anna kim") == [plain]


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
        ("jean luc", ["jlp"]),
        ("Jean-Luc O\u2019Brien", ["jlp"]),
        ("luc", ["jlp"]),
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
        ("ibrahim isik", ["ibo"]),
        ("IŞIK", ["ibo"]),
        ("lukasz weiss", ["lukas_w"]),
        ("WEIẞ", ["lukas_w"]),
        ("ostergard soren", ["soren"]),
        ("王小明", ["xm"]),
        ("小明", ["xm"]),
        ("علي كريمي", ["ali_k"]),
        ("محمد", ["muhammad"]),
        ("അഞ്ജലി", ["anjali"]),
        ("मीरा അഞ്ജലി", ["anjali"]),
    ],
)
def test_students_are_found_by_any_of_their_names(said: str, usernames: list[str]) -> None:
    assert [student.username for student in StudentIndex(STUDENTS).find(said)] == usernames


def test_a_username_wins_over_somebody_elses_name() -> None:
    ann, other = make_student(1, "ann"), make_student(2, "ann_b", "Ann", "B")
    assert StudentIndex([ann, other]).find("Ann") == [ann]
    assert StudentIndex([ann, other]).find("ann_b") == [other]


def test_usernames_that_differ_in_case_can_each_be_named() -> None:
    lower, upper = make_student(1, "kim"), make_student(2, "KIM")
    assert StudentIndex([lower, upper]).find("KIM") == [upper]
    assert StudentIndex([lower, upper]).find("Kim") == [upper, lower]


def test_two_students_of_one_name_are_both_found() -> None:
    twins = [make_student(1, "b", "Li", "Na"), make_student(2, "a", "Li", "Na")]
    assert [student.username for student in StudentIndex(twins).find("li na")] == ["a", "b"]


@pytest.mark.parametrize("name", ["a*b", "x|y", "`q`", "@**all**", "evil.com", "Zo\u0308e", "അഞ്ജലി"])
def test_a_name_copied_from_our_message_is_the_same_name(name: str) -> None:
    assert normalize(disarm(name)) == normalize(name)


def test_vowel_signs_are_part_of_a_name() -> None:
    assert normalize("കാ") != normalize("കി")


@pytest.mark.parametrize(
    ("said", "usernames"),
    [
        ("jhon", ["john_doe"]),
        ("jon doe", ["john_doe"]),
        ("jane smiht", ["jane_smith"]),
        ("jgracia", ["jgarcia"]),
        ("Mulller", ["zoe_m"]),
        ("xyzzy", []),
        ("jo", []),
        ("", []),
    ],
)
def test_typos_in_a_name_are_guessed(said: str, usernames: list[str]) -> None:
    assert [student.username for student in StudentIndex(STUDENTS).find_similar(said, 1)] == usernames


def test_the_word_for_the_chosen_one_finds_nobody_else() -> None:
    odd = make_student(12, chosen_word(11), "12")
    assert StudentIndex([JOHN, odd]).find(chosen_word(11)) == [JOHN]
    assert StudentIndex([odd]).find(chosen_word(11)) == []
    assert split_words(chosen_word(11)) == ("11",), "nobody can type it"


def test_an_index_is_made_once_for_the_same_students() -> None:
    student_indexes = StudentIndexes()
    first = student_indexes.get("maria", [JOHN, JANE])
    assert student_indexes.get("maria", (JOHN, JANE)) is first
    assert student_indexes.get("arjun", [ZOE]).find("john") == []
    assert student_indexes.get("maria", [JOHN]) is not first
    assert student_indexes.get("maria", [JOHN]).find("jane") == []


SYLLABLES = ("ka", "li", "mo", "né", "ru", "ta", "vi", "zø", "be", "do")


def make_many(count: int) -> list[Student]:
    """Each with a first name of their own, of five syllables."""
    names = ("".join(SYLLABLES[int(digit)] for digit in f"{number:05}") for number in range(count))
    return [make_student(number, f"user{number}", name, "Doe") for number, name in enumerate(names)]


def test_ten_thousand_students_are_searched_quickly() -> None:
    students = make_many(10_000)
    student_indexes = StudentIndexes()
    student_indexes.get("ada", students).find("nobody at all")  # what is made once

    started = process_time()
    index = student_indexes.get("ada", students)
    assert index.find("kakakakane doe") == [students[3]]
    assert index.find("nobody at all") == []
    assert len(index.find("kakaka")) == 100
    assert process_time() - started < 0.1


def test_a_typo_is_found_among_twenty_thousand_students() -> None:
    students = make_many(20_000)
    index = StudentIndex(students)
    assert index.find_similar("nobody at all", 3) == []  # what is made once

    started = process_time()
    assert index.find_similar("kalimonerud deo", 1) == [students[1234]]
    assert process_time() - started < 0.1
