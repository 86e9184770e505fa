from __future__ import annotations

import json
import re
from collections import Counter
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lms_bot.core.markdown import (
    code,
    disarm,
    event_ref,
    fit_lines,
    one_line,
    plain,
    spoiler,
    table,
    table_row,
    time_tag,
)
from lms_bot.core.normalize import normalize
from tests.places import RECORDINGS
from tests.worlds.zulip_rules import as_seen, constructs, elements_of, hostile_texts, marks, render_widely, text_of

RENDERED = RECORDINGS / "rendered.json"

# The places where our messages put foreign text; {} is that text.
PLACES = [
    "{}",
    "**{}**",
    "**{}** has passed: **{}**\nnext line",
    "📊 **Score:** {} | **Result:** {} | **Time Taken:** {}\n`#12`",
    "| Student | Exam |\n|---|---|\n| {} | `#1` {} |\n| **{}** | x |",
    "- {}\n- {} (`#3`)",
    "1. {}\n2. **{}**",
    "{}: {}, {}; {}.",
    "x\n{}\n{}\ny",
    "{} ({}) at <time:2026-01-15T14:30:00Z>",
    "“{}”, '{}' ({})",
]


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(PLACES), st.lists(hostile_texts, min_size=4, max_size=4))
@example(PLACES[2], ["x @", "x", "x", "x"])  # would mention " has passed: "
@example(PLACES[2], ["x #", "x", "x", "x"])
@example(PLACES[7], ["x :smile", "x", "x", "x"])
def test_disarmed_text_adds_nothing_to_any_place_it_is_put_in(place: str, texts: list[str]) -> None:
    inert = [disarm(text) or "x" for text in texts]
    message = place.format(*inert)
    harmless = place.format("x", "x", "x", "x")
    assert constructs(message) == constructs(harmless)
    shown, readable = text_of(render_widely(message)), place.count("{}")
    assert all(as_seen(each) in shown for each in inert[:readable])


@settings(max_examples=1000, deadline=None)
@given(hostile_texts)
def test_disarmed_text_is_one_line_looks_the_same_and_stays_as_it_is(text: str) -> None:
    inert = disarm(text)
    assert len(inert.splitlines()) <= 1
    assert inert == inert.strip()
    assert disarm(inert) == inert
    lookalikes = str.maketrans("`*|", "\u02cb\u2217\u2223")
    assert inert.replace("\u200b", "") == one_line(text).translate(lookalikes)


@settings(max_examples=200, deadline=None)
@given(hostile_texts, st.integers(min_value=1, max_value=40))
def test_a_cut_text_is_no_longer_than_asked_and_still_disarmed(text: str, max_length: int) -> None:
    cut = disarm(text, max_length=max_length)
    assert len(cut) <= max_length
    assert cut == disarm(text) or cut.endswith("…")
    assert disarm(cut, max_length=max_length) == cut
    assert constructs(f"**{cut or 'x'}**: {cut}") == constructs("**x**: x")


harmless_words = st.builds(
    "{}{}".format,
    st.characters(categories=["L"]),
    st.text(st.characters(categories=["L", "M", "N", "So"]) | st.sampled_from("_-',()%+=;?!"), max_size=8),
)


@settings(max_examples=500, deadline=None)
@given(st.lists(harmless_words, min_size=1, max_size=5).map(" ".join))
def test_harmless_text_comes_through_unchanged(text: str) -> None:
    assert disarm(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "john_doe",
        "a_b_c",
        "__init__",
        "Mathematics Final Exam",
        "Dr. Smith's",
        "3.5",
        "v1.2.3",
        "e.g. Ph.D. students",
        "C++ & C# (2024): 50%",
        "1.5 - 2",
        "-5",
        "Tea @ 5 & more; a < b > c",
        "[A] (B)",
        "Chapter: Introduction / Part 2",
        "Günther Łukasz Nguyễn",
        "e\u0301te\u0301",
        "محمد بن علي",
        "می\u200cخواهم",  # noqa: RUF001  # Persian
        "क्\u200dष",
        "数学期末考试",
        "👨\u200d👩\u200d👧 🏳️\u200d🌈 👍🏽",
        "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
    ],
)
def test_ordinary_names_and_titles_come_through_unchanged(text: str) -> None:
    assert disarm(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("evil.com", "evil.\u200bcom"),
        ("www.evil.com", "www.\u200bevil.\u200bcom"),
        ("http://10.0.0.1/", "http:\u200b//10.0.0.1/"),
        ("a@b.c", "a@\u200bb.c"),
        ("#123", "#\u200b123"),
        ("1. x", "\u200b1. x"),
        ("/poll x", "\u200b/poll x"),
        ("a*b | c`d", "a\u2217b \u2223 c\u02cbd"),
        (" two\n lines\t", "two lines"),
        ("ri\u202eght\x00\ud800", "right"),
        (None, ""),
        (85, "85"),
    ],
)
def test_markers_are_broken_or_give_way_to_lookalikes(text: object, shown: str) -> None:
    assert disarm(text) == shown


def test_disarming_a_huge_text_takes_no_time_to_speak_of() -> None:
    for fragment in ("a", ":a", "@", "1.", "&#", "[]("):
        assert len(disarm(fragment * 200_000, max_length=500)) <= 500


def test_what_was_copied_from_a_message_is_what_the_lms_said() -> None:
    assert one_line(disarm("jane.smith@school.example")) == "jane.smith@school.example"


@pytest.mark.skipif(not RENDERED.exists(), reason=f"no recordings of a Zulip server at {RENDERED}")
class TestAgainstARealServer:
    """What these tests judge by is as wide as what a real server made of the same texts."""

    def recorded(self) -> list[tuple[str, str]]:
        return [(each["text"], each["rendered"]) for each in json.loads(RENDERED.read_text())]

    def test_the_rules_miss_nothing_that_the_server_rendered(self) -> None:
        for text, recorded in self.recorded():
            seen = Counter(element.kind for element in elements_of(recorded) if "katex" not in recorded)
            assert not seen - constructs(text), f"{text!a} became {recorded!a}"

    def test_every_recorded_text_can_be_disarmed(self) -> None:
        for text, _ in self.recorded():
            assert constructs(disarm(text)) == {"p": 1}, ascii(text)

    def test_what_the_server_left_alone_counts_as_plain(self) -> None:
        plain = [text for text, shown in self.recorded() if shown == f"<p>{text}</p>" and "\u200b" in text]
        assert plain
        for text in plain:
            assert marks(text).keys() <= {"a"}, ascii(text)  # .example is a domain only to our rules


@given(hostile_texts)
def test_text_cannot_leave_a_code_span(text: str) -> None:
    assert marks(f"{code(text)} and {code(text)}") == {"code": 2}


def test_code_spans_do_not_disturb_a_table_or_vanish() -> None:
    assert code("a`b") == "`a\u02cbb`"
    assert code("a\\") == "`a\\\u200b`"
    assert code("") == "`\u200b`"
    assert event_ref(12) == "`#12`"


@settings(max_examples=300, deadline=None)
@given(hostile_texts, st.integers(min_value=1, max_value=80))
def test_plain_text_is_one_line_without_our_marks_and_no_longer_than_asked(text: str, max_length: int) -> None:
    whole = plain(f"1. **{disarm(text)}**\n{code(text)}")
    assert "`" not in whole and "\u200b" not in whole
    assert whole == one_line(whole)
    cut = plain(whole, max_length=max_length)
    assert cut == whole if len(whole) <= max_length else cut.endswith("…") and len(cut) <= max_length


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            f"1. **{disarm('@**all** evil.example')}** {event_ref(12)}",
            "1. @\u2217\u2217all\u2217\u2217 evil.example “#12”",
        ),
        ("Which one\ndo you  mean?", "Which one do you mean?"),
        ("jos\u00e9_garc\u00eda (jg)", "jos\u00e9_garc\u00eda (jg)"),
        ("a\u202eb\0c", "abc"),
        (None, ""),
    ],
)
def test_plain_text_says_what_the_markdown_says(text: object, shown: str) -> None:
    assert plain(text) == shown


def test_a_time_tag_is_utc_to_the_second() -> None:
    moment = datetime(2026, 1, 15, 15, 30, 0, 999_999, timezone(timedelta(hours=1)))
    assert time_tag(moment) == "<time:2026-01-15T14:30:00Z>"
    with pytest.raises(ValueError, match="naive"):
        time_tag(datetime(2026, 1, 15))


def test_a_table_is_what_zulip_takes_for_one() -> None:
    assert table(["A", "B"], [["x", None], [1, "`#2`"]]) == "| A | B |\n|---|---|\n| x |  |\n| 1 | `#2` |"


def test_a_spoiler_opens_whatever_its_header_and_closes_where_it_should() -> None:
    assert spoiler("All **12** tries", "x") == "```spoiler All **12** tries\nx\n```"
    assert spoiler("a~b `c`\nd", "x") == "```spoiler a\u223cb \u02cbc\u02cb d\nx\n```"
    assert spoiler("Log", "```\ncode\n```") == "````spoiler Log\n```\ncode\n```\n````"


def test_lines_that_fit_are_left_alone() -> None:
    assert fit_lines(["head"], ["a", "b"], ["tail"]) == "head\na\nb\ntail"
    assert fit_lines(["head"], [], []) == "head"


@given(
    st.lists(st.text("ab", max_size=9), max_size=3),
    st.lists(st.text("xy", max_size=30), max_size=30),
    st.lists(st.text("cd", max_size=9), max_size=3),
    st.integers(min_value=100, max_value=300),
)
def test_lines_that_do_not_fit_are_counted_and_never_cut(
    head: list[str], lines: list[str], tail: list[str], limit: int
) -> None:
    text = fit_lines(head, lines, tail, limit=limit)
    assert len(text) <= limit
    if match := re.search(r"\n… and (\d+) more", text):
        kept = len(lines) - int(match.group(1))
        assert text == "\n".join([*head, *lines[:kept], "", f"… and {match.group(1)} more", *tail])
        assert len("\n".join([*head, *lines[: kept + 1], "", f"… and {len(lines)} more", *tail])) > limit
    else:
        assert text == "\n".join([*head, *lines, *tail])


def test_a_frame_that_is_too_long_itself_is_cut_as_a_last_resort() -> None:
    assert fit_lines(["x" * 30], ["a"], limit=20) == "x" * 19 + "…"


def test_a_long_word_in_a_cell_may_be_broken_but_not_in_code() -> None:
    word = "Donaudampfschifffahrtsgesellschaft"
    row = table_row([word, f"`exam {word}`", "<time:2026-01-01T00:00:00Z>"])
    assert row.replace("\u200b", "") == f"| {word} | `exam {word}` | <time:2026-01-01T00:00:00Z> |"
    assert max(map(len, re.split("[ \u200b]", row.split("|")[1]))) <= 20
    assert "\u200b" not in "|".join(row.split("|")[2:])
    assert normalize(row.split("|")[1]) == normalize(word), "what is copied is found"
