"""Whatever fails in whatever order, nobody is told twice, and in the end everybody is told once.

Hypothesis plays Zulip, the network, the clock, the store and the bot's processes. After every step the store is
compared with what is in Zulip; once all is well again, everything owed must be there exactly once.
"""

from __future__ import annotations

import shutil
import socket
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from lms_bot.core.errors import LMSBotError, StoreUnavailable
from lms_bot.sandbox.zulip import Fault, SandboxZulip
from lms_bot.store.messages import Delivery, DeliveryState, Message
from tests.worlds.outbox_world import OutboxWorld, Owing

if TYPE_CHECKING:
    from lms_bot.notify.notifier import Notifier

RATE_LIMITED_SECONDS = 40.0
FAULTS = (
    "answer_lost", "error_after", "error_before", "html_502", "truncated_json", "truncated_body",
    "rate_limited", "refused_connection",
)  # fmt: skip
ELSEWHERE = "another-machine:1:a"
DEAD_HERE = f"{socket.gethostname()}:{2**22 + 1}:a"  # no process has such a number
SEND_SECONDS = timedelta(seconds=30)  # no request takes longer

senders = st.integers(0, 1)
people = st.sets(st.sampled_from(["anna", "bob"]), min_size=1)


class OutboxMachine(RuleBasedStateMachine):
    """The bot's senders between a store and a Zulip; `new_store` is set by the test."""

    new_store: ClassVar[staticmethod[[], str]]

    def __init__(self) -> None:
        super().__init__()
        self.zulip = SandboxZulip(requests_per_minute=1_000_000).start()
        self.world = OutboxWorld(self.zulip, self.new_store())
        self.senders = self.new_senders()
        self.ever_refused: set[int] = set()
        self.held: Message | None = None
        self.silent_until: datetime | None = None

    def new_senders(self) -> list[Notifier]:
        return [self.world.notifier, self.world.new_notifier()]

    def teardown(self) -> None:
        try:
            self.all_is_well_again()
            self.everybody_is_told()
        finally:
            self.world.close()
            self.zulip.__exit__()

    # ---- the bot ----

    @rule(names=people, event_type=st.sampled_from(["exam_failed", "exam_passed", "content_watched"]))
    def owe(self, names: set[str], event_type: str) -> None:
        self.world.owe(*(getattr(self.world, name) for name in sorted(names)), event_type=event_type)

    @rule(number=senders, times=st.integers(1, 4))
    def step(self, number: int, times: int) -> None:
        for _ in range(times):
            before = len(self.zulip.requests)
            self.senders[number].step(self.world.now)
            self.note_answers(before)

    def note_answers(self, before: int) -> None:
        """After 429 nothing is sent or looked up until the time Zulip named."""
        answers = [one.status for one in self.zulip.requests[before:] if one.path.endswith("/messages")]
        if self.silent_until is not None and self.world.now < self.silent_until:
            assert not answers
        if 429 in answers:
            self.silent_until = self.world.now + timedelta(seconds=RATE_LIMITED_SECONDS)

    @rule(is_here=st.booleans(), is_sent=st.booleans())
    def die_between_claim_and_mark(self, is_here: bool, is_sent: bool) -> None:
        self.senders[0].composer.write_messages(self.world.now)
        message = self.world.app.outbox.claim(DEAD_HERE if is_here else ELSEWHERE, self.world.now)
        if message is not None and is_sent:
            self.send(message)

    def send(self, message: Message) -> int | None:
        assert self.world.app.gateway is not None
        with suppress(LMSBotError):
            return self.world.app.gateway.send_direct(message.zulip_user_id, message.content)
        return None

    @precondition(lambda self: self.held is None)
    @rule()
    def begin_slow_send(self) -> None:
        """A sender in another process claims, and takes its time."""
        self.held = self.world.app.outbox.claim(ELSEWHERE, self.world.now)

    @precondition(lambda self: self.held is not None)
    @rule()
    def end_slow_send(self) -> None:
        """It ends in time, or is never heard of again."""
        message, self.held = self.held, None
        assert message is not None
        if self.world.now < message.claimed_at + SEND_SECONDS and (sent_id := self.send(message)):
            self.world.app.outbox.mark_sent(message, sent_id, self.world.now)

    @rule()
    def restart(self) -> None:
        self.world.close()
        self.world.restart()
        self.senders = self.new_senders()

    @rule()
    def retry(self) -> None:
        self.world.app.events.retry()

    @rule(seconds=st.sampled_from([0.4, 3.0, 20.0, 61.0, 700.0]))
    def pass_time(self, seconds: float) -> None:
        self.world.pass_time(seconds)

    # ---- what is around it ----

    @rule(kind=st.sampled_from(FAULTS), method=st.sampled_from(["POST", "POST", "GET"]), times=st.integers(1, 3))
    def misbehave(self, kind: str, method: str, times: int) -> None:
        self.zulip.faults.add(Fault(kind, method=method, times=times, seconds=RATE_LIMITED_SECONDS))

    @rule(is_there=st.booleans())
    def come_and_go(self, is_there: bool) -> None:
        (self.zulip.start if is_there else self.zulip.stop)()

    @rule(name=st.sampled_from(["anna", "bob", "bot"]), is_active=st.booleans())
    def change_account(self, name: str, is_active: bool) -> None:
        person = getattr(self.world, name)
        (self.zulip.reactivate if is_active else self.zulip.deactivate)(person)
        if not is_active:
            self.ever_refused.add(person.user_id)

    @precondition(lambda self: self.world.store_url.startswith("sqlite"))
    @rule(number=senders)
    def step_with_the_store_locked(self, number: int) -> None:
        self.world.wait_for_store_at_most(0.02)
        path = self.world.store_url.removeprefix("sqlite:///")
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            with suppress(StoreUnavailable):
                self.senders[number].step(self.world.now)
            other.execute("ROLLBACK")

    # ---- what must hold ----

    @invariant()
    def store_and_zulip_agree(self) -> None:
        with self.world.app.store.session():
            states = {Owing(one.event_id, one.zulip_user_id or 0): one.state for one in Delivery.select()}
        assert states.keys() == self.world.owed
        for owing, state in states.items():
            times_told = len(self.world.told(owing))
            assert times_told <= 1
            if state != DeliveryState.PENDING:
                assert times_told == (state == DeliveryState.SENT)

    def all_is_well_again(self) -> None:
        self.zulip.start()
        self.zulip.faults.clear()
        for person in (self.world.bot, self.world.anna, self.world.bob):
            self.zulip.reactivate(person)

    def everybody_is_told(self) -> None:
        self.world.run(*self.senders, hours=24)
        for owing, reason in self.world.reasons().items():
            assert owing.zulip_user_id in self.ever_refused or "8 tries" in reason
        self.world.check(dead=self.world.reasons().keys())
        self.world.app.events.retry()
        self.world.run(*self.senders)
        self.world.check()


def run(machine: type[OutboxMachine], examples: int) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_everybody_is_told_once_with_the_store_in_sqlite(empty_store: Path, tmp_path: Path) -> None:
    numbers = count()

    def new_store() -> str:
        return f"sqlite:///{shutil.copy(empty_store, tmp_path / f'{next(numbers)}.db')}"

    run(type("Machine", (OutboxMachine,), {"new_store": staticmethod(new_store)}), examples=30)


def test_everybody_is_told_once_with_the_store_in_postgresql(
    store_template: str, new_database: Callable[..., str]
) -> None:
    def new_store() -> str:
        return new_database(store_template)

    run(type("Machine", (OutboxMachine,), {"new_store": staticmethod(new_store)}), examples=12)
