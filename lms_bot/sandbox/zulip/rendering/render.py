"""A message's text to its HTML: the library a Zulip server stands on, with Zulip's rules in place of its own."""

from __future__ import annotations

import html

from markdown import Markdown
from markdown.postprocessors import RawHtmlPostprocessor
from markdown.preprocessors import NormalizeWhitespace
from markdown.treeprocessors import InlineProcessor, PrettifyTreeprocessor, UnescapeTreeprocessor
from markdown.util import Registry

from lms_bot.sandbox.zulip.rendering.blocks import FencedBlocks, make_block_parser
from lms_bot.sandbox.zulip.rendering.images import InlineImages
from lms_bot.sandbox.zulip.rendering.inline import make_inline_patterns
from lms_bot.sandbox.zulip.rendering.known import Known


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
