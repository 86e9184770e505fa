"""What a demo runs in, all real: a PostgreSQL with a school, a Zulip over HTTP, the bot's process between them."""

from __future__ import annotations

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

CONNECTIONS = """\
[lms_bot]
lms_db_host = {postgres.host}
lms_db_port = {postgres.port}
lms_db_name = lms
lms_db_user = lms_bot_reader
lms_db_password = {postgres.password}
lms_bot_store = sqlite:///{store}
"""


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


def invite(zulip: SandboxZulip, person: Person, role: int = 400) -> SandboxPerson:
    """An account in Zulip for somebody of the sample school, by the address the LMS has of them."""
    domain = "students.example.com" if person.mentors else "school.example.com"
    address = f"{person.username}@{domain}"
    return zulip.add_person(get_full_name(person), email=address, delivery_email=address, role=role)


def get_full_name(person: Person) -> str:
    return person.display_name or f"{person.first_name} {person.last_name}"
