"""`errors`, `pending`, `retry`, `discard`: what was not told."""

from __future__ import annotations

from datetime import timedelta

import pytest

from lms_bot.core.activities import ActivityType
from lms_bot.core.markdown import time_tag
from lms_bot.store.concerns import Concern, ConcernTelling
from lms_bot.store.messages import DeliveryState, MessageState
from lms_bot.store.models import RejectedRow
from tests.worlds.chat_world import (
    ADMIN,
    ARJUN,
    JANE,
    JOHN,
    JOSE,
    MARIA,
    NOW,
    ZOE,
    World,
    owe,
)

HOSTILE = "@**all** | `x` [a](http://evil.example/)\n# **b**"


def test_errors_are_grouped_and_name_their_events(world: World) -> None:
    events = [world.add_event(JOHN) for _ in range(12)]
    for event in events:
        world.add_error(event, HOSTILE)
    with world.store.transaction():
        RejectedRow.create(stream="attempts", row_key="5", problem="unknown state", reason="state is 'limbo'")

    text = world.ask("errors", ADMIN).text

    assert "**Not told** · 12 events" in text
    assert f"`#{events[-1].event_id}`" in text and f"`#{events[0].event_id}`" not in text
    assert "… and 2 more" in text
    assert "@**" not in text and "](http" not in text
    assert "- **attempts**: unknown state · 1 row, last <time:" in text and "`5`, for example: state is" in text


def test_a_digest_that_was_given_up_is_shown_for_a_week(world: World) -> None:
    given_up = {"state": MessageState.DEAD.value, "reason": "Zulip: no such user"}
    told = world.add_message(**given_up)
    world.add_delivery(world.add_event(JOHN), f"zulip:{MARIA}", message=told)
    with world.store.transaction():
        at = {"opened_at": NOW, "since_at": NOW, "changed_at": NOW}
        concern = Concern.create(student_id=JOHN.student_id, kind="silent", facts={}, **at)

    def tell(number: int, days_ago: int) -> str:
        message = world.add_message(**given_up, created_at=NOW - timedelta(days=days_ago))
        with world.store.transaction():
            ConcernTelling.create(
                concern=concern, number=number, zulip_user_id=MARIA, message=message, created_at=NOW
            )
        return world.ask("errors", ADMIN).text

    assert tell(0, 8) == "✅ No errors."
    text = tell(1, 6)
    assert text.startswith("☀️ **Digests or concerns not delivered** · 1 message, the last <time:")
    assert "no such user" in text


def test_no_errors_is_good_news(berlin_world: World) -> None:
    assert berlin_world.ask("errors", ADMIN).text == "✅ No errors."
    assert berlin_world.ask("pending", ADMIN).text == "✅ Nothing is waiting."


def test_pending_says_for_whom_since_when_and_why(world: World) -> None:
    event = world.add_event(JOHN, has_deliveries=False)
    message = world.add_message(state=MessageState.UNKNOWN.value, reason="the answer was lost")
    world.add_delivery(event, f"zulip:{MARIA}", message=message)
    world.add_delivery(event, "mentor:7", state=DeliveryState.UNMAPPED.value, reason="no such address")
    world.add_delivery(event, "nobody", state=DeliveryState.UNMAPPED.value, reason="no mentor")

    when = time_tag(event.created_at)
    lines = world.ask("pending", ADMIN).text.replace("\u200b", "").splitlines()

    assert lines[0] == "⏳ **Waiting** · 4"
    assert lines[2] == f"- **not decided yet** · 1 since {when} · just recorded"
    assert sorted(lines[3:]) == [
        f"- **Maria** · 1 since {when} · sent perhaps; being looked up in Zulip: the answer was lost",
        f"- **mentor chen.wei** · 1 since {when} · nobody in Zulip is known for them: no such address",
        f"- **nobody** · 1 since {when} · nobody in Zulip is known for them: no mentor",
    ]


@pytest.mark.parametrize(
    ("said", "asked"),
    [
        ("retry", None),
        ("retry all", None),
        ("retry ALL please", None),
        ("retry 12", [12]),
        ("retry #12", [12]),
        ("retry `#12`, #13 and 14".replace(" and", ""), [12, 13, 14]),
        ("retry 12,13,12", [12, 13]),
        ("retry #7 #7", [7]),
    ],
)
def test_retry_takes_all_or_event_numbers(berlin_world: World, said: str, asked: list[int] | None) -> None:
    text = berlin_world.ask(said, ADMIN).text
    assert berlin_world.events.retried == [asked]
    assert text.splitlines() == [
        "🔁 1 event will be sent again.",
        "Somebody to be told of `#8` still cannot be found; `errors` says why.",
        "Nothing failed with `#7`.",
        "There is no event `#404`.",
    ]


@pytest.mark.parametrize("said", ["retry john", "retry 12 john", "retry all 12", "retry -5", "retry 99999999999"])
def test_retry_of_something_else_is_answered_with_its_usage_and_changes_nothing(
    berlin_world: World, said: str
) -> None:
    assert "Usage: `retry [all|<event id>…]`" in berlin_world.ask(said, ADMIN).text
    assert berlin_world.events.retried == []


def test_pending_tells_held_back_from_due(world: World) -> None:
    world.ask("mute john")
    world.ask("mute jane 3 days")
    world.ask("notify exam started off")
    for student in (JOHN, JANE, JANE, JOSE):
        owe(world, student)
    owe(world, JOSE, ActivityType.EXAM_STARTED)
    owe(world, ZOE, who=ARJUN)
    world.ask("mute all", ARJUN)

    lines = world.ask("pending", ADMIN).text.splitlines()

    assert lines[0] == "⏳ **Waiting** · 5"
    assert sorted(lines[2:]) == [
        "- **Arjun** · 1 since <time:2026-03-18T11:00:00Z> · held back, as they chose: until they unmute",
        "- **Maria** · 1 since <time:2026-03-18T11:00:00Z> · to be written next",
        "- **Maria** · 3 since <time:2026-03-18T11:00:00Z> · held back, as they chose: the first until"
        " 2026-03-21 12:00 UTC",
    ]


def test_discard_says_what_it_did_and_may_be_repeated(world: World) -> None:
    first, second, fine = (world.add_event(JOHN).event_id for _ in range(3))
    world.events.failed = {first, second}

    said = f"discard #{first} {fine} 404"
    assert world.ask(said, ADMIN).text.splitlines() == [
        f"🗑️ Given up for good: `#{first}`.",
        f"Nothing failed with `#{fine}`.",
        "There is no event `#404`.",
    ]
    assert world.ask(said, ADMIN).text.splitlines() == [
        f"Nothing failed with `#{first}`, `#{fine}`.",
        "There is no event `#404`.",
    ]
    assert world.ask("discard all", ADMIN).text == f"🗑️ Given up for good: `#{second}`."
    assert world.ask("discard all", ADMIN).text == "✅ Nothing has failed, so there is nothing to discard."
    assert world.events.discarded[0] == ([first, fine, 404], "Ada")
    assert world.events.discarded[2] == (None, "Ada")


@pytest.mark.parametrize("said", ["discard", "discard please", "discard john", "discard all 12", "discard -5"])
def test_a_bare_discard_discards_nothing(berlin_world: World, said: str) -> None:
    berlin_world.events.failed = {1}
    text = berlin_world.ask(said, ADMIN).text
    assert "Usage: `discard all|<event id>…`\nFor example: `discard #12 #15`" in text
    assert berlin_world.events.discarded == []


def test_errors_show_how_to_retry_and_how_to_give_up(berlin_world: World) -> None:
    event = berlin_world.add_event(JOHN)
    berlin_world.add_error(event, "Zulip says: deactivated")
    text = berlin_world.ask("errors", ADMIN).text
    when = time_tag(event.timestamp)
    assert f"- Zulip says: deactivated · 1 event, last {when}: `#{event.event_id}`" in text
    assert text.splitlines()[-1] == (
        f"`retry all` or `retry {event.event_id}` sends again; `discard` in place of `retry` gives up for good."
    )


def test_what_is_unwanted_is_not_pending(berlin_world: World) -> None:
    event = berlin_world.add_event(JOHN)
    berlin_world.add_delivery(event, f"zulip:{MARIA}", state=DeliveryState.UNWANTED.value)
    assert berlin_world.ask("pending", ADMIN).text == "✅ Nothing is waiting."
    assert berlin_world.ask("settings").text.splitlines()[-2] == "📥 Nothing is held back."
