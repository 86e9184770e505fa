"""What happens within a line. The rules apply one after the other to the whole text: what one has taken, the
next does not see."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any
from xml.etree.ElementTree import Element

from markdown import Markdown, inlinepatterns
from markdown.util import AtomicString, Registry, code_escape

from lms_bot.sandbox.zulip.rendering.emoji import NAMES_BY_CODE, UNICODE_EMOJI
from lms_bot.sandbox.zulip.rendering.known import Known
from lms_bot.sandbox.zulip.rendering.links import BARE_ADDRESS, channel_path, clean_address

_CODE = r"(?<!\\)(`+)(?P<code>.+?)(?<!`)\1(?!`)"
_STRONG_EM = r"(\*\*\*)(?!\s)([^*^\n]+)(?<!\s)\*\*\*"
_STRONG = r"(\*\*)([^\n]+?)\*\*"
_EM = r"(\*)(?!\s)([^*^\n]+)(?<!\s)\*"
_DEL = r"(?<!~)(~~)([^~\n]+)~~(?!~)"
_TEX = r"(?<![$\w])\$\$(?P<formula>[^\n_$](?:\\\$|[^$\n])*)\$\$(?![$\w])"
_BEFORE_NAME = r"(?<![^\s'\"({\[/<,:])"
MENTION = re.compile(rf"{_BEFORE_NAME}@(?P<silent>_?)\*\*(?P<name>[^*]+)\*\*")
_TOPIC = rf"{_BEFORE_NAME}#\*\*(?P<channel>[^*>]+)>(?P<topic>[^*]+)\*\*"
_CHANNEL = rf"{_BEFORE_NAME}#\*\*(?P<channel>[^*]+)(?P<topic>)\*\*"
_TIME = r"<time:(?P<time>[^>]*)>"
_EMOJI = r":(?P<name>[\w+-]+):"

EVERYBODY = frozenset({"all", "everyone", "stream", "channel"})

Made = Element | str | None
Make = Callable[[re.Match[str]], Made]


class _Rule(inlinepatterns.InlineProcessor):
    """Replaces what the pattern finds by what `make` makes of it; where that is None, it stays."""

    def __init__(self, pattern: str | re.Pattern[str], make: Make) -> None:
        super().__init__(pattern if isinstance(pattern, str) else pattern.pattern)
        self._make = make

    def handleMatch(self, m: re.Match[str], _data: str) -> Any:  # type: ignore[override]
        made = self._make(m)
        return (None, None, None) if made is None else (made, m.start(), m.end())


class _Link(inlinepatterns.LinkInlineProcessor):
    """`[text](address)`: nothing within the text is looked for any more, and no title is taken."""

    def handleMatch(self, m: re.Match[str], data: str) -> Any:  # type: ignore[override]
        found, start, end = super().handleMatch(m, data)
        href = clean_address(self.unescape(found.get("href", "").strip())) if isinstance(found, Element) else None
        if not isinstance(found, Element) or href is None:
            return None, None, None
        found.set("href", href)
        found.text = AtomicString(found.text if found.text and found.text.strip() else href)
        return found, start, end


def make_inline_patterns(md: Markdown, known: Known) -> Registry[Any]:
    """The rules, first to last."""
    names = _Names(known)
    rules: dict[str, Any] = {
        "code": _Rule(_CODE, _make_code),
        "strong_em": inlinepatterns.DoubleTagInlineProcessor(_STRONG_EM, "strong,em"),
        "mention": _Rule(MENTION, names.make_mention),
        "formula": _Rule(_TEX, _make_formula),
        "topic": _Rule(_TOPIC, names.make_channel_link),
        "channel": _Rule(_CHANNEL, names.make_channel_link),
        "time": _Rule(_TIME, _make_time),
        "link": _Link(inlinepatterns.LINK_RE, md),
        "bare_address": _Rule(BARE_ADDRESS, names.make_bare_link),
        "entity": inlinepatterns.HtmlInlineProcessor(inlinepatterns.ENTITY_RE, md),
        "strong": inlinepatterns.SimpleTagInlineProcessor(_STRONG, "strong"),
        "em": inlinepatterns.SimpleTagInlineProcessor(_EM, "em"),
        "del": inlinepatterns.SimpleTagInlineProcessor(_DEL, "del"),
        "emoji": _Rule(_EMOJI, names.make_emoji),
        "line_break": inlinepatterns.SubstituteTagInlineProcessor(r"\n", "br"),
        "unicode_emoji": _Rule(UNICODE_EMOJI, _make_unicode_emoji),
    }
    registry: Registry[Any] = Registry()
    for place, (name, rule) in enumerate(rules.items()):
        registry.register(rule, name, -place)
    return registry


def _element(tag: str, text: str, attributes: dict[str, str] | None = None) -> Element:
    element = Element(tag, attributes or {})
    element.text = AtomicString(text)
    return element


class _Names:
    """The rules that ask who and what there is."""

    def __init__(self, known: Known) -> None:
        self._known = known

    def make_mention(self, match: re.Match[str]) -> Made:
        found = ("*", match["name"]) if match["name"] in EVERYBODY else self._find_person(match["name"])
        if found is None:
            return None
        user_id, name = found
        if match["silent"]:
            return _element("span", name, {"class": "user-mention silent", "data-user-id": user_id})
        return _element("span", f"@{name}", {"class": "user-mention", "data-user-id": user_id})

    def _find_person(self, said: str) -> tuple[str, str] | None:
        """Id and full name of whom `name`, `name|id` or `|id` means."""
        people = self._known.people
        name, bar, user_id = said.rpartition("|")
        if not bar or not user_id.isdecimal():
            name, user_id = said, ""
        elif not name:
            return next(((user_id, each) for each, one in people.items() if one == int(user_id)), None)
        full_name = name if name in people else _ignoring_case(name, people)
        if not full_name or (user_id and people[full_name] != int(user_id)):
            return None
        return str(people[full_name]), full_name

    def make_channel_link(self, match: re.Match[str]) -> Made:
        name, topic = match["channel"], match["topic"]
        channel_id = self._known.channels.get(name)
        if channel_id is None:
            return None
        return _element(
            "a",
            f"#{name} > {topic}" if topic else f"#{name}",
            {
                "class": "stream-topic" if topic else "stream",
                "data-stream-id": str(channel_id),
                "href": channel_path(channel_id, name, topic),
            },
        )

    def make_bare_link(self, match: re.Match[str]) -> Made:
        ending = match["ending"]
        if ending is not None and ending.lower() not in self._known.domain_endings:
            return None
        href = clean_address(match[0])
        return match[0] if href is None else _element("a", match[0], {"href": href})

    def make_emoji(self, match: re.Match[str]) -> Made:
        code = self._known.emoji.get(match["name"])
        return None if code is None else _make_emoji(match["name"], code)


def _ignoring_case(said: str, names: Any) -> str:
    wanted = said.casefold()
    return next((name for name in names if name.casefold() == wanted), "")


def _make_code(match: re.Match[str]) -> Element:
    return _element("code", code_escape(match["code"]))


def _make_formula(match: re.Match[str]) -> Element:
    return _element("span", match["formula"], {"class": "katex"})


def _make_time(match: re.Match[str]) -> Element:
    moment = _read_moment(match["time"])
    if moment is None:
        return _element("span", f"Invalid time format: {match['time']}", {"class": "timestamp-error"})
    in_utc = moment.astimezone(timezone.utc).replace(tzinfo=None)
    return _element("time", match["time"], {"datetime": f"{in_utc.isoformat()}Z"})


def _read_moment(said: str) -> datetime | None:
    """ISO 8601, in UTC where it names no zone, or seconds of the epoch."""
    try:
        moment = datetime.fromisoformat(re.sub("[zZ]$", "+00:00", said.strip()))
        return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
    except (ValueError, OverflowError):
        pass
    try:
        return datetime.fromtimestamp(float(said), timezone.utc)
    except (ValueError, OverflowError, OSError):
        return None


def _make_unicode_emoji(match: re.Match[str]) -> Element:
    code = f"{ord(match[1] or match[2]):x}"
    return _make_emoji(NAMES_BY_CODE[code], code)


def _make_emoji(name: str, code: str) -> Element:
    title = name.replace("_", " ")
    looks = {"class": f"emoji emoji-{code}", "role": "img", "title": title, "aria-label": title}
    return _element("span", f":{name}:", looks)
