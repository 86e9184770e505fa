"""What a demo runs in, all real: a PostgreSQL with a school, a Zulip over HTTP, the bot's process between them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lms_bot.sandbox.bot_process import BotProcess
from lms_bot.sandbox.lms.postgres import EmbeddedPostgres
from lms_bot.sandbox.lms.sample import Person, fill
from lms_bot.sandbox.lms.school import School
from lms_bot.sandbox.reaper import Reaper
from lms_bot.sandbox.zulip import SandboxPerson, SandboxZulip

if TYPE_CHECKING:
    from contextlib import ExitStack

START_PATIENCE_SECONDS = 60.0
LOOK_SECONDS = 0.2  # how often we see whether to go on
CONNECTIONS = """\
[lms_bot]
lms_db_host = {postgres.host}
lms_db_port = {postgres.port}
lms_db_name = lms
lms_db_user = lms_bot_reader
lms_db_password = {postgres.password}
lms_bot_store = sqlite:///{store}
"""


class IsOver(Exception):
    """The time is up, or somebody wants it to stop. Nothing is wrong."""


class BotDied(Exception):
    """The bot's process ended, or never came up, while it was needed. The text says how."""


@dataclass(frozen=True)
class DemoEnvironment:
    """`account` is the bot's own in Zulip."""

    zulip: SandboxZulip
    postgres: EmbeddedPostgres
    school: School
    account: SandboxPerson
    bot: BotProcess


def start_environment(cleanup: ExitStack, bot: str, config: str) -> DemoEnvironment:
    """Start everything; `cleanup` ends it. `bot` is what zulip-run-bot is told to run, `config` its config file,
    with places for the names of `CONNECTIONS`."""
    reaper = Reaper(prefix="lms-bot-demo-")
    cleanup.callback(reaper.close)
    zulip = cleanup.enter_context(SandboxZulip())
    postgres = cleanup.enter_context(EmbeddedPostgres())
    school = fill(cleanup.enter_context(School(postgres.create_database("lms"))).create())
    postgres.create_role("lms_bot_reader")
    with school.transaction() as sql:
        sql.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO lms_bot_reader")

    account = zulip.add_person("LMS Bot", is_bot=True)
    zuliprc = zulip.write_zuliprc(account, reaper.folder / "zuliprc")
    store = reaper.folder / "lms_bot.db"
    config_file = reaper.folder / "lms_bot.conf"
    config_file.write_text(config.format(postgres=postgres, store=store), encoding="utf-8")
    return DemoEnvironment(zulip, postgres, school, account, BotProcess(reaper, bot, zuliprc, config_file, store))


def wait_for_bot(environment: DemoEnvironment, is_over: Callable[[], bool]) -> None:
    """Until it listens. Raises IsOver, and BotDied if it ends before."""
    give_up_at = time.monotonic() + START_PATIENCE_SECONDS
    while not any(one.path.endswith("register") for one in environment.zulip.requests):
        if is_over():
            raise IsOver
        if environment.bot.exit_code is not None or time.monotonic() > give_up_at:
            raise BotDied(f"The bot did not come up (exit code {environment.bot.exit_code}).")
        time.sleep(LOOK_SECONDS)


def invite(zulip: SandboxZulip, person: Person, role: int = 400) -> SandboxPerson:
    """An account in Zulip for somebody of the sample school, by the address the LMS has of them."""
    domain = "students.example.com" if person.mentors else "school.example.com"
    address = f"{person.username}@{domain}"
    return zulip.add_person(get_full_name(person), email=address, delivery_email=address, role=role)


def get_full_name(person: Person) -> str:
    return person.display_name or f"{person.first_name} {person.last_name}"
