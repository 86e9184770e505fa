"""No table has more columns than a phone shows side by side: three. World.ask holds that of every answer as well."""

from __future__ import annotations

import json

import pytest

from lms_bot import BriefFormatter, MessageFormatter
from tests.chat.commands.test_rendering import admin_answers_with, answers_with
from tests.notify.test_group_message import ALL_TYPES, make_event
from tests.places import FIXTURES
from tests.worlds.conversations import read_single_answers
from tests.worlds.zulip_rules import MOST_COLUMNS, count_columns


def check(texts: list[str], tables: int) -> None:
    """`tables`: so many of the texts have one, at least."""
    counts = [count_columns(text) for text in texts]
    assert [text for text, columns in zip(texts, counts, strict=True) if columns > MOST_COLUMNS] == []
    assert sum(columns > 0 for columns in counts) >= tables


def test_every_answer_that_is_written_down_fits() -> None:
    check(read_single_answers(), 40)


def test_every_answer_with_all_that_it_can_say_fits() -> None:
    check([*answers_with("Algebra", rows=3), *admin_answers_with("Algebra", rows=3)], 8)


@pytest.mark.parametrize("formatter", [MessageFormatter(), BriefFormatter()], ids=["full", "brief"])
def test_news_fit(formatter: MessageFormatter) -> None:
    """Of one student or of many, as rows or with totals over them."""
    few = [make_event(number, kind) for number, kind in enumerate(ALL_TYPES, start=1)]
    many = [make_event(number, ALL_TYPES[number % 7], student_id=number) for number in range(1, 90)]
    texts = [text for events in (few, many) for text, _ in formatter.format_group_messages(events)]
    texts += [formatter.format_notification_message(event) for event in few]
    texts += [formatter.format_summary_message(many), formatter.format_alarm_message({"refused": 3})]
    check(texts, 2)


def test_news_as_the_fixtures_have_them_fit() -> None:
    cases = [case for path in FIXTURES.rglob("*.json") for case in json.loads(path.read_text(encoding="utf-8"))]
    texts = [case["message"] for case in cases if "message" in case]
    texts += [text for case in cases for text, _ in case.get("messages", ())]
    check(texts, 3)
