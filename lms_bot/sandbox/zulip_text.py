"""What the sandbox Zulip does with the text of a message: cleaning, cutting, mentions, rendering, emoji."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from typing import NamedTuple

from lms_bot.sandbox.zulip_refusals import Refusal

MAX_MESSAGE_LENGTH = 10_000
MAX_TOPIC_LENGTH = 60
MAX_RENDERED_LENGTH = 100 * MAX_MESSAGE_LENGTH
TRUNCATED = "\n[message truncated]"

EMOJI_CODES = {
    "+1": "1f44d",
    "-1": "1f44e",
    "books": "1f4da",
    "check": "2705",
    "check_mark": "2714",
    "clap": "1f44f",
    "cross_mark": "274c",
    "eyes": "1f440",
    "heart": "2764",
    "hourglass": "231b",
    "octopus": "1f419",
    "question": "2753",
    "rocket": "1f680",
    "smile": "1f642",
    "tada": "1f389",
    "thinking": "1f914",
    "time_ticking": "23f3",
    "warning": "26a0",
    "wave": "1f44b",
    "working_on_it": "1f6e0",
}

_CODE = re.compile(r"^(?P<fence>```+|~~~+).*?(?:^(?P=fence)\s*$|\Z)|(?P<ticks>`+).+?(?P=ticks)", re.M | re.S)
_MENTION = re.compile(r"(?<!\w)@\*\*(?P<name>[^*|\n]+)(?:\|(?P<id>\d+))?\*\*")
_EVERYBODY = frozenset({"all", "everyone", "stream", "channel"})


class Mentions(NamedTuple):
    """Whom a text mentions: ids of people, and whether everybody."""

    user_ids: frozenset[int]
    everybody: bool


def clean_content(content: str) -> str:
    """The text as Zulip stores it: outer white space gone, cut at the limit without a word to the sender."""
    body = content.rstrip().lstrip("\n")
    if not body:
        raise Refusal("Message must not be empty")
    if "\x00" in body:
        raise Refusal("Message must not contain null bytes")
    if len(body) > MAX_MESSAGE_LENGTH:
        body = body[: MAX_MESSAGE_LENGTH - len(TRUNCATED)] + TRUNCATED
    return body


def clean_topic(topic: str) -> str:
    topic = topic.strip()
    if not topic:
        raise Refusal("Topic can't be empty!")
    return topic if len(topic) <= MAX_TOPIC_LENGTH else topic[: MAX_TOPIC_LENGTH - 3] + "..."


def find_mentions(content: str, people: Iterable[tuple[int, str]]) -> Mentions:
    """Mentions in a text; `people` are (user id, full name). Code and silent mentions do not count."""
    if "@**" not in content:
        return Mentions(frozenset(), False)
    found = [(match["name"], match["id"]) for match in _MENTION.finditer(_CODE.sub(" ", content))]
    user_ids = {
        user_id
        for user_id, full_name in people
        for name, wanted_id in found
        if name.casefold() == full_name.casefold() and wanted_id in (None, str(user_id))
    }
    return Mentions(frozenset(user_ids), any(name in _EVERYBODY for name, _ in found))


def render(text: str) -> str:
    """The HTML of a message: one escaped paragraph, no markdown."""
    return f"<p>{html.escape(text, quote=False)}</p>" if text else ""


def check_can_be_rendered(content: str) -> None:
    if len(render(content)) > MAX_RENDERED_LENGTH:
        raise Refusal("Unable to render message")


def get_emoji_code(emoji_name: str) -> str:
    try:
        return EMOJI_CODES[emoji_name]
    except KeyError:
        raise Refusal(f"Emoji '{emoji_name}' does not exist") from None
