"""The one place where everything is put together, top to bottom."""

from __future__ import annotations

import threading
from functools import partial

from lms_bot.chat.inbox import Habits, Inbox, make_reply
from lms_bot.chat.language.question import Context
from lms_bot.core.clock import find_zone
from lms_bot.insight.concerns.rules import Thresholds
from lms_bot.insight.concerns.watcher import ConcernWatch
from lms_bot.insight.school_calendar import SchoolCalendar
from lms_bot.insight.seen import note_reaction
from lms_bot.lms.connection import LMSConnection
from lms_bot.lms.pass_marks import PassMarkReader
from lms_bot.lms.people import PeopleReader
from lms_bot.lms.source import Source
from lms_bot.lms.standard import STANDARD
from lms_bot.notify.admin_alerts import AdminAlerts
from lms_bot.notify.brief import BriefFormatter
from lms_bot.notify.composer import Composer, ComposerParts
from lms_bot.notify.digests import DigestParts, DigestWriter
from lms_bot.notify.events import HandlerParts, LMSActivityEventHandler
from lms_bot.notify.formatter import MessageFormatter
from lms_bot.notify.formatters import Formatters
from lms_bot.notify.grouping import make_gathering
from lms_bot.notify.message_writer import MessageWriter
from lms_bot.notify.notifier import Notifier
from lms_bot.notify.preference_book import PreferenceBook
from lms_bot.operation.health import HealthChecks
from lms_bot.outbox.outbox import Outbox
from lms_bot.outbox.sender import Patience, Sender
from lms_bot.people.access import Access
from lms_bot.people.rosters import Rosters
from lms_bot.people.users import MapperParts, UserMapper
from lms_bot.running import App
from lms_bot.settings.classes import resolve_all
from lms_bot.settings.settings import Settings, load_settings
from lms_bot.store.counters import Counters
from lms_bot.store.database import Store, open_store
from lms_bot.store.deliveries import Deliveries
from lms_bot.watch.monitor import ActivityMonitor, MonitorParts
from lms_bot.watch.polling import Polling
from lms_bot.zulip.credentials import Credentials, find_credentials
from lms_bot.zulip.gateway import Gateway

__all__ = ["App", "build_app", "get_app", "set_app"]

KIND = STANDARD
REPLACEABLE = {
    "lms_user_mapper": UserMapper,
    "lms_event_handler": LMSActivityEventHandler,
}
"""The settings that name a class, and what it must be."""


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
    named = {} if settings.lms_message_formatter is None else {"lms_message_formatter": MessageFormatter}
    mapper, handler, *formatter = resolve_all(settings, REPLACEABLE | named)
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
    _add_concerns(app)
    _add_telling(app, _make_formatters(formatter), patience)
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


def _make_formatters(named: list[type[MessageFormatter]]) -> Formatters:
    """The one that the setting names, for all; or ours, the long and the brief one."""
    long, brief = (named[0](), None) if named else (MessageFormatter(), BriefFormatter())
    return Formatters(long, brief or long)


def _add_concerns(app: App) -> None:
    settings = app.settings
    zone = find_zone(settings.lms_school_zone)
    app.calendar = SchoolCalendar(settings.lms_school_days, zone, settings.lms_holidays, app.store)
    thresholds = Thresholds(settings.lms_silent_days, settings.lms_open_hours)
    streams = [stream.name for stream in app.source.streams]
    app.concerns = ConcernWatch(app.store, app.users, app.calendar, thresholds, streams)


def _add_telling(app: App, formatters: Formatters, patience: Patience | None) -> None:
    store, outbox, users, settings = app.store, app.outbox, app.users, app.settings
    app.formatters = formatters
    app.composer = Composer(
        ComposerParts(
            store=store,
            deliveries=app.deliveries,
            outbox=outbox,
            preferences=app.preferences,
            users=users,
            writer=MessageWriter(app.deliveries, outbox, formatters),
            gathering=make_gathering(settings.lms_group_seconds, settings.lms_activity_poll_interval),
            concerns=app.concerns,
        )
    )
    app.digests = DigestWriter(
        DigestParts(
            store=store,
            outbox=outbox,
            preferences=app.preferences,
            users=users,
            calendar=app.calendar,
            get_zone=app.composer.get_zone,
            is_ready=app.concerns.is_ready,
            escalate_days=settings.lms_escalate_days,
        )
    )
    app.alerts = AdminAlerts(store, outbox, users, formatters.long)
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
        formatters=app.formatters,
        calendar=app.calendar,
        digests=app.digests,
        events=app.events,
        get_checks=app.health.get_checks,
        poll=app.monitor.process_activities,
        is_watching=settings.lms_activity_monitor_enabled,
        is_notifying=settings.lms_notify_mentors_enabled,
        is_grouping=settings.lms_group_seconds != 0,
        poll_seconds=settings.lms_activity_poll_interval,
        get_pass_marks=PassMarkReader(app.source.connection, KIND.pass_marks).get_pass_marks,
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
