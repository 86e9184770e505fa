"""What decides who may see what: changes, which count within a minute; students who ask; the entries of `audit`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from time import monotonic
from typing import TYPE_CHECKING, Any

import pytest

from lms_bot.chat.commands.admin import NO_ENTRIES
from lms_bot.chat.commands.table import COMMANDS
from lms_bot.chat.inbox import make_reply
from lms_bot.chat.language.arguments import UNKNOWN_STUDENT, UNKNOWN_TO_ADMIN
from lms_bot.chat.language.choices import CHOICE_LASTS
from lms_bot.chat.offers import FOR_STUDENTS
from lms_bot.chat.respond import REFUSAL
from lms_bot.core import cache
from lms_bot.core.clock import utc_now
from lms_bot.lms.connection import LMSConnection
from lms_bot.lms.people import PeopleReader
from lms_bot.people.access import Asker, Audience, write_audit_entry
from lms_bot.sandbox.lms.postgres import EmbeddedPostgres
from lms_bot.sandbox.lms.school import School
from lms_bot.sandbox.zulip import SandboxZulip
from lms_bot.store.conversation import AuditEntry, Choice
from lms_bot.store.database import rows
from tests.worlds.access_world import AccessWorld, open_access_world, students_in, title_of
from tests.worlds.watching import run

if TYPE_CHECKING:
    from lms_bot.sandbox.lms.postgres import EmbeddedPostgres

STRANGERS = ("stranger", "guest", "bot", "deactivated", "twin", "inactive student")
A_MINUTE = 60.0
Passing = Callable[[], None]
FIFTY, TWO_THOUSAND = "generate_series(1001, 1050)", "generate_series(0, 1999)"


@pytest.fixture(scope="module")
def place(
    postgres: EmbeddedPostgres, lms_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[AccessWorld]:
    with School(postgres.create_database("access_changes", lms_template)) as lms, SandboxZulip() as zulip:
        world = open_access_world(lms, zulip, tmp_path_factory.mktemp("access"))
        yield world
        world.close()
    postgres.drop_database("access_changes")


@pytest.fixture
def world(place: AccessWorld) -> AccessWorld:
    """Nothing is remembered of what another test did."""
    place.app.users.clear_cache()
    place.forget_audited()
    return place


@pytest.fixture
def a_minute_passes(monkeypatch: pytest.MonkeyPatch) -> Passing:
    """What is remembered is a minute older each time it is called."""

    def passes() -> None:
        now = monotonic
        monkeypatch.setattr(cache, "monotonic", lambda: now() + A_MINUTE)

    return passes


# ---- people ----


@pytest.mark.parametrize("text", ["", "help", "history amber_a", "students", "audit", "xyzzy", "\0", "@**all**", "1"])
def test_a_stranger_reads_the_same_whatever_they_write(world: AccessWorld, text: str) -> None:
    replies = [world.ask(who, text) for who in STRANGERS]
    assert {(reply.text, reply.is_private) for reply in replies} == {(REFUSAL, False)}


@pytest.mark.parametrize("who", ["admin", "admin who mentors", "mentor", "supervisor", "student"])
def test_help_lists_exactly_what_the_asker_may_use(world: AccessWorld, who: str) -> None:
    text = world.ask(who, "help all").text
    asker = world.app.context.access.identify(world.people[who].user_id)
    listed = [command for command in COMMANDS if f"- `{command.usage.replace(' [page N]', '')}`: " in text]
    assert listed == [command for command in COMMANDS if asker.may_use(command.audience)] or text == REFUSAL


@pytest.mark.parametrize("who", ["guest", "bot", "deactivated"])
def test_whom_the_settings_call_an_admin_is_none_unless_a_member(world: AccessWorld, who: str) -> None:
    assert world.app.context.access.identify(world.people[who].user_id) == Asker()


def test_an_asker_tells_own_students_from_those_below(world: AccessWorld) -> None:
    head = world.app.context.access.identify(world.people["supervisor"].user_id)
    assert {head.students[one].username for one in head.students_below} == {"amber_a", "birch_b"}
    assert all(map(head.is_own, head.students))


@pytest.mark.parametrize(
    ("asker", "audiences"),
    [
        (Asker(), set()),
        (Asker(is_student=True), {Audience.LEARNERS}),
        (Asker(is_admin=True), {Audience.LEARNERS, Audience.KNOWN, Audience.ADMINS}),
        (Asker(mentors=(object(),)), {Audience.LEARNERS, Audience.KNOWN, Audience.MENTORS}),  # type: ignore[arg-type]
        (Asker(is_admin=True, mentors=(object(),)), set(Audience)),  # type: ignore[arg-type]
    ],
)
def test_audiences(asker: Asker, audiences: set[Audience]) -> None:
    assert {audience for audience in Audience if asker.may_use(audience)} == audiences


# ---- what changes counts within a minute ----


def test_a_student_taken_from_a_mentor_is_no_longer_seen(world: AccessWorld, a_minute_passes: Passing) -> None:
    assert "amber_a" in students_in(world.ask("mentor", "students"))
    world.lms.unpair("anna", "amber_a")
    try:
        a_minute_passes()
        assert world.ask("mentor", "history amber_a").text == UNKNOWN_STUDENT
        assert world.ask("supervisor", "history amber_a").text == UNKNOWN_STUDENT
    finally:
        world.lms.pair("anna", "amber_a")


def test_or_at_once_when_the_bot_itself_reads_otherwise(world: AccessWorld) -> None:
    assert "amber_a" in students_in(world.ask("supervisor", "students"))
    world.lms.unpair("anna", "amber_a")
    try:
        assert "amber_a" in students_in(world.ask("supervisor", "students")), "remembered"
        world.app.events.get_recipients([world.student_ids["amber_a"]])
        assert world.ask("supervisor", "history amber_a").text == UNKNOWN_STUDENT
    finally:
        world.lms.pair("anna", "amber_a")


def test_who_is_deactivated_or_made_a_guest_is_a_stranger(world: AccessWorld, a_minute_passes: Passing) -> None:
    assert "amber_a" in students_in(world.ask("mentor", "students"))
    assert world.ask("admin", "audit").text != REFUSAL
    world.zulip.deactivate(world.people["mentor"])
    world.people["admin"].role = 600
    try:
        a_minute_passes()
        assert world.ask("mentor", "students").text == world.ask("admin", "audit").text == REFUSAL
    finally:
        world.zulip.reactivate(world.people["mentor"])
        world.people["admin"].role = 200


def test_a_mentor_whose_address_changes_is_a_stranger(world: AccessWorld, a_minute_passes: Passing) -> None:
    assert "cedar_c" in students_in(world.ask("other mentor", "students"))
    run(world.lms, "UPDATE mentors SET email = 'elsewhere@example.com' WHERE username = 'carla'")
    try:
        a_minute_passes()
        assert world.ask("other mentor", "students").text == REFUSAL
    finally:
        run(world.lms, "UPDATE mentors SET email = 'carla@school.example.com' WHERE username = 'carla'")


# ---- students ----


def test_students_are_not_even_looked_up_unless_they_may_ask(
    world: AccessWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    fetch = PeopleReader.fetch_students_called

    def noting(*called: Any) -> Any:
        asked.append(called)
        return fetch(*called)

    monkeypatch.setattr(PeopleReader, "fetch_students_called", noting)
    with world.students_may_ask(False):
        assert world.ask("student", "history").text == REFUSAL
    assert not asked
    assert students_in(world.ask("student", "history")) == {"amber_a"}, "who need not say whose"
    world.ask("student", "history")
    assert len(asked) == 1, "remembered for a while"


def test_a_student_who_is_also_a_mentor_is_a_mentor(world: AccessWorld) -> None:
    person = world.people["student"]
    world.lms.add_mentor("alice.also", email=person.delivery_email)
    try:
        asker = world.app.context.access.identify(person.user_id)
        assert asker.is_mentor and not asker.is_student and not asker.students
        with world.students_may_ask(False):
            assert world.ask("student", "history amber_a").text == UNKNOWN_STUDENT
        for said in ("history amber_a", "history me"):
            assert students_in(world.ask("student", said)) == {"amber_a"}
        assert world.ask("student", "notes amber_a").text == UNKNOWN_STUDENT, "which students are not shown either"
    finally:
        run(world.lms, "DELETE FROM mentors WHERE username = 'alice.also'")


@pytest.mark.parametrize("change", ["is_active = false", "email = NULL", "email = 'other@students.example.com'"])
def test_a_student_who_changes_in_the_lms_is_a_stranger(
    world: AccessWorld, a_minute_passes: Passing, change: str
) -> None:
    assert students_in(world.ask("student", "history amber_a")) == {"amber_a"}
    run(world.lms, f"UPDATE students SET {change} WHERE username = 'amber_a'")
    try:
        a_minute_passes()
        assert world.ask("student", "history amber_a").text == REFUSAL
    finally:
        usual = "is_active = true, email = 'amber_a@students.example.com'"
        run(world.lms, f"UPDATE students SET {usual} WHERE username = 'amber_a'")


@pytest.mark.parametrize("address", ["Amber_A@students.example.com ", " AMBER_A@STUDENTS.EXAMPLE.COM"])
def test_an_address_another_student_has_is_nobodys_also_when_written_otherwise(
    world: AccessWorld, address: str
) -> None:
    for is_active in (True, False):
        run(world.lms, "UPDATE students SET email = %s, is_active = %s WHERE username = 'date_d'", address, is_active)
        try:
            world.app.users.clear_cache()
            assert world.app.context.access.identify(world.people["student"].user_id) == Asker()
        finally:
            run(world.lms, "UPDATE students SET email = 'd@x.example', is_active = true WHERE username = 'date_d'")


def test_whom_the_map_gives_to_somebody_else_is_not_found_by_address(world: AccessWorld) -> None:
    run(world.lms, "UPDATE students SET email = 'sven@elsewhere.example.com' WHERE username = 'birch_b'")
    asker = world.app.context.access.identify(world.people["mapped student"].user_id)
    assert [one.username for one in asker.students.values()] == ["birch_b"]
    assert world.app.context.access.identify(world.people["stranger"].user_id) == Asker()


# ---- entries ----


def test_audit_shows_who_looked_at_whom_newest_first(world: AccessWorld) -> None:
    assert world.ask("admin", "audit").text == NO_ENTRIES
    world.ask("admin", "history amber_a")
    world.ask("admin who mentors", "history date_d")
    world.ask("admin who mentors", "summary week all")
    rows = [line for line in world.ask("admin", "audit").text.splitlines() if "<time:" in line]
    assert len(rows) == 2
    assert rows[0].endswith("Bea: all students, `summary all`")
    assert rows[1].endswith("Ada: Alice Amber (amber_a), `history`")


def test_an_exam_that_only_own_students_took_leaves_no_entry(world: AccessWorld) -> None:
    own, anothers = title_of("Dora Date"), title_of("Alice Amber")
    for command in ("exam", "content", "chart exam"):
        assert students_in(world.ask("admin who mentors", f"{command} {own}")) == {"date_d"}
    assert not world.get_audited()
    world.ask("admin who mentors", f"exam {anothers}")
    assert [(student_id, command) for _, student_id, command in world.get_audited()] == [(None, "exam")]


def test_a_list_of_who_may_be_meant_leaves_an_entry_for_each_who_is_not_theirs(world: AccessWorld) -> None:
    assert students_in(world.ask("admin", "history thorn")) == {"twin_1", "twin_2"}
    twins = [(world.people["admin"].user_id, world.student_ids[one], "history") for one in ("twin_1", "twin_2")]
    assert world.get_audited() == twins
    world.ask("admin", "2")
    assert world.get_audited() == [*twins, twins[1]]


def test_what_was_offered_and_not_chosen_is_forgotten_when_it_is_over(world: AccessWorld) -> None:
    world.forget_choices()
    world.ask("admin", "note thorn was ill", now=utc_now() - CHOICE_LASTS - timedelta(minutes=1))
    world.ask("admin who mentors", "note thorn was ill")
    world.app.tidy()
    with world.app.store.session():
        assert rows(Choice.select(Choice.zulip_user_id)) == [(world.people["admin who mentors"].user_id,)]


def test_audit_comes_in_pages(world: AccessWorld) -> None:
    admin = world.app.context.access.identify(world.people["admin"].user_id)
    for number in range(45):
        moment = utc_now() - timedelta(minutes=number)
        write_audit_entry(world.app.store, admin, world.student_ids["date_d"], f"look {number}", moment)
    pages = [world.ask("admin", f"audit page {page}").text for page in (1, 2, 3)]
    assert [page.count("<time:") for page in pages] == [20, 20, 5]
    assert "`look 0`" in pages[0] and "`look 44`" in pages[2]
    assert "`audit page 2`" in pages[0]
    assert "There are only 3 pages." in world.ask("admin", "audit page 4").text
    assert world.ask("admin", "audit yesterday").text == UNKNOWN_TO_ADMIN


def test_audit_disarms_names_and_does_without_those_it_cannot_find(world: AccessWorld) -> None:
    hostile = "@**all** [x](http://evil.example.com)"
    run(world.lms, "UPDATE students SET display_name = %s WHERE username = 'twin_1'", hostile)
    with world.app.store.transaction():
        for student_id in (world.student_ids["twin_1"], 123456):
            AuditEntry.create(zulip_user_id=9999, student_id=student_id, command="history")
    text = world.ask("admin", "audit").text
    assert "Zulip user 9999" in text and "Student 123456" in text
    assert "@**" not in text and "](" not in text


def test_audit_is_for_admins_only(world: AccessWorld) -> None:
    assert "only" in world.ask("mentor", "audit").text
    assert world.ask("student", "audit").text == FOR_STUDENTS


def test_a_look_that_cannot_be_entered_is_not_answered(world: AccessWorld) -> None:
    with world.app.store.transaction() as store:
        fails = "BEGIN SELECT RAISE(ABORT, 'disk full'); END"
        store.execute_sql(f"CREATE TRIGGER full BEFORE INSERT ON lms_looks {fails}")
    try:
        with pytest.raises(Exception, match="disk full"):
            world.ask("admin", "history amber_a")
        assert "amber_a" in students_in(world.ask("mentor", "history amber_a")), "who needs no entry is answered"
    finally:
        with world.app.store.transaction() as store:
            store.execute_sql("DROP TRIGGER full")


def test_the_log_says_where_an_answer_failed_but_nothing_of_whom(
    world: AccessWorld, caplog: pytest.LogCaptureFixture
) -> None:
    with world.app.store.transaction() as store:
        store.execute_sql("CREATE TRIGGER no BEFORE INSERT ON lms_looks BEGIN SELECT RAISE(ABORT, 'Amber'); END")
    try:
        reply = make_reply(world.app.context, "history amber_a", world.people["admin"].user_id)
    finally:
        with world.app.store.transaction() as store:
            store.execute_sql("DROP TRIGGER no")
    reference = reply.text.split("`")[1]
    assert f"an answer failed; reference {reference}" in caplog.text and "IntegrityError" in caplog.text
    assert "in answer_history" in caplog.text and "Amber" not in caplog.text


def test_an_admin_is_known_while_the_lms_is_away_and_a_stranger_learns_nothing_of_it(world: AccessWorld) -> None:
    reader = world.app.reader
    there, reader.connection = reader.connection, LMSConnection("host=127.0.0.1 port=1 dbname=nowhere")
    try:
        assert "amber_a" in students_in(world.ask("admin", "history amber_a"))
        assert world.ask("stranger", "help") == world.ask("student", "help")
        assert "LMS" not in world.ask("stranger", "help").text
        assert world.ask("guest", "help").text == REFUSAL
        told = world.ask("mentor", "students").text
        assert "The LMS does not answer" in told.split("\n")[0] and "amber_a" in students_in(
            world.ask("mentor", "students")
        )
    finally:
        reader.connection = there


def test_a_supervisor_of_fifty_mentors_is_known_in_no_time(world: AccessWorld) -> None:
    run(world.lms, "INSERT INTO mentors (id, username, email) VALUES (1000, 'big', 'sven@elsewhere.example.com')")
    run(world.lms, f"INSERT INTO mentors (id, username, supervisor_id) SELECT i, 'm' || i, 1000 FROM {FIFTY} AS i")
    run(world.lms, f"INSERT INTO students (id, username) SELECT 10000 + i, 's' || i FROM {TWO_THOUSAND} AS i")
    run(world.lms, f"""INSERT INTO "_MentorToStudent" SELECT 1001 + i / 40, 10000 + i FROM {TWO_THOUSAND} AS i""")
    user_id = world.people["stranger"].user_id
    try:
        assert len(world.app.context.access.identify(user_id).students) == 2000
        began = utc_now()
        for _ in range(10):
            world.app.context.access.identify(user_id)
        assert (utc_now() - began) / 10 < timedelta(milliseconds=30)
    finally:
        run(world.lms, """DELETE FROM "_MentorToStudent" WHERE "A" > 1000""")
        run(world.lms, "DELETE FROM students WHERE id >= 10000; DELETE FROM mentors WHERE id > 1000")
        run(world.lms, "DELETE FROM mentors WHERE id = 1000")


def test_may_see() -> None:
    mentor = Asker(students={11: object()})  # type: ignore[dict-item]
    assert mentor.may_see(11) and not mentor.may_see(14)
    assert Asker(is_admin=True).may_see(14) and not Asker(is_admin=True).is_own(14)
    assert not Asker().may_see(11)
