"""The one place where everything is put together, top to bottom."""

from __future__ import annotations

import configparser
import os
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from lms_bot.chat.inbox.answerer import make_reply
from lms_bot.chat.inbox.habits import Habits
from lms_bot.chat.inbox.inbox import Inbox
from lms_bot.chat.language.choices import CHOICE_LASTS
from lms_bot.chat.language.context import Context
from lms_bot.chat.respond import Reply
from lms_bot.core.clock import utc_now
from lms_bot.core.errors import ConfigError, LMSBotError
from lms_bot.insight.seen import note_reaction
from lms_bot.lms.connection import LMSConnection
from lms_bot.lms.people import PeopleReader
from lms_bot.lms.source import Source
from lms_bot.lms.standard import PEOPLE, STREAMS
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
from lms_bot.people.users import ZULIP_AWAY_SECONDS, UserMapper
from lms_bot.settings.settings import Settings, load_settings, resolve
from lms_bot.store.conversation import AnsweredQuestion, Choice
from lms_bot.store.counters import Counters
from lms_bot.store.database import Store, open_store
from lms_bot.store.deliveries import Deliveries
from lms_bot.store.messages import Lane
from lms_bot.watch.monitor import ActivityMonitor
from lms_bot.watch.polling import Polling
from lms_bot.zulip.gateway import Credentials, Gateway

T = TypeVar("T")

MEND_SECONDS = 60.0
ALERT_SECONDS = 5.0
TIDY_SECONDS = 3600.0
ANSWERS_KEPT = timedelta(days=30)
SENDERS = 3  # for all messages, and as many again for answers alone, lest they wait for slow news
STOP_SECONDS = 4.0
GIVE_BACK_SECONDS = 0.4


@dataclass
class App:
    """The parts, in the order in which they rest on each other. Those of Zulip are None where there is none."""

    settings: Settings
    store: Store
    source: Source
    people: PeopleReader
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
    sender: Sender | None = field(init=False)
    notifier: Notifier | None = field(init=False)
    events: LMSActivityEventHandler = field(init=False)
    monitor: ActivityMonitor = field(init=False)
    inbox: Inbox | None = field(init=False)
    health: HealthChecks = field(init=False)
    polling: Polling = field(init=False)
    context: Context = field(init=False)
    jobs: BackgroundJobs = field(default_factory=BackgroundJobs)
    parts: dict[type, Any] = field(default_factory=dict)
    """What the public classes are made of, for those that are made without."""

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
        jobs.repeat(self.counters.step, self.counters.awake, "counter")
        if self.sender is not None:
            self._start_telling(self.sender)
        if is_answering and self.inbox is not None:
            self.inbox.start()
            for job in self.inbox.get_jobs():
                jobs.repeat(*job)

    def _start_telling(self, sender: Sender) -> None:
        jobs, awake = self.jobs, self.outbox.awake
        if self.settings.lms_notify_mentors_enabled:
            jobs.every(ALERT_SECONDS, self.alerts.check, "admin alerts")
            jobs.repeat(self.composer.step, self.composer.awake, "composer")
        for number in range(SENDERS):
            jobs.repeat(sender.step, awake, f"sender {number}")
            jobs.repeat(partial(sender.step, lanes=(Lane.ANSWERS,)), awake, f"sender of answers {number}")

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
    formatter, mapper, handler = _find_classes(settings)
    store = store or open_store(settings.store_url)
    connection = LMSConnection(settings.lms_dsn if settings.has_lms else None)
    deliveries = Deliveries(store)
    app = App(
        settings=settings,
        store=store,
        source=Source(connection, STREAMS, settings.lms_sweep_budget / 1000),
        people=PeopleReader(connection, PEOPLE),
        gateway=gateway or (Gateway(credentials) if credentials else None),
        deliveries=deliveries,
        outbox=Outbox(store, deliveries),
        counters=Counters(store),
        preferences=PreferenceBook(store, settings.default_notify),
    )
    app.users = mapper(app=app)
    app.access = Access(app.users, settings.admins, settings.lms_students_may_ask)
    app.formatter = formatter()
    _add_telling(app, patience)
    _add_watching(app, handler)
    app.health = HealthChecks(app)
    app.context = _make_context(app)
    app.inbox = _make_inbox(app, habits)
    app.parts |= {Store: store, HealthChecks: app.health}
    return app


def _add_telling(app: App, patience: Patience | None) -> None:
    settings = app.settings
    app.composer = Composer(
        app.store,
        app.deliveries,
        app.outbox,
        app.preferences,
        app.users,
        app.formatter,
        settings.lms_group_seconds,
    )
    app.alerts = AdminAlerts(app.store, app.outbox, app.users, app.formatter)
    is_telling = settings.lms_notify_mentors_enabled
    app.sender = app.notifier = None
    if app.gateway is not None:
        app.sender = Sender(app.store, app.outbox, app.gateway, is_telling=is_telling, patience=patience)
        app.notifier = Notifier(app.alerts, app.composer, app.sender, is_telling=is_telling)
        app.gateway.outage.call_at_end(app.outbox.wake)


def _add_watching(app: App, handler: type[LMSActivityEventHandler]) -> None:
    parts = HandlerParts(app.store, app.users, app.deliveries, app.counters, app.composer, app.notifier)
    app.parts[HandlerParts] = parts
    app.events = handler(parts)
    app.monitor = ActivityMonitor(app.settings.lms_activity_poll_interval, app=app)
    app.polling = Polling(app)


def _make_inbox(app: App, habits: Habits | None) -> Inbox | None:
    if app.gateway is None or app.sender is None:
        return None

    def respond(text: str, sender_id: int, message_id: int | None) -> Reply:
        return make_reply(app.context, text, sender_id, message_id=message_id)

    return Inbox(
        app.store,
        app.gateway,
        app.outbox,
        app.sender,
        app.users,
        respond,
        partial(note_reaction, app.store, app.access),
        habits,
    )


def _find_classes(
    settings: Settings,
) -> tuple[type[MessageFormatter], type[UserMapper], type[LMSActivityEventHandler]]:
    """Those the settings name. Raises ConfigError with a line for each that cannot be used."""
    problems: list[str] = []
    found = (
        _find_class("lms_message_formatter", settings.lms_message_formatter, MessageFormatter, problems),
        _find_class("lms_user_mapper", settings.lms_user_mapper, UserMapper, problems),
        _find_class("lms_event_handler", settings.lms_event_handler, LMSActivityEventHandler, problems),
    )
    if problems:
        raise ConfigError(problems)
    return found


def _make_context(app: App) -> Context:
    settings, composer = app.settings, app.composer

    def tell_anew() -> None:
        composer.look_again()
        composer.wake()

    return Context(
        store=app.store,
        counters=app.counters,
        users=app.users,
        access=app.access,
        preferences=app.preferences,
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
