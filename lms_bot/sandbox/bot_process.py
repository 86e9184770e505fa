"""The bot as people run it, in a process of its own that can be ended, killed and started again."""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from lms_bot.sandbox.reaper import Reaper

PACKAGE_FOLDER = Path(__file__).resolve().parents[2]
STORE_PATIENCE_SECONDS = 2.0


class BotProcess:
    """`zulip-run-bot lms_bot`; what it prints goes into the reaper's folder."""

    def __init__(self, reaper: Reaper, bot: str, zuliprc: Path, config: Path, store: Path) -> None:
        self._reaper = reaper
        self._store = store
        self._log = reaper.folder / "bot.log"
        self._command = [sys.executable, "-m", "zulip_bots.run", bot, "-c", str(zuliprc), "-b", str(config)]
        self._shell = [sys.executable, "-m", "lms_bot", "-c", str(zuliprc), "-b", str(config)]
        self.start()

    def start(self) -> None:
        """Again, after it has ended."""
        self._pid = self._reaper.start(self._command, log=self._log.name, env=_bot_environment())

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._reaper.exit_code(self._pid)

    def stop(self) -> None:
        self._reaper.stop(self._pid, signal.SIGTERM)

    def kill(self) -> None:
        """kill -9: it gets no chance to tidy up."""
        self._reaper.stop(self._pid, signal.SIGKILL)

    def run_beside(self, *words: str) -> None:
        """Start another of its commands, e.g. `lms-bot backfill`, with the same configuration."""
        self._reaper.start([*self._shell, *words], log="beside.log", env=_bot_environment())

    def last_output(self, lines: int = 20) -> str:
        log = self._log.read_text(encoding="utf-8", errors="replace")
        return "\n".join(log.splitlines()[-lines:]) or "(it said nothing)"

    def stored(self, query: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Rows of its store, which is only read; none if it has not made its tables yet."""
        try:
            address = f"{self._store.as_uri()}?mode=ro"
            with closing(sqlite3.connect(address, uri=True, timeout=STORE_PATIENCE_SECONDS)) as store:
                return store.execute(query, values).fetchall()
        except sqlite3.OperationalError:
            return []


def _bot_environment() -> dict[str, str]:
    """Ours, without settings that are meant for another bot."""
    foreign = ("LMS_", "ZULIP_", "PG")
    env = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    paths = [str(PACKAGE_FOLDER), env.get("PYTHONPATH", "")]
    return env | {"PYTHONPATH": os.pathsep.join(filter(None, paths)), "PYTHONUNBUFFERED": "1"}
