"""What the benchmarks stand on: a server for the LMS, one for the store, a Zulip over HTTP, and the bot between."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from benchmarks.measuring import doing
from lms_bot.app import App, build_app
from lms_bot.sandbox.lms.postgres import EmbeddedPostgres
from lms_bot.sandbox.lms.school import School
from lms_bot.sandbox.zulip import SandboxPerson, SandboxZulip
from lms_bot.settings.settings import Settings
from lms_bot.zulip.gateway import Credentials

StoreKind = Literal["sqlite", "postgresql"]

MENTORS, STUDENTS, EXAMS = 200, 5000, 50
PEOPLE = 50  # in a Zulip of its own
LIMIT_PER_MINUTE = 200  # Zulip's default

PEOPLE_SQL = f"""
INSERT INTO mentors (id, username, user_id, email)
SELECT i, 'mentor' || i, 9000 + i, 'mentor' || i || '@school.example' FROM generate_series(1, {MENTORS}) AS i;
INSERT INTO students (id, username, first_name, last_name, email)
SELECT i, 'student' || i, 'Given' || i, 'Family' || i, 'student' || i || '@students.example'
FROM generate_series(1, {STUDENTS}) AS i;
INSERT INTO "_MentorToStudent" SELECT 1 + i % {MENTORS}, i FROM generate_series(1, {STUDENTS}) AS i;
INSERT INTO "_MentorToStudent" SELECT 1 + (i + 7) % {MENTORS}, i FROM generate_series(2, {STUDENTS}, 2) AS i;
INSERT INTO exams (id, slug, title, duration, number_of_questions, total_marks)
SELECT i, 'exam-' || i, 'Exam number ' || i, 60, 20, 100 FROM generate_series(1, {EXAMS}) AS i;
"""

# The checks of foreign keys would take longer than everything else; `replica` leaves them out.
ATTEMPTS_SQL = f"""
SET session_replication_role = replica;
INSERT INTO attempts (id, date, exam_id, user_id, username, correct_answers_count, incorrect_answers_count,
    unanswered_count, score, percentage, percentile, speed, time_taken, remaining_time, result, state,
    last_started_time, last_answer_updated_time)
SELECT i, moment, 1 + i %% {EXAMS}, 1 + i %% {STUDENTS}, 'student' || (1 + i %% {STUDENTS}), i %% 20, 20 - i %% 20,
    0, i %% 100, i %% 100, i %% 100, 3, '0:45:00', '0:15:00',
    CASE WHEN i %% 100 < 50 THEN 'fail' ELSE 'pass' END, %(state)s, moment, moment + interval '45 minutes'
FROM (SELECT i, now()::timestamp(3) - interval '1 second' * (i %% 86400) AS moment
      FROM generate_series(%(first)s, %(last)s) AS i) AS times;
SET session_replication_role = origin;
"""

PASSING_TRANSACTIONS_SQL = """
DO $$ BEGIN FOR i IN 1..100001 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$
"""


class BenchmarkLMS:
    """An LMS with people, written to in bulk."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._school = School(url).create()
        self.execute(PEOPLE_SQL)
        self.rows = 0

    def add_attempts(self, count: int, state: str = "completed") -> None:
        """New rows with the next ids."""
        first, self.rows = self.rows + 1, self.rows + count
        self.execute(ATTEMPTS_SQL, {"first": first, "last": self.rows, "state": state})

    def remove_attempts(self) -> None:
        self.execute("TRUNCATE attempts CASCADE")
        self.rows = 0

    def write_elsewhere(self) -> None:
        """A committed transaction that has nothing to do with the attempts."""
        self.execute("SELECT pg_current_xact_id()")

    def settle(self) -> None:
        """Makes the attempts a table that has been there for long: vacuumed, its writers far in the past.

        A new connection of the bot looks again at what the last 100,000 transactions wrote.
        """
        with closing(self._school.connect()) as connected, connected.cursor() as cursor:
            connected.autocommit = True
            cursor.execute(PASSING_TRANSACTIONS_SQL)
            cursor.execute("VACUUM ANALYZE attempts")

    def execute(self, sql: str, parameters: dict[str, Any] | None = None) -> None:
        with self._school.transaction() as cursor:
            cursor.execute(sql, parameters)

    def close(self) -> None:
        self._school.close()


@dataclass
class World:
    """`lms_server` and `store_server` are apart, so that the store's own writing does not stir the LMS."""

    lms_server: EmbeddedPostgres
    store_server: EmbeddedPostgres
    credentials: Credentials
    folder: Path
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    @contextmanager
    def new_lms(self) -> Iterator[BenchmarkLMS]:
        name = f"lms_{next(self._numbers)}"
        with closing(BenchmarkLMS(self.lms_server.create_database(name))) as lms:
            yield lms
        self.lms_server.drop_database(name)

    @contextmanager
    def new_store(self, kind: StoreKind) -> Iterator[str]:
        """The URL of an empty store."""
        name = f"store_{next(self._numbers)}"
        if kind == "postgresql":
            yield self.store_server.create_database(name)
            self.store_server.drop_database(name)
        else:
            yield f"sqlite:///{self.folder / name}.db"
            for file in self.folder.glob(f"{name}.db*"):
                file.unlink()

    @contextmanager
    def new_app(self, lms: BenchmarkLMS, kind: StoreKind, **settings: Any) -> Iterator[App]:
        """The bot on this LMS and a store of its own."""
        with self.new_store(kind) as store_url, running_app(lms.url, store_url, self.credentials, **settings) as app:
            yield app


@contextmanager
def running_app(lms_url: str, store_url: str, credentials: Credentials, **settings: Any) -> Iterator[App]:
    given = {"lms_db_url": lms_url, "lms_bot_store": store_url, **settings}
    app = build_app(Settings.model_validate(given), credentials)
    try:
        yield app
    finally:
        app.stop()


@contextmanager
def zulip_of_mentors(
    now: Callable[[], float] | None = None,
) -> Iterator[tuple[SandboxZulip, Credentials, list[SandboxPerson]]]:
    """A Zulip of its own with its usual limits, and in it a bot and mentors; the first is an admin."""
    with SandboxZulip(requests_per_minute=LIMIT_PER_MINUTE, now=now or time.time) as zulip:
        bot = zulip.add_person("LMS Bot", is_bot=True)
        people = [
            zulip.add_person(
                f"Mentor {number}", delivery_email=f"mentor{number}@school.example", role=200 if number == 1 else 400
            )
            for number in range(1, PEOPLE + 1)
        ]
        yield zulip, Credentials(bot.delivery_email, bot.api_key, zulip.site), people


@contextmanager
def running_process(
    zulip: SandboxZulip, credentials: Credentials, folder: Path, **settings: str
) -> Iterator[subprocess.Popen[bytes]]:
    """The bot as people start it, polling every second, once it listens."""
    zuliprc = folder / "zuliprc"
    lines = ("[api]", f"email={credentials.email}", f"key={credentials.api_key}", f"site={credentials.site}", "")
    zuliprc.write_text("\n".join(lines), encoding="utf-8")
    bot = subprocess.Popen(
        [sys.executable, "-m", "zulip_bots.run", "lms_bot", "-q", "-c", str(zuliprc)],
        env=os.environ | {"LMS_ACTIVITY_POLL_INTERVAL": "1"} | settings,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        zulip.wait_for_request(lambda request: request.path.endswith("/register"), timeout=30)
        yield bot
    finally:
        bot.terminate()
        bot.wait(10)


@contextmanager
def open_world() -> Iterator[World]:
    doing("starting a Zulip and two PostgreSQL servers")
    with ExitStack() as stack:
        zulip = stack.enter_context(SandboxZulip())
        bot = zulip.add_person("LMS Bot", is_bot=True)
        for number in range(1, MENTORS + 1):
            zulip.add_person(f"Mentor {number}", delivery_email=f"mentor{number}@school.example")
        yield World(
            lms_server=stack.enter_context(EmbeddedPostgres()),
            store_server=stack.enter_context(EmbeddedPostgres()),
            credentials=Credentials(bot.delivery_email, bot.api_key, zulip.site),
            folder=Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lms-bot-bench-"))),
        )
