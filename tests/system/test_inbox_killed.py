"""Processes that answer people, killed with -9 at the worst instants: everybody is answered once, and in order."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lms_bot.sandbox.zulip import SandboxZulip
from tests.worlds.running_bot import BotProcess, Town, wait_until

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from lms_bot.sandbox.lms.school import School

HELP = "You can ask me"
UNKNOWN = "I do not know that command"
QUESTIONS = 20
FOUND_OUT = re.compile("was answered by another process meanwhile|is not sent: it was taken too long ago")

PROGRAM = """
import os, signal, sys, threading, time
from pathlib import Path
from datetime import timedelta
from lms_bot.zulip.gateway import Gateway
from lms_bot.chat.inbox import answerer, inbox, listener
from lms_bot.outbox import draft, outbox, sender

quick, patience = inbox.Habits(between_marks_seconds=0.05), sender.Patience(1.0, 0.5, 0.1)
inbox.Habits, sender.Patience = lambda: quick, lambda: patience  # a test does not wait for half a minute
inbox.LEASE_SECONDS = float(os.environ.get("LEASE_SECONDS", inbox.LEASE_SECONDS))
if "LEASE_SECONDS" in os.environ:
    outbox.LEASE = timedelta(seconds=inbox.LEASE_SECONDS)
    sender.SENT_WITHIN_SECONDS = inbox.LEASE_SECONDS / 2
listener.DEAF_SECONDS = float(os.environ.get("DEAF_SECONDS", listener.DEAF_SECONDS))
TRAP = Path("trap")
if "BUTTONS_ARE_REFUSED" in os.environ:
    draft.make_choices = lambda *_: {"widget_type": "buttons", "extra_data": {}}

is_still = threading.Event()

def spring():
    if "STANDS_STILL" not in os.environ:
        os.kill(os.getpid(), signal.SIGKILL)
    is_still.set()
    while not Path("goes on").exists():
        time.sleep(0.01)
    is_still.clear()

def renew(*args):
    while is_still.is_set():
        time.sleep(0.01)
    return acquire(*args)

acquire, inbox.Leases.acquire = inbox.Leases.acquire, renew

def die_before(owner, name, place, is_after=False):
    original = getattr(owner, name)
    def trapped(*args, **kwargs):
        result = original(*args, **kwargs) if is_after else None
        if TRAP.exists() and TRAP.read_text() == place:
            TRAP.unlink()
            spring()
        return result if is_after else original(*args, **kwargs)
    setattr(owner, name, trapped)

die_before(answerer, "respond", "heard")
die_before(answerer, "respond", "made", is_after=True)
die_before(outbox.Outbox, "write", "being written down")
die_before(outbox.Outbox, "claim", "written down")
die_before(outbox.Outbox, "claim", "claimed", is_after=True)
die_before(Gateway, "send", "sent", is_after=True)
die_before(Gateway, "mark_read", "settled")
die_before(outbox.Outbox, "mark_ready", "refused")
die_before(outbox.Outbox, "mark_ready", "to be sent otherwise", is_after=True)
from zulip_bots.run import main
main()
"""
"""What the script zulip-run-bot does, in a process that kills itself, or stands still, where `trap` says."""


@pytest.fixture
def zulip() -> Iterator[SandboxZulip]:
    with SandboxZulip(requests_per_minute=1_000_000) as server:
        yield server


def run_bot(town: Town, **environment: str) -> AbstractContextManager[BotProcess]:
    return town.run_bot(program=[sys.executable, "-c", PROGRAM], env=environment)


def is_all_settled(town: Town) -> bool:
    """Whether all that was written down is sent, and nothing is unread."""
    left = "SELECT count(*) FROM lms_messages WHERE state <> 'sent'"
    return not town.store.value(left) and not town.zulip.get_unread(town.bot)


def test_killed_at_any_point_of_an_answer_it_comes_once(lms: School, zulip: SandboxZulip, tmp_path: Path) -> None:
    town = Town(lms, zulip, tmp_path)
    places = ("heard", "made", "being written down", "written down", "claimed", "sent", "settled")
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
    assert get_kinds(town, "ada") == [UNKNOWN, HELP] * 3 + [UNKNOWN] * 2


def test_killed_when_its_buttons_are_refused_an_answer_comes_once(
    lms: School, zulip: SandboxZulip, tmp_path: Path
) -> None:
    town, places = Town(lms, zulip, tmp_path), ("refused", "to be sent otherwise", "sent")
    for place in places:
        with run_bot(town, BUTTONS_ARE_REFUSED="yes") as bot:
            wait_until(lambda: is_all_settled(town), "all is settled")
            (town.folder / "trap").write_text(place)
            town.zulip.send(town.people["anna"], town.bot, "history john_deo")
            wait_until(lambda killed=bot: killed.exit_code is not None, "it is killed")  # type: ignore[misc]
    with run_bot(town):
        town.zulip.send(town.people["anna"], town.bot, "history john_deo")
        wait_until(lambda: len(town.told("anna")) > len(places) and is_all_settled(town), "all is settled")
    answers = zulip.messages(sender=town.bot, to=town.people["anna"])
    assert all("Did you mean **john_doe**?" in one.content for one in answers)
    assert [one.widget is not None for one in answers] == [False] * len(places) + [True]


def get_kinds(town: Town, name: str) -> list[str]:
    return [HELP if text.startswith(HELP) else UNKNOWN for text in town.told(name)]


def who_answers(town: Town) -> int:
    """The process's id; 0 for nobody."""
    holder = town.store.value("SELECT holder FROM lms_leases WHERE duty = 'answers'")
    return int(holder.rpartition(":")[2]) if holder else 0


def test_of_two_processes_one_answers_and_the_other_goes_on_when_it_is_killed(
    lms: School, zulip: SandboxZulip, tmp_path: Path, store_url: str
) -> None:
    town = Town(lms, zulip, tmp_path, store_url)
    with run_bot(town) as one, run_bot(town) as other:
        for number in range(QUESTIONS):
            for name in ("ada", "anna", "sven"):
                town.zulip.send(town.people[name], town.bot, "nonsense" if number % 2 else "help")
        town.wait_until_told("ada", UNKNOWN)
        next(process for process in (one, other) if process.pid == who_answers(town)).kill()
        wait_until(lambda: is_all_settled(town) and len(town.told("sven")) >= QUESTIONS, "all is settled")
    assert get_kinds(town, "ada") == get_kinds(town, "anna") == [HELP, UNKNOWN] * (QUESTIONS // 2)
    assert len(town.told("sven")) == QUESTIONS


def test_who_hears_nothing_any_more_leaves_answering_to_another(
    lms: School, zulip: SandboxZulip, tmp_path: Path
) -> None:
    town = Town(lms, zulip, tmp_path)
    with run_bot(town, DEAF_SECONDS="0.5") as deaf:
        town.ask("ada", "help")
        with run_bot(town) as other:
            wait_until(lambda: who_answers(town) == other.pid, "the other answers")
            for name in ("ada", "anna"):
                town.ask(name, "help")
            wait_until(lambda: is_all_settled(town), "all is settled")
            assert who_answers(town) == other.pid and deaf.exit_code is None
    assert [len(town.told(name)) for name in ("ada", "anna")] == [2, 1]


@pytest.mark.parametrize("place", ["heard", "made", "claimed"])
def test_who_stood_still_for_longer_than_its_lease_does_not_answer_what_another_answered_meanwhile(
    lms: School, zulip: SandboxZulip, tmp_path: Path, place: str
) -> None:
    town = Town(lms, zulip, tmp_path)
    (town.folder / "trap").write_text(place)
    still = {"LEASE_SECONDS": "3", "STANDS_STILL": "yes"}
    with run_bot(town, **still) as one, run_bot(town, **still) as other:
        town.zulip.send(town.people["ada"], town.bot, "help")
        wait_until(lambda: is_all_settled(town) and town.told("ada"), "the other answers")
        (town.folder / "goes on").touch()
        wait_until(lambda: FOUND_OUT.search(one.output + other.output), "the first has found out")
        town.zulip.send(town.people["ada"], town.bot, "nonsense")
        wait_until(lambda: len(town.told("ada")) > 1 and is_all_settled(town), "it goes on")
    assert get_kinds(town, "ada") == [HELP, UNKNOWN]
