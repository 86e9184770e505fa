"""Finding the command somebody means."""

from __future__ import annotations

import pytest

from lms_bot.chat.commands.table import find_command, find_similar
from lms_bot.chat.language.words import split_words
from lms_bot.people.access import Asker, Audience

ADMIN = Asker(is_admin=True)


def find(text: str) -> tuple[str | None, tuple[str, ...]]:
    command, words = find_command(split_words(text))
    return command.name if command else None, words


@pytest.mark.parametrize(
    ("said", "name", "words"),
    [
        ("help", "help", ()),
        ("  HeLp!  ", "help", ()),
        ("/help", "help", ()),
        ("`stats`", "stats", ()),
        ("**stats**", "stats", ()),
        ("stats all", "stats all", ()),
        ("statistics all", "stats all", ()),
        ("summary", "summary", ()),
        ("summary week all", "summary all", ("week",)),
        ("summary ALL week", "summary all", ("week",)),
        ("poll", "poll now", ()),
        ("poll now please", "poll now", ()),
        ("retry all", "retry", ("all",)),
        ("@**LMS Bot** history john_doe", "history", ("john_doe",)),
        ("@**LMS Bot|17**: history john_doe", "history", ("john_doe",)),
        ("@_**LMS Bot** @**LMS Bot** history john_doe", "history", ("john_doe",)),
        ("history @**John Doe|5**", "history", ("John", "Doe")),
        ("please show me the history of john", "history", ("of", "john")),
        ("Hi! Could you give me a summary, please?", "summary", ()),
        ("list students", "students", ()),
        ('history "John Doe", 3 days.', "history", ("John", "Doe", "3", "days")),
        ("history <john_doe>", "history", ("john_doe",)),
        ("his\u200btory john", "history", ("john",)),
        ("frobnicate", None, ("frobnicate",)),
        ("history john please", "history", ("john", "please")),
        ("show me history of john, thanks! 🙏", "history", ("of", "john", "thanks")),
        ("\u201ehistory john\u201c", "history", ("john",)),
        ("\u00bbhistory\u00ab john\u2026", "history", ("john",)),
        ("- history john - 3 days", "history", ("john", "3", "days")),
        ("```\nhistory john\n```", "history", ("john",)),
        ("@_**Ada|3** [said](https://z/#narrow/1):\n```quote\nhistory jane\n```\nhistory john", "history", ("john",)),
        ("summary may", "summary", ("may",)),
        ("may I see the summary", "summary", ()),
        ("how are my students?", "students", ()),
        ("what did", None, ("did",)),
    ],
)
def test_words_around_a_command_do_not_hurt(said: str, name: str | None, words: tuple[str, ...]) -> None:
    assert find(said) == (name, words)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("histroy john", ["history"]),
        ("sumary today", ["summary"]),
        ("HELTH", ["health", "help"]),
        ("pollnow", ["poll now"]),
        ("unmaped", ["unmapped"]),
        ("stat all", ["stats"]),
        ("xyzzy", []),
    ],
)
def test_typos_are_guessed(said: str, meant: list[str]) -> None:
    everything = Asker(is_admin=True, mentors=("somebody",))  # type: ignore[arg-type]
    assert [command.name for command in find_similar(split_words(said), everything)][: len(meant)] == meant
    assert meant or not find_similar(split_words(said), everything)


def test_what_the_asker_may_not_use_is_not_guessed() -> None:
    guessed = [command for said in ("sumary", "studens", "histroy") for command in find_similar([said], ADMIN)]
    assert all(command.audience is not Audience.MENTORS for command in guessed)
