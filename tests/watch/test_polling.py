"""When it polls: backing off, coming back, and taking turns with other processes."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from lms_bot.lms.connection import LMSConnection
from lms_bot.sandbox.lms.postgres import EmbeddedPostgres
from lms_bot.sandbox.lms.school import School
from lms_bot.store.leases import Leases
from lms_bot.store.models import KeyValue
from lms_bot.watch.monitor import LAST_GOOD_POLL, LAST_POLL_ERROR
from lms_bot.watch.polling import LONGEST_BACKOFF_SECONDS, POLL_DUTY, SHORTEST_LEASE_SECONDS, Polling
from tests.worlds.watching import Watching, add_attempts, fill, run

NOON = datetime(2026, 1, 15, 12, tzinfo=timezone.utc)
INTERVAL = 60.0


def later(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


@pytest.fixture
def watching(school: School, store_url: str) -> Iterator[Watching]:
    one = Watching(school.url, store_url, lms_activity_poll_interval=INTERVAL)
    yield one
    one.close()


@pytest.fixture(scope="module")
def own_server() -> Iterator[EmbeddedPostgres]:
    """A server that may be stopped: nobody else uses it."""
    with EmbeddedPostgres() as server:
        yield server


@pytest.fixture
def own_lms(own_server: EmbeddedPostgres) -> Iterator[School]:
    with School(own_server.create_database("lms")) as lms:
        yield fill(lms.create())
    own_server.drop_database("lms")


@pytest.fixture
def away(own_lms: School, tmp_path: Path) -> Iterator[Watching]:
    """Watches an LMS that may be taken away."""
    one = Watching(own_lms.url, f"sqlite:///{tmp_path / 'store.db'}", lms_activity_poll_interval=INTERVAL)
    yield one
    one.close()


def has_polled(watching: Watching, polling: Polling, now: datetime) -> bool:
    """Whether the LMS was asked anything by this step."""
    watching.app.source.connection.close()
    before = watching.app.source.connection.generation
    polling.step(now)
    return watching.app.source.connection.generation > before


def trouble(watching: Watching) -> str | None:
    with watching.app.store.session():
        told: str | None = KeyValue.find(LAST_POLL_ERROR)
        return told


def health(watching: Watching, name: str = "last good poll") -> tuple[bool, str]:
    (check,) = (check for check in watching.app.health.get_checks() if check.name == name)
    return check.is_ok, check.text


def break_lms(school: School) -> None:
    for table in ("attempts", "content_attempts"):
        run(school, f"ALTER TABLE {table} RENAME TO hidden_{table}")


def mend_lms(school: School) -> None:
    for table in ("attempts", "content_attempts"):
        run(school, f"ALTER TABLE hidden_{table} RENAME TO {table}")


# ---- backing off ----


def test_an_lms_that_answers_with_errors_is_asked_ever_less(watching: Watching, school: School) -> None:
    polling = watching.new_polling()
    break_lms(school)
    tries = [second for second in range(0, 7200, 10) if has_polled(watching, polling, later(second))]
    gaps = [after - before for before, after in itertools.pairwise(tries)]
    for number, gap in enumerate(gaps):
        most = min(LONGEST_BACKOFF_SECONDS, INTERVAL * 2**number)
        assert 0.8 * most <= gap <= most + 10
    assert len(gaps) > 10 and max(gaps) > 0.8 * LONGEST_BACKOFF_SECONDS
    assert len(set(gaps[5:])) > 1  # jitter: many bots do not come back at the same moment


def test_it_polls_at_once_after_the_backoff_and_then_at_each_interval(watching: Watching, school: School) -> None:
    polling = watching.new_polling()
    break_lms(school)
    for second in range(0, 3600, 60):
        polling.step(later(second))
    mend_lms(school)
    polling.step(later(3600 + LONGEST_BACKOFF_SECONDS))
    assert trouble(watching) is None
    assert all(has_polled(watching, polling, later(5000 + 60 * number)) for number in range(5))


def test_an_lms_out_of_reach_is_polled_within_an_interval_of_its_return(
    own_server: EmbeddedPostgres, away: Watching
) -> None:
    polling = away.new_polling()
    polling.step(NOON)
    with own_server.away():
        for second in range(60, 7200, 60):
            polling.step(later(second))
        assert "cannot be reached" in str(trouble(away))
    polling.step(later(7200))
    assert trouble(away) is None


def test_after_an_outage_the_backoff_begins_anew(
    own_server: EmbeddedPostgres, own_lms: School, away: Watching
) -> None:
    polling = away.new_polling()
    polling.step(NOON)
    with own_server.away():
        for second in range(60, 7200, 60):
            polling.step(later(second))
    break_lms(own_lms)
    polling.step(later(7200))
    assert "lacks something" in str(trouble(away))
    mend_lms(own_lms)
    polling.step(later(7200 + INTERVAL))
    assert trouble(away) is None


def test_a_store_that_is_away_does_not_slow_the_polls_down(watching: Watching, school: School) -> None:
    """The LMS is not asked meanwhile, and the first poll after it is on time."""
    polling = watching.new_polling()
    polling.step(NOON)
    store = watching.app.store
    database = store.database.database
    store.close_thread()
    store.database.init("/nowhere/store.db" if not store.is_postgresql else "dbname=nowhere host=/nowhere")
    assert not any(has_polled(watching, polling, later(second)) for second in range(60, 3600, 60))
    store.database.init(database)
    assert has_polled(watching, polling, later(3600))


def test_a_mistake_of_ours_is_told_in_health_and_does_not_press_the_lms(
    watching: Watching, school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    polling = watching.new_polling()
    add_attempts(school, 1, 1)
    watching.replace_parts(monkeypatch, find_recipients=None, initial_lookback_seconds=10**9)
    with pytest.raises(TypeError):
        polling.step(NOON)
    assert "TypeError" in health(watching)[1]
    assert not has_polled(watching, polling, later(30))
    monkeypatch.undo()
    polling.step(later(60))
    assert trouble(watching) is None


# ---- what health says ----


def test_health_tells_of_the_trouble_and_of_its_end(watching: Watching, school: School) -> None:
    polling = watching.new_polling()
    assert health(watching) == (False, "none yet")
    polling.step(NOON)
    assert health(watching)[0]
    break_lms(school)
    polling.step(later(60))
    is_ok, text = health(watching)
    assert not is_ok and 'relation "attempts" does not exist' in text
    mend_lms(school)
    polling.step(later(120))
    assert health(watching)[0]


def test_a_trouble_of_before_a_restart_is_over_with_the_first_good_poll(watching: Watching, school: School) -> None:
    break_lms(school)
    watching.new_polling().step(NOON)
    mend_lms(school)
    watching.new_polling().step(later(60))
    assert trouble(watching) is None
    assert health(watching)[0]


def test_one_trouble_is_logged_once(watching: Watching, school: School, caplog: pytest.LogCaptureFixture) -> None:
    polling = watching.new_polling()
    break_lms(school)
    for second in range(0, 7200, 60):
        polling.step(later(second))
    assert [record.levelname for record in caplog.records if record.name == "lms_bot.watch.polling"] == ["WARNING"]


# ---- what interrupted the connection ----


def test_dropped_and_restarted_are_told_apart_afterwards(own_server: EmbeddedPostgres) -> None:
    connected = LMSConnection(own_server.url())

    def ask() -> None:
        with connected.snapshot() as snapshot:
            snapshot.fetch_one("SELECT 1")

    ask()
    assert connected.interruption is None
    with closing(own_server.connect()) as admin, admin.cursor() as sql:
        sql.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'lms_bot'")
    with pytest.raises(Exception, match="broke"):
        ask()
    ask()
    assert "was dropped" in str(connected.interruption)
    own_server.restart()
    with pytest.raises(Exception, match="broke"):
        ask()
    ask()
    assert "was restarted" in str(connected.interruption)
    connected.close()


# ---- taking turns ----


def test_only_one_of_two_processes_polls(watching: Watching) -> None:
    other = Leases(watching.app.store, "other-machine:1")
    assert other.acquire(POLL_DUTY, 3 * INTERVAL, NOON)
    polling = watching.new_polling()
    assert not has_polled(watching, polling, NOON)
    assert not has_polled(watching, polling, later(3 * INTERVAL - 1))
    assert has_polled(watching, polling, later(3 * INTERVAL + 1))
    assert not other.acquire(POLL_DUTY, 60, later(3 * INTERVAL + 2))


def test_a_lease_is_renewed_by_every_poll(watching: Watching) -> None:
    polling = watching.new_polling()
    other = Leases(watching.app.store, "other-machine:1")
    for second in range(0, 1200, 60):
        polling.step(later(second))
        assert not other.acquire(POLL_DUTY, 60, later(second + 59))


def test_a_process_that_stops_gives_the_duty_back(watching: Watching) -> None:
    polling = watching.new_polling()
    polling.step(NOON)
    other = Leases(watching.app.store, "other-machine:1")
    assert not other.acquire(POLL_DUTY, 60, NOON)
    polling.stop()
    assert other.acquire(POLL_DUTY, 60, NOON)
    polling.stop()  # gives back only what is its own
    assert not Leases(watching.app.store, "third-machine:1").acquire(POLL_DUTY, 60, NOON)


TAKE_AND_DIE = """
import os, sys
from datetime import datetime, timezone
from lms_bot.store.database import open_store
from lms_bot.store.leases import Leases
assert Leases(open_store(sys.argv[1])).acquire("poll", 3600, datetime(2026, 1, 15, 12, tzinfo=timezone.utc))
os.kill(os.getpid(), 9)
"""


def test_the_duty_of_a_process_that_died_is_taken_over_at_once(watching: Watching) -> None:
    ended = subprocess.run([sys.executable, "-c", TAKE_AND_DIE, watching.settings.store_url], check=False)
    assert ended.returncode == -9
    assert has_polled(watching, watching.new_polling(), later(1))


def test_the_lease_outlasts_a_few_short_intervals(school: School, tmp_path: Path) -> None:
    quick = Watching(school.url, f"sqlite:///{tmp_path / 'quick.db'}", lms_activity_poll_interval=0.2)
    quick.new_polling().step(NOON)
    other = Leases(quick.app.store, "other-machine:1")
    assert not other.acquire(POLL_DUTY, 60, later(SHORTEST_LEASE_SECONDS - 1))
    assert other.acquire(POLL_DUTY, 60, later(SHORTEST_LEASE_SECONDS + 1))
    quick.close()


def test_a_poll_that_creates_events_wakes_who_sends_and_who_counts(watching: Watching, school: School) -> None:
    polling = watching.new_polling()
    polling.step(NOON)
    bells = (watching.app.composer.bell, watching.app.counters.bell)
    for bell in bells:
        bell.wait(0)
    polling.step(later(60))
    assert not any(bell.wait(0) for bell in bells)
    add_attempts(school, 1, 1)
    polling.step(later(120))
    assert all(bell.wait(0) for bell in bells)
    with watching.app.store.session():
        assert KeyValue.find(LAST_GOOD_POLL) is not None
