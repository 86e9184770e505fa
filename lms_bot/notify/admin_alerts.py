"""Tells admins when deliveries start failing and when they recover, once each."""

from __future__ import annotations

from datetime import datetime, timedelta

from peewee import fn

from lms_bot.core.clock import utc_now
from lms_bot.notify.formatter import MessageFormatter
from lms_bot.outbox.draft import Draft
from lms_bot.outbox.outbox import Outbox
from lms_bot.people.users import UserMapper
from lms_bot.store.database import Store, rows
from lms_bot.store.messages import HAS_FAILED, NEWS, Delivery, DeliveryState, Lane
from lms_bot.store.models import KeyValue

LOOK_EVERY = timedelta(seconds=5)
FAILING_KEY = "delivery_alarm"


class AdminAlerts:
    """`check` is cheap and may be called often, by any number of processes."""

    def __init__(self, store: Store, outbox: Outbox, users: UserMapper, formatter: MessageFormatter) -> None:
        self._store = store
        self._outbox = outbox
        self._users = users
        self._formatter = formatter
        self._next_look: datetime | None = None

    def look_again(self) -> None:
        """The next check looks, however short ago the last was."""
        self._next_look = None

    def check(self, now: datetime | None = None) -> None:
        now = now or utc_now()
        if self._next_look is not None and now < self._next_look:
            return
        self._next_look = now + LOOK_EVERY
        with self._store.session():
            reasons = _get_reasons()
            was_failing = bool(KeyValue.find(FAILING_KEY))
        if bool(reasons) != was_failing:
            admins = [admin.user_id for admin in self._users.get_admins()]  # may ask Zulip
            self._tell(admins, reasons, was_failing, now)

    def _tell(self, admins: list[int], reasons: dict[str, int], was_failing: bool, now: datetime) -> None:
        formatter = self._formatter
        text = formatter.format_alarm_message(reasons) if reasons else formatter.format_recovery_message()
        with self._store.transaction():
            self._store.lock("alarm")
            if bool(KeyValue.find(FAILING_KEY)) != was_failing:
                return  # another process told it
            KeyValue.put(FAILING_KEY, bool(reasons))
            for admin in admins:
                self._outbox.write(Draft(admin, text, Lane.URGENT), now)
        self._outbox.wake(NEWS)


def _get_reasons() -> dict[str, int]:
    """Why deliveries were given up, and how many."""
    dead = Delivery.select(Delivery.reason, fn.COUNT(Delivery.delivery_id)).where(
        HAS_FAILED, Delivery.state == DeliveryState.DEAD
    )
    return {reason or "unknown": count for reason, count in rows(dead.group_by(Delivery.reason))}
