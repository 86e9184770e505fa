"""Numbers of events and notes: read from what somebody said, and shown. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from lms_bot.chat.language.words import strip_fillers
from lms_bot.core.markdown import event_ref

REFS_SHOWN = 50
_NUMBERS = re.compile(r"#?[0-9]{1,9}(?:,#?[0-9]{1,9})*", re.ASCII)


def read_numbers(words: Sequence[str]) -> list[int] | None:
    """`#12 #15`, `12,15` or `#12 and #15`; None where something else is said, too."""
    said = [word for word in strip_fillers(words) if word.casefold() != "and"]
    if not all(map(_NUMBERS.fullmatch, said)):
        return None
    return list(dict.fromkeys(int(digits) for word in said for digits in re.findall("[0-9]+", word)))


def format_refs(numbers: Sequence[int]) -> str:
    """As messages name events, the first of them."""
    more = [f"and {len(numbers) - REFS_SHOWN} more"] if len(numbers) > REFS_SHOWN else []
    return ", ".join([*map(event_ref, numbers[:REFS_SHOWN]), *more])
