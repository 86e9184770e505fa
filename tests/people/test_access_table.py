"""Who may see what: every kind of person, every command that concerns students, everybody's students."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from lms_bot.chat.commands.table import COMMANDS
from lms_bot.chat.language.arguments import UNKNOWN_STUDENT, UNKNOWN_TO_ADMIN, UNKNOWN_TO_STUDENT
from lms_bot.chat.offers import FOR_STUDENTS
from lms_bot.chat.respond import REFUSAL
from lms_bot.lms.connection import Snapshot
from lms_bot.people.access import Audience
from lms_bot.sandbox.lms.school import School
from lms_bot.sandbox.zulip import SandboxZulip
from lms_bot.store.models import LMSActivityEvent
from tests.worlds.access_world import (
    EVERYBODYS_EXAM,
    SHARED,
    STUDENTS,
    AccessWorld,
    open_access_world,
    students_in,
    title_of,
)
from tests.worlds.running_bot import Town, wait_until

if TYPE_CHECKING:
    from lms_bot.sandbox.lms.postgres import EmbeddedPostgres

NOBODY = "nemo_xyz"
SHOWN, UNKNOWN, REFUSED = "shown", "unknown", "refused"

WHOSE: dict[str, dict[str, str]] = {
    "admin": {"another's": "amber_a"},
    "admin who mentors": {"own": "date_d", "another's": "amber_a"},
    "mentor": {"own": "amber_a", "another's": "birch_b"},
    "supervisor": {"own": "hazel_h", "below": "amber_a", "another's": "cedar_c"},
    "supervisor's supervisor": {"below": "hazel_h", "two below": "birch_b", "another's": "cedar_c"},
    "other mentor": {"own": "cedar_c", "another's": "amber_a"},
    "mapped mentor": {"own": "maple_m", "another's": "amber_a"},
    "student": {"own": "amber_a", "another's": "birch_b"},
    "mapped student": {"own": "birch_b", "another's": "amber_a"},
    "student who may not ask": {"own": "amber_a", "another's": "birch_b"},
    "twin": {"own": "twin_1", "another's": "amber_a"},
    "inactive student": {"own": "idle_i", "another's": "amber_a"},
    "stranger": {"another's": "amber_a"},
    "guest": {"own": "cedar_c", "another's": "amber_a"},
    "bot": {"own": "cedar_c", "another's": "amber_a"},
    "deactivated": {"own": "cedar_c", "another's": "amber_a"},
}
"""Who asks, and of whom; a mentor's own are those the LMS gives them, a student's own is the student."""

ADMINS = ("admin", "admin who mentors")
MENTORS = ("admin who mentors", "mentor", "supervisor", "supervisor's supervisor", "other mentor", "mapped mentor")
LEARNERS = ("student", "mapped student")
STRANGERS = tuple(who for who in WHOSE if who not in {*ADMINS, *MENTORS, *LEARNERS})

IN_SIGHT = {
    "admin who mentors": {"date_d", SHARED},
    "mentor": {"amber_a", SHARED},
    "supervisor": {"hazel_h", "amber_a", "birch_b", SHARED},
    "supervisor's supervisor": {"hazel_h", "amber_a", "birch_b", SHARED},
    "other mentor": {"cedar_c", SHARED},
    "mapped mentor": {"maple_m", SHARED},
    "student": {"amber_a"},
    "mapped student": {"birch_b"},
}

ABOUT_ONE = {
    "history": ["history {student}", "history {student} this week exams"],
    "student": ["student {student}"],
    "compare": [f"compare {{student}} {SHARED}", f"compare {SHARED} {{student}}"],
    "chart": ["chart {student}"],
    "export": ["export {student}"],
    "note": ["note {student} works hard"],
    "notes": ["notes {student}"],
    "done": ["done {student}"],
    "reopen": ["reopen {student}"],
    "mute": ["mute {student} 1 day"],
    "unmute": ["unmute {student}"],
    "watch": ["watch {student}"],
    "unwatch": ["unwatch {student}"],
    "concerns": ["concerns {student}"],
    "snooze": ["snooze {student} 2 days ill"],
    "unsnooze": ["unsnooze {student}"],
}
BY_STUDENTS = ("history", "student", "chart")
ONLY_OF_ONES_OWN = ("mute", "unmute", "watch", "unwatch")  # also for admins
ABOUT_TITLES = {
    "exam": "exam {title}",
    "content": "content {title}",
    "chart exam": "chart exam {title}",
    "find": "find {title}",
    "best": "best {title}",
    "failed": "failed {title}",
    "passed": "passed {title}",
}
ABOUT_EVENTS = {"done": "done #{event}", "reopen": "reopen #{event}"}
ABOUT_MANY = {
    "stats": "stats",
    "summary": "summary this week",
    "students": "students",
    "chart week": "chart week",
    "export": "export all",
    "open": "open",
    "done": "done all",
    "mute": "mute all 1 day",
    "unmute": "unmute all",
    "settings": "settings",
    "needs": "needs",
    "digest": "digest",
    "status": "status",
    "whoami": "whoami",
    "exam": f"exam {EVERYBODYS_EXAM}",
    "chart exam": f"chart exam {EVERYBODYS_EXAM}",
    "find": "find o",
    "stats all": "stats all",
    "needs all": "needs all",
    "students all": "students all",
    "failed": "failed this week",
    "passed": "passed this week",
    "inactive": "inactive yesterday",
    "best": f"best {EVERYBODYS_EXAM}",
    "students of": "students of mentor",
    "unmentored": "unmentored",
    "summary all": "summary this week all",
}
ABOUT_NONE = {
    "help", "test", "notify", "quiet", "workdays", "errors", "pending", "retry", "discard", "health", "poll now",
    "unmapped", "audit", "unnote", "notify default", "holiday",
}  # fmt: skip
QUESTIONS = [(command, question) for command, questions in ABOUT_ONE.items() for question in questions]
CASES = [
    (who, command, question, whose)
    for who in WHOSE
    for command, question in QUESTIONS
    for whose in (*WHOSE[who], "nobody's")
]


@pytest.fixture(scope="module")
def world(
    postgres: EmbeddedPostgres, lms_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[AccessWorld]:
    with School(postgres.create_database("access", lms_template)) as lms, SandboxZulip() as zulip:
        world = open_access_world(lms, zulip, tmp_path_factory.mktemp("access"))
        yield world
        world.close()
    postgres.drop_database("access")


def test_every_command_is_in_this_table() -> None:
    named = {*ABOUT_ONE, *ABOUT_TITLES, *ABOUT_EVENTS, *ABOUT_MANY, *ABOUT_NONE}
    assert {command.name for command in COMMANDS} == named
    about_one = {command.name for command in COMMANDS if "{student}" in command.example}
    assert about_one <= {*ABOUT_ONE, *ABOUT_TITLES}


def test_students_ask_nothing_but_what_is_for_them() -> None:
    for_students = {command.name for command in COMMANDS if command.audience is Audience.LEARNERS}
    assert for_students - {"help"} == {*BY_STUDENTS, "chart week"}


def expected(who: str, command: str, whose: str) -> str:
    if who in STRANGERS or (who in LEARNERS and command not in BY_STUDENTS):
        return REFUSED
    if whose == "nobody's":
        return UNKNOWN
    if whose == "another's":
        return SHOWN if who in ADMINS and command not in ONLY_OF_ONES_OWN else UNKNOWN
    return SHOWN


def refusal_of(who: str) -> str:
    """Of students, that is what they may ask."""
    return REFUSAL if who in STRANGERS else FOR_STUDENTS


def unknown_to(who: str, command: str) -> str:
    if who in LEARNERS:
        return UNKNOWN_TO_STUDENT
    return UNKNOWN_TO_ADMIN if who in ADMINS and command not in ONLY_OF_ONES_OWN else UNKNOWN_STUDENT


@pytest.mark.parametrize(("who", "command", "question", "whose"), CASES)
def test_who_is_shown_whose_student(world: AccessWorld, who: str, command: str, question: str, whose: str) -> None:
    student = WHOSE[who].get(whose, NOBODY)
    world.forget_audited()
    reply = ask(world, who, question.format(student=student))

    shown = students_in(reply)
    if expected(who, command, whose) == SHOWN:
        assert student in shown and reply.is_private and "Usage:" not in reply.text
    elif expected(who, command, whose) == UNKNOWN:
        assert reply.text == unknown_to(who, command) and not reply.files
    else:
        assert (reply.text, reply.is_private, reply.files) == (refusal_of(who), False, ())
    strangers = shown - IN_SIGHT.get(who, set())
    assert who in ADMINS or not strangers
    assert set(world.get_audited()) == {
        (world.people[who].user_id, world.student_ids[one], command) for one in strangers
    }


def ask(world: AccessWorld, who: str, text: str) -> Any:
    if who == "student who may not ask":
        with world.students_may_ask(False):
            return world.ask("student", text)
    return world.ask(who, text)


@pytest.mark.parametrize(("command", "question"), ABOUT_MANY.items())
@pytest.mark.parametrize("who", WHOSE)
def test_an_answer_about_many_names_only_whom_they_may_see(
    world: AccessWorld, who: str, command: str, question: str
) -> None:
    world.forget_audited()
    reply = ask(world, who, question)

    if who in STRANGERS or (who in LEARNERS and command != "chart week"):
        assert (reply.text, reply.is_private, reply.files) == (refusal_of(who), False, ())
    strangers = students_in(reply) - IN_SIGHT.get(who, set())
    if strangers:
        assert who in ADMINS
        assert world.get_audited() == [(world.people[who].user_id, None, world.get_audited()[0][2])]
    assert reply.is_private or not students_in(reply)


def test_an_answer_about_many_names_all_whom_they_may_see(world: AccessWorld) -> None:
    for who in MENTORS:
        assert students_in(ask(world, who, "students")) == IN_SIGHT[who]
        if who not in ADMINS:
            assert students_in(ask(world, who, f"exam {EVERYBODYS_EXAM}")) == IN_SIGHT[who]
            assert students_in(ask(world, who, "export all")) == IN_SIGHT[who]
    for everybody in ("summary this week all", "export all", f"exam {EVERYBODYS_EXAM}"):
        assert students_in(ask(world, "admin", everybody)) == STUDENTS.keys()
    assert students_in(ask(world, "admin", "students all")) == STUDENTS.keys() - {"idle_i"}


# ---- not theirs, or nobody ----


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[list[str]]:
    """What the LMS and the store are asked from now on, without the values."""
    asked: list[str] = []
    fetch_all = Snapshot.fetch_all

    def noting(snapshot: Snapshot, sql: str, parameters: Any = ()) -> Any:
        asked.append(sql)
        return fetch_all(snapshot, sql, parameters)

    class Noting(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            asked.append(str(record.msg[0]) if isinstance(record.msg, tuple) else str(record.msg))

    monkeypatch.setattr(Snapshot, "fetch_all", noting)
    logger, handler = logging.getLogger("peewee"), Noting()
    logger.addHandler(handler)
    caplog.set_level(logging.DEBUG, "peewee")
    yield asked
    logger.removeHandler(handler)


@pytest.mark.parametrize(("command", "question"), QUESTIONS)
@pytest.mark.parametrize("who", ["mentor", "supervisor", "student"])
def test_not_theirs_and_nobody_read_the_same_and_cost_the_same(
    world: AccessWorld, statements: list[str], who: str, command: str, question: str
) -> None:
    anothers = WHOSE[who]["another's"]
    ids = () if command in ABOUT_EVENTS else (str(world.student_ids["cedar_c"]), "0")  # a number is an event there
    replies, costs = [], []
    for student in (NOBODY, anothers, NOBODY, *ids):
        world.forget_choices()
        statements.clear()
        replies.append(world.ask(who, question.format(student=student)))
        costs.append(list(statements))
    assert replies[:3] == replies[:1] * 3 and replies[3:4] == replies[4:]
    assert costs[1] == costs[2] and costs[3:4] == costs[4:], "the first may ask for what is remembered then"
    assert costs[1] or replies[0].text == refusal_of(who)


@pytest.mark.parametrize("question", ABOUT_TITLES.values(), ids=ABOUT_TITLES)
@pytest.mark.parametrize("who", ["mentor", "supervisor", "student"])
def test_what_only_others_did_is_not_found_like_what_nobody_did(
    world: AccessWorld, statements: list[str], who: str, question: str
) -> None:
    replies, costs = [], []
    for name in ("Nemo Nutmeg", "Cleo Cedar", "Nemo Nutmeg"):
        statements.clear()
        reply = world.ask(who, question.format(title=title_of(name)))
        replies.append((reply.text.replace(title_of(name), "…"), reply.files))
        costs.append(list(statements))
    assert replies == replies[:1] * 3
    assert costs[1] == costs[2]
    if who != "student":
        assert title_of("Otto Olive") in world.ask(who, question.format(title=title_of("Otto Olive"))).text


@pytest.mark.parametrize("question", ["failed {student}", "passed {student} this week", "how did {student} do"])
@pytest.mark.parametrize("who", ["mentor", "supervisor"])
def test_results_of_anothers_student_are_like_nobodys(
    world: AccessWorld, statements: list[str], who: str, question: str
) -> None:
    replies, costs = [], []
    for student in (NOBODY, WHOSE[who]["another's"], NOBODY):
        world.forget_choices()
        statements.clear()
        replies.append(world.ask(who, question.format(student=student)))
        costs.append(list(statements))
    assert replies == replies[:1] * 3 and costs[1] == costs[2]


@pytest.mark.parametrize("question", ABOUT_EVENTS.values(), ids=ABOUT_EVENTS)
@pytest.mark.parametrize("who", ["mentor", "supervisor", "student"])
def test_an_event_of_anothers_student_is_like_one_that_never_was(
    world: AccessWorld, statements: list[str], who: str, question: str
) -> None:
    with world.app.store.session():
        events = list(LMSActivityEvent.select().where(LMSActivityEvent.student_id == world.student_ids["cedar_c"]))
    replies, costs = [], []
    for event in ("99999", str(events[0].event_id), "99999"):
        statements.clear()
        replies.append(world.ask(who, question.format(event=event)).text.replace(event, "…"))
        costs.append(list(statements))
    assert replies == replies[:1] * 3
    assert costs[1] == costs[2]


# ---- in a channel or a group ----

AT_ONCE = 30
"""Who asks more than the bot lets wait is told so, and not answered."""


@pytest.fixture(scope="module")
def town(postgres: EmbeddedPostgres, lms_template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    url = postgres.create_database("access_town", lms_template)
    with School(url) as lms, SandboxZulip(requests_per_minute=100_000) as zulip:
        town = Town(lms, zulip, tmp_path_factory.mktemp("town"))
        town.zulip.add_stream("school", [*town.people.values(), town.bot])
        lms.finish_exam(lms.start_exam("john_doe", town.exam), "fail")
        lms.finish_exam(lms.start_exam("zoe_m", town.exam), "fail")
        with town.run_bot(lms_students_may_ask="true", lms_initial_lookback=3600):
            town.wait_until_settled()
            yield town
    postgres.drop_database("access_town")


def test_asked_in_a_channel_or_a_group_nothing_of_a_student_is_shown_there(town: Town) -> None:
    questions = [question.format(student="john_doe") for _, question in QUESTIONS]
    questions += [question.format(title="Maths") for question in ABOUT_TITLES.values()]
    questions += [*ABOUT_MANY.values(), *sorted(ABOUT_NONE)]
    questions += ["john_doe", "history", "history zoe_m", "histroy john_doe"]
    channel, group = ("school", "questions"), [town.people["ada"], town.people["carla"], town.bot]

    def get_said() -> list[str]:
        places = (channel, [town.people["ada"], town.people["carla"]])
        return [one.content for place in places for one in town.zulip.messages(sender=town.bot, to=place)]

    def has_said(number: int) -> bool:
        return len(get_said()) == number

    for first in range(0, len(questions), AT_ONCE):
        asked = questions[: first + AT_ONCE]
        for question in asked[first:]:
            town.zulip.send(town.people["anna"], channel, f"@**LMS bot** {question}")
            town.zulip.send(town.people["ada"], group, f"@**LMS bot** {question}")
        wait_until(partial(has_said, 2 * len(asked)), "each is answered where it was asked", 150.0)
    for said in get_said():
        assert not [secret for secret in ("john", "zoe", "Zoë", "Maths", "anna", "carla") if secret in said]
    for name in ("anna", "ada"):
        assert any("Maths" in told and "john_doe" in told for told in town.told(name)), "but to them alone"
    assert not any("zoe_m" in told for told in town.told("anna"))
