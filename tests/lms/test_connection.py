"""The guest's connection: what the LMS sees of it, and how each trouble is told from the others."""

from __future__ import annotations

import os
import pwd
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import Any

import psycopg2
import pytest

from lms_bot.core.errors import LMSBotError, LMSRefused, LMSUnavailable
from lms_bot.lms import connection
from lms_bot.lms.connection import LMSConnection
from lms_bot.lms.standard import grant_statements
from lms_bot.sandbox.lms.postgres import EmbeddedPostgres
from lms_bot.sandbox.lms.school import School
from lms_bot.sandbox.reaper import Reaper
from tests.worlds.watching import Watching, add_attempts, fill, run

SECRET = "s3cr3t-passw0rd"


@pytest.fixture
def school(lms: School) -> School:
    return fill(lms)


@pytest.fixture
def connected(school: School) -> Iterator[LMSConnection]:
    one = LMSConnection(school.url)
    yield one
    one.close()


@pytest.fixture(scope="module")
def own_server() -> Iterator[EmbeddedPostgres]:
    """A server that may be stopped, restarted and locked up: nobody else uses it."""
    with EmbeddedPostgres() as server:
        with School(server.create_database("lms")) as lms:
            fill(lms.create())
            run(lms, f"CREATE ROLE guest LOGIN PASSWORD '{SECRET}'")
            run(lms, grant_statements("guest"))
        yield server


@pytest.fixture
def own_lms(own_server: EmbeddedPostgres) -> Iterator[School]:
    with School(own_server.url("lms")) as lms:
        yield lms
        run(lms, "TRUNCATE attempts, content_attempts")


@pytest.fixture
def watching(own_server: EmbeddedPostgres, tmp_path: Path) -> Iterator[Watching]:
    one = Watching(own_server.url("lms", "guest", SECRET), f"sqlite:///{tmp_path / 'store.db'}")
    one.poll()
    yield one
    one.close()


def setting(one: LMSConnection, name: str, patience_seconds: float | None = None) -> str:
    with one.snapshot(patience_seconds) as snapshot:
        return str(snapshot.fetch_one(f"SHOW {name}")[0])


# ---- a guest's manners ----


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("transaction_read_only", "on"),
        ("transaction_isolation", "repeatable read"),
        ("statement_timeout", "30s"),
        ("lock_timeout", "5s"),
        ("idle_in_transaction_session_timeout", "1min"),
        ("application_name", "lms_bot"),
        ("timezone", "UTC"),
    ],
)
def test_sessions_have_the_settings_of_a_guest(connected: LMSConnection, name: str, value: str) -> None:
    assert setting(connected, name) == value


def test_a_session_cannot_write_even_if_its_role_may(connected: LMSConnection) -> None:
    with pytest.raises(LMSBotError, match="read-only"), connected.snapshot() as snapshot:
        snapshot.fetch_all("DELETE FROM attempts")
    assert setting(connected, "transaction_read_only") == "on"


def test_a_dead_link_is_noticed_by_keepalives(connected: LMSConnection) -> None:
    with connected.snapshot():
        assert connected._connection is not None
        with socket.fromfd(connected._connection.fileno(), socket.AF_INET, socket.SOCK_STREAM) as link:
            assert link.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            assert link.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 30
            assert link.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 60_000


def sessions(school: School) -> list[tuple[str, str]]:
    of_the_bot = "application_name = 'lms_bot' AND datname = current_database()"
    return run(school, f"SELECT state, query FROM pg_stat_activity WHERE {of_the_bot}")


def test_all_threads_share_one_connection(school: School, tmp_path: Path) -> None:
    watching = Watching(school.url, f"sqlite:///{tmp_path / 'store.db'}")
    failures: list[BaseException] = []

    def use() -> None:
        try:
            for _ in range(5):
                watching.app.reader.fetch_mentors()
                watching.app.monitor.process_activities()
        except BaseException as error:
            failures.append(error)
        finally:
            watching.app.store.close_thread()

    threads = [threading.Thread(target=use) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    ((state, _),) = sessions(school)
    assert state == "idle"
    assert watching.app.source.connection.generation == 1
    watching.close()


def test_nothing_is_ever_written(school: School, tmp_path: Path) -> None:
    """A trigger on every table would fail the poll; and no transaction of the bot's ever gets an id."""
    tables = run(school, "SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public'")
    run(school, "CREATE FUNCTION deny() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'a write'; END $$")
    add_attempts(school, 1, 50)
    for (table,) in tables:
        run(school, f"CREATE TRIGGER deny BEFORE INSERT OR UPDATE OR DELETE ON {table} EXECUTE FUNCTION deny()")
    ((before,),) = run(school, "SELECT pg_current_xact_id()::text::bigint")
    watching = Watching(school.url, f"sqlite:///{tmp_path / 'store.db'}", lms_initial_lookback=1)
    watching.poll(5)
    watching.app.users.get_mapping_stats()
    ((after,),) = run(school, "SELECT pg_current_xact_id()::text::bigint")
    assert after == before + 1
    watching.close()


def test_snapshots_nest(connected: LMSConnection, school: School) -> None:
    with connected.snapshot() as outer:
        assert outer.fetch_all("SELECT id FROM attempts") == []
        add_attempts(school, 1, 1)
        with connected.snapshot() as inner:
            assert inner.fetch_all("SELECT id FROM attempts") == []  # the same moment
    with connected.snapshot() as later:
        assert later.fetch_all("SELECT id FROM attempts") == [(1,)]


def test_a_failed_statement_does_not_harm_the_next_transaction(connected: LMSConnection) -> None:
    with pytest.raises(LMSRefused), connected.snapshot() as snapshot:
        snapshot.fetch_all("SELECT nothing FROM attempts")
    with connected.snapshot() as snapshot:
        assert snapshot.fetch_one("SELECT 1") == (1,)
    assert connected.generation == 1


def test_who_answers_people_waits_little_for_what_others_ask_and_nobody_after_them_does(
    connected: LMSConnection,
) -> None:
    with ThreadPoolExecutor() as threads:
        with connected.snapshot():
            for patience_seconds in (0.01, 600.0):
                with pytest.raises(LMSUnavailable, match="busy"):
                    threads.submit(setting, connected, "timezone", patience_seconds).result(10.0)
        assert threads.submit(setting, connected, "timezone", 600.0).result(10.0) == "UTC"


def test_a_frozen_server_is_not_waited_for_by_who_answers_people(
    connected: LMSConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It neither answers nor cancels, but its machine keeps the connection alive."""
    monkeypatch.setattr(connection, "FROZEN_SECONDS", 0.1)
    with connected.snapshot() as snapshot:
        ((pid,),) = snapshot.fetch_all("SELECT pg_backend_pid()")
    thaw = threading.Timer(10.0, os.kill, (pid, signal.SIGCONT))
    os.kill(pid, signal.SIGSTOP)
    thaw.start()
    try:
        with pytest.raises(LMSUnavailable):
            setting(connected, "timezone", 1.0)
    finally:
        thaw.cancel()
        os.kill(pid, signal.SIGCONT)
    assert setting(connected, "timezone", 1.0) == "UTC"


def test_without_an_lms_it_says_what_is_missing() -> None:
    unset = LMSConnection(None)
    assert not unset.is_reachable()
    with pytest.raises(LMSRefused, match="LMS_DB_NAME"), unset.snapshot():
        pass


# ---- troubles, each in words of its own ----


@contextmanager
def locked(lms: School) -> Iterator[None]:
    with closing(lms.connect()) as other, other.cursor() as sql:
        sql.execute("LOCK TABLE attempts IN ACCESS EXCLUSIVE MODE")
        yield


@contextmanager
def changed(lms: School, change: str, back: str) -> Iterator[None]:
    run(lms, change)
    try:
        yield
    finally:
        run(lms, back)


def end_sessions(lms: School) -> None:
    of_the_bot = "FROM pg_stat_activity WHERE application_name = 'lms_bot'"
    ended = run(lms, f"SELECT pg_terminate_backend(pid, 5000) {of_the_bot}")
    assert ended == [(True,)]


class Trouble:
    """Ways to trouble the LMS; each is over at the end of its block."""

    def __init__(self, server: EmbeddedPostgres, lms: School, monkeypatch: pytest.MonkeyPatch) -> None:
        self.server, self.lms, self.monkeypatch = server, lms, monkeypatch

    @contextmanager
    def server_down(self) -> Iterator[None]:
        with self.server.away():
            with pytest.raises(LMSUnavailable):  # the connection it had; only the next try shows that nobody is there
                self.watching.poll()
            yield

    @contextmanager
    def restarted(self) -> Iterator[None]:
        self.server.restart()
        yield

    @contextmanager
    def crashed(self) -> Iterator[None]:
        self.server.restart("immediate")
        yield

    @contextmanager
    def dropped(self) -> Iterator[None]:
        end_sessions(self.lms)
        yield

    @contextmanager
    def password_changed(self) -> Iterator[None]:
        with changed(self.lms, "ALTER ROLE guest PASSWORD 'x'", f"ALTER ROLE guest PASSWORD '{SECRET}'"):
            end_sessions(self.lms)
            with pytest.raises(LMSUnavailable):
                self.watching.poll()
            yield

    @contextmanager
    def login_forbidden(self) -> Iterator[None]:
        with changed(self.lms, "ALTER ROLE guest NOLOGIN", "ALTER ROLE guest LOGIN"):
            end_sessions(self.lms)
            with pytest.raises(LMSUnavailable):
                self.watching.poll()
            yield

    @contextmanager
    def too_many_connections(self) -> Iterator[None]:
        with changed(self.lms, "ALTER ROLE guest CONNECTION LIMIT 0", "ALTER ROLE guest CONNECTION LIMIT -1"):
            end_sessions(self.lms)
            with pytest.raises(LMSUnavailable):
                self.watching.poll()
            yield

    def rights_revoked(self) -> Any:
        add_attempts(self.lms, 1, 1)
        right = "SELECT (state) ON attempts"
        return changed(self.lms, f"REVOKE {right} FROM guest", f"GRANT {right} TO guest")

    def table_missing(self) -> Any:
        add_attempts(self.lms, 1, 1)
        return changed(self.lms, "ALTER TABLE exams RENAME TO old", "ALTER TABLE old RENAME TO exams")

    def column_missing(self) -> Any:
        add_attempts(self.lms, 1, 1)
        return changed(
            self.lms, "ALTER TABLE attempts RENAME state TO status", "ALTER TABLE attempts RENAME status TO state"
        )

    @contextmanager
    def slow(self) -> Iterator[None]:
        self.renew_session("statement_timeout=30s", "statement_timeout=1ms")
        add_attempts(self.lms, 1, 20_000)
        yield

    @contextmanager
    def table_locked(self) -> Iterator[None]:
        self.renew_session("lock_timeout=5s", "lock_timeout=50ms")
        with locked(self.lms):
            yield

    def renew_session(self, option: str, instead: str) -> None:
        options = connection.SESSION_OPTIONS
        assert option in options
        self.monkeypatch.setattr(connection, "SESSION_OPTIONS", options.replace(option, instead))
        self.watching.app.source.connection.close()

    watching: Watching


WORDS = {
    "server_down": "cannot be reached",
    "restarted": "connection to the LMS broke",
    "crashed": "connection to the LMS broke",
    "dropped": "connection to the LMS broke",
    "password_changed": "password or user name no longer works",
    "login_forbidden": "may not log in",
    "too_many_connections": "too many connections",
    "rights_revoked": "lets us in but not read",
    "table_missing": 'lacks something we read: relation "exams" does not exist',
    "column_missing": "lacks something we read: column a.state does not exist",
    "slow": "too slow: canceling statement due to statement timeout",
    "table_locked": "too slow: canceling statement due to lock timeout",
}


@pytest.mark.parametrize("name", WORDS)
def test_each_trouble_has_its_own_words_and_ends(
    own_server: EmbeddedPostgres,
    own_lms: School,
    watching: Watching,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    trouble = Trouble(own_server, own_lms, monkeypatch)
    trouble.watching = watching
    with getattr(trouble, name)():
        with pytest.raises(LMSBotError) as caught:
            watching.poll()
        text = str(caught.value)
        assert WORDS[name] in text
        for secret in (SECRET, "postgresql://", own_server.password):
            assert secret not in text
        assert "\n" not in text
    monkeypatch.undo()
    watching.app.source.connection.close()
    watching.poll()


@contextmanager
def fake_server(answer: bytes) -> Iterator[int]:
    """Answers every attempt to connect with one error message."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    caller, _ = listening.accept()
                except OSError:
                    return
                with caller:
                    while asked := caller.recv(8192):
                        if asked[4:8] in (b"\x04\xd2\x16\x2f", b"\x04\xd2\x16\x30"):  # may we speak TLS, or GSS?
                            caller.sendall(b"N")
                        else:
                            caller.sendall(b"E" + (len(answer) + 4).to_bytes(4, "big") + answer)
                            break

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)
    thread.join(5)


@pytest.mark.parametrize(
    ("sentence", "words"),
    [
        ("the database system is shutting down", "restarting"),
        ("the database system is in recovery mode", "restarting"),
        ("the database system is not yet accepting connections", "restarting"),
        ('database "lms" does not exist', "lacks something we read"),
        ('no pg_hba.conf entry for host "1.2.3.4"', "refuses our login"),
    ],
)
def test_refusals_at_the_door_are_told_apart(sentence: str, words: str) -> None:
    answer = b"SFATAL\0VFATAL\0CXX000\0M" + sentence.encode() + b"\0\0"
    with fake_server(answer) as port:
        refused = LMSConnection(f"host=127.0.0.1 port={port} user=guest password={SECRET} dbname=lms")
        with pytest.raises(LMSBotError, match=words) as caught, refused.snapshot():
            pass
        assert SECRET not in str(caught.value)


def test_an_unknown_host_is_an_lms_that_cannot_be_reached() -> None:
    nowhere = LMSConnection("host=no-such-host.invalid port=5432 user=guest dbname=lms")
    assert not nowhere.is_reachable()
    with pytest.raises(LMSUnavailable, match="cannot be reached"), nowhere.snapshot():
        pass


def test_it_is_reachable_where_any_of_its_hosts_answers(own_server: EmbeddedPostgres) -> None:
    port = own_server.port
    for where in (
        f"host=127.0.0.1 port={port}",
        f"host=nowhere.invalid,127.0.0.1 port={port}",
        f"host=127.0.0.1,127.0.0.1 port=1,{port}",
        f"hostaddr=127.0.0.1 host=nowhere.invalid port={port}",
        f"host={own_server.folder} port={port}",
    ):
        assert LMSConnection(f"{where} user=guest dbname=lms").is_reachable(), where
    for where in ("host=127.0.0.1 port=1", "host=127.0.0.1,127.0.0.1 port=1,2", f"host={own_server.folder} port=1"):
        assert not LMSConnection(f"{where} user=guest dbname=lms").is_reachable(), where


def test_an_old_server_is_named_as_such(own_server: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "OLDEST_SERVER", 10**9)
    with pytest.raises(LMSRefused, match="is needed"), LMSConnection(own_server.url("lms")).snapshot():
        pass


def test_transaction_ids_given_out_again_after_a_crash_are_looked_at_again(
    own_server: EmbeddedPostgres, own_lms: School, watching: Watching
) -> None:
    """A server that promises less than it keeps: what it lost in a crash, we had read."""
    add_attempts(own_lms, 1, 5)
    watching.poll()
    run(own_lms, "ALTER SYSTEM SET wal_writer_delay = '10s'")
    run(own_lms, "SELECT pg_reload_conf()")
    run(own_lms, "CHECKPOINT")
    with closing(own_lms.connect()) as hasty, hasty.cursor() as sql:
        sql.execute("SET synchronous_commit = off")
        for row_id in range(100, 120):
            sql.execute("INSERT INTO attempts (id, user_id, state) VALUES (%s, 1, 'started')", (row_id,))
            hasty.commit()
        assert len(watching.poll()) == 20
        own_server.restart("immediate")
    assert run(own_lms, "SELECT count(*) FROM attempts") < [(25,)]
    run(own_lms, "UPDATE attempts SET result = 'fail' WHERE id = 3")
    for _ in range(40):
        run(own_lms, "SELECT pg_current_xact_id()")
    ((written_by, next_id),) = run(
        own_lms, "SELECT xmin::text::int, xmin::text::int + age(xmin) FROM attempts WHERE id = 3"
    )
    assert written_by < watching.position().horizon < next_id
    with pytest.raises(LMSUnavailable):
        watching.poll()
    assert watching.poll() == {("3", "exam_failed")}
    run(own_lms, "ALTER SYSTEM RESET wal_writer_delay")
    run(own_lms, "SELECT pg_reload_conf()")


# ---- a physical replica ----


class Replica:
    """A streaming replica of `server`, in its folder."""

    def __init__(self, server: EmbeddedPostgres, reaper: Reaper) -> None:
        self.server = server
        self.folder = server.folder / f"replica-{reaper.folder.name}"
        self.port = _free_port()
        owner = pwd.getpwuid((server.folder / "data").stat().st_uid)
        binaries = server.binaries
        subprocess.run(
            [binaries / "pg_basebackup", "-d", server.url(), "-D", self.folder, "-R", "-c", "fast", "-N"],
            check=True, capture_output=True, cwd="/", user=owner.pw_uid, group=owner.pw_gid, extra_groups=[],
        )  # fmt: skip
        reaper.start(
            [binaries / "postgres", "-D", self.folder, "-p", str(self.port), "-h", server.host, "-k", self.folder,
             "-c", "max_connections=100", "-c", "max_prepared_transactions=10"],
            user=owner.pw_name if os.geteuid() == 0 else None, end_signal=signal.SIGQUIT,
        )  # fmt: skip

    def url(self, user: str = "guest", password: str = SECRET) -> str:
        return self.server.url("lms", user, password).replace(f":{self.server.port}/", f":{self.port}/")

    def wait(self) -> None:
        """Until it has all that was written to its server."""
        with closing(self.server.connect()) as admin, admin.cursor() as sql:
            sql.execute("SELECT pg_current_wal_lsn()")
            ((written,),) = sql.fetchall()
        deadline = monotonic() + 120
        while monotonic() < deadline:
            with suppress(psycopg2.OperationalError), closing(psycopg2.connect(self.url())) as reader:
                sql = reader.cursor()
                sql.execute("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", (written,))
                if sql.fetchone() == (True,):
                    return
        raise AssertionError("the replica did not catch up")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def replica(own_server: EmbeddedPostgres) -> Iterator[Replica]:
    reaper = Reaper()
    yield Replica(own_server, reaper)
    reaper.close()


def test_a_read_replica_serves_as_well(own_lms: School, replica: Replica, tmp_path: Path) -> None:
    add_attempts(own_lms, 1, 300)
    add_attempts(own_lms, 301, 301, "started")
    replica.wait()
    watching = Watching(replica.url(), f"sqlite:///{tmp_path / 'store.db'}")
    with closing(own_lms.connect()) as late, late.cursor() as sql:
        sql.execute("INSERT INTO attempts (id, user_id, state) VALUES (-5, 1, 'started')")
        assert watching.poll() == set()
        run(own_lms, "UPDATE attempts SET result = 'fail' WHERE id IN (7, 301)")
        run(own_lms, "UPDATE attempts SET state = 'ended' WHERE id = 301")
        add_attempts(own_lms, 400, 400)
        replica.wait()
        assert watching.poll() == {("7", "exam_failed"), ("301", "exam_failed"), ("400", "exam_passed")}
        late.commit()
    replica.wait()
    assert watching.poll() == {("-5", "exam_started")}
    assert watching.poll() == set()
    watching.close()


def test_a_failover_loses_nothing_and_is_told_as_such(
    own_server: EmbeddedPostgres, own_lms: School, replica: Replica, tmp_path: Path
) -> None:
    add_attempts(own_lms, 1, 300)
    replica.wait()
    hosts = f"127.0.0.1:{own_server.port},127.0.0.1:{replica.port}"
    watching = Watching(f"postgresql://guest:{SECRET}@{hosts}/lms", f"sqlite:///{tmp_path / 'store.db'}")
    watching.poll()
    run(own_lms, "UPDATE attempts SET result = 'fail' WHERE id = 3")
    replica.wait()
    with own_server.away():
        assert watching.app.source.connection.is_reachable()
        with School(replica.url("postgres", own_server.password)) as promoted:
            run(promoted, "SELECT pg_promote()")
            add_attempts(promoted, 500, 500)
            run(promoted, "UPDATE attempts SET result = 'fail' WHERE id = 4")
        with pytest.raises(LMSUnavailable, match="broke"):
            watching.poll()
        assert watching.poll() == {("3", "exam_failed"), ("4", "exam_failed"), ("500", "exam_passed")}
        assert "failover" in str(watching.app.source.connection.interruption)
        watching.close()


# ---- links that idle ----


@pytest.fixture
def idling(own_server: EmbeddedPostgres, own_lms: School, tmp_path: Path) -> Iterator[Watching]:
    """On a server that ends sessions that idle, if they let it."""
    run(own_lms, "ALTER DATABASE lms SET idle_session_timeout = '100ms'")
    one = Watching(own_server.url("lms", "guest", SECRET), f"sqlite:///{tmp_path / 'store.db'}")
    one.poll()
    yield one
    one.close()
    run(own_lms, "ALTER DATABASE lms RESET idle_session_timeout")


def test_a_server_that_ends_idle_sessions_does_not_end_ours(idling: Watching, own_lms: School) -> None:
    time.sleep(0.3)
    add_attempts(own_lms, 1, 1)
    assert idling.poll() == {("1", "exam_passed")}
    assert idling.app.source.connection.interruption is None


def test_a_link_dropped_while_it_idled_costs_no_poll(
    watching: Watching, own_lms: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "IDLE_SECONDS", 0.0)
    for row_id in (1, 2):
        end_sessions(own_lms)
        add_attempts(own_lms, row_id, row_id)
        assert watching.poll() == {(str(row_id), "exam_passed")}
    assert "was dropped" in str(watching.app.source.connection.interruption)
