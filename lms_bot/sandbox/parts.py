"""The parts of a demo, real ones: a PostgreSQL with a school, a Zulip over HTTP, the bot's process between them."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass

from lms_bot.sandbox.bot_process import BotProcess
from lms_bot.sandbox.keeper import Keeper
from lms_bot.sandbox.lms.postgres import EmbeddedPostgres
from lms_bot.sandbox.lms.sample import Person
from lms_bot.sandbox.lms.school import School
from lms_bot.sandbox.zulip import SandboxPerson, SandboxZulip

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
class Parts:
    """`account` is the bot's own in Zulip."""

    zulip: SandboxZulip
    postgres: EmbeddedPostgres
    school: School
    account: SandboxPerson
    bot: BotProcess


def set_up(cleanup: ExitStack, bot: str, config: str) -> Parts:
    """Start everything; `cleanup` ends it. `bot` is what zulip-run-bot is told to run, `config` its config file,
    with places for the names of `CONNECTIONS`."""
    keeper = Keeper(prefix="lms-bot-demo-")
    cleanup.callback(keeper.close)
    zulip = cleanup.enter_context(SandboxZulip())
    postgres = cleanup.enter_context(EmbeddedPostgres())
    school = cleanup.enter_context(School(postgres.create_database("lms"))).create()
    postgres.create_role("lms_bot_reader")
    with school.transaction() as sql:
        sql.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO lms_bot_reader")

    account = zulip.add_person("LMS Bot", is_bot=True)
    zuliprc = zulip.write_zuliprc(account, keeper.folder / "zuliprc")
    store = keeper.folder / "lms_bot.db"
    config_file = keeper.folder / "lms_bot.conf"
    config_file.write_text(config.format(postgres=postgres, store=store), encoding="utf-8")
    return Parts(zulip, postgres, school, account, BotProcess(keeper, bot, zuliprc, config_file, store))


def invite(zulip: SandboxZulip, person: Person, role: int = 400) -> SandboxPerson:
    """An account in Zulip for somebody of the sample school, by the address the LMS has of them."""
    domain = "students.example.com" if person.mentors else "school.example.com"
    address = f"{person.username}@{domain}"
    return zulip.add_person(get_full_name(person), email=address, delivery_email=address, role=role)


def get_full_name(person: Person) -> str:
    return person.display_name or f"{person.first_name} {person.last_name}"
