"""The one place where everything is put together, top to bottom."""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeVar

from lms_bot.chat.inbox import Inbox
from lms_bot.chat.language.choices import CHOICE_LASTS
from lms_bot.chat.language.student_index import StudentIndexes
from lms_bot.core.clock import utc_now
from lms_bot.core.errors import ConfigError, LMSBotError
from lms_bot.lms.connection import LMSConnection
from lms_bot.lms.people import PeopleReader
from lms_bot.lms.source import Source
from lms_bot.lms.standard import PEOPLE, STREAMS
from lms_bot.notify.events import LMSActivityEventHandler
from lms_bot.notify.formatter import MessageFormatter
from lms_bot.operation.health import HealthChecks
from lms_bot.operation.jobs import BackgroundJobs
from lms_bot.outbox.sender import Notifier
from lms_bot.people.rosters import Rosters
from lms_bot.people.users import MapperParts, UserMapper
from lms_bot.people.zulip_people import ZULIP_AWAY_SECONDS
from lms_bot.settings.settings import Settings, load_settings, resolve
from lms_bot.store.conversation import Answer, Choice
from lms_bot.store.counters import Counters
from lms_bot.store.database import Store, open_store
from lms_bot.watch.monitor import ActivityMonitor, MonitorParts
from lms_bot.watch.polling import Polling
from lms_bot.zulip.credentials import Credentials, find_credentials
from lms_bot.zulip.gateway import Gateway

T = TypeVar("T")

MEND_SECONDS = 60.0
TIDY_SECONDS = 3600.0
ANSWERS_KEPT = timedelta(days=30)
STOP_SECONDS = 4.0
GIVE_BACK_SECONDS = 0.4


@dataclass
class App:
    """The parts, in the order in which they rest on each other."""

    settings: Settings
    store: Store
    source: Source
    reader: PeopleReader
    gateway: Gateway | None
    counters: Counters
    users: UserMapper = field(init=False)
    student_indexes: StudentIndexes = field(default_factory=StudentIndexes)
    formatter: MessageFormatter = field(init=False)
    notifier: Notifier = field(init=False)
    events: LMSActivityEventHandler = field(init=False)
    monitor: ActivityMonitor = field(init=False)
    inbox: Inbox | None = field(init=False)
    health: HealthChecks = field(init=False)
    polling: Polling = field(init=False)
    jobs: BackgroundJobs = field(init=False)
    mapper_parts: MapperParts = field(init=False)
    monitor_parts: MonitorParts = field(init=False)

    def start(self, *, is_answering: bool = False) -> None:
        """Starts the background threads; also those that answer people, if this process is to do that."""
        settings = self.settings
        if settings.lms_activity_monitor_enabled:
            self.jobs.every(settings.lms_activity_poll_interval, self.polling.step, "poller")
        self.jobs.every(MEND_SECONDS, self.events.mend, "mender")
        self.jobs.every(ZULIP_AWAY_SECONDS, self.events.mend_for_zulip, "finder")
        self.jobs.every(TIDY_SECONDS, self.tidy, "tidier")
        self.jobs.repeat(self.notifier.step, self.notifier.awake, "sender")
        self.jobs.repeat(self.counters.step, self.counters.awake, "counter")
        if is_answering and self.inbox is not None:
            self.inbox.start()

    def get_part(self, kind: type[T]) -> T:
        """What a public class needs that was made without it."""
        parts = (self.store, self.mapper_parts, self.monitor_parts, self.health)
        return next(part for part in parts if isinstance(part, kind))

    def handle_news(self) -> None:
        """Events were recorded: what is left to decide of them is decided, and whoever goes by them is woken."""
        self.events.decide_pending_events()  # those a subclass's `handle_event` is to decide
        self.notifier.wake()
        self.counters.awake.set()

    def tidy(self) -> None:
        """Forgets what nobody needs any more."""
        with suppress(LMSBotError), self.store.transaction():
            Answer.forget_before(utc_now() - ANSWERS_KEPT)
            Choice.forget_before(utc_now() - CHOICE_LASTS)

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


def build_app(settings: Settings, credentials: Credentials | None = None, *, gateway: Gateway | None = None) -> App:
    """Puts an app together. Without credentials (or a gateway made already) it reads and stores, but tells nobody.

    Raises ConfigError for a class that cannot be found, StoreUnavailable where the store cannot be opened.
    """
    problems: list[str] = []
    formatter = _find_class("lms_message_formatter", settings.lms_message_formatter, MessageFormatter, problems)
    mapper = _find_class("lms_user_mapper", settings.lms_user_mapper, UserMapper, problems)
    handler = _find_class("lms_event_handler", settings.lms_event_handler, LMSActivityEventHandler, problems)
    if problems:
        raise ConfigError(problems)
    store = open_store(settings.store_url)
    connection = LMSConnection(settings.lms_dsn if settings.has_lms else None)
    app = App(
        settings=settings,
        store=store,
        source=Source(connection, STREAMS, settings.lms_sweep_budget / 1000),
        reader=PeopleReader(connection, PEOPLE),
        gateway=gateway or (Gateway(credentials) if credentials else None),
        counters=Counters(store),
    )
    app.mapper_parts = _make_mapper_parts(app)
    app.users = mapper(app.mapper_parts)
    app.formatter = formatter()
    app.notifier = Notifier(app=app)
    app.events = handler(app=app)
    app.monitor_parts = _make_monitor_parts(app)
    app.monitor = ActivityMonitor(settings.lms_activity_poll_interval, app.monitor_parts)
    app.inbox = Inbox(app) if app.gateway else None
    app.health = _make_health_checks(app)
    app.polling = Polling(store, app.monitor, connection, app.handle_news)
    app.jobs = BackgroundJobs()
    return app


def _make_mapper_parts(app: App) -> MapperParts:
    settings = app.settings
    return MapperParts(
        zulip=app.gateway,
        reader=app.reader,
        rosters=Rosters(app.reader, app.store),
        admins=settings.admins,
        fallback_recipients=settings.lms_fallback_recipients,
        map_rows=settings.user_map_rows,
    )


def _make_monitor_parts(app: App) -> MonitorParts:
    settings = app.settings
    return MonitorParts(
        store=app.store,
        source=app.source,
        users=app.users,
        find_recipients=app.events.get_recipients,
        decides_one_by_one=app.events.decides_one_by_one,
        event_types=settings.event_types,
        is_telling=settings.lms_notify_mentors_enabled,
        initial_lookback_seconds=settings.lms_initial_lookback,
    )


def _make_health_checks(app: App) -> HealthChecks:
    return HealthChecks(
        app.store,
        app.source.connection,
        app.gateway,
        app.inbox.describe if app.inbox else None,
        is_polling=app.settings.lms_activity_monitor_enabled,
        poll_interval=app.settings.lms_activity_poll_interval,
    )


def _find_class(setting_name: str, dotted: str, base: type[T], problems: list[str]) -> type[T]:
    """The class a setting names; `base`, and what is wrong in `problems`, where it names none."""
    try:
        return resolve(dotted, base, setting_name)
    except ConfigError as error:
        problems += error.problems
        return base


_lock = threading.Lock()
_current: App | None = None
_is_given = False


def get_app() -> App:
    """The configured app: the one in use, else one made from the environment, `.env` and the zuliprc found there."""
    global _current
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
