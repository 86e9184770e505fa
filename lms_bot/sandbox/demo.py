"""The demo: a school, a Zulip and the real bot between them, played on this machine and gone afterwards."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import TextIO

from lms_bot.sandbox.keeper import Keeper
from lms_bot.sandbox.postgres import EmbeddedPostgres
from lms_bot.sandbox.school import School
from lms_bot.sandbox.stage import QUIET_SECONDS, Act, BotDied, BotProcess, IsOver, Page, Stage, indent
from lms_bot.sandbox.zulip import SandboxZulip

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
    ("ask", "maria.santos", "histroy john_doe"),
    ("ask", "maria.santos", "history john_doe"),
    ("ask", "arjun.nair", "history jane_smith"),
    ("start_exam", "tunde_a", "web-checkpoint"),
    ("finish_exam", "tunde_a", "", ""),
    ("ask", "chen.wei", "summary today"),
    ("ask", "maria.santos", "stats"),
    ("ask", "helena.lind", "health"),
)

CONFIG = """\
[lms_bot]
lms_db_host = {postgres.host}
lms_db_port = {postgres.port}
lms_db_name = lms
lms_db_user = lms_bot_reader
lms_db_password = {postgres.password}
lms_activity_poll_interval = 0.5
lms_group_seconds = 4
lms_bot_store = sqlite:///{store}
"""


def run_demo(seconds: float | None = None, out: TextIO | None = None, *, bot: str = "lms_bot") -> int:
    """Play the demo, for at most so many seconds, and return the exit code: 1 if it could not be played.

    Prints each direct message to `out` (standard output) as it arrives and, last, a line with counts like
    `Done: 14 events, 17 messages, 9 answers.` Ctrl-C and SIGTERM end it early, in order, with 0. Leaves no
    process and no file. `bot` is what zulip-run-bot is told to run.
    """
    ends_at = float("inf") if seconds is None else time.monotonic() + seconds - ENDING_SECONDS
    page = Page(out or sys.stdout)
    with ExitStack() as cleanup:
        is_stopped = cleanup.enter_context(_stop_signals())
        page.write(INTRODUCTION)
        try:
            process, stage = _set_up(cleanup, page, bot, lambda: is_stopped.is_set() or time.monotonic() >= ends_at)
        except (OSError, RuntimeError) as error:
            page.write(f"\nThe demo cannot run here: {error}")
            return 1
        try:
            stage.wait_for_bot()
            stage.play(SCRIPT, _seconds_per_act(ends_at))
        except IsOver:
            pass
        except BotDied as error:
            page.write(f"\n{error} Its last lines:\n\n{indent(process.last_output())}")
            return 1
        stage.end()
    return 0


def _seconds_per_act(ends_at: float) -> float:
    return min(SECONDS_PER_ACT, (ends_at - time.monotonic() - QUIET_SECONDS) / len(SCRIPT))


def _set_up(cleanup: ExitStack, page: Page, bot: str, is_over: Callable[[], bool]) -> tuple[BotProcess, Stage]:
    """Start everything; `cleanup` ends it."""
    keeper = Keeper(prefix="lms-bot-demo-")
    cleanup.callback(keeper.close)
    zulip = cleanup.enter_context(SandboxZulip())
    postgres = cleanup.enter_context(EmbeddedPostgres())
    school = cleanup.enter_context(School(postgres.create_database("lms"))).create()
    postgres.create_role("lms_bot_reader")
    with school.transaction() as sql:
        sql.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO lms_bot_reader")

    account = zulip.add_person("LMS Bot", is_bot=True)
    zuliprc = zulip.write_zuliprc(account, keeper.folder / "zuliprc")
    store = keeper.folder / "lms_bot.db"
    config = keeper.folder / "lms_bot.conf"
    config.write_text(CONFIG.format(postgres=postgres, store=store), encoding="utf-8")
    process = BotProcess(keeper, bot, zuliprc, config, store)
    return process, Stage(page, school, zulip, account, process, is_over)


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

    def stop(number: int, frame: FrameType | None) -> None:
        restore()
        is_stopped.set()

    for number in usual:
        signal.signal(number, stop)
    try:
        yield is_stopped
    finally:
        restore()
