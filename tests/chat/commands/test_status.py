"""`status`, and what people chose: the watch, what is on its way, and what is held back."""

from __future__ import annotations

from datetime import timedelta

import pytest

from lms_bot.notify.preferences import Preferences
from lms_bot.store.messages import MessageState
from lms_bot.store.models import KeyValue
from tests.worlds.chat_world import (
    ADMIN,
    ARJUN,
    BOSS,
    BOTH,
    JANE,
    JOHN,
    JOSE,
    MARIA,
    NOW,
    World,
    chosen,
    make_student,
    owe,
)

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def test_many_moments_are_summed_up(berlin_world: World) -> None:
    for number in range(9):
        student = make_student(100 + number, f"{number}_student")
        berlin_world.people.students_of[1] += (student,)
        berlin_world.ask(f"mute {number}_student {number + 1} days")
        owe(berlin_world, student)
    text = berlin_world.ask("settings").text
    assert "9 events held back: 1 until " in text and text.count("1 until <time:") == 5 and ", 4 later." in text


def test_status_tells_what_is_held_back_from_what_is_on_its_way(berlin_world: World) -> None:
    berlin_world.ask("mute john")
    owe(berlin_world, JOHN)
    assert berlin_world.ask("status").text.splitlines()[-1] == (
        "📬 You have been told all the rest. 📥 1 event held back: 1 until you unmute."
    )
    owe(berlin_world, JANE)
    message = berlin_world.add_message(state=MessageState.READY.value)
    berlin_world.add_delivery(berlin_world.add_event(JOSE), f"zulip:{MARIA}", message=message)
    assert "📬 2 events on the way to you. 📥 1 event held back" in berlin_world.ask("status").text


def test_status_tells_of_the_watch_the_students_and_what_is_on_its_way(world: World) -> None:
    with world.store.transaction():
        KeyValue.put("last_good_poll", (NOW - timedelta(seconds=30)).isoformat())
    event = world.add_event(JOHN)
    world.add_delivery(event, f"zulip:{MARIA}")

    assert world.ask("status").text.splitlines() == [
        "👁️ I am watching the LMS, last <time:2026-03-18T11:59:30Z>.",
        "👥 You have 3 students.",
        "🔔 **You get** `calm`, as for all who chose nothing: failed exams and recoveries come at once,"
        " other results once an hour at most",
        "☀️ **Digest:** each school day at 07:30",
        "📬 1 event on the way to you.",
    ]
    assert world.ask("status", BOTH).text.endswith("📬 You have been told all.")
    assert "You get" not in world.ask("status", ADMIN).text


def test_status_names_what_the_asker_chose(berlin_world: World) -> None:
    berlin_world.ask("notify everything")
    berlin_world.ask("digest off")
    lines = berlin_world.ask("status").text.splitlines()
    assert "🔔 **You get** `everything`: each thing your students do comes as it happens, gathered" in lines
    assert "🔕 **Digest:** none" in lines


def test_status_warns_when_the_last_look_into_the_lms_is_long_ago(berlin_world: World) -> None:
    assert berlin_world.ask("status").text.startswith("⚠️ I have not been able")
    with berlin_world.store.transaction():
        KeyValue.put("last_good_poll", (NOW - HOUR).isoformat())
    assert berlin_world.ask("status").text.startswith("⚠️ I could last look into the LMS <time:2026-03-18T11:00:00Z>")


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ("notify", "How shall I tell you"),
        ("notify all", "How shall I tell you"),
        ("notify all weekly", "How shall I tell you"),
        ("notify exams watched now", "Which events, or which student"),
        ("digest teatime", "When shall the digest come"),
        ("digest mon tue", "When shall the digest come"),
        ("snooze john", "Until when?"),
        ("snooze john yesterday", "I know who you mean, but not until when."),
        ("mute", "Whom, or `all`?"),
        ("mute all sometime", "I could not read until when."),
        ("mute all 3", "I could not read until when."),
        ("mute all until 2020-01-01", "I could not read until when."),
        ("mute john sometime", "I know who you mean, but not until when."),
        ("unmute", "Whom, or `all`?"),
        ("quiet", "Quiet from when to when"),
        ("quiet please", "Quiet from when to when"),
        ("quiet 21:00", "Quiet from when to when"),
        ("quiet 21-21", "Quiet from when to when"),
        ("quiet 25-7", "Quiet from when to when"),
        ("quiet 21-7 except passed", "Only failed exams"),
        ("quiet except exams", "Only failed exams"),
        ("workdays", "Which days do you work?"),
        ("workdays holidays", "Which days do you work?"),
    ],
)
def test_bad_input_is_answered_with_usage_and_an_example_and_changes_nothing(
    berlin_world: World, said: str, sentence: str
) -> None:
    before = chosen(berlin_world)
    reply = berlin_world.ask(said)
    assert reply.text.startswith(sentence) and reply.is_private
    assert f"Usage: `{said.split(maxsplit=1)[0]} " in reply.text and "\nFor example: `" in reply.text
    assert "@**" not in reply.text
    assert chosen(berlin_world) == before and berlin_world.wakes == 0


def test_a_change_wakes_the_sender_and_asking_does_not(berlin_world: World) -> None:
    for number, said in enumerate(("notify all now", "mute john", "unmute all", "quiet 21-7", "workdays mon-fri"), 1):
        berlin_world.ask(said)
        assert berlin_world.wakes == number
    berlin_world.ask("settings")
    assert berlin_world.wakes == 5


def test_choices_are_each_persons_own(world: World) -> None:
    world.ask("mute john", MARIA)
    world.ask("quiet 21-7", ARJUN)
    world.ask("notify all off", ADMIN)
    assert chosen(world, MARIA).mutes and not chosen(world, ARJUN).mutes
    assert chosen(world, ARJUN).quiet and not chosen(world, MARIA).quiet
    assert chosen(world, BOSS) == Preferences(default=chosen(world).default)


def test_an_admin_who_mentors_nobody_can_choose_as_well(berlin_world: World) -> None:
    assert berlin_world.ask("mute all until tomorrow", ADMIN).text.startswith("🔕 You are told nothing")
    assert "everything until" in berlin_world.ask("settings", ADMIN).text


def test_a_change_says_what_is_still_held_back(berlin_world: World) -> None:
    for said in ("mute john", "quiet 12:00-15:00"):
        berlin_world.ask(said)
    owe(berlin_world, JOHN)
    text = berlin_world.ask("unmute john").text
    assert text.endswith("📥 1 event held back: 1 until <time:2026-03-18T14:00:00Z>.")
    assert "held back:" not in berlin_world.ask("quiet off").text
