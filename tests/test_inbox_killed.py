"""Processes that answer people, killed with -9 at the worst instants: everybody is answered once, and in order."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from running_bot import BotProcess, Town, wait_until

from lms_bot.sandbox.school import School
from lms_bot.sandbox.zulip import SandboxZulip

HELP = "You can ask me"
UNKNOWN = "I do not know that command"
QUESTIONS = 20

PROGRAM = """
import os, signal, sys
from pathlib import Path
from lms_bot.gateway import Gateway
from lms_bot.inbox import answerer, inbox
from lms_bot.notifier import Patience

quick = inbox.Habits(between_marks_seconds=0.05, patience=Patience(1.0, 0.5, 0.1))
inbox.Habits = lambda: quick  # a test does not wait for half a minute
TRAP = Path("trap")

def die_before(owner, name, place, is_after=False):
    original = getattr(owner, name)
    def trapped(*args, **kwargs):
        result = original(*args, **kwargs) if is_after else None
        if TRAP.exists() and TRAP.read_text() == place:
            TRAP.unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        return result if is_after else original(*args, **kwargs)
    setattr(owner, name, trapped)

die_before(answerer, "respond", "taken")
die_before(Gateway, "send", "written down")
die_before(Gateway, "send", "sent", is_after=True)
die_before(Gateway, "mark_read", "settled")
from zulip_bots.run import main
main()
"""
"""What the script zulip-run-bot does, in a process that kills itself where the file `trap` says."""


@pytest.fixture
def zulip() -> Iterator[SandboxZulip]:
    with SandboxZulip(requests_per_minute=1_000_000) as server:
        yield server


def run_bot(town: Town) -> AbstractContextManager[BotProcess]:
    return town.run_bot(program=[sys.executable, "-c", PROGRAM])


def is_all_settled(town: Town) -> bool:
    """Whether all that was taken is answered, nothing of it is kept, and nothing is unread."""
    left = "SELECT count(*) FROM lms_answers WHERE answered_at IS NULL OR content IS NOT NULL"
    return not town.store.value(left) and not town.zulip.get_unread(town.bot)


def test_killed_at_any_point_of_an_answer_it_comes_once(lms: School, zulip: SandboxZulip, tmp_path: Path) -> None:
    town = Town(lms, zulip, tmp_path)
    places = ("taken", "written down", "sent", "settled")
    for number, place in enumerate(places):
        with run_bot(town) as bot:
            wait_until(lambda due=number: len(town.told("ada")) == due and is_all_settled(town), "all is settled")  # type: ignore[misc]
            (town.folder / "trap").write_text(place)
            town.zulip.send(town.people["ada"], town.bot, "help" if number % 2 else "nonsense")
            wait_until(lambda killed=bot: killed.exit_code is not None, "it is killed")  # type: ignore[misc]
        assert not is_all_settled(town)
    with run_bot(town):
        town.zulip.send(town.people["ada"], town.bot, "nonsense")
        wait_until(lambda: len(town.told("ada")) > len(places) and is_all_settled(town), "all is settled")
    assert get_kinds(town, "ada") == [UNKNOWN, HELP, UNKNOWN, HELP, UNKNOWN]


def get_kinds(town: Town, name: str) -> list[str]:
    return [HELP if text.startswith(HELP) else UNKNOWN for text in town.told(name)]


def test_of_two_processes_one_answers_and_the_other_goes_on_when_it_is_killed(
    lms: School, zulip: SandboxZulip, tmp_path: Path, store_url: str
) -> None:
    town = Town(lms, zulip, tmp_path, store_url)
    with run_bot(town) as one, run_bot(town) as other:
        for number in range(QUESTIONS):
            for name in ("ada", "anna", "sven"):
                town.zulip.send(town.people[name], town.bot, "nonsense" if number % 2 else "help")
        town.wait_until_told("ada", UNKNOWN)
        pid = int(town.store.value("SELECT holder FROM lms_leases WHERE duty = 'answers'").rpartition(":")[2])
        next(process for process in (one, other) if process.pid == pid).kill()
        wait_until(lambda: is_all_settled(town) and len(town.told("sven")) >= QUESTIONS, "all is settled")
    assert get_kinds(town, "ada") == get_kinds(town, "anna") == [HELP, UNKNOWN] * (QUESTIONS // 2)
    assert len(town.told("sven")) == QUESTIONS
