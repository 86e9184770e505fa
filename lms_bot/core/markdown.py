"""Zulip markdown: foreign text made inert, and the building blocks of our messages. Pure.

Zulip's markdown has no escape character, so text is disarmed in two ways. A marker that needs two characters
side by side (`](`, `@x`, `$$`, the dot in `evil.com`) gets an invisible U+200B between them. A marker that
works alone (a backtick, an asterisk, the bar between table cells) gives way to a character that looks the
same and means nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timezone
from itertools import accumulate, takewhile

MAX_MESSAGE_LENGTH = 10_000
"""What Zulip keeps of a message, in code points; it drops the rest without an error."""

NO_BREAK = "\u00a0"
"""A space at which no line ends: an emoji stays with its number."""

_NOT_BEFORE_ELLIPSIS = " \u200c\u200d"
_BREAK = "\u200b"  # zero-width space: nothing to the eye, an ordinary character to Zulip

_LOOKALIKES = str.maketrans({"`": "\u02cb", "*": "\u2217", "|": "\u2223"})

# Characters that nobody can see but that steer what is seen. White space among them is left to
# str.split(); the joiners (U+200C, U+200D) and emoji tags stay: Persian, Indic scripts and emoji need them.
_UNSEEN = re.compile(
    "["
    "\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f"  # controls
    "\xad\u180e\u200b\u2060-\u2065\ufeff"  # without width
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # writing direction
    "\u206a-\u206f\ufff9-\ufffb\U000e0001"  # deprecated formatting
    "\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff"  # not characters at all
    "]"
)

_CODE = re.compile("`+([^`]*)`+")

# Where a break has to go in: for each thing that Zulip recognises, its first marker.
_MARKER = re.compile(
    r"""
      ^(?=>|[+-](?:\s|$)|\d+\.(?:\s|$))             # at a line start: quote, lists
    | ^(?=[-_ ]{3,}$|/\w)                           # rule; /poll, /todo, /me
    | @(?!\s)                                      # mention, silent or group mention, e-mail address
    | (?<!\w)\# | \#(?=\d)                         # channel link, heading; a linkifier such as #123
    | :(?=[\w+-]+(?::|$))                          # :emoji:, also when the closing colon is the template's
    | :(?=//) | \b(?:bitcoin|mailto|tel):(?=\S)   # address with a scheme
    | (?<=[\w-])\.(?=[^\W\d_][^\s!:;?),.'">/])     # bare domain: dot, two letters (not `3.5`, `Ph.D.`)
    | \](?=\()                                     # [text](address)
    | \$(?=\$) | ~(?=~)                            # formula; strike, fence
    | <(?=time:)                                   # local time
    | &(?=\#?\w+;|\#\w+$|\w{2,}$)                  # HTML entity (`;` may be the template's), a way back for `_UNSEEN`
    """,
    re.VERBOSE | re.IGNORECASE,
)


def one_line(text: object) -> str:
    """The text as one line: white space collapsed, invisible and control characters dropped, None as "".

    For text that people paste from our own messages, too: it takes the breaks of `disarm` out again.
    """
    return " ".join(_UNSEEN.sub("", "" if text is None else str(text)).split())


def disarm(text: object, *, max_length: int | None = None) -> str:
    """Text from outside, safe inside our templates: in bold, in a cell, in a line or at its start.

    It cannot mention, link, format or start a block, and looks as it did. At most `max_length` (>= 1)
    characters long, ending in "…" if cut. Disarming twice changes nothing. A template may put `**`, a space
    or punctuation next to it, but no `(` right after and no `:`, `#`, `$` or `~` right before.
    """
    line = one_line(text).translate(_LOOKALIKES)
    inert = _break_markers(line)
    if max_length is None or len(inert) <= max_length:
        return inert
    kept = max_length - 1
    while len(inert := _break_markers(line[:kept].rstrip(_NOT_BEFORE_ELLIPSIS) + "…")) > max_length:
        kept -= max(1, (len(inert) - max_length) // 2)
    return inert


def _break_markers(line: str) -> str:
    return _MARKER.sub(rf"\g<0>{_BREAK}", line)


def code(text: object) -> str:
    """A code span that the text cannot leave."""
    inside = one_line(text).replace("`", "\u02cb")
    # Next to the closing backtick a backslash would hide it from the table parser; an empty span is no span.
    return f"`{inside}{_BREAK}`" if not inside or inside.endswith("\\") else f"`{inside}`"


def plain(text: object, *, max_length: int | None = None) -> str:
    """A text of ours, disarmed where it is from outside, for where Zulip reads no markdown, such as a button.

    On one line, without bold and the breaks of `disarm`, and quoted what was code. At most `max_length` (>= 1)
    characters long, ending in "…" if cut.
    """
    unmarked = _CODE.sub(r"“\1”", "" if text is None else str(text)).replace("**", "")
    line = one_line(unmarked)
    if max_length is None or len(line) <= max_length:
        return line
    return line[: max_length - 1].rstrip(_NOT_BEFORE_ELLIPSIS) + "…"


_LONG_WORD = re.compile(r"\w{16}(?=\w{5})")
_CODE_OR_TIME = re.compile(r"(`[^`]*`|<time:[^>]*>)")


def glue(*words: object) -> str:
    """The words on one line, however narrow the column."""
    return NO_BREAK.join(map(str, words))


def event_ref(event_id: object) -> str:
    """How a message names an event: `#12` in a code span, so that no linkifier takes it for its own."""
    return code(f"#{event_id}")


def time_tag(moment: datetime) -> str:
    """A moment as Zulip shows it in each reader's own zone, to the second. ValueError for a naive one."""
    if moment.tzinfo is None:
        raise ValueError("a naive datetime names no moment")
    in_utc = moment.astimezone(timezone.utc).replace(tzinfo=None)
    return f"<time:{in_utc.isoformat(timespec='seconds')}Z>"


def table(headers: Sequence[object], rows: Iterable[Sequence[object]]) -> str:
    """A table of cells that are disarmed or our own; None is an empty cell. Needs an empty line before it."""
    return "\n".join([*table_head(headers), *map(table_row, rows)])


def table_head(headers: Sequence[object]) -> list[str]:
    """The two lines above the rows: for tables put together by `fit_lines`."""
    return [table_row(headers), "|---" * len(headers) + "|"]


def table_row(cells: Sequence[object]) -> str:
    """One line of a table. Words that are longer than a phone's column may be broken, but not in code."""
    return "| " + " | ".join("" if cell is None else _let_break(str(cell)) for cell in cells) + " |"


def _let_break(cell: str) -> str:
    if not _LONG_WORD.search(cell):
        return cell
    apart = _CODE_OR_TIME.split(cell)
    return "".join(part if at % 2 else _LONG_WORD.sub(rf"\g<0>{_BREAK}", part) for at, part in enumerate(apart))


def spoiler(header: str, body: str) -> str:
    """A block that opens on a click. The body may hold markdown; the header is disarmed or our own."""
    longest = max((len(fence) for fence in re.findall("`{3,}", body)), default=2)
    fence = "`" * (longest + 1)
    # A tilde or a backtick in its first line would keep the block from being one.
    title = " ".join(header.split()).translate({ord("~"): "\u223c", ord("`"): "\u02cb"})
    return f"{fence}spoiler {title}\n{body}\n{fence}"


def fit_lines(
    head_lines: Sequence[str],
    lines: Sequence[str],
    tail_lines: Sequence[str] = (),
    *,
    limit: int = MAX_MESSAGE_LENGTH,
) -> str:
    """The lines as one text of at most `limit` characters.

    Where they do not fit, whole `lines` are left out from the end and "… and N more" says how many; the head
    and the tail stay, but for the unlikely case that they alone are too long.
    """
    whole = "\n".join([*head_lines, *lines, *tail_lines])
    if len(whole) <= limit:
        return whole
    frame = "\n".join([*head_lines, *_and_more(len(lines)), *tail_lines])
    room = limit - len(frame)
    kept = sum(1 for _ in takewhile(lambda used: used <= room, accumulate(len(line) + 1 for line in lines)))
    text = "\n".join([*head_lines, *lines[:kept], *_and_more(len(lines) - kept), *tail_lines])
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _and_more(count: int) -> list[str]:
    return ["", f"… and {count} more"] if count else []  # the empty line ends a table
