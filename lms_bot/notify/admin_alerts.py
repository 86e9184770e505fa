"""Tells admins when deliveries start failing and when they recover, once each."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from peewee import fn

from lms_bot.outbox.outbox import URGENT
from lms_bot.store.database import rows
from lms_bot.store.messages import HAS_FAILED, Delivery, DeliveryState, Message
from lms_bot.store.models import KeyValue

if TYPE_CHECKING:
    from lms_bot.app import App

LOOK_EVERY = timedelta(seconds=5)
FAILING_KEY = "delivery_alarm"


class AdminAlerts:
    """`check` is cheap and may be called often, by any number of processes."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._next_look: datetime | None = None

    def look_again(self) -> None:
        """The next check looks, however short ago the last was."""
        self._next_look = None

    def check(self, now: datetime) -> None:
        if self._next_look is not None and now < self._next_look:
            return
        self._next_look = now + LOOK_EVERY
        with self._app.store.session():
            reasons = _get_reasons()
            was_failing = bool(KeyValue.find(FAILING_KEY))
        if bool(reasons) != was_failing:
            admins = [admin.user_id for admin in self._app.users.get_admins()]  # may ask Zulip
            self._tell(admins, reasons, was_failing, now)

    def _tell(self, admins: list[int], reasons: dict[str, int], was_failing: bool, now: datetime) -> None:
        formatter = self._app.formatter
        text = formatter.format_alarm_message(reasons) if reasons else formatter.format_recovery_message()
        with self._app.store.transaction():
            self._app.store.lock("alarm")
            if bool(KeyValue.find(FAILING_KEY)) != was_failing:
                return  # another process told it
            KeyValue.put(FAILING_KEY, bool(reasons))
            for admin in admins:
                Message.create(zulip_user_id=admin, content=text, priority=URGENT, not_before=now, created_at=now)


def _get_reasons() -> dict[str, int]:
    """Why deliveries were given up, and how many."""
    dead = Delivery.select(Delivery.reason, fn.COUNT(Delivery.delivery_id)).where(
        HAS_FAILED, Delivery.state == DeliveryState.DEAD
    )
    return {reason or "unknown": count for reason, count in rows(dead.group_by(Delivery.reason))}
