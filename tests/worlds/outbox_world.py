"""A store, a Zulip over HTTP and senders between them, whose time a test moves."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING

from peewee import SqliteDatabase

from lms_bot.app import App, build_app
from lms_bot.core.clock import utc_now
from lms_bot.outbox.sender import Patience
from lms_bot.settings.settings import Settings
from lms_bot.store.concerns import PersonNews
from lms_bot.store.messages import Delivery, DeliveryState, Message, MessageState
from lms_bot.store.models import LMSActivityEvent, LMSEventLog
from lms_bot.zulip.gateway import Credentials, Gateway
from lms_bot.zulip.outage import Outage

if TYPE_CHECKING:
    from lms_bot.notify.notifier import Notifier
    from lms_bot.sandbox.zulip import SandboxMessage, SandboxPerson, SandboxZulip
    from lms_bot.store.database import Store

TIMEOUT_SECONDS = 0.4
PATIENCE = Patience(lost=4.0, failed=2.0, between_lookups=1.0)
OPEN_STATES = (MessageState.READY, MessageState.SENDING, MessageState.UNKNOWN)


@dataclass(frozen=True)
class Owing:
    """An event owed to one person."""

    event_id: int
    zulip_user_id: int


class OutboxWorld:
    """Events are owed to anna and bob; `notifier` is one sender, `new_notifier()` makes more on the same store.

    `now` is the senders' time. Nothing else moves it than `pass_time` and `run`, which waits as long as the
    senders say. With `is_real_time` it is the clock's.
    """

    def __init__(
        self, zulip: SandboxZulip, store_url: str, *, is_real_time: bool = False, **settings: object
    ) -> None:
        self.zulip = zulip
        self.store_url = store_url
        self.settings = settings
        self.bot = zulip.add_person("LMS bot", is_bot=True)
        self.anna, self.bob = zulip.add_person("Anna"), zulip.add_person("Bob")
        self.owed: set[Owing] = set()
        self.is_real_time = is_real_time
        self._now = utc_now()
        self._numbers = count(1)
        self.app = self.open_app()
        self.notifier = get_notifier(self.app)
        with self.app.store.transaction():
            for person in (self.anna, self.bob):
                welcomed = PersonNews.insert(zulip_user_id=person.user_id, welcomed_at=self._now)
                welcomed.on_conflict_ignore().execute()

    def open_app(self, store: Store | None = None) -> App:
        """The bot as after a start, on the store as it is."""
        settings = {"lms_bot_store": self.store_url, "lms_group_seconds": 0, "lms_default_notify": "everything"}
        settings |= self.settings
        return build_app(
            Settings.model_validate(settings), store=store, gateway=self.new_gateway(), patience=PATIENCE
        )

    def new_gateway(self) -> Gateway:
        credentials = Credentials(self.bot.delivery_email, self.bot.api_key, self.zulip.site)
        gateway = Gateway(credentials, timeout_seconds=TIMEOUT_SECONDS)
        gateway.outage = Outage(now=lambda: self.now.timestamp())  # noqa: PLW0108  (the time moves)
        return gateway

    def new_notifier(self) -> Notifier:
        """A sender of another process that works on the same store."""
        return get_notifier(self.new_process())

    def new_process(self) -> App:
        """The bot as another process has it that works on the same store."""
        return self.open_app(self.app.store)

    def wait_for_store_at_most(self, seconds: float) -> None:
        """How long a sender waits for a store in SQLite that somebody else has locked."""
        assert isinstance(self.app.store.database, SqliteDatabase)
        self.app.store.database.timeout = seconds

    def restart(self) -> None:
        self.app = self.open_app()
        self.notifier = get_notifier(self.app)
        with self.app.store.transaction():
            for person in (self.anna, self.bob):
                welcomed = PersonNews.insert(zulip_user_id=person.user_id, welcomed_at=self._now)
                welcomed.on_conflict_ignore().execute()

    def close(self) -> None:
        self.app.store.close_thread()

    # ---- what is owed ----

    def owe(self, *people: SandboxPerson | int, event_type: str = "exam_passed") -> int:
        """Records an event that is owed to these people (user ids will do). Returns its id."""
        number = next(self._numbers)
        user_ids = [one if isinstance(one, int) else one.user_id for one in people]
        with self.app.store.transaction():
            event = LMSActivityEvent.create(
                event_type=event_type,
                student_id=1,
                student_username="john_doe",
                activity_id=number,
                activity_title=f"Exam {number}",
                activity_metadata={"percentage": 85},
                timestamp=self.now,
                source_key=f"attempts:{number}:{event_type}",
                has_deliveries=True,
            )
            for user_id in user_ids:
                Delivery.create(event=event, recipient=f"zulip:{user_id}", zulip_user_id=user_id, created_at=self.now)
            self.app.deliveries.settle([event.event_id], self.now)
        self.owed |= {Owing(event.event_id, user_id) for user_id in user_ids}
        return int(event.event_id)

    # ---- time ----

    @property
    def now(self) -> datetime:
        return utc_now() if self.is_real_time else self._now

    def pass_time(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)

    def run(self, *notifiers: Notifier, hours: float = 1.0) -> None:
        """Steps all senders in turn, waiting as they say, until nothing is open, for so many hours at most."""
        give_up_at = self.now + timedelta(hours=hours)
        senders = notifiers or (self.notifier,)
        while self.is_something_open() and self.now < give_up_at:
            waits = [sender.step(self.now) for sender in senders]
            if 0.0 not in waits:
                self.pass_time(max(0.1, min((wait for wait in waits if wait), default=self._seconds_until_due())))

    def _seconds_until_due(self) -> float:
        """Until the next message may be sent or looked up, or is nobody's any more."""
        with self.app.store.session():
            is_waiting = Message.state.in_((MessageState.READY, MessageState.UNKNOWN))
            dues = [one.not_before for one in Message.select().where(is_waiting)]
            dues += [one.lease_until for one in Message.select().where(Message.state == MessageState.SENDING)]
        return (min(dues, default=self.now) - self.now).total_seconds()

    def is_something_open(self) -> bool:
        with self.app.store.session():
            return bool(
                Delivery.select().where(Delivery.state == DeliveryState.PENDING).exists()
                or Message.select().where(Message.state.in_(OPEN_STATES)).exists()
            )

    def is_something_claimed(self) -> bool:
        with self.app.store.session():
            return Message.select().where(Message.state == MessageState.SENDING).exists()

    # ---- what came of it ----

    def told(self, owing: Owing) -> list[SandboxMessage]:
        """The messages in Zulip that tell this person of this event."""
        person = self.zulip.realm.people.get(owing.zulip_user_id)
        if person is None:
            return []
        messages = self.zulip.messages(sender=self.bot, to=person)
        return [one for one in messages if f"`#{owing.event_id}`" in one.content]

    def count_sends(self) -> int:
        """How many times a message was posted as the bot, with whatever outcome."""
        return sum(self._is_send(one.method, one.path, one.user_id) for one in self.zulip.requests)

    def _is_send(self, method: str, path: str, user_id: int | None) -> bool:
        return method == "POST" and path.endswith("/messages") and user_id == self.bot.user_id

    def reasons(self) -> dict[Owing, str]:
        """Why what is dead is dead."""
        with self.app.store.session():
            dead = Delivery.select().where(Delivery.state == DeliveryState.DEAD)
            return {Owing(one.event_id, one.zulip_user_id or 0): one.reason or "" for one in dead}

    def check(self, *, dead: AbstractSet[Owing] = frozenset()) -> None:
        """Everybody was told of everything exactly once, but for what is dead; and the books agree with that."""
        counts = {owing: len(self.told(owing)) for owing in self.owed}
        assert counts == {owing: int(owing not in dead) for owing in self.owed}
        assert self.reasons().keys() == dead
        assert not self.is_something_open()
        self._check_log(dead)
        self._check_stats(dead)

    def _check_log(self, dead: AbstractSet[Owing]) -> None:
        with self.app.store.session():
            logs = {one.event.event_id: one for one in LMSEventLog.select()}
        assert logs.keys() == {owing.event_id for owing in self.owed}
        for event_id, log in logs.items():
            of_event = {owing for owing in self.owed if owing.event_id == event_id}
            sent_ids = {message.id for owing in of_event for message in self.told(owing)}
            assert log.notification_sent == bool(of_event - dead)
            assert log.notification_message_id in sent_ids or (log.notification_message_id is None and not sent_ids)
            assert (log.error_message is not None) == bool(of_event & dead)

    def _check_stats(self, dead: AbstractSet[Owing]) -> None:
        assert self.app.events.get_event_stats() == {
            "total_events": _count_events(self.owed),
            "processed_events": _count_events(self.owed),
            "pending_events": 0,
            "events_with_notifications": _count_events(self.owed - dead),
            "events_with_errors": _count_events(dead),
        }


def get_notifier(app: App) -> Notifier:
    assert app.notifier is not None
    return app.notifier


def _count_events(owings: AbstractSet[Owing]) -> int:
    return len({one.event_id for one in owings})
