"""`notify`: how soon news of a type is told."""

from __future__ import annotations

import pytest

from lms_bot.notify.preferences import When
from lms_bot.notify.welcome import MEANINGS
from tests.worlds.chat_world import ADMIN, ARJUN, MARIA, World, chosen


@pytest.mark.parametrize(
    ("said", "types"),
    [
        ("exam_started", {"exam_started"}),
        ("exam started", {"exam_started"}),
        ("Exams Started", {"exam_started"}),
        ("started exams", {"exam_started"}),
        ("starts", {"exam_started", "content_started"}),
        ("failed", {"exam_failed"}),
        ("failures", {"exam_failed"}),
        ("failed exams", {"exam_failed"}),
        ("passed", {"exam_passed"}),
        ("finished", {"exam_completed", "content_completed"}),
        ("content finished", {"content_completed"}),
        ("videos", {"content_watched"}),
        ("watched", {"content_watched"}),
        ("exams", {"exam_started", "exam_completed", "exam_passed", "exam_failed"}),
        ("contents", {"content_started", "content_completed", "content_watched"}),
        ("me of all exams", {"exam_started", "exam_completed", "exam_passed", "exam_failed"}),
        ("me when an exam is failed", {"exam_failed"}),
    ],
)
def test_event_types_as_people_say_them(berlin_world: World, said: str, types: set[str]) -> None:
    berlin_world.ask(f"notify {said} daily")
    assert chosen(berlin_world).notify == dict.fromkeys(types, "daily")


@pytest.mark.parametrize(
    ("said", "when"),
    [
        *(("now", "now"), ("at once", "now"), ("hourly", "hourly"), ("every hour", "hourly"), ("DAILY", "daily")),
        *(("every day", "daily"), ("off", "off"), ("never", "off"), ("not at all please", "off")),
    ],
)
def test_how_soon_as_people_say_it(berlin_world: World, said: str, when: str) -> None:
    berlin_world.ask(f"notify failed {said}")
    assert chosen(berlin_world).notify == {"exam_failed": when}


def test_notify_says_what_it_means_and_keeps_the_other_choices(berlin_world: World) -> None:
    assert berlin_world.ask("notify exam started off").text == (
        "🔕 Not told at all, now or later: 📝 Exams started. `history` still shows it."
    )
    assert berlin_world.ask("notify watched daily").text == "🔔 Told every day at 18:00: 👀 Contents viewed."
    assert berlin_world.ask("notify failed hourly").text == "🔔 Told every full hour: ❌ Exams failed."
    assert chosen(berlin_world).notify == {
        "exam_started": "off",
        "content_watched": "daily",
        "exam_failed": "hourly",
    }
    assert berlin_world.ask("notify all now").text == (
        "🔔 `now`: each thing your students do comes as it happens, gathered. `notify calm` changes that."
    )
    assert (chosen(berlin_world).level, chosen(berlin_world).notify) == ("now", {})


@pytest.mark.parametrize(
    ("said", "level"),
    [
        ("calm", "calm"), ("all calm", "calm"), ("me calmly please", "calm"), ("digest", "digest"),
        ("everything", "everything"), ("all everything", "everything"), ("everything off", "off"), ("never", "off"),
    ],
)  # fmt: skip
def test_a_level_is_for_everything(berlin_world: World, said: str, level: str) -> None:
    berlin_world.ask("notify failed off")
    text = berlin_world.ask(f"notify {said}").text
    assert (chosen(berlin_world).level, chosen(berlin_world).notify) == (level, {})
    assert MEANINGS[When(level)] in text


def test_of_one_student_everything_may_be_told(berlin_world: World) -> None:
    assert berlin_world.ask("watch jane").text == (
        "👁️ Of **Jane Smith (jane_smith)** you are told everything, as it comes. `unwatch jane_smith` takes that back."
    )
    assert berlin_world.ask("notify john doe digest").text.startswith("👁️ Of **John Doe (john_doe)** failed exams")
    assert chosen(berlin_world).students == {"12": "everything", "11": "digest"}
    assert "as of all others again" in berlin_world.ask("unwatch jane").text
    assert "as of all others again" in berlin_world.ask("notify john normal").text
    assert "already" in berlin_world.ask("unwatch john").text
    assert chosen(berlin_world).students == {}


@pytest.mark.parametrize("said", ["watch zoe", "notify zoe everything", "notify nobody off", "notify zebras daily"])
def test_nobody_can_watch_the_students_of_others(berlin_world: World, said: str) -> None:
    text = berlin_world.ask(said).text
    assert chosen(berlin_world).students == {} and "Zoë" not in text and "zoe_m" not in text


def test_an_admin_says_what_holds_for_who_chose_nothing(berlin_world: World) -> None:
    berlin_world.ask("notify digest")
    text = berlin_world.ask("notify default everything", ADMIN).text
    assert text.startswith("🛠️ Who chose nothing gets `everything` from now on")
    general = berlin_world.context.preferences.get
    assert (general(MARIA).general, general(ARJUN).general) == (When.DIGEST, When.EVERYTHING)
    berlin_world.ask("notify default setting", ADMIN)
    assert general(ARJUN).general is When.CALM
    assert "for admins only" in berlin_world.ask("notify default everything").text
    assert general(ARJUN).general is When.CALM
