"""The table of commands, and `help`, which shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lms_bot.chat.commands.table import COMMANDS, SECTIONS, find_command
from lms_bot.chat.language.periods import PERIODS_ARE
from lms_bot.chat.language.words import split_words
from tests.worlds.chat_world import BOTH, MARIA, World

if TYPE_CHECKING:
    from lms_bot.chat.language.question import Command


def find(text: str) -> tuple[str | None, tuple[str, ...]]:
    command, words = find_command(split_words(text))
    return command.name if command else None, words


def test_no_two_commands_share_a_name() -> None:
    names = [name for command in COMMANDS for name in (command.name, *command.aliases)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_each_row_can_be_documented(command: Command) -> None:
    assert find(command.get_example("jane"))[0] == command.name
    assert command.usage.split()[0] == command.name.split()[0]
    assert command.meaning[0].islower() and not command.meaning.endswith(".") and "\n" not in command.meaning


def test_help_for_a_command_shows_its_usage(small_world: World) -> None:
    assert small_world.ask("help history").text.splitlines()[1:] == [
        "Usage: `history <student> [period] [exams|content] [page N]`",
        "For example: `history john_doe last week exams`",
        PERIODS_ARE,
    ]
    assert small_world.ask("help errors").text == small_world.ask("help").text


def test_help_on_what_takes_a_period_says_what_one_is(small_world: World) -> None:
    assert small_world.ask("help summary").text.splitlines()[-1] == PERIODS_ARE


def test_help_is_one_screen_with_ones_own_students_and_leads_on(small_world: World) -> None:
    for who in (MARIA, BOTH):
        lines = small_world.ask("help", who).text.splitlines()
        assert len([line for line in lines if line.startswith("- ")]) <= 7 and len(lines) <= 11
        assert ("`help admin`" in lines[-1]) == (who == BOTH)
    assert "`student john_doe`" in small_world.ask("help").text
    assert "**News**" in small_world.ask("help news").text and "**Look**" not in small_world.ask("help news").text


def test_all_help_fits_one_message_and_is_grouped(small_world: World) -> None:
    text = small_world.ask("help all", BOTH).text
    assert len(text) < 7000 and "[page N]" not in text
    titles = [line.strip("*") for line in text.splitlines() if line.startswith("**")]
    assert titles == list(SECTIONS)
    assert sum(line.startswith("- `") for line in text.splitlines()) == len(COMMANDS)
