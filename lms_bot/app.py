"""The one place where everything is put together, top to bottom."""

from __future__ import annotations

import configparser
import os
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from lms_bot.chat.inbox import Inbox
from lms_bot.chat.language.choices import CHOICE_LASTS
from lms_bot.chat.language.context import Context
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
from lms_bot.people.access import Access
from lms_bot.people.users import ZULIP_AWAY_SECONDS, UserMapper
from lms_bot.settings.settings import Settings, load_settings, resolve
from lms_bot.store.conversation import Answer, Choice
from lms_bot.store.counters import Counters
from lms_bot.store.database import Store, open_store
from lms_bot.watch.monitor import ActivityMonitor
from lms_bot.watch.polling import Polling
from lms_bot.zulip.gateway import Credentials, Gateway

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
    people: PeopleReader
    gateway: Gateway | None
    counters: Counters
    users: UserMapper = field(init=False)
    formatter: MessageFormatter = field(init=False)
    notifier: Notifier = field(init=False)
    events: LMSActivityEventHandler = field(init=False)
    monitor: ActivityMonitor = field(init=False)
    inbox: Inbox | None = field(init=False)
    health: HealthChecks = field(init=False)
    polling: Polling = field(init=False)
    jobs: BackgroundJobs = field(init=False)
    context: Context = field(init=False)

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


def build_app(settings: Settings, credentials: Credentials | None = None) -> App:
    """Puts an app together. Without credentials it reads and stores, but tells nobody.

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
        people=PeopleReader(connection, PEOPLE),
        gateway=Gateway(credentials) if credentials else None,
        counters=Counters(store),
    )
    app.users = mapper(app=app)
    app.formatter = formatter()
    app.notifier = Notifier(app=app)
    app.events = handler(app=app)
    app.monitor = ActivityMonitor(settings.lms_activity_poll_interval, app=app)
    app.inbox = Inbox(app) if app.gateway else None
    app.health = HealthChecks(app)
    app.polling = Polling(app)
    app.jobs = BackgroundJobs()
    app.context = _make_context(app)
    return app


def _make_context(app: App) -> Context:
    settings, composer = app.settings, app.notifier.composer

    def tell_anew() -> None:
        composer.look_again()
        app.notifier.wake()

    return Context(
        store=app.store,
        counters=app.counters,
        users=app.users,
        access=Access(app.users, settings.admins, settings.lms_students_may_ask),
        preferences=composer.preferences,
        get_zone=composer.get_zone,
        on_preferences_changed=tell_anew,
        formatter=app.formatter,
        events=app.events,
        get_checks=app.health.get_checks,
        poll=app.monitor.process_activities,
        is_watching=settings.lms_activity_monitor_enabled,
        is_notifying=settings.lms_notify_mentors_enabled,
        is_grouping=settings.lms_group_seconds > 0,
        poll_seconds=settings.lms_activity_poll_interval,
    )


def _find_class(setting_name: str, dotted: str, base: type[T], problems: list[str]) -> type[T]:
    """The class a setting names; `base`, and what is wrong in `problems`, where it names none."""
    try:
        return resolve(dotted, base, setting_name)
    except ConfigError as error:
        problems += error.problems
        return base


def find_credentials(zuliprc: Path | None = None) -> Credentials | None:
    """Those of the given zuliprc, else of ZULIP_* in the environment, else of ~/.zuliprc, else None."""
    environ = os.environ
    if zuliprc is None and {"ZULIP_EMAIL", "ZULIP_API_KEY", "ZULIP_SITE"} <= environ.keys():
        return Credentials(environ["ZULIP_EMAIL"], environ["ZULIP_API_KEY"], environ["ZULIP_SITE"])
    path = zuliprc or Path(environ.get("ZULIP_CONFIG", "~/.zuliprc")).expanduser()
    if zuliprc is None and not path.exists():
        return None
    return read_zuliprc(path)


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


def read_zuliprc(path: Path) -> Credentials:
    """Raises ConfigError where the file is not a zuliprc."""
    parser = configparser.ConfigParser(interpolation=None)
    try:
        with path.open(encoding="utf-8") as file:
            parser.read_file(file)
        section = dict(parser["api"])
        return Credentials(
            email=section["email"],
            api_key=section["key"],
            site=section["site"],
            insecure=section.get("insecure", "").strip().lower() in ("true", "yes", "1"),
            cert_bundle=section.get("cert_bundle"),
            client_cert=section.get("client_cert"),
            client_cert_key=section.get("client_cert_key"),
        )
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}"]) from error
    except (configparser.Error, KeyError, UnicodeDecodeError) as error:
        problem = f"{path}: is no zuliprc; it needs a section [api] with email, key and site"
        raise ConfigError([problem]) from error
