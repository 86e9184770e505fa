"""What a text may name."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, field

from lms_bot.sandbox.zulip.rendering.emoji import EMOJI_CODES
from lms_bot.sandbox.zulip.rendering.links import DOMAIN_ENDINGS


@dataclass(frozen=True)
class Known:
    """The names that mean something in an organization: all others stay text.

    `people` and `channels` lead from names to ids, `emoji` from names to hexadecimal code points;
    `domain_endings` are what the last part of a bare domain may be, in lower case.
    """

    people: Mapping[str, int] = field(default_factory=dict)
    channels: Mapping[str, int] = field(default_factory=dict)
    emoji: Mapping[str, str] = field(default_factory=lambda: EMOJI_CODES)
    domain_endings: Container[str] = DOMAIN_ENDINGS
