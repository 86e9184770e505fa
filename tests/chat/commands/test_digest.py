"""`digest`: what the next digest would say, and when digests come."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from lms_bot.core.activities import ActivityType
from lms_bot.store.concerns import ConcernKind, ConcernTelling, PersonNews
from lms_bot.store.messages import Message
from tests.worlds.chat_world import ADMIN, JANE, JOHN, MARIA, NOW, World, chosen
from tests.worlds.concerns import DAY, open_concern

UNCLEAR = "When shall the digest come: `18:00`, `weekly mon`, `off` or `on`?"
ONE_DAY = "On one day of the week, or on each school day."
MORNING = NOW + DAY - timedelta(hours=4, minutes=30)
USUAL = (
    "☀️ The digest comes each school day, never in holidays, next <time:2026-03-19T07:30:00Z>. `digest off` ends that."
)


@pytest.mark.parametrize("said", ["digest", "digest now", "digest please", "show digest"])
def test_the_digest_as_it_is_now_is_shown_and_tells_nothing(world: World, said: str) -> None:
    open_concern(world, JOHN, ConcernKind.SILENT)
    world.add_event(JANE, ActivityType.EXAM_FAILED, activity_title="Latin")
    world.add_event(JANE, ActivityType.EXAM_FAILED, activity_title="Too old", ago=2 * DAY)

    reply = world.ask(said)

    assert reply.is_private and world.ask(said) == reply
    assert reply.text.startswith("☀️ **Digest** · 1 student needs you\n💤 **John Doe** did nothing for 7 school days")
    assert "❌ **1 failed:**" in reply.text and "Too old" not in reply.text
    assert reply.text.splitlines()[-1] == USUAL
    with world.store.session():
        assert not [*ConcernTelling.select(), *PersonNews.select(), *Message.select()]
    world.context.digests.step(MORNING)
    with world.store.session():
        told = [one.content for one in Message.select().where(Message.zulip_user_id == MARIA)]
    assert len(told) == 1 and "**John Doe** did nothing" in told[0]


def test_where_there_is_nothing_to_say(small_world: World) -> None:
    nothing = "☀️ There is nothing to say of the last 24 hours, and nobody new needs you."
    assert small_world.ask("digest").text == f"{nothing}\n\n{USUAL}"
    small_world.people.students_of[1] = ()
    assert small_world.ask("digest").text == "The LMS gives you no students."
    assert small_world.ask("digest", ADMIN).text.startswith("`digest` is for mentors only.")


@pytest.mark.parametrize(
    ("said", "stored", "when", "next_at"),
    [
        ("18:00", "18:00", "each school day, never in holidays", "2026-03-18T18:00:00Z"),
        ("at 6pm", "18:00", "each school day, never in holidays", "2026-03-18T18:00:00Z"),
        ("at 6 p.m.", "18:00", "each school day, never in holidays", "2026-03-18T18:00:00Z"),
        ("weekly tue 6 pm", "tue 18:00", "once a week, in holidays too", "2026-03-24T18:00:00Z"),
        ("daily 7:15", "07:15", "each school day, never in holidays", "2026-03-19T07:15:00Z"),
        ("12:00", "12:00", "each school day, never in holidays", "2026-03-19T12:00:00Z"),
        ("weekly mon", "mon 07:30", "once a week, in holidays too", "2026-03-23T07:30:00Z"),
        ("every Monday", "mon 07:30", "once a week, in holidays too", "2026-03-23T07:30:00Z"),
        ("weekly tue 9:00", "tue 09:00", "once a week, in holidays too", "2026-03-24T09:00:00Z"),
        ("weekly on tuesday at noon", "tue 12:00", "once a week, in holidays too", "2026-03-24T12:00:00Z"),
        ("weekly 9:00", "mon 09:00", "once a week, in holidays too", "2026-03-23T09:00:00Z"),
        ("weekly wed 18:00", "wed 18:00", "once a week, in holidays too", "2026-03-18T18:00:00Z"),
    ],
)
def test_when_it_comes_can_be_chosen(small_world: World, said: str, stored: str, when: str, next_at: str) -> None:
    assert small_world.ask(f"digest {said}").text == (
        f"☀️ The digest comes {when}, next <time:{next_at}>. `digest off` ends that."
    )
    assert chosen(small_world).digest == stored and small_world.wakes == 1


@pytest.mark.parametrize("on", ["on", "On please", "daily", "every day"])
def test_it_can_be_ended_and_had_again(world: World, on: str) -> None:
    world.ask("digest 18:00")
    off = "🔕 No digest comes. `needs` shows who needs you; `digest on` has it come again."
    assert world.ask("digest off").text == off
    assert chosen(world).digest == "off" and world.ask("digest").text.endswith(off)
    assert world.ask(f"digest {on}").text == USUAL
    assert chosen(world).digest is None


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ("soon", UNCLEAR),
        ("weekly", UNCLEAR),
        ("25:00", UNCLEAR),
        ("9:00 10:00", UNCLEAR),
        ("mon tue", UNCLEAR),
        ("john", UNCLEAR),
        ("mon-fri", ONE_DAY),
        ("weekdays 8:00", ONE_DAY),
    ],
)
def test_what_cannot_be_read_changes_nothing(small_world: World, said: str, problem: str) -> None:
    text = small_world.ask(f"digest {said}").text
    assert text.startswith(problem) and "Usage: `digest [18:00|weekly mon|on|off]`" in text
    assert chosen(small_world).digest is None and small_world.wakes == 0


def next_of(world: World, days: int = 0) -> str:
    """As it is told so many days later."""
    return world.ask("digest", now=NOW + days * DAY).text.split("next <time:")[1].split(">")[0]


def test_it_comes_on_no_weekend_and_in_no_holidays_but_weekly(world: World) -> None:
    assert next_of(world) == "2026-03-19T07:30:00Z"
    assert next_of(world, days=2) == "2026-03-23T07:30:00Z"  # on a Friday
    world.context.calendar.declare(date(2026, 3, 19), date(2026, 3, 24), "Spring")
    assert next_of(world) == "2026-03-25T07:30:00Z"
    world.ask("digest weekly mon")
    assert next_of(world) == "2026-03-23T07:30:00Z"


def test_it_keeps_days_off_and_quiet_times(small_world: World) -> None:
    small_world.ask("workdays tue-wed")
    assert next_of(small_world) == "2026-03-24T07:30:00Z"
    small_world.ask("quiet 21:00-09:00")
    assert next_of(small_world) == "2026-03-24T09:00:00Z"


@pytest.mark.parametrize("said", ["notify off", "mute all"])
def test_as_long_as_nothing_is_wanted_none_comes(small_world: World, said: str) -> None:
    small_world.ask(said)
    assert small_world.ask("digest 18:00").text == (
        "🔕 No digest comes as long as everything is off or muted: `settings` shows what you chose."
    )


def test_the_clock_is_the_askers(berlin_world: World) -> None:
    assert "next <time:2026-03-18T17:00:00Z>" in berlin_world.ask("digest 18:00").text
