"""What the sandbox Zulip does with the text of a message: cleaning, cutting, mentions, emoji."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from lms_bot.sandbox.zulip.refusals import Refusal
from lms_bot.sandbox.zulip.rendering import Known, render
from lms_bot.sandbox.zulip.rendering.emoji import EMOJI_CODES

MAX_MESSAGE_LENGTH = 10_000
MAX_TOPIC_LENGTH = 60
TRUNCATED = "\n[message truncated]"
_MENTIONED = re.compile(r'<span class="user-mention" data-user-id="(\d+|\*)"')


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
    known = Known(people={full_name: user_id for user_id, full_name in people})
    found = set(_MENTIONED.findall(render(content, known)))
    return Mentions(frozenset(int(each) for each in found - {"*"}), "*" in found)


def get_emoji_code(emoji_name: str) -> str:
    try:
        return EMOJI_CODES[emoji_name]
    except KeyError:
        raise Refusal(f"Emoji '{emoji_name}' does not exist") from None
