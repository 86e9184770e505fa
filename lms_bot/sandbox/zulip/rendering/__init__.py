"""Zulip's markdown to HTML, as a server renders it.

It stands on the library a Zulip server stands on, with the same rules switched on: no backslash escapes, no
raw HTML, no underscores for emphasis; mentions, channels, local times, spoilers and images on top. What it
does otherwise than a server: formulas are not typeset and code is not coloured, only the most usual endings
make a domain out of words with dots, only the most usual emoji are known, and organizations have no groups,
linkifiers or previews of web pages.
"""

from __future__ import annotations

import html
from collections.abc import Container, Mapping
from dataclasses import dataclass, field

from markdown import Markdown
from markdown.postprocessors import RawHtmlPostprocessor
from markdown.preprocessors import NormalizeWhitespace
from markdown.treeprocessors import InlineProcessor, PrettifyTreeprocessor, UnescapeTreeprocessor
from markdown.util import Registry

from lms_bot.sandbox.zulip.rendering.blocks import FencedBlocks, make_block_parser
from lms_bot.sandbox.zulip.rendering.emoji import EMOJI_CODES
from lms_bot.sandbox.zulip.rendering.images import InlineImages
from lms_bot.sandbox.zulip.rendering.inline import make_inline_patterns
from lms_bot.sandbox.zulip.rendering.links import DOMAIN_ENDINGS

__all__ = ["Known", "render"]


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


def render(text: str, known: Known | None = None) -> str:
    """The HTML of a message. Tags in the text are shown as text, and no link runs anything."""
    try:
        return _Converter(known or Known()).convert(text)
    except RecursionError:  # nested deeper than anybody means it; a server refuses such a message
        return f"<p>{html.escape(text, quote=False)}</p>"


class _Converter(Markdown):
    """One conversion's worth of the library, with Zulip's rules in place of its own."""

    def __init__(self, known: Known) -> None:
        self.known = known
        super().__init__(output_format="html")

    def build_parser(self) -> _Converter:
        self.preprocessors = Registry()
        self.preprocessors.register(NormalizeWhitespace(self), "normalize_whitespace", 30)
        self.preprocessors.register(FencedBlocks(self), "fenced_blocks", 25)
        self.parser = make_block_parser(self)
        self.inlinePatterns = make_inline_patterns(self, self.known)
        self.treeprocessors = Registry()
        self.treeprocessors.register(InlineProcessor(self), "inline", 25)
        self.treeprocessors.register(PrettifyTreeprocessor(self), "prettify", 20)
        self.treeprocessors.register(UnescapeTreeprocessor(self), "unescape", 18)
        self.treeprocessors.register(InlineImages(self), "inline_images", 15)
        self.postprocessors = Registry()
        self.postprocessors.register(RawHtmlPostprocessor(self), "raw_html", 20)
        return self
