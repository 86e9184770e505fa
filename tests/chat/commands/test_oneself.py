"""`whoami` and `test`: how somebody is seen, and what they would be told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from lms_bot.chat.respond import REFUSAL
from lms_bot.core.activities import ActivityType
from lms_bot.core.errors import LMSUnavailable
from lms_bot.notify.formatter import MessageFormatter
from lms_bot.notify.formatters import Formatters
from lms_bot.people.users import UnmappedMentor
from lms_bot.store.messages import Delivery, DeliveryState, Message
from lms_bot.store.models import KeyValue, LMSActivityEvent
from lms_bot.watch.monitor import LAST_GOOD_POLL
from tests.worlds.chat_world import (
    ADMIN,
    BOSS,
    BOTH,
    HEAD,
    JOHN,
    MARIA,
    NOBODY,
    NOW,
    PUPIL,
    SOFIA,
    World,
    close_world,
    make_mentor,
    make_user,
    open_world,
)


@pytest.fixture
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = open_world(f"sqlite:///{tmp_path_factory.mktemp('self') / 'store.db'}")
    yield world
    close_world(world)


def test_a_mentor_reads_who_they_are_here_and_that_nothing_keeps_news_from_them(world: World) -> None:
    world.people.zulip_users[MARIA] = make_user(MARIA, "Maria", timezone="Europe/Madrid")
    with world.store.transaction():
        KeyValue.put(LAST_GOOD_POLL, NOW.isoformat())

    reply = world.ask("whoami")

    assert reply.is_private
    assert reply.text.splitlines() == [
        "🪪 **Maria** · Zulip user `1` · time zone Europe/Madrid",
        "👥 **Mentor** in the LMS as maria\u200b.santos, of 3 students: John Doe (john_doe), Jane Smith (jane_smith),"
        " José García (jgarcia).".replace("\u200b.santos", ".\u200bsantos"),
        "",
        "**What reaches you**",
        "",
        "- 👁️ I am watching the LMS, last <time:2026-03-18T12:00:00Z>.",
        "- 🔔 **You get** `calm`, as for all who chose nothing: failed exams and recoveries come at once,"
        " other results once an hour at most",
        "- ☀️ **Digest:** each school day at 07:30",
        "- 📥 Nothing is held back.",
    ]


@pytest.mark.parametrize(
    ("who", "why"),
    [
        (ADMIN, "an owner or administrator of this Zulip organization"),
        (BOTH, "an owner or administrator of this Zulip organization"),
        (BOSS, "the bot's setting `LMS_ADMINS` names you"),
        (HEAD, "the bot's setting `LMS_ADMINS` names you"),
    ],
)
def test_an_admin_reads_why_they_are_one(world: World, who: int, why: str) -> None:
    assert f"🛠️ **Admin**, as {why}." in world.ask("who am i?", who).text
    assert "**Admin**" not in world.ask("whoami").text


def test_a_supervisor_reads_whom_they_supervise(world: World) -> None:
    text = world.ask("whoami", SOFIA).text
    assert "of 1 student: " in text
    assert "🧭 **Supervisor** of Maria.\u200bSantos, Arjun.\u200bNair, with 4 more students." in text


@pytest.mark.parametrize("who", [PUPIL, NOBODY])
def test_a_stranger_is_told_nothing(world: World, who: int) -> None:
    assert world.ask("whoami", who).text == world.ask("test", who).text == REFUSAL


def test_it_says_what_keeps_news_away_for_everybody(world: World) -> None:
    assert "I have not been able to look into the LMS yet" in world.ask("why do I get no news?").text
    world.change(is_notifying=False, is_watching=False)

    text = world.ask("whoami").text

    assert "`LMS_NOTIFY_MENTORS_ENABLED` is off" in text and "I am not watching the LMS" in text


def test_it_says_what_the_person_chose_that_keeps_news_away(world: World) -> None:
    for said in (
        "mute all until tomorrow",
        "mute john",
        "notify videos off",
        "quiet 21:00-07:00",
        "workdays mon-fri",
    ):
        world.ask(said)
    event = world.add_event(JOHN, ActivityType.EXAM_PASSED)
    world.add_delivery(event)

    text = world.ask("whoami").text

    assert "🔕 **Muted:** everything until" in text and "🔕 **Muted:** 1 student." in text
    assert "**Not told:** 👀 Contents viewed" in text
    assert "**Quiet:** 21:00 to 07:00" in text and "**Work days:** Mon" in text
    assert "1 event held back" in text


def test_it_says_what_could_not_be_told(world: World) -> None:
    for state in (DeliveryState.DEAD, DeliveryState.SENT):
        world.add_delivery(world.add_event(JOHN), state=state.value)
    assert "❌ 1 event could not be told to you" in world.ask("whoami").text


def test_who_is_no_mentor_reads_why(world: World) -> None:
    text = world.ask("whoami", ADMIN).text
    assert "you are none in the LMS" in text and "no mentor there has that address" in text
    assert "ada@\u200bschool.\u200bexample.\u200bcom" in text

    mentor = make_mentor(7, "ada")
    shares = UnmappedMentor(
        type(mentor)(**vars(mentor) | {"email": "Ada@school.example.com"}), "mentor ada shares the e-mail address"
    )
    world.people.get_unmapped_mentors = lambda: [shares]  # type: ignore[method-assign]
    assert "has your e-mail address, but mentor ada shares the e-mail address." in world.ask("whoami", ADMIN).text


def test_it_answers_while_the_lms_is_away(world: World) -> None:
    world.people.students_trouble = LMSUnavailable("away")
    assert "cannot be known now: the LMS does not answer" in world.ask("whoami").text
    world.people.lms_trouble = LMSUnavailable("away")
    assert "Why cannot be looked up now." in world.ask("whoami", ADMIN).text


def test_the_samples_are_every_kind_of_message_and_one_of_many(world: World) -> None:
    world.ask("notify everything")
    reply = world.ask("test")

    head, *samples = reply.text.split("\n\n---\n\n")
    assert reply.is_private and "**Samples**" in head and len(reply.text) < 10_000
    assert len(samples) == len(ActivityType) + 3
    titles = [sample.splitlines()[0] for sample in samples]
    assert len(set(titles)) == len(titles)
    assert all("Sample Student" in sample for sample in samples)
    assert "| " in samples[-3] and "`#1`" not in reply.text
    assert samples[-2].startswith("⚡ **Sample Student** failed 3 exams in a row")
    assert samples[-1].startswith("☀️ **Digest** · 1 student needs you\n💤 **Sample Student** did nothing")


def test_the_samples_are_as_the_level_of_the_asker_has_them(world: World) -> None:
    brief = world.ask("test").text
    world.ask("notify everything")
    assert len(world.ask("test").text) > len(brief)


def test_samples_leave_nothing_in_the_store(world: World) -> None:
    world.ask("test")
    with world.store.session():
        assert [model.select().count() for model in (LMSActivityEvent, Delivery, Message)] == [0, 0, 0]


def test_samples_are_written_by_the_configured_formatter_and_show_where_it_fails(world: World) -> None:
    class Own(MessageFormatter):
        def format_exam_passed_message(self, event: Any, emoji: str, student_name: str) -> str:
            return f"Hurrah for {student_name}"

        def format_exam_failed_message(self, event: Any, emoji: str, student_name: str) -> str:
            raise KeyError(student_name)

    world.change(formatters=Formatters(Own(), Own()))

    text = world.ask("test").text

    assert "Hurrah for Sample Student" in text
    assert "❌ `exam_failed`: the formatter fails (`KeyError`)." in text


def test_samples_of_any_length_fit_a_message(world: World) -> None:
    class Long(MessageFormatter):
        def format_notification_message(self, event: Any) -> str:
            return "x" * 4000

    world.change(formatters=Formatters(Long(), Long()))
    assert world.ask("test").text.endswith("… and 8 more, too long for one message.")
