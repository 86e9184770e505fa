"""Names of emoji and the code points they stand for: the ones in everyday use."""

from __future__ import annotations

EMOJI_CODES = {
    "+1": "1f44d",
    "-1": "1f44e",
    "bar_chart": "1f4ca",
    "book": "1f4d6",
    "books": "1f4da",
    "check": "2705",
    "check_mark": "2714",
    "clap": "1f44f",
    "cross_mark": "274c",
    "eye": "1f441",
    "eyes": "1f440",
    "grinning": "1f600",
    "heart": "2764",
    "hourglass": "231b",
    "memo": "1f4dd",
    "notifications": "1f514",
    "octopus": "1f419",
    "question": "2753",
    "rocket": "1f680",
    "silhouette": "1f464",
    "silhouettes": "1f465",
    "smile": "1f642",
    "tada": "1f389",
    "thinking": "1f914",
    "time_ticking": "23f3",
    "warning": "26a0",
    "wave": "1f44b",
    "working_on_it": "1f6e0",
}
NAMES_BY_CODE = {code: name for name, code in EMOJI_CODES.items()}

# These are letters unless U+FE0F asks for their picture.
_PLAIN_BY_DEFAULT = frozenset({"2714", "2764", "26a0", "1f441", "1f6e0"})
_AFTER_IT = "\\u200d\\u20e3\U0001f3fb-\U0001f3ff"  # what makes another emoji of it


def _alternatives(codes: set[str]) -> str:
    return "".join(sorted(chr(int(code, 16)) for code in codes))


_PICTURES = _alternatives(NAMES_BY_CODE.keys() - _PLAIN_BY_DEFAULT)
_LETTERS = _alternatives(set(_PLAIN_BY_DEFAULT))
UNICODE_EMOJI = rf"(?<!\u200d)(?:([{_PICTURES}])\ufe0f?|([{_LETTERS}])\ufe0f)(?![{_AFTER_IT}])"
"""An emoji as such, in the first or the second group."""
