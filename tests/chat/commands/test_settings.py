"""`settings`: all that was chosen."""

from __future__ import annotations

from lms_bot.core.activities import ActivityType
from lms_bot.notify.preferences import FOR_EVER
from tests.worlds.chat_world import (
    ARJUN,
    JANE,
    JOHN,
    JOSE,
    MARIA,
    ZOE,
    World,
    make_student,
    make_user,
    owe,
)

HOSTILE = "@**all** | `x` [a](http://evil.example/)\n# **b**"


def test_settings_of_somebody_who_chose_nothing(world: World) -> None:
    assert world.ask("settings").text.splitlines() == [
        "⚙️ **Your settings**",
        "",
        "🔔 **You get** `calm`, as for all who chose nothing: failed exams and recoveries come at once,"
        " other results once an hour at most",
        "☀️ **Digest:** each school day at 07:30",
        "🌙 **Quiet:** none",
        "📅 **Work days:** every day",
        "🕒 **Time zone:** UTC, since your Zulip profile names no zone that I know",
        "🔕 **Muted:** nobody",
        "📥 Nothing is held back.",
        "Change it with `notify`, `watch`, `unwatch`, `digest`, `mute`, `unmute`, `quiet` and `workdays`;"
        " `help notify` shows how.",
    ]


def test_settings_show_all_that_was_chosen_and_what_is_held_back(berlin_world: World) -> None:
    for said in (
        "notify starts off",
        "notify contents daily",
        "quiet 12:00-15:00 except failed",
        "workdays mon-fri",
        "mute john",
        "mute jane until friday",
    ):
        berlin_world.ask(said)
    for student in (JOHN, JANE, JOSE, JOSE):
        owe(berlin_world, student)
    owe(berlin_world, JOSE, ActivityType.CONTENT_WATCHED)
    owe(berlin_world, JOSE, ActivityType.EXAM_STARTED)
    owe(berlin_world, JOSE, ActivityType.EXAM_FAILED)
    owe(berlin_world, ZOE, who=ARJUN)

    assert berlin_world.ask("settings").text.splitlines()[2:-1] == [
        "🔔 **You get** `calm`, as for all who chose nothing: failed exams and recoveries come at once,"
        " other results once an hour at most",
        "🔕 **Not told:** 📝 Exams started",
        "🔔 **Told every day at 18:00:** 📖 Contents started, 📚 Contents completed, 👀 Contents viewed",
        "☀️ **Digest:** each school day at 07:30",
        "🌙 **Quiet:** 12:00 to 15:00",
        "📅 **Work days:** Monday, Tuesday, Wednesday, Thursday, Friday",
        "❌ **Failed exams at such times:** told",
        "🕒 **Time zone:** Europe/Berlin",
        "🔕 **Muted:** John Doe (john_doe) until you write `unmute john_doe`",
        "🔕 **Muted:** Jane Smith (jane_smith) until <time:2026-03-19T23:00:00Z>",
        "📥 5 events held back: 2 until <time:2026-03-18T14:00:00Z>, 1 until <time:2026-03-18T17:00:00Z>,"
        " 1 until <time:2026-03-19T23:00:00Z>, 1 until you unmute.",
    ]


def test_settings_name_whom_one_is_told_otherwise_of(berlin_world: World) -> None:
    for said in ("watch john", "notify jane off", "notify garcia digest", "digest weekly mon 8:00"):
        berlin_world.ask(said)

    assert berlin_world.ask("settings").text.splitlines()[3:7] == [
        "👁️ **Watched:** John Doe (john_doe)",
        "🔕 **Told nothing of:** Jane Smith (jane_smith)",
        "👁️ **Told in the digest of:** José García (jgarcia)",
        "☀️ **Digest:** every Monday at 08:00",
    ]
    berlin_world.people.students_of[1] = (JANE,)
    for said in ("settings", "whoami"):
        text = berlin_world.ask(said).text
        assert "👁️ **Told otherwise of** 2 students not known to be yours now" in text and "John" not in text


def test_of_many_watched_students_five_are_named(berlin_world: World) -> None:
    pupils = tuple(make_student(100 + number, f"pupil{number}") for number in range(9))
    berlin_world.people.students_of[1] = pupils
    for pupil in pupils:
        berlin_world.ask(f"watch {pupil.username}")
    text = berlin_world.ask("settings").text
    assert "👁️ **Watched:** pupil0, pupil1, pupil2, pupil3, pupil4 and 4 more" in text


def test_a_thousand_mutes_still_fit(berlin_world: World) -> None:
    mutes = {str(number): FOR_EVER for number in range(1000, 2000)}
    berlin_world.context.preferences.change(MARIA, mutes=mutes)
    text = berlin_world.ask("settings").text
    assert len(text) <= 10_000 and "more" in text and "held back" in text


def test_names_in_settings_are_disarmed(berlin_world: World) -> None:
    berlin_world.people.students_of[1] = (make_student(66, HOSTILE, HOSTILE, HOSTILE),)
    berlin_world.people.zulip_users[MARIA] = make_user(MARIA, "Maria", timezone=HOSTILE)
    for said in ("mute 66", "settings", "unmute 66", "mute all", "quiet 21-7"):
        text = berlin_world.ask(said).text
        assert "@**" not in text and "](http" not in text and "\n# " not in text, text
