"""Who may see what: every kind of person, every command, everybody's students."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from chat_world import (
    ADMIN,
    ARJUN,
    BOSS,
    BOT,
    BOTH,
    GONE,
    GUEST,
    HEAD,
    JANE,
    JOHN,
    JOSE,
    MARIA,
    NOBODY,
    PUPIL,
    ZOE,
    World,
    close_world,
    open_world,
)

from lms_bot.activities import ActivityType
from lms_bot.chat.access import Asker, Audience, identify
from lms_bot.chat.answers import UNKNOWN_STUDENT
from lms_bot.chat.commands import COMMANDS, find_command
from lms_bot.chat.respond import REFUSAL
from lms_bot.exceptions import LMSUnavailable

EVERYBODY = (JOHN, JANE, JOSE, ZOE)
STUDENTS_OF = {MARIA: (JOHN, JANE, JOSE), ARJUN: (JOHN, ZOE), BOTH: (ZOE,)}
MENTORS, ADMINS, STRANGERS = (MARIA, ARJUN), (ADMIN, BOSS, HEAD), (PUPIL, GUEST, BOT, GONE, NOBODY)
KNOWN = (*MENTORS, *ADMINS, BOTH)
QUESTIONS = {
    "help": KNOWN,
    "help errors": KNOWN,
    "status": KNOWN,
    "history john_doe": (MARIA, ARJUN, *ADMINS, BOTH),
    "students": (*MENTORS, BOTH),
    "stats": KNOWN,
    "summary": KNOWN,
    "stats all": (*ADMINS, BOTH),
    "summary all": (*ADMINS, BOTH),
    "errors": (*ADMINS, BOTH),
    "pending": (*ADMINS, BOTH),
    "retry": (*ADMINS, BOTH),
    "health": (*ADMINS, BOTH),
    "poll now": (*ADMINS, BOTH),
    "unmapped": (*ADMINS, BOTH),
    "discard": (*ADMINS, BOTH),
    "notify all now": KNOWN,
    "mute john_doe": KNOWN,
    "mute all": KNOWN,
    "unmute john_doe": KNOWN,
    "unmute all": KNOWN,
    "quiet off": KNOWN,
    "workdays off": KNOWN,
    "settings": KNOWN,
}
PEOPLE = {
    "mentor": MARIA,
    "other mentor": ARJUN,
    "Zulip admin": ADMIN,
    "admin by id": BOSS,
    "admin by e-mail": HEAD,
    "owner who mentors": BOTH,
    "student": PUPIL,
    "guest": GUEST,
    "bot": BOT,
    "deactivated": GONE,
    "unknown": NOBODY,
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A school in which each student did something, now and then an error."""
    folder: Path = tmp_path_factory.mktemp("access")
    world = open_world(f"sqlite:///{folder / 'store.db'}")
    for student in EVERYBODY:
        world.add_event(student, ActivityType.EXAM_FAILED, activity_title=f"Secret of {student.username}")
    yield world
    close_world(world)


def names_in(text: str) -> set[str]:
    return {
        one.username
        for one in EVERYBODY
        if one.username in text or f"{one.first_name} {one.last_name}" in text
    }


def test_every_command_is_in_the_table_below() -> None:
    asked = {command.name for question in QUESTIONS if (command := find_command(question.split())[0])}
    assert asked == {command.name for command in COMMANDS}


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("kind", PEOPLE)
def test_each_person_is_answered_what_is_theirs(world: World, kind: str, question: str) -> None:
    who = PEOPLE[kind]
    reply = world.ask(question, who)

    if who in STRANGERS:
        assert (reply.text, reply.is_private) == (REFUSAL, False)
    elif who not in QUESTIONS[question]:
        assert reply.text.endswith("only. `help` shows what you can ask.")
    else:
        assert reply.text != REFUSAL and "only. `help`" not in reply.text
    if who not in (*ADMINS, BOTH):
        assert names_in(reply.text) <= {one.username for one in STUDENTS_OF.get(who, ())}
    assert reply.is_private or not names_in(reply.text), "student data must not be public"


@pytest.mark.parametrize("student", EVERYBODY, ids=lambda student: student.username)
@pytest.mark.parametrize("kind", PEOPLE)
def test_whose_student_decides_who_reads_the_history(world: World, kind: str, student: object) -> None:
    who = PEOPLE[kind]
    username = getattr(student, "username", "")
    reply = world.ask(f"history {username}", who)

    if who in STRANGERS:
        assert reply.text == REFUSAL
    elif who in ADMINS or who == BOTH or student in STUDENTS_OF[who]:
        assert f"Secret of {username}" in reply.text and reply.is_private
    else:
        assert reply.text == UNKNOWN_STUDENT


@pytest.mark.parametrize("command", ["mute", "unmute"])
def test_only_ones_own_students_are_muted(world: World, command: str) -> None:
    for said in ("zoe_m", "Zoë Müller", "14", "nobody_here", "99"):
        assert world.ask(f"{command} {said}").text == UNKNOWN_STUDENT
    assert not world.app.notifier.scribe.preferences.get(MARIA).mutes
    assert world.ask("mute john_doe", ADMIN).text == UNKNOWN_STUDENT, "an admin who is nobody's mentor"


@pytest.mark.parametrize("said", ["zoe_m", "Zoë Müller", "14", "zoe_m 3 days", "zoe_m last fortnight"])
@pytest.mark.parametrize("instead", ["nobody_here", "99", "nobody_here 3 days", "nobody_here last fortnight"])
def test_somebody_elses_student_and_nobody_read_the_same(world: World, said: str, instead: str) -> None:
    assert world.ask(f"history {said}") == world.ask(f"history {instead}")


def test_a_student_taken_from_a_mentor_is_no_longer_seen(world: World) -> None:
    world.people.students_of[1] = (JANE,)
    try:
        assert world.ask("history john_doe").text == UNKNOWN_STUDENT
        assert names_in(world.ask("summary").text) == {"jane_smith"}
    finally:
        world.people.students_of[1] = STUDENTS_OF[MARIA]


@pytest.mark.parametrize("kind", PEOPLE)
def test_help_lists_exactly_what_the_asker_may_use(world: World, kind: str) -> None:
    text = world.ask("help", PEOPLE[kind]).text
    asker = identify(world.app, PEOPLE[kind])

    listed = [command for command in COMMANDS if f"- `{command.usage}`: " in text]

    assert listed == [command for command in COMMANDS if asker.may_use(command.audience)]


@pytest.mark.parametrize("text", ["", "help", "history john_doe", "xyzzy", "\0", "@**all**", "a" * 10_000])
def test_a_stranger_reads_the_same_whatever_they_write(world: World, text: str) -> None:
    assert {world.ask(text, who).text for who in STRANGERS} == {REFUSAL}


def test_an_admin_is_known_while_the_lms_is_away_and_a_stranger_learns_nothing_of_it(world: World) -> None:
    world.people.lms_trouble = LMSUnavailable("the LMS at db.internal is away")
    try:
        assert "connection refused" in world.ask("health", ADMIN).text
        assert "Secret of zoe_m" in world.ask("history zoe_m", ADMIN).text
        assert world.ask("help", PUPIL) == world.ask("help", MARIA)
        assert "LMS" not in world.ask("help", PUPIL).text
        assert world.ask("help", GUEST).text == REFUSAL
    finally:
        world.people.lms_trouble = None


@pytest.mark.parametrize(
    ("asker", "audiences"),
    [
        (Asker(), set()),
        (Asker(is_admin=True), {Audience.KNOWN, Audience.ADMINS}),
        (Asker(mentors=(object(),)), {Audience.KNOWN, Audience.MENTORS}),  # type: ignore[arg-type]
        (Asker(is_admin=True, mentors=(object(),)), set(Audience)),  # type: ignore[arg-type]
    ],
)
def test_audiences(asker: Asker, audiences: set[Audience]) -> None:
    assert {audience for audience in Audience if asker.may_use(audience)} == audiences


def test_may_see() -> None:
    mentor = Asker(students={11: JOHN})
    assert mentor.may_see(11) and not mentor.may_see(14)
    assert Asker(is_admin=True).may_see(14)
    assert not Asker().may_see(11)
