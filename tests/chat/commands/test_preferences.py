"""What people choose by talking: understood, remembered, applied and shown."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from lms_bot.chat.language.arguments import UNKNOWN_STUDENT
from lms_bot.core.activities import ActivityType
from lms_bot.core.errors import LMSUnavailable
from lms_bot.notify.preferences import FOR_EVER, Preferences
from lms_bot.store.messages import DeliveryState, MessageState
from tests.worlds.chat_world import (
    ADMIN,
    ARJUN,
    BOSS,
    JANE,
    JOHN,
    JOSE,
    MARIA,
    NOW,
    ZOE,
    World,
    close_world,
    make_student,
    make_user,
    open_world,
)

HOUR = timedelta(hours=1)
HOSTILE = "@**all** | `x` [a](http://evil.example/)\n# **b**"
ALL_TYPES = {kind.value for kind in ActivityType}


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("empty") / "store.db"
    close_world(open_world(f"sqlite:///{path}"))
    return path


@pytest.fixture
def small_world(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Maria lives in Berlin: there it is 13:00, on a Wednesday."""
    path = tmp_path_factory.mktemp("chat") / "store.db"
    shutil.copy(empty_store, path)
    world = open_world(f"sqlite:///{path}")
    world.people.zulip_users[MARIA] = make_user(MARIA, "Maria", timezone="Europe/Berlin")
    yield world
    close_world(world)


def chosen(world: World, who: int = MARIA) -> Preferences:
    preferences: Preferences = world.app.notifier.composer.preferences.get(who)
    return preferences


def owe(world: World, student: Any, kind: ActivityType = ActivityType.EXAM_PASSED, who: int = MARIA) -> None:
    world.add_delivery(world.add_event(student, kind), f"zulip:{who}")


# ---- notify ----


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
        ("all", ALL_TYPES),
        ("everything", ALL_TYPES),
        ("me of all exams", {"exam_started", "exam_completed", "exam_passed", "exam_failed"}),
        ("me when an exam is failed", {"exam_failed"}),
    ],
)
def test_event_types_as_people_say_them(small_world: World, said: str, types: set[str]) -> None:
    small_world.ask(f"notify {said} daily")
    assert chosen(small_world).notify == dict.fromkeys(types, "daily")


@pytest.mark.parametrize(
    ("said", "when"),
    [
        *(("now", "now"), ("at once", "now"), ("hourly", "hourly"), ("every hour", "hourly"), ("DAILY", "daily")),
        *(("every day", "daily"), ("off", "off"), ("never", "off"), ("not at all please", "off")),
    ],
)
def test_how_soon_as_people_say_it(small_world: World, said: str, when: str) -> None:
    small_world.ask(f"notify failed {said}")
    assert chosen(small_world).notify == {"exam_failed": when}


def test_notify_says_what_it_means_and_keeps_the_other_choices(small_world: World) -> None:
    assert small_world.ask("notify exam started off").text == (
        "🔕 Not told at all, now or later: 📝 Exams started. `history` still shows it."
    )
    assert small_world.ask("notify watched daily").text == "🔔 Told every day at 18:00: 👀 Contents viewed."
    assert small_world.ask("notify failed hourly").text == "🔔 Told every full hour: ❌ Exams failed."
    assert chosen(small_world).notify == {
        "exam_started": "off",
        "content_watched": "daily",
        "exam_failed": "hourly",
    }
    assert small_world.ask("notify all now").text == "🔔 Told at once: everything."
    assert chosen(small_world).notify == dict.fromkeys(ALL_TYPES, "now")


# ---- mute ----


@pytest.mark.parametrize(
    ("said", "until"),
    [
        ("john_doe", FOR_EVER),
        ("John Doe", FOR_EVER),
        ("john_doe 3 days", "2026-03-21T12:00:00+00:00"),
        ("john doe for 3 days please", "2026-03-21T12:00:00+00:00"),
        ("john until tomorrow", "2026-03-18T23:00:00+00:00"),
        ("john until monday", "2026-03-22T23:00:00+00:00"),
    ],
)
def test_a_student_is_muted_for_days_or_until_unmuted(small_world: World, said: str, until: str) -> None:
    text = small_world.ask(f"mute {said}").text
    assert chosen(small_world).mutes == {"11": until}
    assert text.startswith("🔕 You are told nothing of **John Doe (john_doe)** until ")
    assert "held back" in text and text.endswith("you are told of it afterwards, together.")


@pytest.mark.parametrize(
    ("said", "until"),
    [
        ("all", FOR_EVER),
        ("everything", FOR_EVER),
        ("all until tomorrow", "2026-03-18T23:00:00+00:00"),
        ("all 3 days", "2026-03-21T12:00:00+00:00"),
        ("all until monday", "2026-03-22T23:00:00+00:00"),
        ("all until 18:00", "2026-03-18T17:00:00+00:00"),
        ("all until 9am", "2026-03-19T08:00:00+00:00"),
    ],
)
def test_all_is_muted_until_a_time_in_ones_own_zone(small_world: World, said: str, until: str) -> None:
    small_world.ask(f"mute {said}")
    assert chosen(small_world).muted_until == until and not chosen(small_world).mutes


def test_muting_says_until_when_and_how_to_end_it(small_world: World) -> None:
    assert "until <time:2026-03-18T23:00:00Z>." in small_world.ask("mute all until tomorrow").text
    assert "until you write `unmute all`." in small_world.ask("mute all").text
    assert "until you write `unmute john_doe`." in small_world.ask("mute john").text
    assert "no exception" not in small_world.ask("mute all").text
    small_world.ask("quiet except failed")
    assert "Failed exams are no exception to that." in small_world.ask("mute all").text


def test_without_grouping_nobody_is_promised_one_message(small_world: World) -> None:
    small_world.app.settings = small_world.app.settings.model_copy(update={"lms_group_seconds": 0})
    assert small_world.ask("mute john").text.endswith("you are told of it afterwards.")


def test_mutes_that_are_over_are_forgotten(small_world: World) -> None:
    small_world.ask("mute john 1 day")
    small_world.ask("mute jane 3 days", now=NOW + timedelta(days=2))
    assert set(chosen(small_world).mutes) == {"12"}
    assert "Nothing was muted." in small_world.ask("unmute all", now=NOW + timedelta(days=9)).text


def test_unmute_one_or_all(small_world: World) -> None:
    for said in ("mute john", "mute jane 3 days", "mute all until monday"):
        small_world.ask(said)

    assert small_world.ask("unmute john").text.splitlines() == [
        "🔔 **John Doe (john_doe)** is no longer muted."
        " What that held back comes now, unless something else holds it.",
        "⚠️ But everything is muted until <time:2026-03-22T23:00:00Z>.",
    ]
    assert small_world.ask("unmute john").text.startswith("🔔 **John Doe (john_doe)** was not muted.")
    assert small_world.ask("unmute all").text.startswith("🔔 Everything is no longer muted")
    assert chosen(small_world).mutes == {} and chosen(small_world).muted_until is None
    assert small_world.ask("unmute all").text == "🔔 Nothing was muted."


def test_several_students_of_a_name_are_listed_and_the_number_mutes(small_world: World) -> None:
    assert "2. John Doe (john_doe)" in small_world.ask("mute jo 3 days").text
    assert not chosen(small_world).mutes
    small_world.ask("2")
    assert list(chosen(small_world).mutes) == ["11"]


def test_somebody_elses_student_and_nobody_read_the_same(small_world: World) -> None:
    for command in ("mute", "unmute"):
        said = {small_world.ask(f"{command} {name}").text for name in ("zoe_m", "Zoë", "14", "nobody", "77")}
        assert said == {UNKNOWN_STUDENT}
    assert small_world.ask("mute zoe_m 3 days").text == UNKNOWN_STUDENT
    assert small_world.ask("mute zoe_m when hell freezes").text == UNKNOWN_STUDENT


def test_a_student_taken_from_a_mentor_can_still_be_unmuted_by_number_and_is_not_named(small_world: World) -> None:
    small_world.ask("mute john")
    small_world.people.students_of[1] = (JANE,)

    text = small_world.ask("settings").text
    assert "a former student of yours, 11 until you write `unmute 11`" in text and "John" not in text
    assert small_world.ask("unmute john").text == UNKNOWN_STUDENT
    assert small_world.ask("unmute 11").text.startswith("🔔 **a former student of yours, 11** is no longer muted")
    assert chosen(small_world).mutes == {}


def test_muting_needs_to_know_whose_students_are_whose(small_world: World) -> None:
    small_world.people.students_trouble = LMSUnavailable("away")
    assert small_world.ask("mute john").text.startswith("The LMS does not answer just now.")
    assert small_world.ask("mute all").text.startswith("🔕 You are told nothing")
    assert small_world.ask("settings").text.startswith("⚙️ **Your settings**")
    assert small_world.ask("unmute all").text.startswith("🔔 Everything is no longer muted")


# ---- quiet times and work days ----


@pytest.mark.parametrize(
    "said",
    ["21:00-07:00", "9pm-7am", "21-7", "21:00 to 07:00", "from 9pm until 7am", "21:00 – 07:00", "21:00 - 07:00"],  # noqa: RUF001
)
def test_quiet_times(small_world: World, said: str) -> None:
    text = small_world.ask(f"quiet {said}").text
    assert chosen(small_world) == Preferences(default=chosen(small_world).default, quiet=("21:00", "07:00"))
    assert text == (
        "🌙 Quiet from 21:00 to 07:00 (Europe/Berlin): what happens then is held back and told afterwards."
        " With `quiet except failed`, failed exams are told all the same."
    )


@pytest.mark.parametrize(
    ("said", "passes"),
    [
        ("quiet 21:00-07:00 except failed", True),
        ("quiet 21-7 but failed exams", True),
        ("quiet except failed", True),
        ("quiet except for exam_failed", True),
        ("quiet except failed on", True),
        ("workdays mon-fri except failed", True),
        ("quiet except nothing", False),
        ("quiet except failed off", False),
        ("quiet 21:00-07:00 without exceptions", False),
        ("quiet 21:00-07:00 no exception", False),
    ],
)
def test_failed_exams_may_pass(small_world: World, said: str, passes: bool) -> None:
    small_world.app.notifier.composer.preferences.change(MARIA, failed_pass=not passes)
    small_world.ask(said)
    assert chosen(small_world).failed_pass is passes


def test_what_is_not_said_of_quiet_times_stays_as_it_is(small_world: World) -> None:
    small_world.ask("quiet 21:00-07:00 except failed")
    text = small_world.ask("quiet 22:00-06:00").text
    assert chosen(small_world).quiet == ("22:00", "06:00") and chosen(small_world).failed_pass
    assert text.endswith("Failed exams are told even at such times; `quiet except nothing` ends that.")
    small_world.ask("quiet except nothing")
    assert chosen(small_world).quiet == ("22:00", "06:00")
    assert small_world.ask("quiet off").text == "🔔 You have no quiet times."
    assert chosen(small_world).quiet is None


@pytest.mark.parametrize(
    ("said", "days"),
    [
        ("mon-fri", ("mon", "tue", "wed", "thu", "fri")),
        ("sun-thu", ("mon", "tue", "wed", "thu", "sun")),
        ("mon,wed,fri", ("mon", "wed", "fri")),
        ("mon, wed and fri", ("mon", "wed", "fri")),
        ("Monday to Friday", ("mon", "tue", "wed", "thu", "fri")),
        ("off", None),
        ("every day", None),
        ("mon-sun", None),
    ],
)
def test_work_days(small_world: World, said: str, days: tuple[str, ...] | None) -> None:
    small_world.ask("workdays sat")
    small_world.ask(f"workdays {said}")
    assert chosen(small_world).workdays == days


def test_work_days_say_what_they_mean(small_world: World) -> None:
    assert small_world.ask("workdays sun,mon").text == (
        "📅 You are told on Monday, Sunday (Europe/Berlin): what happens on other days is held back and told"
        " afterwards. With `quiet except failed`, failed exams are told all the same."
    )
    assert "On days off, what happens is held back." in small_world.ask("quiet off").text
    assert small_world.ask("workdays off").text == "🔔 You are told on every day of the week."


# ---- what cannot be read ----


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ("notify", "When shall I tell you"),
        ("notify all", "When shall I tell you"),
        ("notify off", "When shall I tell you"),
        ("notify all weekly", "When shall I tell you"),
        ("notify exams watched now", "Which events?"),
        ("notify @**John** now", "Which events?"),
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
    small_world: World, said: str, sentence: str
) -> None:
    before = chosen(small_world)
    reply = small_world.ask(said)
    assert reply.text.startswith(sentence) and reply.is_private
    assert f"Usage: `{said.split()[0]} " in reply.text and "\nFor example: `" in reply.text
    assert "@**" not in reply.text
    assert chosen(small_world) == before and small_world.wakes == 0


# ---- what is chosen takes effect ----


def test_a_change_wakes_the_sender_and_asking_does_not(small_world: World) -> None:
    for number, said in enumerate(("notify all now", "mute john", "unmute all", "quiet 21-7", "workdays mon-fri"), 1):
        small_world.ask(said)
        assert small_world.wakes == number
    small_world.ask("settings")
    assert small_world.wakes == 5


def test_choices_are_each_persons_own(world: World) -> None:
    world.ask("mute john", MARIA)
    world.ask("quiet 21-7", ARJUN)
    world.ask("notify all off", ADMIN)
    assert chosen(world, MARIA).mutes and not chosen(world, ARJUN).mutes
    assert chosen(world, ARJUN).quiet and not chosen(world, MARIA).quiet
    assert chosen(world, BOSS) == Preferences(default=chosen(world).default)


def test_an_admin_who_mentors_nobody_can_choose_as_well(small_world: World) -> None:
    assert small_world.ask("mute all until tomorrow", ADMIN).text.startswith("🔕 You are told nothing")
    assert "everything until" in small_world.ask("settings", ADMIN).text


# ---- settings ----


def test_settings_of_somebody_who_chose_nothing(world: World) -> None:
    assert world.ask("settings").text.splitlines() == [
        "⚙️ **Your settings**",
        "",
        "🔔 **Told at once:** everything",
        "🌙 **Quiet:** none",
        "📅 **Work days:** every day",
        "🕒 **Time zone:** UTC, since your Zulip profile names no zone that I know",
        "🔕 **Muted:** nobody",
        "📥 Nothing is held back.",
        "Change it with `notify`, `mute`, `unmute`, `quiet` and `workdays`; `help notify` shows how.",
    ]


def test_settings_show_all_that_was_chosen_and_what_is_held_back(small_world: World) -> None:
    for said in (
        "notify starts off",
        "notify contents daily",
        "quiet 12:00-15:00 except failed",
        "workdays mon-fri",
        "mute john",
        "mute jane until friday",
    ):
        small_world.ask(said)
    for student in (JOHN, JANE, JOSE, JOSE):
        owe(small_world, student)
    owe(small_world, JOSE, ActivityType.CONTENT_WATCHED)
    owe(small_world, JOSE, ActivityType.EXAM_STARTED)
    owe(small_world, JOSE, ActivityType.EXAM_FAILED)
    owe(small_world, ZOE, who=ARJUN)

    assert small_world.ask("settings").text.splitlines()[2:-1] == [
        "🔔 **Told at once:** ✅ Exams completed, 🎉 Exams passed, ❌ Exams failed",
        "🔔 **Told every day at 18:00:** 📖 Contents started, 📚 Contents completed, 👀 Contents viewed",
        "🔕 **Not told:** 📝 Exams started",
        "🌙 **Quiet:** 12:00 to 15:00",
        "📅 **Work days:** Monday, Tuesday, Wednesday, Thursday, Friday",
        "❌ **Failed exams at such times:** told",
        "🕒 **Time zone:** Europe/Berlin",
        "🔕 **Muted:** John Doe (john_doe) until you write `unmute john_doe`",
        "🔕 **Muted:** Jane Smith (jane_smith) until <time:2026-03-19T23:00:00Z>",
        "📥 5 events held back: 2 until <time:2026-03-18T14:00:00Z>, 1 until <time:2026-03-18T17:00:00Z>,"
        " 1 until <time:2026-03-19T23:00:00Z>, 1 until you unmute.",
    ]


def test_many_moments_are_summed_up(small_world: World) -> None:
    for number in range(9):
        student = make_student(100 + number, f"{number}_student")
        small_world.people.students_of[1] += (student,)
        small_world.ask(f"mute {number}_student {number + 1} days")
        owe(small_world, student)
    text = small_world.ask("settings").text
    assert "9 events held back: 1 until " in text and text.count("1 until <time:") == 5 and ", 4 later." in text


def test_a_thousand_mutes_still_fit(small_world: World) -> None:
    mutes = {str(number): FOR_EVER for number in range(1000, 2000)}
    small_world.app.notifier.composer.preferences.change(MARIA, mutes=mutes)
    text = small_world.ask("settings").text
    assert len(text) <= 10_000 and "more" in text and "held back" in text


def test_a_change_says_what_is_still_held_back(small_world: World) -> None:
    for said in ("mute john", "quiet 12:00-15:00"):
        small_world.ask(said)
    owe(small_world, JOHN)
    text = small_world.ask("unmute john").text
    assert text.endswith("📥 1 event held back: 1 until <time:2026-03-18T14:00:00Z>.")
    assert "held back:" not in small_world.ask("quiet off").text


def test_names_in_settings_are_disarmed(small_world: World) -> None:
    small_world.people.students_of[1] = (make_student(66, HOSTILE, HOSTILE, HOSTILE),)
    small_world.people.zulip_users[MARIA] = make_user(MARIA, "Maria", timezone=HOSTILE)
    for said in ("mute 66", "settings", "unmute 66", "mute all", "quiet 21-7"):
        text = small_world.ask(said).text
        assert "@**" not in text and "](http" not in text and "\n# " not in text, text


# ---- status and pending ----


def test_status_tells_what_is_held_back_from_what_is_on_its_way(small_world: World) -> None:
    small_world.ask("mute john")
    owe(small_world, JOHN)
    assert small_world.ask("status").text.splitlines()[-1] == (
        "📬 You have been told all the rest. 📥 1 event held back: 1 until you unmute."
    )
    owe(small_world, JANE)
    message = small_world.add_message(state=MessageState.READY.value)
    small_world.add_delivery(small_world.add_event(JOSE), f"zulip:{MARIA}", message=message)
    assert "📬 2 events on the way to you. 📥 1 event held back" in small_world.ask("status").text


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
    assert sorted(lines[4:]) == [
        "| Arjun | 1 | <time:2026-03-18T11:00:00Z> | held back, as they chose: until they unmute |",
        "| Maria | 1 | <time:2026-03-18T11:00:00Z> | to be written next |",
        "| Maria | 3 | <time:2026-03-18T11:00:00Z> | held back, as they chose: the first until"
        " 2026-03-21 12:00 UTC |",
    ]


# ---- discard ----


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
def test_a_bare_discard_discards_nothing(small_world: World, said: str) -> None:
    small_world.events.failed = {1}
    text = small_world.ask(said, ADMIN).text
    assert "Usage: `discard all|<event id>…`\nFor example: `discard #12 #15`" in text
    assert small_world.events.discarded == []


def test_errors_show_how_to_retry_and_how_to_give_up(small_world: World) -> None:
    event = small_world.add_event(JOHN)
    small_world.add_error(event, "Zulip says: deactivated")
    text = small_world.ask("errors", ADMIN).text
    assert "| Zulip says: deactivated | 1 |" in text
    assert text.splitlines()[-1] == (
        f"`retry all` or `retry {event.event_id}` sends again; `discard` in place of `retry` gives up for good."
    )


def test_what_is_unwanted_is_not_pending(small_world: World) -> None:
    event = small_world.add_event(JOHN)
    small_world.add_delivery(event, f"zulip:{MARIA}", state=DeliveryState.UNWANTED.value)
    assert small_world.ask("pending", ADMIN).text == "✅ Nothing is waiting."
    assert small_world.ask("settings").text.splitlines()[-2] == "📥 Nothing is held back."
