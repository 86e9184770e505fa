"""Who writes to the bot is answered once and in turn, whatever dies, also what was written while it was away."""

from __future__ import annotations

import json
import re
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from peewee import SqliteDatabase

from lms_bot import running
from lms_bot.chat.inbox import POINTER
from lms_bot.chat.inbox.answerer import AWAY, TOO_MUCH
from lms_bot.chat.inbox.incoming import Me
from lms_bot.chat.respond import REFUSAL
from lms_bot.core.clock import utc_now
from lms_bot.insight import charts
from lms_bot.sandbox.zulip import Fault, SandboxZulip
from lms_bot.store.conversation import SeenEvent
from lms_bot.store.database import Store, open_store
from lms_bot.store.messages import Delivery, DeliveryState, Message, MessageState
from lms_bot.store.models import LMSActivityEvent
from tests.worlds.inbox_world import HELP, HOUR, QUICK, UNSENT, Clock, InboxWorld, get_inbox
from tests.worlds.running_bot import wait_until

if TYPE_CHECKING:
    from lms_bot.sandbox.lms.school import School

KEPT_TEXTS = "SELECT count(*) FROM lms_messages WHERE lane = 0 AND content <> ''"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def zulip(clock: Clock) -> Iterator[SandboxZulip]:
    with SandboxZulip(requests_per_minute=100_000, now=clock) as server:
        yield server


@pytest.fixture
def world(zulip: SandboxZulip, clock: Clock, tmp_path: Path) -> InboxWorld:
    return InboxWorld(zulip, clock, f"sqlite:///{tmp_path / 'store.db'}")


# ---- once, and in order ----


def test_each_message_is_answered_once_in_order_and_marked_as_read(world: InboxWorld) -> None:
    with world.running() as app:
        for text in ("help", "nonsense", "help"):
            world.write(world.ada, text)
        world.write(world.sven)
        first, second, third = world.wait_until_told(world.ada, 3)
        assert first == third and first.startswith(HELP) and "I do not know that command" in second
        assert len(world.wait_until_told(world.sven, 1)) == 1
        world.wait_until_read()
        assert get_inbox(app).drain(5.0)
    assert len(world.told(world.ada)) == 3
    assert world.store.value(UNSENT) == world.store.value(KEPT_TEXTS) == 0


def test_what_two_listeners_heard_is_answered_once(world: InboxWorld) -> None:
    """The framework hands over each message, and so does our own queue."""
    with world.running() as app:
        message_id = world.write(world.ada)
        world.wait_until_told(world.ada, 1)
        assert app.gateway is not None
        get_inbox(app).receive_message(app.gateway.fetch_message(message_id))
        world.write(world.ada, "nonsense")
        assert len(world.wait_until_told(world.ada, 2)) == 2


def test_itself_and_other_bots_are_only_marked_as_read(world: InboxWorld) -> None:
    world.write(world.robot)
    with world.running() as app:
        assert app.gateway is not None
        app.gateway.send_direct(world.ada.user_id, "help")
        world.write(world.robot)
        world.write(world.ada)
        assert len(world.wait_until_told(world.ada, 2)) == 2
        world.wait_until_read()
    assert world.told(world.robot) == []


def test_what_a_process_left_unanswered_is_answered_after_the_restart(
    zulip: SandboxZulip, clock: Clock, store_url: str
) -> None:
    world = InboxWorld(zulip, clock, store_url)
    world.zulip.faults.add(Fault("error_before", status=503, times=None, user_id=world.bot.user_id))
    with world.running():
        world.write(world.ada)
        wait_until(lambda: world.store.value(KEPT_TEXTS) == 1, "the answer is written down")
    world.zulip.faults.clear()
    with world.running():
        (answer,) = world.wait_until_told(world.ada, 1)
        world.wait_until_read()
    assert answer.startswith(HELP)
    assert world.store.value(UNSENT) == world.store.value(KEPT_TEXTS) == 0


def test_an_answer_that_could_not_be_sent_for_an_hour_is_not_sent_any_more(world: InboxWorld) -> None:
    with world.running() as app:
        world.zulip.faults.add(Fault("answer_lost"))  # to ada, who has it
        world.zulip.faults.add(Fault("error_before", method="*", status=503, times=None, user_id=world.bot.user_id))
        for count, person in enumerate((world.ada, world.bea), start=1):
            world.write(person)
            wait_until(lambda count=count: world.store.value(KEPT_TEXTS) == count, "the answer is written down")  # type: ignore[misc]
            wait_until(lambda: world.told(world.ada), "ada's is sent")
    with app.store.transaction():
        Message.update(expires_at=utc_now() - timedelta(seconds=1)).execute()
    world.zulip.faults.clear()
    with world.running():
        wait_until(lambda: world.store.value(UNSENT) == 0, "both are settled")
    assert world.told(world.bea) == [AWAY]
    (answer,) = world.told(world.ada)
    assert answer.startswith(HELP)


def test_an_answer_whose_fate_is_unknown_comes_once_though_an_earlier_one_says_the_same(world: InboxWorld) -> None:
    with world.running():
        world.zulip.faults.add(Fault("slow_after", seconds=0.3))  # the second question comes before the first answer
        world.write(world.ada)
        world.write(world.ada)
        world.wait_until_told(world.ada, 1)
        world.zulip.faults.add(Fault("html_502"))
        world.wait_until_told(world.ada, 2)
        world.wait_until_read()
    assert len(world.told(world.ada)) == 2


def test_a_store_that_is_away_costs_nobody_an_answer(world: InboxWorld) -> None:
    """Better two answers than none; here it is one, since nothing dies meanwhile."""
    with world.running() as app:
        world.write(world.ada, "help")
        world.wait_until_told(world.ada, 1)
        assert isinstance(app.store.database, SqliteDatabase)
        app.store.database.timeout = 0.05
        with locked(app.store.database.database):
            world.write(world.ada)
            world.wait_until_told(world.ada, 2)
        world.wait_until_read()
    assert len(world.told(world.ada)) == 2


@contextmanager
def locked(path: str) -> Iterator[None]:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


# ---- hearing ----


def test_a_zulip_that_has_enough_of_polls_is_obeyed_and_heard_again(world: InboxWorld) -> None:
    with world.running():
        world.zulip.faults.add(Fault("rate_limited", method="GET", path="events", seconds=0.3))
        world.write(world.ada)
        world.wait_until_told(world.ada, 1)
        refused = world.zulip.wait_for_request(lambda one: one.status == 429)
        world.write(world.ada)
        world.wait_until_told(world.ada, 2)
    next_poll_at = min(one.at for one in world.zulip.requests if "events" in one.path and one.at > refused.at)
    assert next_poll_at - refused.at >= 0.29


def test_an_account_that_was_deactivated_is_heard_again_when_it_is_back(world: InboxWorld) -> None:
    with world.running() as app:
        world.zulip.deactivate(world.bot)
        world.zulip.drop_queues()
        wait_until(lambda: not get_inbox(app).listener.is_listening, "it knows that it hears nothing")
        assert get_inbox(app).describe() == (False, "nothing is heard from Zulip just now")
        world.zulip.reactivate(world.bot)
        world.write(world.ada)
        world.wait_until_told(world.ada, 1)
        assert get_inbox(app).describe()[0]


# ---- while it was away ----


def test_what_was_written_while_it_was_away_is_answered_if_it_is_not_too_old(world: InboxWorld) -> None:
    world.write(world.ada, "old", ago_seconds=3 * HOUR)
    world.write(world.ada, "older than an hour", ago_seconds=HOUR + 60)
    world.write(world.bea, "help", ago_seconds=HOUR - 60)
    world.write(world.bea, "nonsense")
    world.write(world.sven, "old", ago_seconds=2 * HOUR)
    with world.running():
        world.wait_until_read()
    assert world.told(world.ada) == world.told(world.sven) == [AWAY]
    first, second = world.told(world.bea)
    assert first.startswith(HELP) and "I do not know that command" in second


def test_who_wrote_long_ago_and_lately_gets_an_apology_and_an_answer(world: InboxWorld) -> None:
    world.write(world.ada, "old", ago_seconds=2 * HOUR)
    world.write(world.ada)
    with world.running():
        apology, answer = world.wait_until_told(world.ada, 2)
        world.wait_until_read()
    assert apology == AWAY and answer.startswith(HELP)
    with world.running():
        world.write(world.bea)
        world.wait_until_told(world.bea, 1)
    assert len(world.told(world.ada)) == 2


def test_of_thousands_unread_by_an_older_version_nobody_is_apologised_to_who_got_something_since(
    world: InboxWorld,
) -> None:
    for number in range(1200):
        world.write(world.ada, f"old {number}", ago_seconds=30 * HOUR)
    world.zulip.send(world.bot, world.ada, "an answer by an older version")
    world.write(world.bea, "written after a year of silence", ago_seconds=24 * 365 * HOUR)
    world.write(world.sven, "unanswered", ago_seconds=5 * HOUR)
    with world.running():
        world.wait_until_read()
    assert world.told(world.ada) == ["an answer by an older version"]
    assert world.told(world.bea) == []
    assert world.told(world.sven) == [AWAY]


def test_news_of_students_sent_since_are_no_answer_so_that_an_apology_is_due(world: InboxWorld) -> None:
    world.write(world.ada, "old", ago_seconds=2 * HOUR)
    world.write(world.bea, "old", ago_seconds=2 * HOUR)
    news_id = world.zulip.send(world.bot, world.ada, "news")
    world.zulip.send(world.bot, world.bea, "an answer")
    tell_of_events(open_store(world.store_url), world.ada.user_id, news_id)
    with world.running():
        world.wait_until_read()
    assert world.told(world.ada) == ["news", AWAY]
    assert world.told(world.bea) == ["an answer"]


def test_what_was_answered_is_not_answered_again_though_it_is_still_unread(world: InboxWorld) -> None:
    world.zulip.faults.add(Fault("html_502", path="messages/flags", times=None))
    with world.running():
        world.write(world.ada)
        world.wait_until_told(world.ada, 1)
    world.zulip.faults.clear()
    assert len(world.zulip.get_unread(world.bot)) == 1
    with world.running():
        world.wait_until_read()
    assert len(world.told(world.ada)) == 1


def test_what_was_written_while_its_event_queue_was_gone_is_answered(world: InboxWorld) -> None:
    with world.running():
        world.zulip.faults.add(Fault("html_502", path="register"))
        world.zulip.drop_queues()
        world.write(world.ada)
        assert len(world.wait_until_told(world.ada, 1)) == 1
        assert world.count_requests("POST", "register") == 3


def test_zulip_away_and_back_it_answers_what_was_written_and_hears_again(world: InboxWorld) -> None:
    with world.running():
        world.zulip.stop()
        world.write(world.ada)
        world.zulip.start()
        world.wait_until_told(world.ada, 1)
        world.write(world.bea)
        world.wait_until_told(world.bea, 1)
    assert len(world.told(world.ada)) == 1


def test_a_mention_while_it_was_away_is_answered_in_a_direct_message(world: InboxWorld) -> None:
    world.zulip.add_stream("school", [world.ada, world.bot])
    world.zulip.send(world.ada, ("school", "exams"), "@**LMS bot** stats all")
    world.zulip.send(world.ada, ("school", "exams"), "nice, isn't it, @**LMS bot**?")
    world.zulip.send(world.ada, [world.bea, world.bot], f"@**LMS bot|{world.bot.user_id}** stats all")
    world.zulip.send(world.ada, [world.bea, world.bot], "nobody is spoken to")
    with world.running():
        assert len(world.wait_until_told(world.ada, 2)) == 2
        wait_until(lambda: world.zulip.messages(sender=world.bot, to=[world.ada, world.bea]), "the group is told")
    for place in (("school", "exams"), [world.ada, world.bea]):
        assert [one.content for one in world.zulip.messages(sender=world.bot, to=place)] == [POINTER]


def test_renamed_while_it_runs_it_is_known_by_its_new_name(world: InboxWorld) -> None:
    world.zulip.add_stream("school", [world.ada, world.bot])
    with world.running() as app:
        world.zulip.realm.rename(world.bot, "Observer")
        wait_until(lambda: get_inbox(app).listener.me == Me(world.bot.user_id, "Observer"), "it knows its new name")
        world.zulip.send(world.ada, ("school", "exams"), "thanks to @**Observer** we know")
        world.zulip.send(world.ada, ("school", "exams"), "@**Observer** stats all")
        assert len(world.wait_until_told(world.ada, 1)) == 1
    assert [one.content for one in world.zulip.messages(sender=world.bot, to=("school", "exams"))] == [POINTER]


def test_whose_rights_are_taken_in_zulip_has_none_at_once(world: InboxWorld) -> None:
    with world.running():
        world.write(world.ada, "students all")
        assert REFUSAL not in world.wait_until_told(world.ada, 1)
        world.zulip.realm.set_role(world.ada, 600)
        wait_until(lambda: REFUSAL in _ask_again(world), "a guest is told nothing")


def _ask_again(world: InboxWorld) -> list[str]:
    told = len(world.told(world.ada))
    world.write(world.ada, "students all")
    return world.wait_until_told(world.ada, told + 1)


# ---- changes ----


def test_a_command_put_right_by_an_edit_is_answered_anew(world: InboxWorld) -> None:
    with world.running():
        message_id = world.write(world.ada, "hepl")
        world.wait_until_told(world.ada, 1)
        world.zulip.edit(message_id, "help")
        wrong, right = world.wait_until_told(world.ada, 2)
        assert wrong.startswith("↳ `help`") and right.startswith(HELP)
        world.zulip.edit(message_id, "help")  # says the same
        world.write(world.ada, "nonsense")
        assert len(world.wait_until_told(world.ada, 3)) == 3


def test_what_was_emptied_by_an_edit_asks_nothing(world: InboxWorld) -> None:
    emptied_before = world.write(world.ada)
    world.zulip.edit(emptied_before, "")
    with world.running():
        message_id = world.write(world.ada)
        world.wait_until_told(world.ada, 1)
        world.zulip.edit(message_id, "")
        world.write(world.ada, "nonsense")
        world.wait_until_told(world.ada, 2)
        world.wait_until_read()
    assert [text.startswith(HELP) for text in world.told(world.ada)] == [True, False]
    assert "I do not know that command" in world.told(world.ada)[1]


def test_an_edit_of_what_still_waits_is_answered_once(world: InboxWorld) -> None:
    with world.running(replace(QUICK, at_once=1, per_minute=60)) as app:
        world.write(world.ada)
        world.wait_until_told(world.ada, 1)
        message_id = world.write(world.ada, "hepl")
        wait_until(lambda: str(message_id) in get_inbox(app).queue.get_keys(), "it waits")
        world.zulip.edit(message_id, "help")
        world.wait_until_told(world.ada, 2)
        get_inbox(app).drain(5.0)
    assert [text.startswith(HELP) for text in world.told(world.ada)] == [True, True]


def test_an_edit_long_after_it_was_written_is_none(world: InboxWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lms_bot.sandbox.zulip.realm.EDIT_LIMIT_SECONDS", HOUR)  # as organizations may have it
    with world.running() as app:
        late, in_time = (world.write(world.ada, "hepl", ago_seconds=seconds) for seconds in (700, 500))
        world.wait_until_told(world.ada, 2)
        world.zulip.edit(late, "help")
        world.zulip.edit(in_time, "nonsense")
        world.wait_until_told(world.ada, 3)
        assert get_inbox(app).drain(5.0)
    assert not any(text.startswith(HELP) for text in world.told(world.ada))


def test_an_edit_while_it_was_away_is_answered_anew(world: InboxWorld) -> None:
    with world.running():
        message_id = world.write(world.ada, "hepl")
        world.wait_until_told(world.ada, 1)
        world.wait_until_read()
    world.clock.ago_seconds = -2  # Zulip counts whole seconds
    world.zulip.edit(message_id, "help")
    world.clock.ago_seconds = 0
    for _ in range(2):
        with world.running():
            world.wait_until_told(world.ada, 2)
            world.write(world.bea)
    assert len(world.told(world.ada)) == 2


# ---- floods and slowness ----


def test_a_flood_of_one_person_does_not_hold_up_another(world: InboxWorld) -> None:
    with world.running(replace(QUICK, at_once=4, per_minute=60)) as app:
        for number in range(60):
            world.write(world.ada, f"nonsense {number}")
        wait_until(lambda: len(world.told(world.ada)) >= 4, "the first are answered")
        world.write(world.bea)
        world.wait_until_told(world.bea, 1)
        assert len(world.told(world.ada)) <= 6
        assert 40 <= len(get_inbox(app).queue.get_keys()) <= 51


def test_beyond_fifty_waiting_the_rest_is_left_out_with_a_word(world: InboxWorld) -> None:
    for number in range(60):
        world.write(world.ada, "nonsense" if number % 2 else "help")
    with world.running():
        world.wait_until_read()
        answers = world.told(world.ada)
        world.write(world.ada)
        world.wait_until_told(world.ada, len(answers) + 1)
    assert 50 <= answers.index(TOO_MUCH) <= 59
    assert answers.count(TOO_MUCH) == 1 and answers[-1] == TOO_MUCH
    assert [text.startswith(HELP) for text in answers[:-1]] == [number % 2 == 0 for number in range(len(answers) - 1)]


def test_a_slow_answer_shows_typing_first_and_holds_up_nobody_else(
    zulip: SandboxZulip, clock: Clock, lms: School, tmp_path: Path
) -> None:
    world = InboxWorld(zulip, clock, f"sqlite:///{tmp_path / 'store.db'}", lms.url)
    carla = zulip.add_person("Carla", email="carla@school.example.com")
    lms.add_student("zoe_m", mentors=[lms.add_mentor("carla")])
    with world.running() as app:
        world.write(world.ada)
        world.wait_until_told(world.ada, 1)
        assert world.count_requests("POST", "typing") == 0
        with closing(lms.connect()) as other, other, other.cursor() as sql:
            sql.execute('LOCK TABLE "_MentorToStudent" IN ACCESS EXCLUSIVE MODE')
            world.write(carla, "students")
            zulip.wait_for_request(lambda one: one.path == "/api/v1/typing")
            world.write(world.ada)
            world.wait_until_told(world.ada, 2)
            assert world.told(carla) == []
        (answer,) = world.wait_until_told(carla, 1)
        assert "zoe_m" in answer
        wait_until(lambda: world.count_requests("POST", "typing") == 2, "typing is over")
        assert get_inbox(app).drain(5.0)


# ---- files ----


def test_the_files_of_an_answer_are_uploaded_and_linked(world: InboxWorld) -> None:
    with world.running() as app:
        tell_of_events(app.store, world.ada.user_id, 1)
        world.write(world.ada, "export all")
        (answer,) = world.wait_until_told(world.ada, 1)
    assert re.search(r"\]\(/user_uploads/\S+\.csv\)", answer)
    assert "attachment:" not in answer


@pytest.mark.parametrize(("status", "says"), [(400, "Internal server error"), (503, "answered with an error")])
def test_a_file_zulip_does_not_take_is_an_answer_too(world: InboxWorld, status: int, says: str) -> None:
    world.zulip.faults.add(Fault("error_before", path="user_uploads", status=status, times=None))
    with world.running() as app:
        tell_of_events(app.store, world.ada.user_id, 1)
        world.write(world.ada, "export all")
        (answer,) = world.wait_until_told(world.ada, 1)
    assert "could not be uploaded to Zulip: " in answer and says in answer
    assert "attachment:" not in answer and "](" not in answer


def test_a_file_zulip_cannot_take_now_is_sent_again_when_zulip_says(world: InboxWorld) -> None:
    world.zulip.faults.add(Fault("rate_limited", path="user_uploads", seconds=0.3, times=2))
    with world.running() as app:
        tell_of_events(app.store, world.ada.user_id, 1)
        world.write(world.ada, "export all")
        (answer,) = world.wait_until_told(world.ada, 1)
    assert "/user_uploads/" in answer
    first, second, third = (one.at for one in world.zulip.requests if one.path.endswith("/user_uploads"))
    assert second - first >= 0.29 and third - second >= 0.29


def test_a_file_asked_for_in_a_channel_goes_to_the_asker_alone(world: InboxWorld) -> None:
    place = ("school", "exams")
    world.zulip.add_stream("school", [world.ada, world.bot])
    with world.running() as app:
        tell_of_events(app.store, world.ada.user_id, 1)
        world.zulip.send(world.ada, place, "@**LMS bot** export all")
        assert "/user_uploads/" in world.wait_until_told(world.ada, 1)[0]
        wait_until(lambda: world.zulip.messages(sender=world.bot, to=place), "the channel is told")
    assert [one.content for one in world.zulip.messages(sender=world.bot, to=place)] == [POINTER]


# ---- buttons ----


@pytest.fixture
def school_world(zulip: SandboxZulip, clock: Clock, tmp_path: Path, lms: School) -> InboxWorld:
    """Where two students may be meant by `jo`."""
    lms.add_student("jo_one", mentors=[lms.add_mentor("carla")])
    lms.add_student("jo_two")
    return InboxWorld(zulip, clock, f"sqlite:///{tmp_path / 'store.db'}", lms.url)


def test_buttons_go_to_the_asker_alone_and_a_click_is_answered(school_world: InboxWorld) -> None:
    world, place = school_world, ("school", "exams")
    world.zulip.add_stream("school", [world.ada, world.bot])
    with world.running():
        world.zulip.send(world.ada, place, "@**LMS bot** history jo")
        wait_until(lambda: world.zulip.messages(sender=world.bot, to=place), "the channel is told")
        world.wait_until_told(world.ada, 1)
        (offered,) = world.zulip.messages(sender=world.bot, to=world.ada)
        choices = json.loads(offered.widget or "")["extra_data"]["choices"]
        assert [one["short_name"] for one in choices] == ["1. jo_one", "2. jo_two"]
        world.write(world.ada, choices[1]["reply"])
        assert "jo_two" in world.wait_until_told(world.ada, 2)[1]
        world.wait_until_read()
    pointer, answer = world.zulip.messages(sender=world.bot, to=place)[0], world.zulip.messages(to=world.ada)[-1]
    assert (pointer.content, pointer.widget, answer.widget) == (POINTER, None, None)
    assert world.store.value("SELECT count(*) FROM lms_messages WHERE buttons IS NOT NULL") == 0


def test_a_group_sees_no_buttons(school_world: InboxWorld) -> None:
    world = school_world
    with world.running():
        world.zulip.send(world.ada, [world.bot, world.bea], "@**LMS bot** history jo")
        wait_until(lambda: world.zulip.messages(sender=world.bot, to=[world.ada, world.bea]), "the group is told")
        world.wait_until_told(world.ada, 1)
    (pointer,) = world.zulip.messages(sender=world.bot, to=[world.ada, world.bea])
    assert (pointer.content, pointer.widget) == (POINTER, None)
    assert world.zulip.messages(sender=world.bot, to=world.ada)[0].widget is not None


# ---- ticking off ----


def test_check_marks_are_noted_also_those_given_and_taken_while_it_was_away(world: InboxWorld) -> None:
    first, second = (world.zulip.send(world.bot, world.ada, text) for text in ("one", "two"))
    with world.running() as app:
        tell_of_events(app.store, world.ada.user_id, first, second)
    world.zulip.react(world.ada, first, "check")
    with world.running():
        wait_until(lambda: seen(world) == [first], "what was given while it was away")
        world.zulip.react(world.ada, second, "octopus")
        world.zulip.react(world.ada, second, "check_mark")
        wait_until(lambda: seen(world) == [first, second], "what is given now")
        world.zulip.take_back_reaction(world.ada, second, "check_mark")
        wait_until(lambda: seen(world) == [first], "what is taken back now")
    world.zulip.take_back_reaction(world.ada, first, "check")
    world.zulip.react(world.ada, second, "check")
    with world.running():
        wait_until(lambda: seen(world) == [second], "what changed while it was away")


def test_what_was_taken_back_in_words_is_not_said_again_by_the_check_mark_that_stays(world: InboxWorld) -> None:
    message_id = world.zulip.send(world.bot, world.ada, "one")
    with world.running() as app:
        tell_of_events(app.store, world.ada.user_id, message_id)
        world.zulip.react(world.ada, message_id, "check")
        wait_until(lambda: seen(world) == [message_id], "it is noted")
        with app.store.transaction():
            SeenEvent.delete().execute()
    with world.running():
        world.write(world.ada)
        world.wait_until_told(world.ada, 2)
        world.wait_until_read()
    assert seen(world) == []


def tell_of_events(store: Store, zulip_user_id: int, *message_ids: int) -> None:
    """In each of these messages the person was told of one event."""
    with store.transaction():
        for message_id in message_ids:
            event = LMSActivityEvent.create(
                event_type="exam_failed",
                student_id=1,
                activity_id=message_id,
                timestamp=utc_now(),
                source_key=str(message_id),
                has_deliveries=True,
                is_settled=True,
            )
            message = Message.create(
                zulip_user_id=zulip_user_id, content="…", state=MessageState.SENT, zulip_message_id=message_id
            )
            Delivery.create(
                event=event,
                recipient=f"zulip:{zulip_user_id}",
                zulip_user_id=zulip_user_id,
                state=DeliveryState.SENT,
                message=message,
            )


def seen(world: InboxWorld) -> list[int]:
    """The messages whose event somebody has seen to."""
    query = "SELECT activity_id FROM lms_seen_events JOIN lms_activity_events USING (event_id) ORDER BY 1"
    return [message_id for (message_id,) in world.store.rows(query)]


# ---- beside ----


def test_what_charts_are_drawn_with_is_loaded_once_nobody_waits(
    world: InboxWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = threading.Event()
    monkeypatch.setattr(running, "LOAD_CHARTS_SECONDS", 0.05)
    monkeypatch.setattr(charts, "load", loaded.set)

    world.write(world.ada)
    with world.running(replace(QUICK, answerers=0)) as app:  # so that she waits
        assert not app.is_idle() and not loaded.wait(1.5)
    with world.running() as app:
        assert loaded.wait(10.0) and app.is_idle()
