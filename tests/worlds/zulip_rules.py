"""What a Zulip server makes of a text, as things to count: by the sandbox's rendering, held to a real server's.

Wide rather than narrow: who exists does not matter, every mention, channel and emoji name counts; so does
every domain, whatever its ending, and every number that an organization may have made a link of. Independent
of `lms_bot.core.markdown`, which is judged by it.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any
from unittest.mock import ANY

from hypothesis import strategies as st

from lms_bot.sandbox.zulip.rendering import Known, render
from lms_bot.sandbox.zulip.rendering.emoji import NAMES_BY_CODE

MOST_COLUMNS = 3
"""A phone shows some 316 pixels of a table: three narrow columns."""

_COMMAND = re.compile(r"/(?:poll|todo|me)\b")  # only at the start of a message
_LINKIFIER = re.compile(r"#\d+")
_PICTURES = {int(code, 16): "\u25a1" for code in NAMES_BY_CODE}  # an emoji as such harms nobody
_LAYOUT = frozenset({"p", "br", "table", "thead", "tbody", "tr", "th", "td"})
_VOID = frozenset({"br", "hr", "img"})


class _AnyName(dict[str, Any]):
    """Knows every name; it means whatever it should mean."""

    def __contains__(self, name: object) -> bool:
        return True

    def __getitem__(self, name: str) -> Any:
        return ANY

    def get(self, name: str, default: Any = None) -> Any:
        return ANY

    def items(self) -> Any:
        return [("anybody", ANY)]


class _AnyEnding:
    """Of a domain: a letter and something more, with no invisible or typographic character in it."""

    def __contains__(self, ending: object) -> bool:
        return re.fullmatch(r"[^\W\d_][^\u2000-\u206f]+", str(ending)) is not None


EVERYTHING = Known(people=_AnyName(), channels=_AnyName(), emoji=_AnyName(), domain_endings=_AnyEnding())


@dataclass(frozen=True)
class Element:
    """`text` is what stands directly in it."""

    tag: str
    attributes: dict[str, str]
    text: str

    @property
    def kind(self) -> str:
        return ".".join([self.tag, *self.attributes.get("class", "").split()[:1]])


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str], list[str]]] = []
        self.open: list[tuple[str, dict[str, str], list[str]]] = [("", {}, [])]
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element: tuple[str, dict[str, str], list[str]] = (tag, {name: value or "" for name, value in attrs}, [])
        self.found.append(element)
        if tag not in _VOID:
            self.open.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        self.open[-1][2].append(data)
        self.texts.append(data)


def _read(html: str) -> _Reader:
    reader = _Reader()
    reader.feed(html)
    reader.close()
    assert len(reader.open) == 1
    return reader


def elements_of(html: str) -> list[Element]:
    """All elements, in the order in which they begin. AssertionError where one is not closed."""
    return [Element(tag, attributes, "".join(texts)) for tag, attributes, texts in _read(html).found]


def as_seen(text: str) -> str:
    """The text as `text_of` finds it in a page that holds it."""
    return text.translate(_PICTURES).replace("\u200b", "")


def text_of(html: str) -> str:
    """What there is to read, without what nobody can see."""
    return as_seen("".join(_read(html).texts))


def render_widely(message: str) -> str:
    return render(message.translate(_PICTURES), EVERYTHING)


def constructs(message: str) -> Counter[str]:
    """How often a message holds each thing that is not plain text, its paragraphs and line breaks included."""
    elements = elements_of(render_widely(message))
    found = Counter(element.kind for element in elements)
    found["command"] = int(_COMMAND.match(message) is not None)
    found["linkifier"] = sum(len(_LINKIFIER.findall(each.text)) for each in elements if each.tag != "code")
    return +found


def marks(message: str) -> Counter[str]:
    """The same without what only puts texts in their places: paragraphs, lines and tables."""
    return Counter({kind: times for kind, times in constructs(message).items() if kind not in _LAYOUT})


def without_colours(html: str) -> str:
    """The HTML with the code in it as it was written: the sandbox does not colour code."""
    return re.sub(r'(?<=<div class="codehilite").*?</div>', _without_colours, html, flags=re.DOTALL)


def _without_colours(block: re.Match[str]) -> str:
    return re.sub(r' data-code-language="[^"]*"|<span[^>]*>|</span>', "", block[0])


# What somebody might write who knows the rules.
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
    *("<b>", "</p>", "<img src=x onerror=y>", '"><script>', "javascript:", "(attachment:0)", "\n\n", "\n|---|\n"),
    *"\x00\x02\x1b\ud800\u2028\u0085\u200b\u200c\u200d\u200e\u202e\u2066\u2060\ufeff\u0301",
]
hostile_texts = st.lists(st.sampled_from(FRAGMENTS) | st.characters(), max_size=12).map("".join)


def count_columns(text: str) -> int:
    """How many columns the widest table has; 0 where there is none."""
    return max((line.count("|") - 1 for line in text.splitlines() if line.startswith("|")), default=0)
