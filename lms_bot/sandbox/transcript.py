"""What the watcher of a demo reads in the terminal."""

from __future__ import annotations

import os
import re
from datetime import datetime
from typing import TextIO


class Transcript:
    """What the watcher reads: calm on paper, with a little colour on a terminal."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._has_colour = out.isatty() and "NO_COLOR" not in os.environ
        if hasattr(out, "reconfigure"):
            out.reconfigure(errors="replace")  # a terminal without emoji is no reason to fail

    def write(self, text: str) -> None:
        print(text, file=self._out, flush=True)

    def write_aside(self, text: str) -> None:
        self.write(f"\n{self._colour('36', text)}")

    def write_message(self, direction: str, content: str) -> None:
        self.write(f"\n{self._colour('1', direction)}\n{indent(readable(content))}")

    def _colour(self, code: str, text: str) -> str:
        return f"\033[{code}m{text}\033[0m" if self._has_colour else text


def indent(text: str) -> str:
    return "\n".join(f"    {line}".rstrip() for line in text.splitlines())


def readable(content: str) -> str:
    """Markdown with what makes no sense raw made readable: local times, nothing invisible or escaped."""
    with_times = re.sub(r"<time:([^>]+)>", lambda found: _local_time(found[1]), content)
    return re.sub(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b]", "", with_times)


def _local_time(written: str) -> str:
    try:
        at = datetime.fromisoformat(written.replace("Z", "+00:00"))
    except ValueError:
        return written
    return at.astimezone().strftime("%a %d %b %Y, %H:%M")
