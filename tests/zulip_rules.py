"""What Zulip's server makes of a text, after the rules it documents and its public source.

Wide rather than narrow: who exists does not matter, every mention, channel and emoji name counts; so does
every domain, whatever its ending. Independent of `lms_bot.markdown`, which is judged by it.
"""

from __future__ import annotations

import re
from collections import Counter

from hypothesis import strategies as st

# At the start of a line. Lists and quotes hold blocks themselves.
BLOCKS = {
    "fence": re.compile(r"(?:~{3,}|`{3,}).*"),
    "heading": re.compile(r"#{1,6}\s"),
    "rule": re.compile(r" {0,3}(?:(?:- {0,2}){3,}|(?:_ {0,2}){3,}|(?:\* {0,2}){3,})$"),
    "list": re.compile(r" *(?:[*+-]|\d+\.)\s+"),
    "quote": re.compile(r" {0,3}>"),
    "indented code": re.compile(r"(?: {4}|\t)"),
}
# Only at the start of the message.
COMMAND = re.compile(r"/(?:poll|todo|me)\b")

# What the last part of a domain may go on with: no ASCII punctuation but a hyphen, no typographic one.
_ENDING = r"[^\s!-,./:-@\[-`{-~\u2000-\u206f]"

# In the order in which the server looks for them: what one has taken, the next does not see.
INLINE = {
    "code": re.compile(r"(?<!\\)(`+)(?!`)(.+?)(?<!`)\1(?!`)", re.DOTALL),
    "mention": re.compile(r"@_?\*\*[^*]+\*\*"),
    "formula": re.compile(r"\$\$[^$\n]+\$\$"),
    "channel": re.compile(r"(?<!\w)#\*\*[^*]+\*\*"),
    "time": re.compile(r"<time:[^>]*>"),
    "group": re.compile(r"@_?\*[^*]+\*"),
    "link": re.compile(r"\]\("),
    "address": re.compile(r"(?:https?|ftp|file)://|\b(?:bitcoin|mailto|tel):[\w+]", re.IGNORECASE),
    "e-mail": re.compile(r"[\w.-]+@[\w.-]+\.\w+"),
    # After the last dot come a letter and something more; then, perhaps, a path.
    "domain": re.compile(rf"[\w-]\.[^\W\d_]{_ENDING}+(?:/\S*)?(?=[!:;?),.'\">]*(?:\s|$))"),
    "linkifier": re.compile(r"#\d+"),
    "entity": re.compile(r"&(?:#\w+|\w{2,});"),  # no name of one letter is known to HTML
    "bold": re.compile(r"\*\*([^\n]+?)\*\*"),
    "italic": re.compile(r"\*(?!\s)[^*\n]+(?<!\s)\*"),
    "strike": re.compile(r"~~[^~\n]+~~"),
    "emoji": re.compile(r":[\w+-]+:"),
    "bar": re.compile(r"\|"),
}
_TAKEN = "\x02"

# What somebody might write who knows those rules.
TRICKS = """
    ** *** @** @_** @* #** @**all** @_**Anna|9** @*mentors* #**general>topic** @all ]( ![x](evil.com/x.png)
    http:// //1.2.3.4 https://evil.com www.evil.com evil.co/(a) a@b.c mailto:a@b.c file:///etc tel:1
    bitcoin:1A .рф .भारत xn--p1ai [x](http://evil.com) :smile: :+1: :100: <time: <time:2024-01-15T14:30:00Z>
    $$x$$ ~~x~~ #12 ``` ~~~ --- ___ |---| &lt; &#x202e; &#10; é 中 م
"""
FRAGMENTS = [
    *TRICKS.split(),
    *"@#*_`~$[]()<>!:./\\|&;^-+=123ab \t\n\r'\",{}%?",
    *("```spoiler x", "/poll ", "/todo ", "/me ", "> ", "- ", "+ ", "1. ", "# ", "👨\u200d👩\u200d👧"),
    *"\x00\x02\x1b\ud800\u2028\u0085\u200b\u200c\u200d\u200e\u202e\u2066\u2060\ufeff\u0301",
]
hostile_texts = st.lists(st.sampled_from(FRAGMENTS) | st.characters(), max_size=12).map("".join)


def constructs(message: str) -> Counter[str]:
    """How often a message holds each thing that Zulip would not show as plain text."""
    found: Counter[str] = Counter()
    if COMMAND.match(message):
        found["command"] += 1
    found.update(kind for line in message.split("\n") for kind in _blocks(line))
    for kind, pattern in INLINE.items():
        # Bold text is looked into; the rest is closed.
        message, times = pattern.subn(rf"{_TAKEN}\1{_TAKEN}" if kind == "bold" else _TAKEN, message)
        found[kind] += times
    return +found


def _blocks(line: str) -> list[str]:
    for kind, pattern in BLOCKS.items():
        if start := pattern.match(line):
            return [kind, *_blocks(line[start.end() :])]
    return []
