"""What the server makes of a text before it keeps it."""

from __future__ import annotations

import pytest

from lms_bot.sandbox.zulip.refusals import Refusal
from lms_bot.sandbox.zulip.text import MAX_MESSAGE_LENGTH, TRUNCATED, clean_content, clean_topic, find_mentions


@pytest.mark.parametrize(
    ("content", "stored"),
    [
        ("\n\n  x \u00a0\n", "  x"),
        ("a\r\nb\u200b", "a\r\nb\u200b"),
        ("x" * MAX_MESSAGE_LENGTH, "x" * MAX_MESSAGE_LENGTH),
        ("x" * (MAX_MESSAGE_LENGTH + 1), "x" * (MAX_MESSAGE_LENGTH - len(TRUNCATED)) + TRUNCATED),
    ],
)
def test_content_is_stripped_and_cut(content: str, stored: str) -> None:
    assert clean_content(content) == stored


@pytest.mark.parametrize("content", ["", " \n", "a\x00b"])
def test_content_that_zulip_refuses_is_refused(content: str) -> None:
    with pytest.raises(Refusal):
        clean_content(content)


def test_a_topic_is_cut() -> None:
    assert clean_topic("x" * 61) == "x" * 57 + "..."


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("@**Ann** hi", {1}),
        ("@**ann|1** hi", {1}),
        ("@**Ann|2** hi", set()),
        ("@_**Ann** hi", set()),
        ("`@**Ann**` hi", set()),
        ("```\n@**Ann**\n```\n@**Bo**", {2}),
        ("@\u200b**Ann** hi", set()),
        ("mail@**Ann**", set()),
    ],
)
def test_mentions_are_found_as_zulip_finds_them(content: str, expected: set[int]) -> None:
    assert tuple(find_mentions(content, [(1, "Ann"), (2, "Bo")])) == (expected, False)


def test_everybody_may_be_mentioned() -> None:
    assert find_mentions("@**all** and `@**Ann**`", [(1, "Ann")]).everybody
