"""From what somebody typed to the words that matter."""

from __future__ import annotations

import pytest

from lms_bot.chat.language.words import (
    REFS_SHOWN,
    format_refs,
    get_said,
    is_thanks,
    read_numbers,
    read_owner,
    split_lines,
    split_words,
    strip_fillers,
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("@**LMS bot** history, john!", ("history", "john")),
        ("history @**John Doe|11**", ("history", "John", "Doe")),
        ("```quote\nhistory jane\n```\nhistory john", ("history", "john")),
        ("> note jane is ill\n\nhistory john", ("history", "john")),
        ("> history john", ("history", "john")),
        ("history john 👍", ("history", "john")),
        ("…", ()),
    ],
)
def test_words_are_what_was_written_without_what_is_around_them(text: str, words: tuple[str, ...]) -> None:
    assert split_words(text) == words


def test_words_know_how_they_were_written() -> None:
    assert get_said(split_words("note john (He said: yes!)")) == "note john (He said: yes!)"
    assert split_lines("Hello,\n\nhistory john") == [("Hello",), ("history", "john")]


def test_words_said_to_be_kind_are_told_apart() -> None:
    assert strip_fillers(split_words("can you show me john please")) == ("john",)
    assert is_thanks(split_words("thank you!")) and not is_thanks(split_words("thanks, and john?"))
    assert read_owner("john's") == "john" and read_owner("James'") == "James" and read_owner("john") is None


@pytest.mark.parametrize(
    ("said", "numbers"),
    [
        ("#12 #15", [12, 15]),
        ("12,15", [12, 15]),
        ("#12 and #15 please", [12, 15]),
        ("12 12", [12]),
        ("", []),
        ("12 john", None),
        ("1234567890", None),
    ],
)
def test_numbers_are_read(said: str, numbers: list[int] | None) -> None:
    assert read_numbers(split_words(said)) == numbers


def test_of_very_many_numbers_the_first_are_shown() -> None:
    assert format_refs([3, 7]) == "`#3`, `#7`"
    assert format_refs(range(REFS_SHOWN + 2)).endswith(", and 2 more")
