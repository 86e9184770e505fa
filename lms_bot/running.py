"""The bot's parts at work: what runs in the background, and how it ends."""

from __future__ import annotations

import logging
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar

from lms_bot.chat.inbox import Inbox
from lms_bot.chat.language.choices import CHOICE_LASTS
from lms_bot.chat.language.question import Context
from lms_bot.chat.understanding.followup import LASTS, forget_before
from lms_bot.core.clock import utc_now
from lms_bot.core.errors import LMSBotError
from lms_bot.insight import charts
from lms_bot.insight.concerns.watcher import ConcernWatch
from lms_bot.insight.school_calendar import SchoolCalendar
from lms_bot.lms.people import PeopleReader
from lms_bot.lms.source import Source
from lms_bot.notify.admin_alerts import AdminAlerts
from lms_bot.notify.composer import Composer
from lms_bot.notify.digests import DigestWriter
from lms_bot.notify.events import LMSActivityEventHandler
from lms_bot.notify.formatters import Formatters
from lms_bot.notify.notifier import Notifier
from lms_bot.notify.preference_book import PreferenceBook
from lms_bot.operation.health import HealthChecks
from lms_bot.operation.jobs import BackgroundJobs
from lms_bot.outbox.outbox import Outbox
from lms_bot.outbox.sender import Sender
from lms_bot.people.access import Access
from lms_bot.people.matching import ZULIP_AWAY_SECONDS
from lms_bot.people.users import UserMapper
from lms_bot.settings.checks import ALL_TYPES
from lms_bot.settings.settings import Settings
from lms_bot.store.conversation import AnsweredQuestion, Choice
from lms_bot.store.counters import Counters
from lms_bot.store.database import Store
from lms_bot.store.deliveries import Deliveries
from lms_bot.store.messages import NEWS, Lane
from lms_bot.watch.monitor import ActivityMonitor
from lms_bot.watch.polling import Polling
from lms_bot.zulip.gateway import Gateway

T = TypeVar("T")

logger = logging.getLogger(__name__)

MEND_SECONDS, ALERT_SECONDS, TIDY_SECONDS, DIGEST_SECONDS, CONCERN_SECONDS = 60.0, 5.0, 3600.0, 30.0, 30.0
ANSWERS_KEPT = timedelta(days=30)
SENDERS = 3  # of answers, and as many of news, so that neither wait for the other when Zulip is slow
STOP_SECONDS = 4.0
LOAD_CHARTS_SECONDS = 10.0  # after the start, when what was waiting has most likely been answered
GIVE_BACK_SECONDS = 0.4


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
    calendar: SchoolCalendar = field(init=False)
    concerns: ConcernWatch = field(init=False)
    formatters: Formatters = field(init=False)
    composer: Composer = field(init=False)
    digests: DigestWriter = field(init=False)
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
        self._say_what_comes()
        if settings.lms_activity_monitor_enabled:
            jobs.every(settings.lms_activity_poll_interval, self.polling.step, "poller")
        jobs.every(MEND_SECONDS, self.events.mend, "mender")
        jobs.every(ZULIP_AWAY_SECONDS, self.events.mend_for_zulip, "finder")
        jobs.every(TIDY_SECONDS, self.tidy, "tidier")
        jobs.repeat(self.counters.step, self.counters.bell, "counter")
        jobs.every(CONCERN_SECONDS, self.look_for_concerns, "concerns")
        if self.sender is not None:
            self._start_telling(self.sender)
        if is_answering and self.inbox is not None:
            self.inbox.start()
            for job in self.inbox.get_jobs():
                jobs.repeat(*job)
            jobs.once(LOAD_CHARTS_SECONDS, self.is_idle, charts.load, "chart loader")

    def _say_what_comes(self) -> None:
        with suppress(LMSBotError):
            default = self.preferences.get_default()
            types = ", ".join(f"{kind}={word}" for kind, word in default.items() if kind != ALL_TYPES)
            also = f", {types}" if types else ""
            logger.info("mentors who chose nothing get %s%s (LMS_DEFAULT_NOTIFY)", default.get(ALL_TYPES, ""), also)

    def _start_telling(self, sender: Sender) -> None:
        jobs, outbox = self.jobs, self.outbox
        if self.settings.lms_notify_mentors_enabled:
            jobs.every(ALERT_SECONDS, self.alerts.check, "admin alerts")
            jobs.repeat(self.composer.step, self.composer.bell, "composer")
            jobs.every(DIGEST_SECONDS, self.digests.step, "digests")
        for number in range(SENDERS):
            for bell, lanes in ((outbox.answers_bell, (Lane.ANSWERS,)), (outbox.news_bell, NEWS)):
                jobs.repeat(partial(sender.step, lanes=lanes), bell, f"sender of {lanes[-1].name.lower()} {number}")

    def handle_news(self) -> None:
        """Events were recorded: what is left to decide of them is decided, and whoever goes by them is woken."""
        self.events.decide_pending_events()  # those a subclass's `handle_event` is to decide
        self.composer.wake()
        self.counters.bell.ring()

    def look_for_concerns(self) -> None:
        """What changed with the students, and once a day what did not."""
        while self.concerns.step(utc_now()):
            pass
        self.composer.wake()

    def is_idle(self) -> bool:
        """Whether this process answers people, and none of them waits."""
        return self.inbox is not None and self.inbox.is_up_to_date and self.inbox.drain(0)

    def tidy(self) -> None:
        """Forgets what nobody needs any more."""
        now = utc_now()
        with suppress(LMSBotError), self.store.transaction():
            AnsweredQuestion.forget_before(now - ANSWERS_KEPT)
            Choice.forget_before(now - CHOICE_LASTS)
            forget_before(now - LASTS)
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
