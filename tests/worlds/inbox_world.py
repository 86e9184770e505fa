"""The bot in this process, answering people in a Zulip over HTTP; its admins are known without an LMS."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import time
from typing import TYPE_CHECKING, Any

from lms_bot.app import App, build_app
from lms_bot.chat.inbox.habits import Habits
from lms_bot.outbox.sender import Patience
from lms_bot.settings.settings import load_settings
from lms_bot.zulip.gateway import Credentials
from tests.worlds.running_bot import StoreReader, wait_until

if TYPE_CHECKING:
    from lms_bot.chat.inbox.inbox import Inbox
    from lms_bot.sandbox.zulip import SandboxMessage, SandboxPerson, SandboxZulip

QUICK = Habits(
    per_minute=6000,
    between_polls_seconds=0.0,
    between_marks_seconds=0.02,
)
PATIENCE = Patience(lost=1.0, failed=0.3, between_lookups=0.1)
UNSENT = "SELECT count(*) FROM lms_messages WHERE state IN ('ready', 'sending', 'unknown')"
HELP = "You can ask me"
HOUR = 3600.0


class Clock:
    """Zulip's, which a test may put back, so that what is written then is old."""

    def __init__(self) -> None:
        self.ago_seconds = 0.0

    def __call__(self) -> float:
        return time() - self.ago_seconds


class InboxWorld:
    """ada and bea are admins, sven is a stranger, robot a bot."""

    def __init__(self, zulip: SandboxZulip, clock: Clock, store_url: str, lms_url: str | None = None) -> None:
        self.zulip = zulip
        self.clock = clock
        self.store_url = store_url
        self.lms_url = lms_url
        self.store = StoreReader(store_url)
        self.bot = zulip.add_person("LMS bot", email="lms-bot@zulip.example.com", is_bot=True)
        self.ada, self.bea = (zulip.add_person(name, role=200) for name in ("Ada", "Bea"))
        self.sven, self.robot = zulip.add_person("Sven"), zulip.add_person("Robot", is_bot=True)

    @contextmanager
    def running(self, habits: Habits = QUICK, **settings: Any) -> Iterator[App]:
        """The bot, listening; stopped at the end of the block."""
        given: dict[str, Any] = {"lms_bot_store": self.store_url, "lms_activity_monitor_enabled": "false"}
        given |= {"lms_default_notify": "everything"} | settings
        if self.lms_url is not None:
            given["lms_db_url"] = self.lms_url
        credentials = Credentials(self.bot.delivery_email, self.bot.api_key, self.zulip.site)
        chosen = load_settings(given, environ={}, dotenv=None, require_lms=False)
        app = build_app(chosen, credentials, patience=PATIENCE, habits=habits)
        app.start(is_answering=True)
        try:
            wait_until(lambda: get_inbox(app).is_up_to_date, "the bot answers")
            yield app
        finally:
            app.stop()

    # ---- what people see ----

    def write(self, person: SandboxPerson, text: str = "help", *, ago_seconds: float = 0.0) -> int:
        """A direct message to the bot; returns its id."""
        self.clock.ago_seconds = ago_seconds
        try:
            return self.zulip.send(person, self.bot, text)
        finally:
            self.clock.ago_seconds = 0.0

    def told(self, person: SandboxPerson) -> list[str]:
        return [one.content for one in self.zulip.messages(sender=self.bot, to=person)]

    def wait_until_told(self, person: SandboxPerson, count: int) -> list[str]:
        """What the person was told, once that is so much."""
        wait_until(lambda: len(self.told(person)) >= count, f"{count} messages to {person.full_name}")
        return self.told(person)

    def wait_until_read(self, person: SandboxPerson | None = None) -> None:
        """Until nothing (of this person's) is unread, so that all of it is dealt with."""

        def get_unread() -> list[SandboxMessage]:
            unread = self.zulip.get_unread(self.bot)
            return [one for one in unread if person is None or one.sender_id == person.user_id]

        wait_until(lambda: not get_unread(), "all is read")
        wait_until(lambda: not self.store.value(UNSENT), "all is sent")

    def count_requests(self, method: str, path: str) -> int:
        """The bot's, of this kind."""
        asked = [one for one in self.zulip.requests if one.user_id == self.bot.user_id and one.method == method]
        return sum(one.path == f"/api/v1/{path}" for one in asked)


def get_inbox(app: App) -> Inbox:
    assert app.inbox is not None
    return app.inbox
