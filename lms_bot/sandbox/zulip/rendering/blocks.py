"""What lines are together: fences first, then lists, quotes, tables and paragraphs."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from markdown.blockparser import BlockParser
from markdown.blockprocessors import (
    BlockQuoteProcessor,
    CodeBlockProcessor,
    EmptyBlockProcessor,
    HashHeaderProcessor,
    HRProcessor,
    ListIndentProcessor,
    ParagraphProcessor,
)
from markdown.extensions.sane_lists import SaneOListProcessor, SaneUListProcessor
from markdown.extensions.tables import TableProcessor
from markdown.preprocessors import Preprocessor

from lms_bot.sandbox.zulip.rendering.inline import MENTION

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    from markdown import Markdown

_FENCE = re.compile(
    r"(?P<fence>~{3,}|`{3,}) *(?:\{?\.?(?P<kind>[\w+./#-]+) *(?P<header>[^ ~`][^~`]*)?\}?)?", re.ASCII
)
_LIST_ITEM = re.compile(r" *(?P<marker>[*+-]|\d\.) +")
_QUOTES = ("quote", "quoted")
_LIST_INDENT = 2

_SPOILER_HEAD = '<div class="spoiler-block"><div class="spoiler-header">'
_SPOILER_BODY = '</div><div class="spoiler-content" aria-hidden="true">'
_SPOILER_END = "</div></div>"


class FencedBlocks(Preprocessor):
    """Code is taken out of the text, quotes become marked lines, spoilers get their frames."""

    def run(self, lines: list[str]) -> list[str]:
        return [*self._read(iter(lines), None), ""]

    def _read(self, lines: Iterator[str], closing: str | None) -> list[str]:
        """The lines up to the closing fence, or all that are left."""
        read: list[str] = []
        for line in takewhile(lambda line: line.rstrip() != closing, lines):
            found = _FENCE.fullmatch(line)
            read += ["", *self._read_block(found, lines), ""] if found else [line]
        return _loosen_lists(read)

    def _read_block(self, start: re.Match[str], lines: Iterator[str]) -> Iterable[str]:
        kind = (start["kind"] or "").lower()
        if kind in _QUOTES:
            return [f"> {line}" for line in self._read(lines, start["fence"])]
        if kind == "spoiler":
            return self._frame(start["header"] or "", self._read(lines, start["fence"]))
        code = [line.rstrip() for line in takewhile(lambda line: line.rstrip() != start["fence"], lines)]
        return [self._stash(_format_code(kind, "\n".join(code)))] if code else []

    def _frame(self, header: str, body: list[str]) -> list[str]:
        head, middle, end = map(self._stash, (_SPOILER_HEAD, _SPOILER_BODY, _SPOILER_END))
        return [head, "", header, "", middle, "", *body, "", end]

    def _stash(self, markup: str) -> str:
        return self.md.htmlStash.store(markup)


def _format_code(kind: str, code: str) -> str:
    escaped = html.escape(code.strip("\n"), quote=False)
    if kind == "math":
        return f'<p><span class="katex-display"><span class="katex">{escaped}</span></span></p>'
    language = f' data-code-language="{html.escape(kind)}"' if kind else ""
    return f'<div class="codehilite"{language}><pre><span></span><code>{escaped}\n</code></pre></div>'


def _loosen_lists(lines: list[str]) -> list[str]:
    """An empty line before each list that hangs on a line of something else."""
    loosened: list[str] = []
    for line in lines:
        if loosened and loosened[-1] and _begins_list(loosened[-1], line):
            loosened.append("")
        loosened.append(line)
    return loosened


def _begins_list(before: str, line: str) -> bool:
    item, item_before = _LIST_ITEM.match(line), _LIST_ITEM.match(before)
    if item is None or item_before is None:
        return item is not None
    return len(item["marker"]) != len(item_before["marker"])


class _Heading(HashHeaderProcessor):
    """Only with a space after the marker: `#1` is a number."""

    RE = re.compile(r"(?:^|\n)(?P<level>#{1,6})\s(?P<header>.*?)#*(?:\n|$)")


class _Quote(BlockQuoteProcessor):
    """A quote of something. It does not grow into the one before, and mentions nobody aloud."""

    RE = re.compile(r"(^|\n)(?=[ >]*[^\s>]) {0,3}> ?(.*)")

    def lastChild(self, _parent: Element) -> None:
        return None

    def clean(self, line: str) -> str:
        return super().clean(MENTION.sub(r"@_**\g<name>**", line))


def make_block_parser(md: Markdown) -> BlockParser:
    parser = BlockParser(md)
    usual, md.tab_length = md.tab_length, _LIST_INDENT  # read by those of lists as they are made
    of_lists = (ListIndentProcessor, SaneOListProcessor, SaneUListProcessor)
    nested, numbered, bulleted = (processor(parser) for processor in of_lists)
    md.tab_length = usual
    processors: list[Any] = [
        EmptyBlockProcessor(parser),
        nested,
        CodeBlockProcessor(parser),
        _Heading(parser),
        TableProcessor(parser, {"use_align_attribute": False}),
        HRProcessor(parser),
        numbered,
        bulleted,
        _Quote(parser),
        ParagraphProcessor(parser),
    ]
    for place, processor in enumerate(processors):
        parser.blockprocessors.register(processor, type(processor).__name__, -place)
    return parser
