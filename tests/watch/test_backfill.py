"""Looking back: history fills the store, nobody is told unless asked, and no news is stored in silence."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lms_bot.app import App, build_app
from lms_bot.core.clock import utc_now
from lms_bot.settings.settings import Settings
from lms_bot.store.messages import Delivery
from lms_bot.store.models import KeyValue, LMSActivityEvent
from lms_bot.watch.backfill import run_backfill
from lms_bot.watch.monitor import LAST_GOOD_POLL
from lms_bot.zulip.gateway import Credentials, Gateway
from tests.worlds.outbox_world import get_notifier

if TYPE_CHECKING:
    from lms_bot.sandbox.lms.school import School
    from lms_bot.sandbox.zulip import SandboxZulip

NOW = utc_now()
MONTH_AGO, WEEK_AGO, LONG_AGO = (NOW - timedelta(days=days) for days in (30, 7, 400))


@pytest.fixture
def app(lms: School, store_url: str) -> Iterator[App]:
    lms.add_mentor("anna", email="anna@school.example")
    lms.add_student("john_doe", mentors=["anna"])
    lms.add_exam("Maths")
    app = build_app(Settings.model_validate({"lms_db_url": lms.url, "lms_bot_store": store_url}))
    yield app
    app.stop()


def sit_exam(lms: School, at: datetime) -> int:
    attempt = lms.start_exam("john_doe", "maths", at=at)
    lms.finish_exam(attempt, "pass", percentage=85, at=at + timedelta(minutes=45))
    return attempt


def test_history_is_stored_and_nobody_is_told(app: App, lms: School) -> None:
    attempts = [sit_exam(lms, at) for at in (LONG_AGO, MONTH_AGO, WEEK_AGO)]
    app.monitor.process_activities()

    assert run_backfill(app.source, app.monitor, MONTH_AGO - timedelta(days=1), NOW) == 2

    stored = list(LMSActivityEvent.select().order_by(LMSActivityEvent.timestamp))
    assert [one.attempt_id for one in stored] == attempts[1:]
    assert all(one.mentor_username == "anna" and one.is_settled for one in stored)
    assert not Delivery.select().exists()


def test_it_may_be_repeated_and_widened(app: App, lms: School) -> None:
    for at in (LONG_AGO, MONTH_AGO, WEEK_AGO):
        sit_exam(lms, at)
    assert run_backfill(app.source, app.monitor, MONTH_AGO - timedelta(days=1), NOW) == 2
    assert run_backfill(app.source, app.monitor, MONTH_AGO - timedelta(days=1), NOW) == 0
    assert run_backfill(app.source, app.monitor, LONG_AGO - timedelta(days=1), MONTH_AGO - timedelta(days=1)) == 1


def test_what_it_stored_before_an_interruption_stays(app: App, lms: School) -> None:
    for minute in range(8):
        sit_exam(lms, WEEK_AGO + timedelta(minutes=minute))

    def interrupt(part: float, rows: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_backfill(app.source, app.monitor, MONTH_AGO, NOW, on_progress=interrupt)
    assert LMSActivityEvent.select().count() == 8
    assert run_backfill(app.source, app.monitor, MONTH_AGO, NOW) == 0


def test_news_the_polls_have_not_seen_are_left_to_them(app: App, lms: School) -> None:
    app.monitor.process_activities()
    sit_exam(lms, NOW - timedelta(days=2))  # brought in late: old, but news

    assert run_backfill(app.source, app.monitor, MONTH_AGO, NOW) == 0
    assert app.monitor.process_activities() == 1
    assert Delivery.select().count() == 1


def count_told_of() -> tuple[int, int]:
    """How many events there are, and how many deliveries."""
    return LMSActivityEvent.select().count(), Delivery.select().count()


def test_what_is_imported_from_years_ago_is_stored_in_silence(app: App, lms: School) -> None:
    app.monitor.process_activities()
    sit_exam(lms, LONG_AGO)
    sit_exam(lms, NOW - timedelta(hours=71))
    assert app.monitor.process_activities() == 2
    assert count_told_of() == (2, 1)
    assert LMSActivityEvent.select().where(~LMSActivityEvent.has_deliveries).count() == 0


def test_what_becomes_of_a_row_that_was_seen_is_news_however_old_its_dates_are(app: App, lms: School) -> None:
    before = lms.start_exam("john_doe", "maths", at=LONG_AGO)
    app.monitor.process_activities()
    since = lms.start_exam("john_doe", "maths", at=LONG_AGO)
    app.monitor.process_activities()
    assert count_told_of() == (1, 0)
    for attempt in (before, since):
        lms.finish_exam(attempt, "fail", percentage=20, at=LONG_AGO)
    assert app.monitor.process_activities() == 2
    assert count_told_of() == (3, 2)


def test_a_bot_that_was_away_for_a_month_tells_all_that_happened_since(app: App, lms: School) -> None:
    app.monitor.process_activities()
    with app.store.transaction():
        KeyValue.put(LAST_GOOD_POLL, MONTH_AGO.isoformat())
    sit_exam(lms, MONTH_AGO + timedelta(hours=1))
    sit_exam(lms, MONTH_AGO - timedelta(days=4))
    assert app.monitor.process_activities() == 2
    assert count_told_of() == (2, 1)
    sit_exam(lms, MONTH_AGO + timedelta(hours=1))  # now that it has caught up, that is long ago
    assert app.monitor.process_activities() == 1
    assert count_told_of() == (3, 1)


def test_the_polls_go_on_as_if_nothing_had_been(app: App, lms: School) -> None:
    attempt = lms.start_exam("john_doe", "maths", at=WEEK_AGO)
    app.monitor.process_activities()
    run_backfill(app.source, app.monitor, MONTH_AGO, NOW)
    assert app.monitor.process_activities() == 0
    lms.finish_exam(attempt, "fail", percentage=20)
    assert app.monitor.process_activities() == 1


def test_progress_ends_at_one_with_what_was_done(app: App, lms: School) -> None:
    sit_exam(lms, WEEK_AGO)
    seen: list[tuple[float, int]] = []

    def note(part: float, rows: int) -> None:
        seen.append((part, rows))

    assert run_backfill(app.source, app.monitor, MONTH_AGO, NOW, on_progress=note) == 1
    assert seen[-1] == (1.0, 1)
    assert seen == sorted(seen)


def test_with_notify_a_mentor_gets_one_catch_up_message(lms: School, zulip: SandboxZulip, tmp_path: Path) -> None:
    lms.add_mentor("anna", email="anna@school.example")
    lms.add_student("john_doe", mentors=["anna"])
    lms.add_exam("Maths")
    anna = zulip.add_person("Anna", email="anna@school.example", delivery_email="anna@school.example")
    bot = zulip.add_person("LMS bot", is_bot=True)
    store_url = f"sqlite:///{tmp_path / 'store.db'}"
    settings = Settings.model_validate(
        {"lms_db_url": lms.url, "lms_bot_store": store_url, "lms_default_notify": "everything"}
    )
    app = build_app(settings, Credentials(bot.delivery_email, bot.api_key, zulip.site))
    assert isinstance(app.gateway, Gateway)
    for minute in range(300):
        sit_exam(lms, WEEK_AGO + timedelta(minutes=minute))

    assert run_backfill(app.source, app.monitor, MONTH_AGO, NOW, notify=True) == 300
    get_notifier(app).send_all_due()

    texts = [message.content for message in zulip.messages(to=anna)]
    assert len(texts) <= 3
    for event in LMSActivityEvent.select():
        assert sum(f"`#{event.event_id}`" in text for text in texts) == 1
    app.stop()
