"""Which formatter words a person's messages."""

from __future__ import annotations

from dataclasses import dataclass

from lms_bot.notify.formatter import MessageFormatter
from lms_bot.notify.preferences import When

BRIEFLY = (When.CALM, When.DIGEST)


@dataclass(frozen=True)
class Formatters:
    """`brief` is for who wants calm or a digest, `long` for all others and for admins. They may be the same."""

    long: MessageFormatter
    brief: MessageFormatter

    def choose(self, level: When) -> MessageFormatter:
        return self.brief if level in BRIEFLY else self.long
