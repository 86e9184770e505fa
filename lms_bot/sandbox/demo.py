"""The demo: a school, a Zulip and the real bot between them, on this machine and gone afterwards.

`run_page` opens a page on which somebody plays with them, `run_demo` plays a script.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import webbrowser
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, TextIO

from lms_bot.sandbox.environment import (
    CONNECTIONS,
    LOOK_SECONDS,
    BotDied,
    DemoEnvironment,
    IsOver,
    start_environment,
    wait_for_bot,
)
from lms_bot.sandbox.page.backend import PageBackend
from lms_bot.sandbox.page.server import PORTS, PageServer
from lms_bot.sandbox.scenario import QUIET_SECONDS, Act, Scenario
from lms_bot.sandbox.transcript import Transcript, indent

if TYPE_CHECKING:
    from types import FrameType

SECONDS_PER_ACT = 1.7  # time to read; less when the whole is to take less
ENDING_SECONDS = 1.0  # kept of the time allowed, to stop and clean up in

INTRODUCTION = """\
A school in a box. Its LMS is a PostgreSQL database, its Zulip a small server, and the bot between
them is the real one: it reads the LMS, tells each student's mentors, and answers what they ask.
Lines with ">" are what happens at the school; the rest are direct messages, as they arrive."""

SCRIPT: tuple[Act, ...] = (
    ("ask", "maria.santos", "help"),
    ("start_exam", "john_doe", "math-final"),
    ("watch", "li_na", "Linear Equations"),
    ("finish_exam", "john_doe", "pass", "85"),
    ("start_exam", "jane_smith", "python-basics", "Python Basics Quiz"),
    ("complete", "omar_h", "Formula Sheet"),
    ("finish_exam", "jane_smith", "fail", "40"),
    ("ask", "maria.santos", "students"),
    ("ask", "maria.santos", "how is john doing?"),
    ("ask", "maria.santos", "history john_doe"),
    ("ask", "arjun.nair", "history jane_smith"),
    ("start_exam", "tunde_a", "web-checkpoint"),
    ("finish_exam", "tunde_a", "", ""),
    ("ask", "chen.wei", "summary today"),
    ("ask", "maria.santos", "stats"),
    ("ask", "helena.lind", "health"),
)

CONFIG = f"""{CONNECTIONS}\
lms_activity_poll_interval = 0.5
lms_group_seconds = 4
lms_default_notify = everything
"""

PAGE_INTRODUCTION = """\
A school in a box: its LMS is a PostgreSQL database, its Zulip a small server, and the bot between
them is the real one. They are starting; the page opens in a few seconds."""

PAGE_CONFIG = f"""{CONNECTIONS}\
lms_activity_poll_interval = 0.25
lms_group_seconds = 1
lms_default_notify = everything
lms_students_may_ask = true
"""
HISTORY = ("backfill", "--since", "15d")  # what happened before the bot came, so that there is something to ask for


def run_demo(seconds: float | None = None, out: TextIO | None = None, *, bot: str = "lms_bot") -> int:
    """Play the demo, for at most so many seconds, and return the exit code: 1 if it could not be played.

    Prints each direct message to `out` (standard output) as it arrives and, last, a line with counts like
    `Done: 14 events, 17 messages, 9 answers.` Ctrl-C and SIGTERM end it early, in order, with 0. Leaves no
    process and no file. `bot` is what zulip-run-bot is told to run.
    """
    ends_at = float("inf") if seconds is None else time.monotonic() + seconds - ENDING_SECONDS
    transcript = Transcript(out or sys.stdout)
    with ExitStack() as cleanup:
        is_stopped = cleanup.enter_context(_stop_signals())
        transcript.write(INTRODUCTION)
        try:
            environment = start_environment(cleanup, bot, CONFIG)
        except (OSError, RuntimeError) as error:
            transcript.write(f"\nThe demo cannot run here: {error}")
            return 1

        def is_over() -> bool:
            return is_stopped.is_set() or time.monotonic() >= ends_at

        scenario = Scenario(transcript, environment, is_over)
        try:
            wait_for_bot(environment, is_over)
            scenario.play(SCRIPT, _seconds_per_act(ends_at))
        except IsOver:
            pass
        except BotDied as error:
            transcript.write(f"\n{error} Its last lines:\n\n{indent(environment.bot.last_output())}")
            return 1
        scenario.end()
    return 0


def _seconds_per_act(ends_at: float) -> float:
    return min(SECONDS_PER_ACT, (ends_at - time.monotonic() - QUIET_SECONDS) / len(SCRIPT))


def run_page(out: TextIO | None = None, *, bot: str = "lms_bot", ports: Iterable[int] = PORTS) -> int:
    """Serve the page on the first free of these ports until Ctrl-C or SIGTERM; returns the exit code.

    Prints the address, and opens it in the browser where there is a display. Returns 1 if the demo cannot be
    played. Leaves no process and no file.
    """
    transcript = Transcript(out or sys.stdout)
    with ExitStack() as cleanup:
        is_stopped = cleanup.enter_context(_stop_signals())
        transcript.write(PAGE_INTRODUCTION)
        try:
            environment = start_environment(cleanup, bot, PAGE_CONFIG)
            wait_for_bot(environment, is_stopped.is_set)
            page = cleanup.enter_context(open_page(environment, ports))
        except IsOver:
            return 0
        except BotDied as error:
            transcript.write(f"\n{error} Its last lines:\n\n{indent(environment.bot.last_output())}")
            return 1
        except (OSError, RuntimeError) as error:
            transcript.write(f"\nThe demo cannot run here: {error}")
            return 1
        transcript.write(f"\nThe page: {page.url}\nCtrl-C ends the demo and removes everything.")
        show_in_browser(page.url)
        while not is_stopped.wait(LOOK_SECONDS):
            pass  # waiting without a limit would not notice Ctrl-C on every system
    return 0


@contextmanager
def open_page(environment: DemoEnvironment, ports: Iterable[int] = PORTS) -> Iterator[PageServer]:
    """The page of this environment, served for the block. OSError where none of the ports is free."""
    backend = PageBackend(environment)
    try:
        page = PageServer(backend, ports).start()
        environment.bot.run_beside(*HISTORY)
        try:
            yield page
        finally:
            page.close()
    finally:
        backend.close()


def show_in_browser(url: str) -> None:
    """Where there is a display; nothing is wrong where there is none, or no browser."""
    has_display = sys.platform in ("darwin", "win32") or {"DISPLAY", "WAYLAND_DISPLAY"} & os.environ.keys()
    if has_display:
        with suppress(webbrowser.Error, OSError):
            webbrowser.open(url)


@contextmanager
def _stop_signals() -> Iterator[threading.Event]:
    """An event that Ctrl-C and SIGTERM set. The second of them acts as it always does."""
    is_stopped = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield is_stopped  # only the main thread may say what signals do
        return
    usual = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def restore() -> None:
        for number, handler in usual.items():
            signal.signal(number, handler)

    def stop(_number: int, _frame: FrameType | None) -> None:
        restore()
        is_stopped.set()

    for number in usual:
        signal.signal(number, stop)
    try:
        yield is_stopped
    finally:
        restore()
