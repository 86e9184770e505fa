"""Background jobs: that what is to run once does, when it is due, and stops nothing."""

from __future__ import annotations

import logging
import threading

import pytest

from lms_bot.operation import jobs as module
from lms_bot.operation.jobs import BackgroundJobs

SOON = 10.0


@pytest.fixture(autouse=True)
def short_naps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LONGEST_NAP_SECONDS", 0.01)


def test_what_runs_once_waits_until_it_is_due_and_runs_a_single_time() -> None:
    jobs, asked, ran = BackgroundJobs(), threading.Event(), threading.Event()
    is_due = threading.Event()
    times: list[int] = []

    def ask() -> bool:
        asked.set()
        return is_due.is_set()

    def work() -> None:
        times.append(1)
        ran.set()

    jobs.once(0.0, ask, work, "loader")
    assert asked.wait(SOON) and not ran.is_set()
    is_due.set()
    assert ran.wait(SOON) and jobs.stop(SOON)
    assert times == [1]


def test_what_fails_once_is_logged_and_not_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    jobs, times = BackgroundJobs(), [0]
    tried = threading.Event()

    def fail() -> None:
        times[0] += 1
        tried.set()
        raise ImportError("no such library")

    with caplog.at_level(logging.ERROR):
        jobs.once(0.0, lambda: True, fail, "loader")
        assert tried.wait(SOON) and jobs.stop(SOON)
    assert times == [1] and "loader failed" in caplog.text


def test_what_was_not_due_yet_does_not_keep_the_bot_from_ending() -> None:
    jobs = BackgroundJobs()
    jobs.once(3600.0, lambda: True, lambda: pytest.fail("it ran"), "loader")
    assert jobs.stop(SOON)
