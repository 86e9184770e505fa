"""The bot as people run it: a process of its own, between a school's LMS and a Zulip over HTTP."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg2

if TYPE_CHECKING:
    from lms_bot.sandbox.lms.school import School
    from lms_bot.sandbox.zulip import SandboxPerson, SandboxZulip

Found = TypeVar("Found")

SCRIPTS = Path(sys.executable).parent
PATIENCE_SECONDS = 60.0
TO_END_IN_SECONDS = 15.0
"""After a signal. README promises five, which a busy machine may not keep; what must not be waited for takes more."""

LOOK_SECONDS = 0.01
WELCOME = "\n\n---\n\n👋"
FOREIGN_SETTINGS = ("LMS_", "ZULIP_", "PG", "PYTHONPATH")


def wait_until(condition: Callable[[], Found], what: str, patience_seconds: float = PATIENCE_SECONDS) -> Found:
    """The condition's first value that is true. TimeoutError where it does not become so."""
    give_up_at = time.monotonic() + patience_seconds
    while not (found := condition()):
        if time.monotonic() > give_up_at:
            raise TimeoutError(f"not within {patience_seconds} s: {what}")
        time.sleep(LOOK_SECONDS)
    return found


class BotProcess:
    """A process of the bot. What it prints goes into two files; the end of a `with` block kills what still runs."""

    def __init__(self, command: list[str], *, cwd: Path, env: Mapping[str, str], folder: Path) -> None:
        number = len(list(folder.glob("*.stdout")))
        self._stdout, self._stderr = (folder / f"{number}.{name}" for name in ("stdout", "stderr"))
        own = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN_SETTINGS)}
        self.began_at = time.time()
        with self._stdout.open("wb") as stdout, self._stderr.open("wb") as stderr:
            self._process = subprocess.Popen(
                command,
                cwd=cwd,
                env=own | {"PYTHONUNBUFFERED": "1"} | dict(env),
                stdin=subprocess.PIPE,
                stdout=stdout,
                stderr=stderr,
            )

    @property
    def stdout(self) -> str:
        return self._stdout.read_text(encoding="utf-8", errors="replace")

    @property
    def stderr(self) -> str:
        return self._stderr.read_text(encoding="utf-8", errors="replace")

    @property
    def output(self) -> str:
        return self.stdout + self.stderr

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    def type(self, line: str) -> None:
        """Types a line on its standard input."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())
        self._process.stdin.flush()

    def wait(self, patience_seconds: float = PATIENCE_SECONDS) -> int:
        """Its exit code, once it has ended by itself."""
        return self._process.wait(patience_seconds)

    def end(self, with_signal: int = signal.SIGTERM, patience_seconds: float = 10.0) -> int:
        """Asks it to end and returns its exit code."""
        self._process.send_signal(with_signal)
        return self.wait(patience_seconds)

    def kill(self) -> None:
        """kill -9: it gets no chance to tidy up."""
        if self.exit_code is None:
            self._process.kill()
        self._process.wait(PATIENCE_SECONDS)

    def __enter__(self) -> BotProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        if self._process.stdin is not None:
            self._process.stdin.close()


@dataclass(frozen=True)
class StoreReader:
    """Looks into the bot's store beside the bot."""

    url: str

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What the query gives; nothing while the bot has not made its tables yet."""
        try:
            with closing(self._connect()) as store, closing(store.cursor()) as cursor:
                cursor.execute(query)
                found: list[tuple[Any, ...]] = cursor.fetchall()
                return found
        except (sqlite3.OperationalError, psycopg2.errors.UndefinedTable):
            return []

    def value(self, query: str) -> Any:
        """The first value of the first row, or None."""
        found = self.rows(query)
        return found[0][0] if found else None

    @property
    def last_good_poll(self) -> Any:
        """When the last good poll was committed, in the database's own spelling; None before the first."""
        return self.value("SELECT updated_at FROM lms_facts WHERE name = 'last_good_poll'")

    @property
    def event_types(self) -> list[str]:
        return [kind for (kind,) in self.rows("SELECT event_type FROM lms_activity_events ORDER BY event_id")]

    def _connect(self) -> Any:
        if self.url.startswith("sqlite:///"):
            return sqlite3.connect(f"file:{self.url.removeprefix('sqlite:///')}?mode=ro", uri=True, timeout=5)
        return psycopg2.connect(self.url)


@dataclass
class Town:
    """A school and its people in Zulip: anna and bob mentor john_doe, carla mentors zoe_m, ada is an admin.

    Nobody in the LMS knows sven. The bot's account is there; `run_bot` starts the bot itself.
    """

    lms: School
    zulip: SandboxZulip
    folder: Path
    store_url: str = ""
    people: dict[str, SandboxPerson] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.store_url = self.store_url or f"sqlite:///{self.folder / 'store.db'}"
        self.store = StoreReader(self.store_url)
        self.anna_key, self.bob_key, self.carla_key = map(self.lms.add_mentor, ("anna", "bob", "carla"))
        self.john = self.lms.add_student("john_doe", mentors=[self.anna_key, self.bob_key])
        self.zoe = self.lms.add_student("zoe_m", mentors=[self.carla_key], display_name="Zoë Müller")
        self.exam = self.lms.add_exam("Maths")
        self.bot = self.zulip.add_person("LMS bot", email="lms-bot@zulip.example.com", is_bot=True)
        for name in ("anna", "bob", "carla", "ada", "sven"):
            self.add_person(name, role=200 if name == "ada" else 400)
        self.zuliprc = self.zulip.write_zuliprc(self.bot, self.folder / "zuliprc")

    def add_person(self, name: str, **account: Any) -> SandboxPerson:
        """An account whose address is that of the mentor of this name."""
        address = f"{name}@school.example.com"
        account = {"email": address, "delivery_email": address, **account}
        self.people[name] = self.zulip.add_person(name.title(), **account)
        return self.people[name]

    # ---- the bot ----

    @property
    def usual_settings(self) -> dict[str, object]:
        return {
            "lms_db_url": self.lms.url,
            "lms_bot_store": self.store_url,
            "lms_activity_poll_interval": 0.2,
            "lms_group_seconds": 0,
            "lms_default_notify": "everything",
        }

    def write_config(self, **settings: object) -> Path:
        """The bot config file with these settings beside the usual ones; None leaves one out."""
        path = self.folder / "lms_bot.conf"
        given = {**self.usual_settings, **settings}
        lines = [f"{name} = {value}" for name, value in given.items() if value is not None]
        path.write_text("\n".join(["[lms_bot]", *lines, ""]), encoding="utf-8")
        return path

    @contextmanager
    def run_bot(
        self,
        *how: str | Path,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        program: list[str] | None = None,
        is_awaited: bool = True,
        **settings: object,
    ) -> Iterator[BotProcess]:
        """`zulip-run-bot`, by name unless `how` says otherwise; with `how` come its own -c and -b.

        It is killed at the end of the block, and awaited at the beginning: it listens to Zulip by then.
        """
        how = how or ("lms_bot",)
        if "-c" not in how and "ZULIP_SITE" not in (env or {}):
            how = (*how, "-c", self.zuliprc)
        if "-b" not in how:
            how = (*how, "-b", self.write_config(**settings))
        command = [*(program or [str(SCRIPTS / "zulip-run-bot")]), *map(str, how)]
        with BotProcess(command, cwd=cwd or self.folder, env=env or {}, folder=self.folder) as process:
            if is_awaited:
                self.wait_until_listening(process)
            yield process

    def wait_until_listening(self, process: BotProcess) -> None:
        def is_listening() -> bool:
            assert process.exit_code is None, f"the bot ended with {process.exit_code}:\n{process.output}"
            requests = list(self.zulip.requests)
            return any(one.path.endswith("/register") and one.at >= process.began_at for one in requests)

        wait_until(is_listening, "the bot listens")

    def wait_for_polls(self, count: int = 2) -> None:
        """Until so many polls were good from now on; the second of them began after now."""
        for _ in range(count):
            before = self.store.last_good_poll
            wait_until(lambda seen=before: self.store.last_good_poll not in (None, seen), "a good poll")  # type: ignore[misc]

    def wait_until_settled(self) -> None:
        """Until the bot has seen all that was in the LMS and told all that is to be told."""
        self.wait_for_polls()
        unsettled = "SELECT count(*) FROM lms_activity_events WHERE NOT (has_deliveries AND is_settled)"
        wait_until(lambda: self.store.value(unsettled) == 0, "nothing is left to be told")

    # ---- what people see ----

    def told(self, name: str) -> list[str]:
        """What the bot wrote to this person alone, without what it says of itself below the first.

        All spaces are ordinary ones.
        """
        messages = self.zulip.messages(sender=self.bot, to=self.people[name])
        return [one.content.partition(WELCOME)[0].replace("\u00a0", " ") for one in messages]

    def titles(self, name: str) -> list[str]:
        """The first lines of it."""
        return [content.split("\n")[0] for content in self.told(name)]

    def wait_until_told(self, name: str, text: str, patience_seconds: float = PATIENCE_SECONDS) -> str:
        """The bot's first message to this person alone that holds the text."""
        person = self.people[name]

        def is_it(message: Any) -> bool:
            to_person = message.sender_id == self.bot.user_id and message.recipient_ids == (person.user_id,)
            return to_person and text in message.content

        return self.zulip.wait_for(is_it, patience_seconds).content

    def ask(self, name: str, question: str) -> str:
        """Somebody writes to the bot; its answer. Admins are told at any time how deliveries go: that is none."""

        def get_answers() -> list[str]:
            return [content for content in self.told(name) if "**Deliveries " not in content.split("\n")[0]]

        said = len(get_answers())
        self.zulip.send(self.people[name], self.bot, question)
        wait_until(lambda: len(get_answers()) > said, f"an answer to {question!r}")
        return get_answers()[said]
