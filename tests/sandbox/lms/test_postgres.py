"""A PostgreSQL server that leaves nothing behind, however its owner ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from lms_bot.sandbox.lms.postgres import EmbeddedPostgres, find_binaries
from lms_bot.sandbox.lms.school import School
from tests.places import REPOSITORY
from tests.worlds.processes import eventually, processes_using
from tests.worlds.school_rows import rows


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_a_server_answers_by_tcp_and_by_socket(server: EmbeddedPostgres) -> None:
    by_socket = f"host={server.folder} port={server.port} user=postgres"
    for address in (server.url(), by_socket):
        with closing(psycopg2.connect(address)) as connection, connection.cursor() as sql:
            sql.execute("SELECT lower('ÉÄ'), current_setting('TimeZone'), current_setting('fsync')")
            assert sql.fetchone() == ("éä", "UTC", "off")


def test_what_was_committed_survives_an_absence_and_a_crash(server: EmbeddedPostgres) -> None:
    url = server.create_database("absence")
    with School(url) as school:
        school.create()
        student = school.add_student("john_doe")
        with server.away():
            assert not server.is_running
            with pytest.raises(psycopg2.OperationalError):
                psycopg2.connect(url)
        server.restart("immediate")
        assert rows(school, "SELECT id FROM students") == [(student,)]
    server.drop_database("absence")


def test_a_database_is_dropped_even_when_somebody_uses_it(server: EmbeddedPostgres) -> None:
    with closing(psycopg2.connect(server.create_database("Odd name!"))):
        server.drop_database("Odd name!")
        server.drop_database("Odd name!")
    with pytest.raises(psycopg2.OperationalError):
        psycopg2.connect(server.url("Odd name!"))


def test_a_new_role_may_log_in_by_its_password_and_read_nothing(postgres: EmbeddedPostgres, lms: School) -> None:
    url = postgres.create_role("guest")
    assert url == postgres.url(user="guest")
    database = lms.url.rsplit("/", 1)[1]
    as_guest = closing(psycopg2.connect(postgres.url(database, "guest")))
    refused = pytest.raises(psycopg2.errors.InsufficientPrivilege)
    with as_guest as connection, connection.cursor() as sql, refused:
        sql.execute("SELECT 1 FROM students")
    with pytest.raises(psycopg2.OperationalError, match="password"):
        psycopg2.connect(postgres.url(user="guest", password="wrong"))


def test_several_servers_run_at_once_and_each_leaves_nothing_when_stopped(postgres: EmbeddedPostgres) -> None:
    with EmbeddedPostgres() as other:
        folder, port = other.folder, other.port
        assert folder != postgres.folder and port != postgres.port
        assert processes_using(folder) or sys.platform != "linux"
    assert not processes_using(folder) and not folder.exists() and not is_listening(port)
    assert postgres.is_running and is_listening(postgres.port)


def test_a_stopped_server_starts_again_empty() -> None:
    server = EmbeddedPostgres()
    with server:
        server.create_database("gone")
    server.stop()
    with server, server.connect() as connection, connection.cursor() as sql:
        sql.execute("SELECT count(*) FROM pg_database WHERE datname = 'gone'")
        assert sql.fetchone() == (0,)


def test_binaries_that_are_not_there_are_an_error_that_says_where(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=f"no PostgreSQL in {tmp_path}"):
        EmbeddedPostgres(tmp_path)


def test_a_server_that_cannot_start_says_why_and_leaves_nothing(tmp_path: Path) -> None:
    binaries = tmp_path / "postgresql" / "bin"
    binaries.mkdir(parents=True)
    for name in ("initdb", "postgres"):
        (binaries / name).write_text("#!/bin/sh\necho no such luck\nexit 1\n")
        (binaries / name).chmod(0o755)
    server = EmbeddedPostgres(binaries)
    with pytest.raises(RuntimeError, match="no such luck"):
        server.start()
    with pytest.raises(RuntimeError, match="not started"):
        _ = server.folder


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has files that its server may not read")
def test_binaries_in_a_folder_of_roots_are_used_all_the_same(tmp_path: Path) -> None:
    package = find_binaries().parents[1]
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    for part in package.parent.glob(f"{package.name}*/"):
        (private / part.name).symlink_to(part)
    with EmbeddedPostgres(private / find_binaries().relative_to(package.parent)) as server:
        assert server.is_running


OWNER = """
import signal, sys, threading
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell in the background starts all with SIGINT ignored
from contextlib import nullcontext
from lms_bot.sandbox.lms.postgres import EmbeddedPostgres
server = EmbeddedPostgres().start()
with server.away() if "away" in sys.argv else nullcontext():
    print(server.folder, server.port, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def owner(request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[str]]:
    """A program that owns a server until its standard input closes."""
    process = subprocess.Popen(
        [sys.executable, "-c", OWNER, getattr(request, "param", "")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    with process:
        yield process
        process.kill()


def folder_and_port(owner: subprocess.Popen[str]) -> tuple[Path, int]:
    assert owner.stdout is not None
    folder, port = owner.stdout.readline().split()
    assert Path(folder).exists()
    return Path(folder), int(port)


@pytest.mark.parametrize(
    ("owner", "last_word"),
    [
        ("", signal.SIGKILL),
        ("", signal.SIGTERM),
        ("", signal.SIGINT),
        ("", None),
        ("away", signal.SIGKILL),
    ],
    indirect=["owner"],
)
def test_nothing_is_left_however_the_owner_ends(
    owner: subprocess.Popen[str], last_word: signal.Signals | None
) -> None:
    folder, port = folder_and_port(owner)
    if last_word is None:
        assert owner.stdin is not None
        owner.stdin.close()
    else:
        owner.send_signal(last_word)
    owner.wait()
    assert eventually(lambda: not folder.exists() and not processes_using(folder))
    assert not is_listening(port)
