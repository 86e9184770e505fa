"""Processes that live no longer than who asked for them."""

from __future__ import annotations

import signal
import sys

import pytest

from lms_bot.sandbox.reaper import Reaper
from tests.worlds.processes import eventually


def test_a_kept_process_that_does_not_listen_is_killed() -> None:
    reaper = Reaper()
    deaf = "import signal; signal.signal(15, signal.SIG_IGN); print('up', flush=True); signal.pause()"
    pid = reaper.start([sys.executable, "-c", deaf])
    assert eventually(lambda: "up" in (reaper.folder / "log").read_text())
    assert reaper.exit_code(pid) is None
    assert reaper.stop(pid, patience_seconds=0.1) == -signal.SIGKILL
    assert reaper.exit_code(pid) == -signal.SIGKILL
    reaper.close()
    reaper.close()
    assert not reaper.folder.exists()


def test_a_process_that_cannot_start_is_an_error_and_the_reaper_goes_on() -> None:
    reaper = Reaper()
    with pytest.raises(OSError, match="no-such-program"):
        reaper.start(["/no-such-program"])
    assert reaper.stop(reaper.start(["/bin/sleep", "60"])) == -signal.SIGTERM
    reaper.close()
