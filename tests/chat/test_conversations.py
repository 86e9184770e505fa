"""Conversations are held as they are written down: every line, to the letter."""

from __future__ import annotations

from pathlib import Path

import pytest

from lms_bot.chat.commands.table import COMMANDS, find_command
from lms_bot.chat.language.words import split_words
from lms_bot.people.access import Audience
from tests.worlds.conversations import CONVERSATIONS, WHO, Conversation, hold, read_answers, seeded_world


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("conversations")


@pytest.mark.parametrize("conversation", CONVERSATIONS, ids=lambda conversation: conversation.title)
def test_it_is_held_as_it_is_written_down(conversation: Conversation, folder: Path) -> None:
    with seeded_world(folder) as world:
        held = hold(conversation, world)
    assert held.strip() == read_answers()[conversation.title].strip(), (
        "anew by `python -m tests.worlds.conversations`"
    )


def test_nothing_else_is_written_down() -> None:
    titles = [conversation.title for conversation in sorted(CONVERSATIONS, key=lambda one: not one.is_shown)]
    assert list(read_answers()) == titles and len(set(titles)) == len(titles)


def test_every_command_is_asked_by_those_it_is_for() -> None:
    asked = {(one.who, find_command(split_words(line))[0]) for one in CONVERSATIONS for line in one.lines}
    askers = {Audience.ADMINS: "Ada", Audience.LEARNERS: "John"}
    for command in COMMANDS:
        assert (askers.get(command.audience, "Maria"), command) in asked, command.name
    assert {who for who, _ in asked} == WHO.keys()
