"""Is everything all right? Named checks, each with a sentence; none ever raises."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from peewee import fn

from lms_bot.core.clock import utc_now
from lms_bot.core.configured import get_configured
from lms_bot.core.errors import LMSBotError
from lms_bot.lms.connection import PATIENCE_SECONDS, LMSConnection
from lms_bot.store.database import Store, rows
from lms_bot.store.messages import HAS_FAILED, IS_UNSENT, Delivery, DeliveryState, Message
from lms_bot.store.models import KeyValue, RejectedRow
from lms_bot.watch.monitor import LAST_GOOD_POLL, LAST_POLL_ERROR
from lms_bot.zulip.gateway import Gateway

logger = logging.getLogger(__name__)

OVERDUE_DELIVERY = timedelta(minutes=15)
OVERDUE_POLLS = 5  # intervals without a good poll


Outcome = Callable[[], tuple[bool, str]]
"""Whether something is all right, and what was seen."""


@dataclass(frozen=True)
class Check:
    """One check's outcome. `text` says in plain words what was seen; it holds no name and no secret."""

    name: str
    is_ok: bool
    text: str


@dataclass(frozen=True)
class HealthChecks:
    """The checks behind `health`, `health_check()` and whatever watches the bot.

    Without `gateway` the bot is meant to run without Zulip.
    """

    store: Store
    connection: LMSConnection
    gateway: Gateway | None
    describe_inbox: Outcome
    is_polling: bool
    poll_interval: float

    def get_checks(self) -> list[Check]:
        checks: tuple[tuple[str, Outcome], ...] = (
            ("store", self._check_store),
            ("LMS", self._check_lms),
            ("Zulip", self._check_zulip),
            ("what people write", self.describe_inbox),
            ("last good poll", self._check_last_good_poll),
            ("oldest pending delivery", self._check_oldest_pending),
            ("dead deliveries", self._check_dead),
            ("LMS rows without event", self._check_rejected),
        )
        return [_run(name, check) for name, check in checks]

    def _check_store(self) -> tuple[bool, str]:
        with self.store.session() as db:
            db.execute_sql("SELECT 1")
        return True, "answers"

    def _check_lms(self) -> tuple[bool, str]:
        with self.connection.snapshot(PATIENCE_SECONDS) as snapshot:
            snapshot.fetch_one("SELECT 1")
        return True, "; ".join(filter(None, ("answers", self.connection.interruption)))

    def _check_zulip(self) -> tuple[bool, str]:
        if self.gateway is None:
            return True, "the bot runs without Zulip"
        self.gateway.fetch_own_profile()
        return True, "answers"

    def _check_last_good_poll(self) -> tuple[bool, str]:
        if not self.is_polling:
            return True, "polling is turned off"
        with self.store.session():
            at, problem = KeyValue.find(LAST_GOOD_POLL), KeyValue.find(LAST_POLL_ERROR)
        because = f"; the last try failed: {problem}" if problem else ""
        if at is None:
            return False, f"none yet{because}"
        age = utc_now() - datetime.fromisoformat(at)
        allowed = timedelta(seconds=max(30.0, OVERDUE_POLLS * self.poll_interval))
        return age <= allowed and not problem, f"{format_age(age)} ago{because}"

    def _check_oldest_pending(self) -> tuple[bool, str]:
        """What is written and not sent must not grow old; what is being gathered or held back may."""
        with self.store.session():
            query = Message.select(fn.MIN(Message.created_at), fn.COUNT(Message.message_id)).where(IS_UNSENT)
            ((since, count),) = rows(query)
            waiting = Delivery.message.is_null() & (Delivery.state == DeliveryState.PENDING)
            held = Delivery.select().where(waiting).count()
        if not count:
            return True, f"none is overdue; {held} gathered or held back" if held else "none is waiting"
        age = utc_now() - since
        is_ok = age <= OVERDUE_DELIVERY
        return is_ok, f"{count} message(s) to be sent, the oldest for {format_age(age)}; {held} gathered or held back"

    def _check_dead(self) -> tuple[bool, str]:
        with self.store.session():
            dead = Delivery.select().where(HAS_FAILED, Delivery.state == DeliveryState.DEAD).count()
            unmapped = Delivery.select().where(HAS_FAILED, Delivery.state == DeliveryState.UNMAPPED).count()
        if not dead and not unmapped:
            return True, "none"
        return False, f"{dead} given up, {unmapped} owed to people nobody could be found for; ask for errors"

    def _check_rejected(self) -> tuple[bool, str]:
        with self.store.session():
            query = RejectedRow.select(RejectedRow.problem, fn.COUNT(RejectedRow.row_key))
            counts = sorted(rows(query.group_by(RejectedRow.problem)))
        return True, ", ".join(f"{count} {problem}" for problem, count in counts) or "none"


def health_check() -> bool:
    """Whether all checks of the configured app are all right. Never raises."""
    try:
        return all(check.is_ok for check in get_configured(HealthChecks).get_checks())
    except LMSBotError as error:
        logger.error("the health check could not run: %s", error)  # it says all there is to know
        return False
    except Exception:
        logger.exception("the health check could not run")
        return False


def format_age(age: timedelta) -> str:
    seconds = max(0, int(age.total_seconds()))
    for size, unit in ((86_400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} seconds"


def _run(name: str, check: Outcome) -> Check:
    try:
        is_ok, text = check()
    except LMSBotError as error:
        return Check(name, False, str(error))
    except Exception as error:  # a check that cannot run is a check that failed
        logger.exception("the check %r failed", name)
        return Check(name, False, f"could not be checked ({type(error).__name__})")
    return Check(name, is_ok, text)
