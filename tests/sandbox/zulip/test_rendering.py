from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings

from lms_bot.sandbox.zulip.rendering import Known, render
from tests.places import RECORDINGS
from tests.worlds.zulip_rules import EVERYTHING, elements_of, hostile_texts, without_colours

RENDERED = RECORDINGS / "rendered.json"

SCHOOL = Known(people={"Anna Mentor": 9, "Bo|2": 10}, channels={"general": 1, "my class.1": 2})


def spoiler(header: str, body: str) -> str:
    return (
        f'<div class="spoiler-block"><div class="spoiler-header">\n{header}\n</div>'
        f'<div class="spoiler-content" aria-hidden="true">\n{body}\n</div></div>'
    )


def image(address: str, title: str = "") -> str:
    named = f' title="{title}"' if title else ""
    return f'<div class="message_inline_image"><a href="{address}"{named}><img src="{address}"></a></div>'


def code_block(text: str, language: str = "") -> str:
    named = f' data-code-language="{language}"' if language else ""
    return f'<div class="codehilite"{named}><pre><span></span><code>{text}\n</code></pre></div>'


ANNA = '<span class="user-mention" data-user-id="9">@Anna Mentor</span>'
UPLOADED = "/user_uploads/2/a/chart.png"
SAFE_ATTRIBUTES = {
    *("class", "href", "src", "title", "role", "datetime", "aria-label", "aria-hidden"),
    *("data-user-id", "data-stream-id", "data-code-language"),
}

CASES = [
    ("", ""),
    ("a\nb\n\nc", "<p>a<br>\nb</p>\n<p>c</p>"),
    ("<script>alert(1)</script> & \"'", "<p>&lt;script&gt;alert(1)&lt;/script&gt; &amp; \"'</p>"),
    ("**a *b* `c`** __d__", "<p><strong>a <em>b</em> <code>c</code></strong> __d__</p>"),
    ("`**a**` ``x`y``", "<p><code>**a**</code> <code>x`y</code></p>"),
    # people and channels
    ("@**nobody** @**anna mentor**", f"<p>@<strong>nobody</strong> {ANNA}</p>"),
    ("@**|9** @**Bo|9**", f"<p>{ANNA} @<strong>Bo|9</strong></p>"),
    ("x@**Anna Mentor**", "<p>x@<strong>Anna Mentor</strong></p>"),
    ("#**nowhere** #<b>", "<p>#<strong>nowhere</strong> #&lt;b&gt;</p>"),
    (
        "#**my class.1>a b**",
        '<p><a class="stream-topic" data-stream-id="2" href="/#narrow/stream/2-my-class.2E1/topic/a.20b">'
        "#my class.1 &gt; a b</a></p>",
    ),
    # links
    ("[a](b.com)", '<p><a href="http://b.com">a</a></p>'),
    ("[**a**](/b)", '<p><a href="/b">**a**</a></p>'),
    ("[a](javascript:alert)", "<p>[a](javascript:alert)</p>"),
    ("[a](data:text/html,x)", "<p>[a](data:text/html,x)</p>"),
    ('see www.b.com/(x)?"', '<p>see <a href="http://www.b.com/(x)">www.b.com/(x)</a>?"</p>'),
    ("john.doe v1.2 b.com.", '<p>john.doe v1.2 <a href="http://b.com">b.com</a>.</p>'),
    # times and emoji
    ("<time:1705329000>", '<p><time datetime="2024-01-15T14:30:00Z">1705329000</time></p>'),
    ("<time:2024-01-15T15:30+01:00>", '<p><time datetime="2024-01-15T14:30:00Z">2024-01-15T15:30+01:00</time></p>'),
    ("<time:soon>", '<p><span class="timestamp-error">Invalid time format: soon</span></p>'),
    (":no_such:", "<p>:no_such:</p>"),
    ("🎉", '<p><span aria-label="tada" class="emoji emoji-1f389" role="img" title="tada">:tada:</span></p>'),
    ("⚠ 👍🏽", "<p>⚠ 👍🏽</p>"),
    # blocks
    ("a\n- b\n  - c\n1. d", "<p>a</p>\n<ul>\n<li>b<ul>\n<li>c</li>\n</ul>\n</li>\n</ul>\n<ol>\n<li>d</li>\n</ol>"),
    ("a\n10. b", "<p>a<br>\n10. b</p>"),
    ("#1\n## b", "<p>#1</p>\n<h2>b</h2>"),
    ("> a\n\n> @**Anna Mentor**", '<blockquote>\n<p>a</p>\n</blockquote>\n<blockquote>\n<p><span class="user-mention'
     ' silent" data-user-id="9">Anna Mentor</span></p>\n</blockquote>'),
    (">", "<p>&gt;</p>"),
    ("```quote\na\n\n- b\n```\nc", "<blockquote>\n<p>a</p>\n<ul>\n<li>b</li>\n</ul>\n</blockquote>\n<p>c</p>"),
    ("```spoiler\n**x**\n```", spoiler("", "<p><strong>x</strong></p>").replace("\n\n", "\n")),
    ("````spoiler A b\n```\n<x>\n```\n````", spoiler("<p>A b</p>", code_block("&lt;x&gt;"))),
    ("~~~ sh\n*a*\n\n b", code_block("*a*\n\n b", "sh")),
    ("```math\n<x>\n```", '<p><span class="katex-display"><span class="katex">&lt;x&gt;</span></span></p>'),
    ("a\n| b |\n|---|", "<p>a<br>\n| b |<br>\n|---|</p>"),
    # images
    (f"[a b]({UPLOADED})", f'<p><a href="{UPLOADED}">a b</a></p>\n{image(UPLOADED, "a b")}'),
    ("http://b.com/x.png", image("http://b.com/x.png")),
    ("> http://b.com/x.png", '<blockquote>\n<p><a href="http://b.com/x.png">http://b.com/x.png</a></p>\n</blockquote>'),
    ("- [a](/x.png)", f'<ul>\n<li><a href="/x.png">a</a>{image("/x.png", "a")}</li>\n</ul>'),
]  # fmt: skip


@pytest.mark.parametrize(("text", "html"), CASES)
def test_a_text_becomes_what_zulip_makes_of_it(text: str, html: str) -> None:
    assert render(text, SCHOOL) == html


NOT_TYPESET = {"$$x$$"}  # a formula: a server draws it, with many elements; the sandbox marks it as one


@pytest.mark.skipif(not RENDERED.exists(), reason=f"no recordings of a Zulip server at {RENDERED}")
class TestAgainstARealServer:
    known = Known(people={"Anna Mentor": 9, "lms-bot": 16}, channels={"general": 1})

    def test_every_recorded_text_becomes_the_recorded_html(self) -> None:
        for each in json.loads(RENDERED.read_text("utf-8")):
            if each["text"] not in NOT_TYPESET:
                assert render(each["text"], self.known) == each["rendered"], ascii(each["text"])

    def test_a_formula_is_marked_as_a_server_marks_it(self) -> None:
        recorded = {each["text"]: each["rendered"] for each in json.loads(RENDERED.read_text("utf-8"))}
        for text in NOT_TYPESET:
            assert recorded[text].startswith('<p><span class="katex">')
            assert render(text, self.known) == '<p><span class="katex">x</span></p>'

    def test_messages_look_alike_in_every_recorded_answer(self) -> None:
        seen = {
            (message["id"], message["content"])
            for path in (RECORDINGS / "recordings").glob("*.json")
            for message in _messages_of(json.loads(path.read_text("utf-8")).get("body"))
        }
        raw = {key: text for key, text in seen if not text.startswith("<p>")}
        shown = [(raw[key], html) for key, html in seen if key in raw and html.startswith("<p>")]
        assert shown
        for text, html in shown:
            assert without_colours(render(text, self.known)) == without_colours(html)


def _messages_of(body: Any) -> list[dict[str, Any]]:
    if isinstance(body, list):
        return [found for each in body for found in _messages_of(each)]
    if not isinstance(body, dict):
        return []
    mine = [body] if "content" in body and "id" in body and "last_edit_timestamp" not in body else []
    return mine + [found for each in body.values() for found in _messages_of(each)]


@pytest.mark.parametrize("nested", ["1. " * 4000, "```quote\n" * 1000, "> " * 5000, "**a " * 2000, "[" * 500])
def test_a_text_nested_deeper_than_anybody_means_it_is_still_shown(nested: str) -> None:
    assert render(nested)


@settings(max_examples=200, deadline=None)
@given(hostile_texts)
def test_whatever_is_written_the_html_is_well_formed_and_leads_nowhere_dangerous(text: str) -> None:
    for element in elements_of(render(text, EVERYTHING)):
        for name, value in element.attributes.items():
            assert name in SAFE_ATTRIBUTES or (name, value[:12]) == ("style", "text-align: ")
            if name in ("href", "src"):
                assert not re.match(r"(?i)\s*(?:javascript|data|vbscript):", value)
