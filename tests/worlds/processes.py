"""What other processes do, of which no event tells us."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path


def eventually(condition: Callable[[], bool], seconds: float = 60.0) -> bool:
    """For what other processes do, of which no event tells us."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


def processes_using(folder: Path) -> list[str]:
    """The command lines that name the folder; elsewhere than on Linux, none are known."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue  # it ended meanwhile
        if str(folder) in words:
            found.append(words)
    return found
