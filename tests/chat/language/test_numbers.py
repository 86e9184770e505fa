"""Numbers of events and notes, as people write them and as they are shown."""

from __future__ import annotations

import pytest

from lms_bot.chat.language.words import REFS_SHOWN, format_refs, read_numbers, split_words


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
