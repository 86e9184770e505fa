"""The one place where everything is put together, top to bottom."""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar

from lms_bot.chat.inbox import Habits, Inbox, make_reply
from lms_bot.chat.language.choices import CHOICE_LASTS
from lms_bot.chat.language.question import Context
from lms_bot.core.clock import utc_now
from lms_bot.core.errors import LMSBotError
from lms_bot.insight.seen import note_reaction
from lms_bot.lms.connection import LMSConnection
from lms_bot.lms.people import PeopleReader
from lms_bot.lms.source import Source
from lms_bot.lms.standard import STANDARD
from lms_bot.notify.admin_alerts import AdminAlerts
from lms_bot.notify.composer import Composer
from lms_bot.notify.events import HandlerParts, LMSActivityEventHandler
from lms_bot.notify.formatter import MessageFormatter
from lms_bot.notify.notifier import Notifier
from lms_bot.notify.preferences import PreferenceBook
from lms_bot.operation.health import HealthChecks
from lms_bot.operation.jobs import BackgroundJobs
from lms_bot.outbox.outbox import Outbox
from lms_bot.outbox.sender import Patience, Sender
from lms_bot.people.access import Access
from lms_bot.people.matching import ZULIP_AWAY_SECONDS
from lms_bot.people.rosters import Rosters
from lms_bot.people.users import MapperParts, UserMapper
from lms_bot.settings.settings import Settings, load_settings, resolve_all
from lms_bot.store.conversation import AnsweredQuestion, Choice
from lms_bot.store.counters import Counters
from lms_bot.store.database import Store, open_store
from lms_bot.store.deliveries import Deliveries
from lms_bot.store.messages import NEWS, Lane
from lms_bot.watch.monitor import ActivityMonitor, MonitorParts
from lms_bot.watch.polling import Polling
from lms_bot.zulip.credentials import Credentials, find_credentials
from lms_bot.zulip.gateway import Gateway

T = TypeVar("T")

KIND = STANDARD
MEND_SECONDS, ALERT_SECONDS, TIDY_SECONDS = 60.0, 5.0, 3600.0
ANSWERS_KEPT = timedelta(days=30)
SENDERS = 3  # of answers, and as many of news, so that neither wait for the other when Zulip is slow
STOP_SECONDS = 4.0
GIVE_BACK_SECONDS = 0.4

REPLACEABLE = {
    "lms_message_formatter": MessageFormatter,
    "lms_user_mapper": UserMapper,
    "lms_event_handler": LMSActivityEventHandler,
}
"""The settings that name a class, and what it must be."""


@dataclass
class App:
    """The parts, in the order in which they rest on each other. Those of Zulip are None where there is none.

    `parts` are what the public classes are made of, for those that are made without any.
    """

    settings: Settings
    store: Store
    source: Source
    reader: PeopleReader
    gateway: Gateway | None
    deliveries: Deliveries
    outbox: Outbox
    counters: Counters
    preferences: PreferenceBook
    users: UserMapper = field(init=False)
    access: Access = field(init=False)
    formatter: MessageFormatter = field(init=False)
    composer: Composer = field(init=False)
    alerts: AdminAlerts = field(init=False)
    sender: Sender | None = None
    notifier: Notifier | None = None
    events: LMSActivityEventHandler = field(init=False)
    monitor: ActivityMonitor = field(init=False)
    polling: Polling = field(init=False)
    context: Context = field(init=False)
    inbox: Inbox | None = None
    health: HealthChecks = field(init=False)
    jobs: BackgroundJobs = field(default_factory=BackgroundJobs)
    parts: dict[type, Any] = field(default_factory=dict)

    def get_part(self, kind: type[T]) -> T:
        part: T = self.parts[kind]
        return part

    def start(self, *, is_answering: bool = False) -> None:
        """Starts the background threads; also those that answer people, if this process is to do that."""
        settings, jobs = self.settings, self.jobs
        if settings.lms_activity_monitor_enabled:
            jobs.every(settings.lms_activity_poll_interval, self.polling.step, "poller")
        jobs.every(MEND_SECONDS, self.events.mend, "mender")
        jobs.every(ZULIP_AWAY_SECONDS, self.events.mend_for_zulip, "finder")
        jobs.every(TIDY_SECONDS, self.tidy, "tidier")
        jobs.repeat(self.counters.step, self.counters.bell, "counter")
        if self.sender is not None:
            self._start_telling(self.sender)
        if is_answering and self.inbox is not None:
            self.inbox.start()
            for job in self.inbox.get_jobs():
                jobs.repeat(*job)

    def _start_telling(self, sender: Sender) -> None:
        jobs, outbox = self.jobs, self.outbox
        if self.settings.lms_notify_mentors_enabled:
            jobs.every(ALERT_SECONDS, self.alerts.check, "admin alerts")
            jobs.repeat(self.composer.step, self.composer.bell, "composer")
        for number in range(SENDERS):
            for bell, lanes in ((outbox.answers_bell, (Lane.ANSWERS,)), (outbox.news_bell, NEWS)):
                jobs.repeat(partial(sender.step, lanes=lanes), bell, f"sender of {lanes[-1].name.lower()} {number}")

    def handle_news(self) -> None:
        """Events were recorded: what is left to decide of them is decided, and whoever goes by them is woken."""
        self.events.decide_pending_events()  # those a subclass's `handle_event` is to decide
        self.composer.wake()
        self.counters.bell.ring()

    def tidy(self) -> None:
        """Forgets what nobody needs any more."""
        now = utc_now()
        with suppress(LMSBotError), self.store.transaction():
            AnsweredQuestion.forget_before(now - ANSWERS_KEPT)
            Choice.forget_before(now - CHOICE_LASTS)
            self.outbox.forget_answers_before(now - ANSWERS_KEPT)

    def stop(self) -> None:
        """Finishes what is in hand and closes what is open. Takes less than five seconds."""
        if self.inbox is not None:
            self.inbox.stop()
        if self.jobs.stop(STOP_SECONDS):
            self._give_back()
            self.source.connection.close()
        else:  # who hangs in the LMS, the store or Zulip ends with us; duties are given back if the store can be had
            ending = threading.Thread(target=self._give_back, daemon=True)
            ending.start()
            ending.join(GIVE_BACK_SECONDS)
        self.store.close_thread()

    def _give_back(self) -> None:
        with suppress(LMSBotError):
            self.polling.stop()
            if self.inbox is not None:
                self.inbox.give_back()


def build_app(
    settings: Settings,
    credentials: Credentials | None = None,
    *,
    store: Store | None = None,
    gateway: Gateway | None = None,
    patience: Patience | None = None,
    habits: Habits | None = None,
) -> App:
    """Puts an app together. Without credentials it reads and stores, but tells nobody.

    An opened `store`, a `gateway` in place of credentials, `patience` and `habits` are for who tests or measures.
    Raises ConfigError for a class that cannot be found, StoreUnavailable where the store cannot be opened.
    """
    formatter, mapper, handler = resolve_all(settings, REPLACEABLE)
    store = store or open_store(settings.store_url)
    connection = LMSConnection(settings.lms_dsn if settings.has_lms else None)
    deliveries = Deliveries(store)
    app = App(
        settings=settings,
        store=store,
        source=Source(connection, KIND.make_streams(settings), settings.lms_sweep_budget / 1000),
        reader=PeopleReader(connection, KIND.make_people(settings)),
        gateway=gateway or (Gateway(credentials) if credentials else None),
        deliveries=deliveries,
        outbox=Outbox(store, deliveries),
        counters=Counters(store),
        preferences=PreferenceBook(store, settings.lms_default_notify),
    )
    _add_people(app, mapper)
    _add_telling(app, formatter(), patience)
    _add_watching(app, handler)
    _add_answering(app, habits)
    return app


def _add_people(app: App, mapper: type[UserMapper]) -> None:
    settings = app.settings
    parts = MapperParts(
        app.gateway,
        app.reader,
        Rosters(app.reader, app.store),
        settings.lms_admins,
        settings.lms_fallback_recipients,
        settings.user_map_rows,
    )
    app.users = mapper(parts)
    app.access = Access(app.users, settings.lms_admins, settings.lms_students_may_ask)
    app.parts |= {Store: app.store, MapperParts: parts}


def _add_telling(app: App, formatter: MessageFormatter, patience: Patience | None) -> None:
    store, outbox, users, settings = app.store, app.outbox, app.users, app.settings
    app.formatter = formatter
    app.composer = Composer(
        store, app.deliveries, outbox, app.preferences, users, formatter, settings.lms_group_seconds
    )
    app.alerts = AdminAlerts(store, outbox, users, formatter)
    if app.gateway is not None:
        is_telling = settings.lms_notify_mentors_enabled
        app.sender = Sender(store, outbox, app.gateway, is_telling=is_telling, patience=patience)
        app.notifier = Notifier(app.alerts, app.composer, app.sender, is_telling=is_telling)
        app.gateway.outage.call_at_end(outbox.wake)


def _add_watching(app: App, handler: type[LMSActivityEventHandler]) -> None:
    settings = app.settings
    handler_parts = HandlerParts(app.store, app.users, app.deliveries, app.counters, app.composer, app.notifier)
    app.events = handler(handler_parts)
    parts = MonitorParts(
        store=app.store,
        source=app.source,
        users=app.users,
        find_recipients=app.events.get_recipients,
        decides_one_by_one=app.events.decides_one_by_one,
        event_types=settings.lms_event_types_to_monitor,
        is_telling=settings.lms_notify_mentors_enabled,
        initial_lookback_seconds=settings.lms_initial_lookback,
        news_max_age_seconds=settings.lms_news_max_age,
    )
    app.monitor = ActivityMonitor(settings.lms_activity_poll_interval, parts)
    app.polling = Polling(app.store, app.monitor, app.source.connection, app.handle_news)
    app.parts |= {HandlerParts: handler_parts, MonitorParts: parts}


def _add_answering(app: App, habits: Habits | None) -> None:
    settings = app.settings
    app.health = HealthChecks(
        app.store,
        app.source.connection,
        app.gateway,
        lambda: app.inbox.describe() if app.inbox else (True, "the bot runs without Zulip"),
        is_polling=settings.lms_activity_monitor_enabled,
        poll_interval=settings.lms_activity_poll_interval,
    )
    app.parts[HealthChecks] = app.health
    app.context = Context(
        store=app.store,
        counters=app.counters,
        users=app.users,
        access=app.access,
        preferences=app.preferences,
        get_zone=app.composer.get_zone,
        on_preferences_changed=app.composer.look_again,
        formatter=app.formatter,
        events=app.events,
        get_checks=app.health.get_checks,
        poll=app.monitor.process_activities,
        is_watching=settings.lms_activity_monitor_enabled,
        is_notifying=settings.lms_notify_mentors_enabled,
        is_grouping=settings.lms_group_seconds > 0,
        poll_seconds=settings.lms_activity_poll_interval,
    )
    if app.gateway is not None and app.sender is not None:
        respond = partial(make_reply, app.context)
        tick = partial(note_reaction, app.store, app.access)
        app.inbox = Inbox(app.store, app.gateway, app.outbox, app.sender, app.users, respond, tick, habits)


_lock = threading.Lock()
_current: App | None = None
_is_given = False


def get_app() -> App:
    """The configured app: the one in use, else one made from the environment, `.env` and the zuliprc found there."""
    global _current  # noqa: PLW0603  (there is one configured app)
    with _lock:
        if _is_given and _current is not None:
            return _current
        settings = load_settings(require_lms=False)
        if _current is None or _current.settings != settings:
            _current = build_app(settings, find_credentials())
        return _current


def set_app(app: App | None) -> None:
    """Makes this the configured app; None forgets it."""
    global _current, _is_given
    with _lock:
        _current, _is_given = app, app is not None
