"""Every (event, recipient) ends as exactly one message in Zulip, or as an error an admin can see and mend,
under each way in which Zulip, the network and the store are known to fail. Over real HTTP."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import peewee
import pytest

from lms_bot.core.errors import StoreUnavailable
from lms_bot.notify.formatter import MessageFormatter
from lms_bot.outbox.outbox import LEASE
from lms_bot.sandbox.zulip import Fault, SandboxZulip
from lms_bot.store.leases import own_name
from lms_bot.store.messages import Delivery, Message, MessageState
from lms_bot.zulip.gateway import Pace
from lms_bot.zulip.outage import BACKOFF_SECONDS
from tests.worlds.outbox_world import PATIENCE, TIMEOUT_SECONDS, OutboxWorld, Owing, get_notifier

if TYPE_CHECKING:
    from lms_bot.app import App
    from lms_bot.sandbox.lms.postgres import EmbeddedPostgres
    from lms_bot.store.models import LMSActivityEvent

NOBODY_USER_ID = 999_999


@pytest.fixture
def zulip() -> Iterator[SandboxZulip]:
    with SandboxZulip(requests_per_minute=100_000) as server:
        yield server


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'store.db'}"


@pytest.fixture
def new_world(zulip: SandboxZulip) -> Iterator[Callable[..., OutboxWorld]]:
    worlds: list[OutboxWorld] = []

    def create(store_url: str, **more: Any) -> OutboxWorld:
        worlds.append(OutboxWorld(zulip, store_url, **more))
        return worlds[-1]

    yield create
    for world in worlds:
        world.close()


@pytest.fixture
def world(new_world: Callable[..., OutboxWorld], sqlite_url: str) -> OutboxWorld:
    return new_world(sqlite_url)


@pytest.fixture
def either_world(new_world: Callable[..., OutboxWorld], store_url: str) -> OutboxWorld:
    return new_world(store_url)


# ---- Zulip does not do what it says, or does not say what it does ----


@pytest.mark.parametrize(
    ("fault", "sends"),
    [
        (Fault("answer_lost"), 4),
        (Fault("error_after"), 4),
        (Fault("error_before"), 5),
        (Fault("error_before", status=503), 5),
        (Fault("error_before", status=504), 5),
        (Fault("html_502"), 5),
        (Fault("truncated_json"), 4),
        (Fault("truncated_body"), 4),
        (Fault("rate_limited", seconds=0.25), 5),
        (Fault("rate_limited", seconds=120), 5),
        (Fault("refused_connection"), 4),  # that request is not even counted
        (Fault("error_before", status=403), None),  # not what a Zulip says of a message
    ],
    ids=lambda value: f"{value.kind}-{value.status}-{value.seconds}" if isinstance(value, Fault) else None,
)
def test_one_failed_send_is_made_up_for(either_world: OutboxWorld, fault: Fault, sends: int | None) -> None:
    world = either_world
    for _ in range(2):
        world.owe(world.anna, world.bob)
    world.zulip.faults.add(fault)
    if sends is None:
        world.run()
        assert len(world.reasons()) == 1
        world.app.events.retry()
        sends = 5
    world.run()
    world.check()
    assert world.count_sends() == sends


@pytest.mark.parametrize("kind", ["answer_lost", "error_after", "truncated_json", "error_before", "html_502"])
def test_many_failed_sends_in_a_row_are_made_up_for(world: OutboxWorld, kind: str) -> None:
    world.zulip.faults.add(Fault(kind, times=5))
    for _ in range(4):
        world.owe(world.anna, world.bob)
    world.run()
    world.check()


def test_a_send_zulip_finishes_after_we_gave_up_is_not_repeated(
    new_world: Callable[..., OutboxWorld], sqlite_url: str
) -> None:
    world = new_world(sqlite_url, is_real_time=True)
    world.zulip.faults.add(Fault("slow_before", seconds=3 * TIMEOUT_SECONDS))
    world.owe(world.anna)
    pause = threading.Event()
    while world.is_something_open():
        wait = world.notifier.step()
        pause.wait(0.05 if wait is None else min(wait, 0.05))
    world.check()
    assert world.count_sends() == 1


def test_an_answer_that_comes_too_late_is_no_second_send(world: OutboxWorld) -> None:
    world.zulip.faults.add(Fault("slow_after", seconds=3 * TIMEOUT_SECONDS))
    world.owe(world.anna, world.bob)
    world.run()
    world.check()


def test_a_lost_message_is_not_sent_again_while_zulip_may_still_be_at_it(world: OutboxWorld) -> None:
    world.zulip.faults.add(Fault("html_502"))
    world.owe(world.anna)
    world.notifier.step(world.now)
    lost_at = world.now
    while world.count_sends() == 1:
        world.pass_time(0.25)
        world.notifier.step(world.now)
    assert world.now - lost_at >= timedelta(seconds=PATIENCE.lost)
    world.run()
    world.check()


@pytest.mark.parametrize("kind", ["error_before", "html_502", "answer_lost", "refused_connection", "truncated_json"])
def test_a_look_up_that_fails_decides_nothing(world: OutboxWorld, kind: str) -> None:
    world.zulip.faults.add(Fault("answer_lost"))
    world.owe(world.anna)
    world.notifier.step(world.now)
    world.zulip.faults.add(Fault(kind, method="GET", times=3))
    world.run()
    world.check()
    assert world.count_sends() == 1


def test_a_look_up_that_is_refused_leaves_an_error_and_stops_nobody(world: OutboxWorld) -> None:
    world.zulip.faults.add(Fault("error_before"))
    nobody = world.owe(NOBODY_USER_ID)
    world.owe(world.anna)
    world.run(hours=0.1)
    world.check(dead={Owing(nobody, NOBODY_USER_ID)})


def test_a_message_is_found_behind_hundreds_of_later_ones(world: OutboxWorld) -> None:
    world.zulip.faults.add(Fault("answer_lost"))
    world.zulip.faults.add(Fault("error_before", method="GET", times=None))
    world.owe(world.anna)
    world.notifier.step(world.now)
    for number in range(250):
        world.zulip.send(world.bot, world.anna, f"an answer, number {number}")
    world.zulip.faults.clear()
    world.run()
    world.check()
    assert world.count_sends() == 1


def test_a_text_zulip_cuts_is_found_all_the_same(new_world: Callable[..., OutboxWorld], sqlite_url: str) -> None:
    world = new_world(sqlite_url, lms_message_formatter=f"{__name__}.LongWinded")
    world.zulip.faults.add(Fault("answer_lost"))
    world.owe(world.anna)
    world.run()
    world.check()
    assert world.count_sends() == 1


@pytest.mark.parametrize("hours", [-3, 3])
def test_zulips_clock_may_differ_from_ours(sqlite_url: str, hours: float) -> None:
    with SandboxZulip(now=lambda: time.time() + hours * 3600) as zulip:
        world = OutboxWorld(zulip, sqlite_url)
        world.owe(world.anna, world.bob)
        zulip.faults.add(Fault("answer_lost"))
        world.run()
        world.check()
        assert world.count_sends() == 2
        world.close()


def test_two_messages_of_the_same_words_are_two(new_world: Callable[..., OutboxWorld], sqlite_url: str) -> None:
    world = new_world(sqlite_url, lms_message_formatter=f"{__name__}.Monotonous")
    world.zulip.faults.add(Fault("answer_lost"))
    world.zulip.faults.add(Fault("error_before"))
    for _ in range(3):
        world.owe(world.anna)
    world.run()
    assert not world.reasons()
    assert len(world.zulip.messages(sender=world.bot, to=world.anna)) == 3


# ---- Zulip says no ----


def test_a_deactivated_person_is_given_up_at_once_and_told_after_a_retry(either_world: OutboxWorld) -> None:
    world = either_world
    world.zulip.deactivate(world.anna)
    event_id = world.owe(world.anna, world.bob)
    world.run()
    anna = Owing(event_id, world.anna.user_id)
    world.check(dead={anna})
    assert f"Zulip says: '{world.anna.email}' is no longer using Zulip." in world.reasons()[anna]
    assert "reactivate the account" in world.reasons()[anna]
    assert world.count_sends() == 2

    world.zulip.reactivate(world.anna)
    assert world.app.events.retry([event_id]).retried == 1
    world.run()
    world.check()
    assert world.app.events.retry([event_id]).nothing_to_do_ids == [event_id]


def test_an_unknown_person_is_given_up_at_once(world: OutboxWorld) -> None:
    event_id = world.owe(NOBODY_USER_ID, world.bob)
    world.run()
    nobody = Owing(event_id, NOBODY_USER_ID)
    world.check(dead={nobody})
    assert "Zulip says: Invalid user ID 999999" in world.reasons()[nobody]


def test_a_bot_that_may_not_start_conversations_tells_those_who_wrote_to_it(world: OutboxWorld) -> None:
    world.zulip.realm.bots_may_start_conversations = False
    event_id = world.owe(world.anna)
    world.run()
    anna = Owing(event_id, world.anna.user_id)
    world.check(dead={anna})
    assert "You do not have permission to initiate direct message conversations" in world.reasons()[anna]
    assert "write to the bot" in world.reasons()[anna]

    world.zulip.send(world.anna, world.bot, "hello")
    world.app.events.retry()
    world.run()
    world.check()


def test_a_bot_whose_account_is_deactivated_gives_nothing_up(world: OutboxWorld) -> None:
    world.zulip.deactivate(world.bot)
    world.owe(world.anna, world.bob)
    for _ in range(50):
        world.pass_time(world.notifier.step(world.now) or 30)
    assert not world.reasons()
    world.zulip.reactivate(world.bot)
    world.run()
    world.check()


def test_a_key_that_is_refused_for_a_while_gives_nothing_up(world: OutboxWorld) -> None:
    key, world.bot.api_key = world.bot.api_key, "x" * len(world.bot.api_key)
    world.owe(world.anna, world.bob)
    for _ in range(50):
        world.pass_time(world.notifier.step(world.now) or 30)
    assert not world.reasons()
    world.bot.api_key = key
    world.run()
    world.check()


def test_a_text_zulip_does_not_take_is_given_up_and_the_others_go_out(
    new_world: Callable[..., OutboxWorld], sqlite_url: str
) -> None:
    world = new_world(sqlite_url, lms_message_formatter=f"{__name__}.Speechless")
    first = world.owe(world.anna)
    world.owe(world.anna, event_type="exam_failed")
    world.run()
    anna = Owing(first, world.anna.user_id)
    world.check(dead={anna})
    assert "Message must not be empty" in world.reasons()[anna]


def test_a_text_with_nul_stops_nobody(new_world: Callable[..., OutboxWorld], store_url: str) -> None:
    world = new_world(store_url, lms_message_formatter=f"{__name__}.Nullifying")
    world.owe(world.anna)
    world.owe(world.anna, world.bob)
    world.run()
    world.check()


def test_no_address_gets_into_the_log(world: OutboxWorld, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "lms_bot")
    world.zulip.deactivate(world.anna)
    world.owe(world.anna, NOBODY_USER_ID)
    world.zulip.faults.add(Fault("error_before", times=2))
    world.run()
    assert "message" in caplog.text
    assert world.anna.email not in caplog.text
    assert "john_doe" not in caplog.text


def test_an_answering_zulip_that_takes_nothing_is_given_up_after_eight_tries_and_half_an_hour(
    world: OutboxWorld,
) -> None:
    world.zulip.faults.add(Fault("error_before", times=None))
    event_id = world.owe(world.anna)
    began = world.now
    world.run()
    anna = Owing(event_id, world.anna.user_id)
    world.check(dead={anna})
    assert world.count_sends() == 8
    assert timedelta(minutes=20) < world.now - began < timedelta(minutes=40)
    assert "given up after 8 tries" in world.reasons()[anna]

    world.zulip.faults.clear()
    world.app.events.retry()
    world.run()
    world.check()


# ---- Zulip asks to wait ----


@pytest.mark.parametrize("seconds", [0.25, 7.5, 3600.0])
def test_retry_after_is_obeyed_to_the_second_by_all_senders(either_world: OutboxWorld, seconds: float) -> None:
    world = either_world
    other = world.new_notifier()
    world.owe(world.anna)
    world.owe(world.bob)
    world.zulip.faults.add(Fault("rate_limited", seconds=seconds))
    pause = world.notifier.step(world.now)
    assert pause == pytest.approx(seconds, abs=0.1)

    until = world.now + timedelta(seconds=seconds)
    for sender in (world.notifier, other):
        assert 0 < (sender.step(world.now) or 0) <= seconds + 0.5
        assert 0 < (sender.step(until) or 0) < 0.5  # the answer took its time, too
    assert world.count_sends() == 1

    world.pass_time(seconds + 0.5)
    assert other.step(world.now) == 0.0
    world.run()
    world.check()


def test_a_shorter_pause_does_not_end_a_longer_one(world: OutboxWorld) -> None:
    """One sender is told to wait long while another's request, already under way, is lost."""
    other = world.new_notifier()
    world.owe(world.anna, world.bob)
    world.zulip.faults.add(Fault("slow_after", seconds=2 * TIMEOUT_SECONDS))
    world.zulip.faults.add(Fault("error_before", method="GET"))
    world.zulip.faults.add(Fault("rate_limited", seconds=300))
    thread = threading.Thread(target=lambda: (other.step(world.now), other.step(world.now)))
    thread.start()
    world.zulip.wait_for(lambda message: message.sender_id == world.bot.user_id)
    assert (world.notifier.step(world.now) or 0) >= 300
    thread.join()
    world.pass_time(60)
    assert (world.notifier.step(world.now) or 0) > 200
    world.run()
    world.check()


def test_waiting_uses_no_tries_up(world: OutboxWorld) -> None:
    world.zulip.faults.add(Fault("rate_limited", seconds=30, times=40))
    world.owe(world.anna)
    world.run()
    world.check()
    assert Message.get().tries == 0


# ---- Zulip is away ----


@pytest.mark.parametrize("hours", [0.02, 1.0])
def test_zulip_away_for_a_while_costs_nothing(world: OutboxWorld, hours: float) -> None:
    world.zulip.stop()
    for _ in range(3):
        world.owe(world.anna, world.bob)
    world.run(hours=hours)
    assert not world.reasons()
    assert Message.select().where(Message.tries > 0).count() == 0
    world.zulip.start()
    world.run()
    world.check()
    assert world.count_sends() == 6


def test_an_absent_zulip_is_asked_less_often(world: OutboxWorld) -> None:
    world.zulip.stop()
    world.owe(world.anna)
    waits: list[float] = []
    while len(waits) < 8:
        wait = world.notifier.step(world.now)
        assert wait is not None
        if wait:
            waits.append(wait)
        world.pass_time(wait + 0.1)
    assert waits[0] < 3
    assert BACKOFF_SECONDS[-1] * 0.8 <= waits[-1] <= BACKOFF_SECONDS[-1] * 1.2


def test_zulip_going_away_in_the_middle_of_a_send_is_looked_up(world: OutboxWorld) -> None:
    world.zulip.faults.add(Fault("slow_before", seconds=30))
    world.owe(world.anna)
    sending = threading.Thread(target=world.notifier.step, args=(world.now,))
    sending.start()
    while not world.is_something_claimed():
        pass
    world.zulip.stop()
    sending.join()
    world.run(hours=0.05)
    world.zulip.start()
    world.run()
    world.check()


# ---- the store fails ----


def test_a_store_locked_for_seconds_loses_nothing(world: OutboxWorld) -> None:
    world.wait_for_store_at_most(0.2)
    world.owe(world.anna, world.bob)
    with locked(world.store_url), pytest.raises(StoreUnavailable):
        world.notifier.step(world.now)
    world.run()
    world.check()


@pytest.mark.parametrize("kind", ["slow_after", "error_after", "error_before", "rate_limited"])
def test_a_store_locked_between_send_and_mark_doubles_nothing(world: OutboxWorld, kind: str) -> None:
    """The answer cannot be written down: when the lease has run out the message is looked up."""
    world.wait_for_store_at_most(0.1)
    world.owe(world.anna)
    world.owe(world.bob)
    world.app.composer.write_messages(world.now)
    failures = step_with_store_away(world, kind, lambda: locked(world.store_url))
    assert isinstance(failures[0], StoreUnavailable)
    world.run()
    world.check()


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_postgresql_restarting_between_send_and_mark_doubles_nothing(
    new_world: Callable[..., OutboxWorld], new_database: Callable[..., str], postgres: EmbeddedPostgres, mode: Any
) -> None:
    world = new_world(new_database())
    world.owe(world.anna)
    world.owe(world.bob)
    world.app.composer.write_messages(world.now)
    failures = step_with_store_away(world, "slow_after", lambda: postgres.away(mode))
    assert isinstance(failures[0], StoreUnavailable)
    world.app.store.close_thread()
    world.run()
    world.check()


def test_a_connection_lost_within_a_transaction_is_made_anew(
    new_world: Callable[..., OutboxWorld], new_database: Callable[..., str]
) -> None:
    world = new_world(new_database())
    world.owe(world.anna)
    with pytest.raises(StoreUnavailable), world.app.store.transaction() as database:  # noqa: PT012
        with suppress(peewee.PeeweeException):
            database.execute_sql("SELECT pg_terminate_backend(pg_backend_pid())")
        Message.get_or_none()
    world.run()
    world.check()


def test_a_postgresql_made_read_only_is_a_store_that_does_not_answer(
    new_world: Callable[..., OutboxWorld], new_database: Callable[..., str]
) -> None:
    world = new_world(new_database())
    world.owe(world.anna)
    with world.app.store.session() as database:
        ((name,),) = database.execute_sql("SELECT current_database()").fetchall()
        database.execute_sql(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        world.app.store.close_thread()
    with pytest.raises(StoreUnavailable, match="read-only"):
        world.app.composer.write_messages(world.now)
    with world.app.store.session() as database:
        database.execute_sql("SET default_transaction_read_only = off")
        world.run()
    world.check()


def step_with_store_away(world: OutboxWorld, kind: str, away: Callable[[], Any]) -> list[BaseException]:
    """One step, during whose request the store goes away until the step has ended. Returns what it raised."""
    failures: list[BaseException] = []

    def step() -> None:
        try:
            world.notifier.step(world.now)
        except StoreUnavailable as error:
            failures.append(error)
        finally:
            world.app.store.close_thread()

    gate = Gate(world, kind)
    sending = threading.Thread(target=step)
    sending.start()
    gate.wait_until_reached()
    with away():
        gate.open()
        sending.join()
    return failures


class Gate:
    """Holds the answer to the next send, made as `kind` of fault has it, until it is opened."""

    def __init__(self, world: OutboxWorld, kind: str) -> None:
        self._reached, self._open = threading.Event(), threading.Event()
        world.app.gateway._timeout_seconds = 30.0  # type: ignore[union-attr]  # the store is slower than Zulip here
        application = world.zulip._application
        respond = application.respond
        if kind != "slow_after":
            world.zulip.faults.add(Fault(kind, seconds=1.0))

        def held(request: Any) -> Any:
            answer = respond(request)
            if request.method == "POST" and request.path == "messages":
                self._reached.set()
                self._open.wait(30)
            return answer

        world.zulip._server.respond = held

    def wait_until_reached(self) -> None:
        assert self._reached.wait(10)

    def open(self) -> None:
        self._open.set()


@contextmanager
def locked(store_url: str) -> Iterator[None]:
    """Somebody else has the SQLite store for himself."""
    with closing(sqlite3.connect(store_url.removeprefix("sqlite:///"), isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("ROLLBACK")


# ---- the bot dies ----


def test_a_sender_that_died_after_zulip_took_the_message_is_found_out(either_world: OutboxWorld) -> None:
    world = either_world
    world.owe(world.anna, world.bob)
    world.app.composer.write_messages(world.now)
    message = world.app.outbox.claim("another-machine:1:a", world.now)
    assert message is not None
    world.app.gateway.send_direct(message.zulip_user_id, message.content)  # type: ignore[union-attr]
    world.run(hours=0.01)
    assert Message.get_by_id(message.message_id).state == MessageState.SENDING
    world.run()
    world.check()
    assert world.count_sends() == 2


def test_a_sender_that_died_before_sending_is_stood_in_for(either_world: OutboxWorld) -> None:
    world = either_world
    world.owe(world.anna)
    world.app.composer.write_messages(world.now)
    assert world.app.outbox.claim("another-machine:1:a", world.now) is not None
    world.pass_time(LEASE.total_seconds() + 1)
    world.run()
    world.check()


def test_nobody_waits_for_the_lease_of_a_process_that_died_on_this_machine(world: OutboxWorld) -> None:
    world.owe(world.anna)
    world.app.composer.write_messages(world.now)
    name = own_name().split(":")
    message = world.app.outbox.claim(f"{name[0]}:{2**22 + 1}:a", world.now)  # no process has such a number
    assert message is not None
    world.app.gateway.send_direct(message.zulip_user_id, message.content)  # type: ignore[union-attr]
    world.notifier.step(world.now)
    world.check()
    assert world.count_sends() == 1


def test_a_sender_that_was_only_slow_settles_nothing_it_no_longer_holds(world: OutboxWorld) -> None:
    """Its lease ran out, another looked the message up and sent it; its own mark comes too late to count."""
    world.owe(world.anna)
    world.app.composer.write_messages(world.now)
    held = world.app.outbox.claim("another-machine:1:a", world.now)
    assert held is not None
    world.pass_time(LEASE.total_seconds() + 1)
    world.run()
    outbox = world.app.outbox
    assert not outbox.mark_dead(held, "too late", world.now)
    assert not outbox.mark_ready(held, world.now, None, 0)
    assert not outbox.mark_unknown(held, world.now, None)
    assert not outbox.mark_sent(held, 12345, world.now)
    world.check()


@pytest.mark.parametrize("kind", ["answer_lost", "error_after"])
def test_processes_side_by_side_share_the_work(
    new_world: Callable[..., OutboxWorld], store_url: str, kind: str
) -> None:
    world = new_world(store_url, is_real_time=True)
    for _ in range(25):
        world.owe(world.anna, world.bob)
    world.zulip.faults.add(Fault(kind, times=15))
    is_done = threading.Event()

    def work(app: App) -> None:
        while not is_done.is_set():
            get_notifier(app).step()
        app.store.close_thread()

    processes = [threading.Thread(target=work, args=(world.new_process(),)) for _ in range(4)]
    for process in processes:
        process.start()
    while world.is_something_open():
        is_done.wait(0.02)
    is_done.set()
    for process in processes:
        process.join()
    world.check()
    assert world.count_sends() == 50


# ---- the pace ----


class Clock:
    """Seconds that pass when a test says so, for Zulip and the senders alike."""

    def __init__(self) -> None:
        self.seconds = 1_800_000_000.0

    def __call__(self) -> float:
        return self.seconds


def busiest_minute(zulip: SandboxZulip, user_id: int) -> int:
    """The most requests this account made within any 60 seconds, whatever the answer."""
    times = sorted(one.at for one in zulip.requests if one.user_id == user_id)
    return max(sum(start <= at < start + 60 for at in times) for start in times)


@pytest.mark.parametrize(("allowed", "processes"), [(100, 1), (30, 1), (60, 3)])
def test_zulips_limit_is_learned_used_and_never_reached(sqlite_url: str, allowed: int, processes: int) -> None:
    clock = Clock()
    with SandboxZulip(requests_per_minute=allowed, now=clock) as zulip:
        world = OutboxWorld(zulip, sqlite_url)
        apps = [world.app, *(world.new_process() for _ in range(processes - 1))]
        for app in apps:
            app.gateway.pace = Pace(clock)  # type: ignore[union-attr]
        for _ in range(allowed):
            world.owe(world.anna, world.bob)
        began = clock.seconds
        while world.is_something_open():
            waits = [get_notifier(app).step(world.now) for app in apps]
            if 0.0 not in waits:
                wait = min(wait for wait in waits if wait is not None)
                clock.seconds += wait
                world.pass_time(wait)
        world.check()
        assert {one.status for one in zulip.requests} == {200}
        assert allowed - 9 - processes <= busiest_minute(zulip, world.bot.user_id) <= allowed
        assert clock.seconds - began <= 125
        world.close()


def test_a_share_is_left_for_answers_to_people(sqlite_url: str) -> None:
    clock = Clock()
    with SandboxZulip(requests_per_minute=60, now=clock) as zulip:
        world = OutboxWorld(zulip, sqlite_url)
        gateway = world.app.gateway
        assert gateway is not None
        gateway.pace = Pace(clock)
        for _ in range(60):
            world.owe(world.anna, world.bob)
        answers = 0
        while world.is_something_open():
            wait = world.notifier.step(world.now)
            if wait:
                for _ in range(3):  # mentors ask just when all that notifications may use is used up
                    gateway.send_direct(world.bob.user_id, f"answer {answers}")
                    answers += 1
                clock.seconds += wait
                world.pass_time(wait)
        world.check()
        assert answers > 5
        assert {one.status for one in zulip.requests} == {200}
        world.close()


def test_after_a_minute_of_silence_it_asks_again_whatever_others_had_left() -> None:
    clock = Clock()
    pace = Pace(clock)
    pace.note(limit=200, remaining=1)
    assert pace.seconds_until_free(8) == pytest.approx(60)
    clock.seconds += 61
    assert pace.seconds_until_free(8) == 0.0


def test_failed_exams_go_first(world: OutboxWorld) -> None:
    for event_type in ("content_watched", "exam_passed", "exam_failed"):
        world.owe(world.anna, event_type=event_type)
    world.run()
    titles = [one.content.split("\n")[0] for one in world.zulip.messages(sender=world.bot, to=world.anna)]
    assert "Failed" in titles[0]
    world.check()


def test_nothing_is_sent_where_nobody_is_to_be_told(new_world: Callable[..., OutboxWorld], sqlite_url: str) -> None:
    world = new_world(sqlite_url, lms_notify_mentors_enabled=False)
    world.owe(world.anna)
    assert world.notifier.step(world.now) is None
    assert world.count_sends() == 0
    assert Delivery.select().count() == 1


# ---- what formatters may come up with ----


class LongWinded(MessageFormatter):
    def format_notification_message(self, event: LMSActivityEvent) -> str:
        return f"`#{event.event_id}`" + " and so on" * 2000


class Monotonous(MessageFormatter):
    def format_notification_message(self, event: LMSActivityEvent) -> str:
        return "something happened"


class Speechless(MessageFormatter):
    def format_notification_message(self, event: LMSActivityEvent) -> str:
        text = super().format_notification_message(event)
        return " " if event.event_type == "exam_passed" else text


class Nullifying(MessageFormatter):
    def format_notification_message(self, event: LMSActivityEvent) -> str:
        return super().format_notification_message(event) + "\0"
