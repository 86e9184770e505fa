"""What the watcher of a demo reads."""

from __future__ import annotations

import io
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from lms_bot.sandbox.transcript import Transcript, readable

if TYPE_CHECKING:
    import pytest


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
