"""The bot as a process, as people start, stop, kill and configure it, on a real PostgreSQL and a Zulip over HTTP."""

from __future__ import annotations

import json
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg2
import pytest
from psycopg2.extensions import parse_dsn
from psycopg2.sql import SQL, Identifier, Literal

from lms_bot.lms.standard import grant_statements
from lms_bot.sandbox.lms.school import School, utc
from lms_bot.sandbox.zulip import Fault, SandboxZulip
from tests.places import PACKAGE
from tests.worlds.running_bot import SCRIPTS, TO_END_IN_SECONDS, BotProcess, Town, wait_until

if TYPE_CHECKING:
    from lms_bot.sandbox.lms.postgres import EmbeddedPostgres

STARTED, PASSED = "📝 **Student Activity Alert**", "🎉 **Exam Passed!**"
FAILED, WATCHED = "❌ **Exam Failed**", "👀 **Content Viewed**"

INSTALLED = [entry for entry in sys.path if entry.endswith(("site-packages", "dist-packages"))]
RUN_BOT_UNINSTALLED = f"""
import sys
sys.path[:] = [*filter(None, sys.path), *{INSTALLED!r}]
try:
    import lms_bot
    sys.exit(77)
except ImportError:
    pass
from zulip_bots.run import main
main()
"""
"""What the script zulip-run-bot does, in an interpreter that does not find this package: with -S, the installed
packages are there, but what a development install adds to them is not."""

TELL_WHAT_IS_LOADED = """
import atexit, json, sys

def _tell():
    files = [module.__file__ for name, module in sys.modules.items() if name.split(".")[0] == "lms_bot"]
    print("loaded:", json.dumps(sorted(filter(None, files))))

atexit.register(_tell)
"""


@pytest.fixture
def town(new_lms: Callable[[], School], zulip: SandboxZulip, tmp_path: Path) -> Town:
    return Town(new_lms(), zulip, tmp_path)


@pytest.fixture
def copied_package(tmp_path: Path) -> Path:
    """A copy of the package's folder elsewhere, which tells at its end which files it was loaded from."""
    copy = tmp_path / "elsewhere" / "lms_bot"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__", "sandbox"))
    with (copy / "bot.py").open("a", encoding="utf-8") as bot:
        bot.write(TELL_WHAT_IS_LOADED)
    return copy


def take_exam(town: Town) -> None:
    """john_doe starts and passes the exam; the bot sees both."""
    attempt = town.lms.start_exam("john_doe", town.exam)
    town.wait_until_told("anna", STARTED)
    town.lms.finish_exam(attempt, "pass")


def assert_both_mentors_are_told_once(town: Town) -> None:
    take_exam(town)
    town.wait_until_settled()
    assert town.titles("anna") == [STARTED, PASSED]
    assert town.titles("bob") == [STARTED, PASSED]
    assert town.told("carla") == town.told("ada") == []


# ---- the ways to start it ----


def test_started_by_name_it_tells_both_mentors_once(town: Town) -> None:
    with town.run_bot("lms_bot"):
        assert_both_mentors_are_told_once(town)


def test_started_by_registry_it_tells_both_mentors_once(town: Town) -> None:
    with town.run_bot("-r", "lms_bot"):
        assert_both_mentors_are_told_once(town)


def test_started_by_its_path_it_tells_both_mentors_once(town: Town) -> None:
    with town.run_bot(PACKAGE / "lms_bot.py"):
        assert_both_mentors_are_told_once(town)


@pytest.mark.parametrize(("folder", "path"), [("", "lms_bot/lms_bot.py"), ("lms_bot", "lms_bot.py")])
def test_started_by_a_relative_path_the_package_found_there_is_the_one_that_runs(
    town: Town, copied_package: Path, folder: str, path: str
) -> None:
    with town.run_bot(path, cwd=copied_package.parent / folder) as bot:
        assert_both_mentors_are_told_once(town)
        assert bot.end() == 0
    assert_all_was_loaded_from(copied_package, bot)


def test_started_by_path_it_needs_no_installed_package(town: Town, copied_package: Path) -> None:
    program = [sys.executable, "-S", "-c", RUN_BOT_UNINSTALLED]
    with town.run_bot(copied_package / "lms_bot.py", program=program, is_awaited=False) as bot:
        wait_until(lambda: bot.exit_code is not None or "starting message handling" in bot.output, "the bot is up")
        if bot.exit_code == 77:
            pytest.skip("this package is installed in full, so that every interpreter finds it")
        assert bot.exit_code is None, bot.output
        assert_both_mentors_are_told_once(town)
        assert bot.end() == 0
    assert_all_was_loaded_from(copied_package, bot)


def assert_all_was_loaded_from(package: Path, bot: BotProcess) -> None:
    (line,) = (line for line in bot.stdout.splitlines() if line.startswith("loaded:"))
    files = json.loads(line.removeprefix("loaded:"))
    assert len(files) > 20
    assert [file for file in files if not Path(file).is_relative_to(package)] == []


def test_without_a_zuliprc_it_takes_the_account_from_the_environment(town: Town) -> None:
    account = {"EMAIL": town.bot.email, "API_KEY": town.bot.api_key, "SITE": town.zulip.site}
    with town.run_bot(env={f"ZULIP_{name}": value for name, value in account.items()}):
        assert_both_mentors_are_told_once(town)


def test_it_polls_at_its_start_and_not_an_interval_later(town: Town) -> None:
    with town.run_bot(is_awaited=False, lms_activity_poll_interval=3600):
        wait_until(lambda: town.store.last_good_poll, "the first good poll")


# ---- where settings come from ----


def env_of(town: Town, **settings: object) -> dict[str, str]:
    given = {**town.usual_settings, **settings}
    return {name.upper(): str(value) for name, value in given.items() if value is not None}


@pytest.fixture
def reader(postgres: EmbeddedPostgres, town: Town) -> Iterator[dict[str, Any]]:
    """A role with no right but to read what the bot reads, and a password full of trouble."""
    name, password = "reader_%d", "100%sure %(x)s$HOME'\\#;@/:%"
    with closing(psycopg2.connect(town.lms.url)) as connected, connected, connected.cursor() as sql:
        sql.execute(SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(Identifier(name), Literal(password)))
        sql.execute(grant_statements(f'"{name}"'))
    place = parse_dsn(town.lms.url)
    yield {
        "lms_db_name": place["dbname"],
        "lms_db_user": name,
        "lms_db_password": password,
        "lms_db_host": place["host"],
        "lms_db_port": place["port"],
    }
    with closing(psycopg2.connect(town.lms.url)) as connected, connected, connected.cursor() as sql:
        sql.execute(SQL("DROP OWNED BY {}").format(Identifier(name)))
        sql.execute(SQL("DROP ROLE {}").format(Identifier(name)))


def test_a_role_that_may_only_read_and_a_password_with_percent_signs_do(town: Town, reader: dict[str, Any]) -> None:
    with town.run_bot(PACKAGE / "lms_bot.py", lms_db_url=None, **reader) as bot:
        assert_both_mentors_are_told_once(town)
        assert reader["lms_db_password"] not in bot.output


def test_the_environment_alone_is_enough(town: Town, reader: dict[str, Any]) -> None:
    program = [str(SCRIPTS / "zulip-run-bot"), "lms_bot", "-c", str(town.zuliprc)]
    with BotProcess(program, cwd=town.folder, env=env_of(town, lms_db_url=None, **reader), folder=town.folder) as bot:
        town.wait_until_listening(bot)
        assert_both_mentors_are_told_once(town)


def test_a_dotenv_file_in_the_working_directory_is_read(town: Town) -> None:
    lines = [f"{name}='{value}'" for name, value in env_of(town).items()]
    (town.folder / ".env").write_text("\n".join(lines), encoding="utf-8")
    program = [str(SCRIPTS / "zulip-run-bot"), "lms_bot", "-c", str(town.zuliprc)]
    with BotProcess(program, cwd=town.folder, env={}, folder=town.folder) as bot:
        town.wait_until_listening(bot)
        assert_both_mentors_are_told_once(town)


def test_the_environment_wins_over_the_file(town: Town) -> None:
    env = {"LMS_DB_URL": town.lms.url, "LMS_ACTIVITY_MONITOR_ENABLED": "TRUE"}
    settings: dict[str, Any] = {
        "lms_db_url": "postgresql://nobody@127.0.0.1:1/none",
        "lms_activity_monitor_enabled": "false",
    }
    with town.run_bot(env=env, **settings):
        assert_both_mentors_are_told_once(town)


# ---- settings that are wrong ----


def run_to_the_end(town: Town, *how: str | Path, env: dict[str, str] | None = None, **settings: Any) -> BotProcess:
    with town.run_bot(*how, env=env, is_awaited=False, **settings) as bot:
        bot.wait()
    return bot


def test_each_mistake_in_the_settings_is_one_line_and_stops_the_start(town: Town) -> None:
    bot = run_to_the_end(
        town,
        env={"LMS_NOTIFY_MENTORS_ENABLED": "perhaps"},
        lms_db_url="postgresql://reader:s3cr3t@w0rd@127.0.0.1/lms",
        lms_activity_poll_interval="0.1",
        lms_event_types_to_monitor="exam_passed, exam_pased",
        lms_admins="head",
        lms_user_map=town.folder / "no_such_file.csv",
        lms_bot_store="mysql://bot:h1dden@127.0.0.1/store",
        lms_pol_interval="60",
    )
    lines = bot.stderr.splitlines()
    assert bot.exit_code == 1
    assert len(lines) == 8
    assert all(line.startswith("lms_bot: ") for line in lines)
    for name in ("LMS_NOTIFY_MENTORS_ENABLED", "lms_db_url", "lms_activity_poll_interval", "lms_admins"):
        assert sum(line.startswith(f"lms_bot: {name} (") for line in lines) == 1
    (line,) = (line for line in lines if "exam_pased" in line)
    assert all(kind in line for kind in ("lms_event_types_to_monitor", "exam_failed", "content_watched"))
    for secret in ("s3cr3t", "w0rd", "h1dden", "Traceback"):
        assert secret not in bot.output


@pytest.mark.parametrize("how", [("lms_bot",), ("-r", "lms_bot"), (PACKAGE / "lms_bot.py",)], ids=str)
def test_without_an_lms_it_says_what_is_missing_however_it_is_started(
    town: Town, how: tuple[str | Path, ...]
) -> None:
    bot = run_to_the_end(town, *how, lms_db_url=None, lms_db_password="s3cr3t")
    assert bot.exit_code == 1
    assert bot.stderr == (
        "lms_bot: LMS_DB_NAME and LMS_DB_USER missing: "
        "the bot cannot find the LMS without (LMS_DB_URL would do instead)\n"
    )
    assert "s3cr3t" not in bot.output


@pytest.mark.parametrize(
    "store", ["postgresql://bot:s3cr3t@127.0.0.1:1/store", "sqlite:////no/such/folder/store.db", "sqlite:///zuliprc"]
)
def test_a_store_that_cannot_be_opened_stops_the_start_in_a_line(town: Town, store: str) -> None:
    bot = run_to_the_end(town, lms_bot_store=store)
    assert bot.exit_code == 1
    assert len(bot.stderr.splitlines()) == 1
    assert bot.stderr.startswith("lms_bot: LMS_BOT_STORE: ")
    assert "s3cr3t" not in bot.output


def test_each_class_that_cannot_be_used_is_a_line(town: Town) -> None:
    bot = run_to_the_end(town, lms_user_mapper="no_such.Mapper", lms_event_handler="pathlib.Path")
    assert bot.exit_code == 1
    mapper, handler = bot.stderr.splitlines()
    assert mapper.startswith("lms_bot: LMS_USER_MAPPER: no_such.Mapper: cannot import")
    assert handler.startswith("lms_bot: LMS_EVENT_HANDLER: pathlib.Path: must be a subclass of")


@pytest.mark.parametrize(
    ("dotted_path", "reason"),
    [
        ("broken.Formatter", "the module is broken"),
        ("pathlib.Path", "must be a subclass of lms_bot.MessageFormatter"),
    ],
)
def test_a_class_that_cannot_be_used_stops_the_start_in_a_line(town: Town, dotted_path: str, reason: str) -> None:
    (town.folder / "broken.py").write_text("raise RuntimeError('the module is broken')", encoding="utf-8")
    bot = run_to_the_end(town, env={"PYTHONPATH": str(town.folder)}, lms_message_formatter=dotted_path)
    assert bot.exit_code == 1
    (line,) = bot.stderr.splitlines()
    assert line.startswith(f"lms_bot: LMS_MESSAGE_FORMATTER: {dotted_path}")
    assert reason in line


def test_a_config_file_that_cannot_be_understood_stops_the_start_without_quoting_it(town: Town) -> None:
    config = town.folder / "lms_bot.conf"
    config.write_text("[lms_bot]\nlms_db_password s3cr3t\n", encoding="utf-8")
    bot = run_to_the_end(town, "lms_bot", "-b", config)
    assert bot.exit_code == 1
    assert len(bot.stderr.splitlines()) == 1
    assert "s3cr3t" not in bot.output


# ---- stopping, killing, and things that are away ----


@pytest.mark.parametrize("with_signal", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_order_in_time(town: Town, with_signal: signal.Signals) -> None:
    with town.run_bot() as bot:
        town.wait_for_polls(1)
        assert bot.end(with_signal, TO_END_IN_SECONDS) == 0
        assert "Traceback" not in bot.output
    assert town.store.rows("SELECT * FROM lms_leases") == []


def test_a_signal_while_a_message_is_on_its_way_loses_and_doubles_nothing(town: Town) -> None:
    town.zulip.faults.add(Fault("slow_after", seconds=1.5, user_id=town.bot.user_id))
    with town.run_bot() as bot:
        town.lms.start_exam("john_doe", town.exam)
        town.wait_until_told("anna", STARTED)
        assert bot.end(patience_seconds=TO_END_IN_SECONDS) == 0
    assert town.store.value("SELECT count(*) FROM lms_messages WHERE state NOT IN ('sent', 'ready')") == 0
    with town.run_bot():
        town.wait_until_settled()
    assert town.titles("anna") == town.titles("bob") == [STARTED]


def test_stopped_while_zulip_does_not_answer_it_still_gives_its_duties_back(town: Town) -> None:
    town.zulip.faults.add(Fault("slow_after", seconds=60, user_id=town.bot.user_id))
    with town.run_bot() as bot:
        town.lms.start_exam("john_doe", town.exam)
        town.zulip.wait_for(lambda message: message.sender_id == town.bot.user_id)
        assert bot.end(patience_seconds=TO_END_IN_SECONDS) == 0
    assert town.store.rows("SELECT * FROM lms_leases") == []


@pytest.mark.parametrize("is_news_refused", [True, False])
def test_when_zulip_asks_to_wait_answers_and_news_wait_alike(town: Town, is_news_refused: bool) -> None:
    is_noted = "SELECT 1 FROM lms_facts WHERE name = 'zulip_rate_limited_until'"

    def start() -> None:
        town.lms.start_exam("john_doe", town.exam)

    def ask() -> None:
        town.zulip.send(town.people["carla"], town.bot, "students")

    with town.run_bot():
        town.ask("carla", "help")
        town.zulip.faults.add(Fault("rate_limited", seconds=2, user_id=town.bot.user_id))
        for step in (start, ask) if is_news_refused else (ask, start):
            step()
            refused = town.zulip.wait_for_request(lambda one: one.status == 429)
            wait_until(lambda: town.store.rows(is_noted), "the pause")
        town.wait_until_told("anna", STARTED)
        town.wait_until_told("carla", "Zoë")
        since = [one.sent_at - refused.at for one in town.zulip.messages(sender=town.bot)]
        at_work = 0.5  # another sender may have been at it when this one was told
        assert min(seconds for seconds in since if seconds > at_work) >= 1.9


def test_killed_between_start_and_pass_of_an_exam_it_tells_the_pass_when_it_is_back(
    new_lms: Callable[[], School], zulip: SandboxZulip, tmp_path: Path, store_url: str
) -> None:
    town = Town(new_lms(), zulip, tmp_path, store_url)
    with town.run_bot() as bot:
        attempt = town.lms.start_exam("john_doe", town.exam)
        town.wait_until_settled()
        bot.kill()
    town.lms.finish_exam(attempt, "pass", percentage=85)
    with town.run_bot() as bot:
        town.wait_until_told("bob", "**Percentage:** 85%")
        town.wait_until_settled()
        bot.kill()
    with town.run_bot():
        town.wait_until_settled()
    assert town.titles("anna") == town.titles("bob") == [STARTED, PASSED]
    assert town.store.event_types == ["exam_started", "exam_passed"]


def test_an_exam_taken_while_the_bot_was_down_is_told_when_it_is_back(town: Town) -> None:
    with town.run_bot() as bot:
        town.wait_for_polls()
        bot.kill()
    attempt = town.lms.start_exam("john_doe", town.exam, at=utc() - timedelta(hours=3))
    town.lms.finish_exam(attempt, "fail", at=utc() - timedelta(hours=2))
    with town.run_bot():
        town.wait_until_settled()
    assert town.titles("anna") == town.titles("bob") == [FAILED]


def test_an_lms_that_is_away_at_the_start_does_not_stop_the_bot(town: Town, postgres: EmbeddedPostgres) -> None:
    with ExitStack() as stack:
        with postgres.away():
            bot = stack.enter_context(town.run_bot())
            wait_until(lambda: "the poll failed" in bot.output, "the log says so")
            health = town.ask("ada", "health")
            assert "❌ **LMS**: " in health
            assert "cannot be reached" in health
            assert "❌ **last good poll**: none yet" in health
            assert "cannot look up who you are just now" in town.ask("anna", "students")
            assert "have not been able to look into the LMS" in town.ask("ada", "status")
        take_exam(town)
        town.wait_until_settled()
        assert town.titles("anna")[1:] == town.titles("bob") == [STARTED, PASSED]
        assert "✅ **All is well**" in town.ask("ada", "health")
        assert "john_doe" in town.ask("anna", "students")


def test_while_the_lms_is_away_mentors_are_answered_from_the_store(town: Town, postgres: EmbeddedPostgres) -> None:
    with town.run_bot() as bot:
        attempt = town.lms.start_exam("john_doe", town.exam)
        town.wait_until_settled()
        assert "john_doe" in town.ask("anna", "students")
        assert bot.end() == 0
    with ExitStack() as stack:
        with postgres.away():
            stack.enter_context(town.run_bot())
            answer = town.ask("anna", "history john_doe")
            assert "The LMS does not answer; whose students are whose is as of <time:" in answer
            assert "📝 started: Maths" in answer
            assert "You have no student of that name" in town.ask("anna", "history zoe_m")
        town.lms.finish_exam(attempt, "fail")
        town.wait_until_told("bob", FAILED)
        town.wait_until_settled()
    assert town.titles("bob") == [STARTED, FAILED]


def test_an_lms_that_restarts_while_the_bot_runs_costs_nothing(town: Town, postgres: EmbeddedPostgres) -> None:
    with town.run_bot() as bot:
        attempt = town.lms.start_exam("john_doe", town.exam)
        town.wait_until_settled()
        postgres.restart("immediate")
        town.lms.finish_exam(attempt, "pass")
        town.wait_until_told("bob", PASSED)
        town.wait_until_settled()
        assert "Traceback" not in bot.output
    assert town.titles("anna") == town.titles("bob") == [STARTED, PASSED]


def test_a_zulip_that_was_away_is_told_when_it_is_back(town: Town) -> None:
    with town.run_bot() as bot:
        attempt = town.lms.start_exam("john_doe", town.exam)
        town.wait_until_settled()
        town.zulip.stop()
        town.lms.finish_exam(attempt, "pass")
        wait_until(lambda: "exam_passed" in town.store.event_types, "the event is stored")
        wait_until(lambda: "not sent" in bot.output, "the bot tried")
        town.zulip.start()
        town.wait_until_told("bob", PASSED)
        town.wait_until_settled()
    assert town.titles("anna") == town.titles("bob") == [STARTED, PASSED]


# ---- settings that change what it does ----


def test_with_the_monitor_off_the_lms_is_not_polled(town: Town) -> None:
    with town.run_bot(lms_activity_monitor_enabled="false"):
        town.lms.start_exam("john_doe", town.exam)
        assert "not watching" in town.ask("ada", "status")
        assert "polling is turned off" in town.ask("ada", "health")
        assert "john_doe" in town.ask("anna", "students")
        assert town.store.last_good_poll is None
        assert town.store.event_types == []


def test_with_the_monitor_off_no_lms_is_needed(town: Town) -> None:
    with town.run_bot(lms_activity_monitor_enabled="no", lms_db_url=None) as bot:
        assert "`health`" in town.ask("ada", "help")
        assert "not watching" in town.ask("ada", "status")
        assert bot.end() == 0


def test_with_notifying_off_events_are_stored_but_nobody_is_told_not_even_later(town: Town) -> None:
    with town.run_bot(lms_notify_mentors_enabled="false"):
        attempt = town.lms.start_exam("john_doe", town.exam)
        town.wait_until_settled()
        assert town.store.event_types == ["exam_started"]
        assert "Exams started | 1 |" in town.ask("anna", "stats")
        assert "✅ Nothing is waiting." in town.ask("ada", "pending")
    said = len(town.told("anna"))
    with town.run_bot():
        town.lms.finish_exam(attempt, "pass")
        town.wait_until_told("bob", PASSED)
        town.wait_until_settled()
    assert town.titles("anna")[said:] == town.titles("bob") == [PASSED]


def test_only_the_event_types_that_are_to_be_monitored_are_told(town: Town) -> None:
    with town.run_bot(lms_event_types_to_monitor="exam_failed, Exam_Passed"):
        for result in ("pass", "fail", None):
            attempt = town.lms.start_exam("john_doe", town.exam)
            town.wait_for_polls()
            town.lms.finish_exam(attempt, result)
            town.wait_until_settled()
        assert town.store.event_types == ["exam_passed", "exam_failed"]
        assert town.titles("bob") == [PASSED, FAILED]


TITLES = ("100 minutes", "10 minutes", "4 minutes")


@pytest.mark.parametrize(("lookback", "told"), [(None, ["4 minutes"]), (3600, ["10 minutes", "4 minutes"])])
def test_at_the_very_first_start_only_what_is_within_the_lookback_is_told(
    town: Town, lookback: int | None, told: list[str]
) -> None:
    for minutes in (100, 10, 4):
        exam = town.lms.add_exam(f"{minutes} minutes")
        town.lms.start_exam("john_doe", exam, at=utc() - timedelta(minutes=minutes))
    running = town.lms.start_exam("john_doe", town.exam, at=utc() - timedelta(hours=2))
    with town.run_bot(lms_initial_lookback=lookback):
        town.wait_until_settled()
        assert [title for message in town.told("bob") for title in TITLES if title in message] == told
        town.lms.finish_exam(running, "pass")  # what was running then is followed to its end
        town.wait_until_told("bob", PASSED)
        assert town.titles("bob") == [STARTED] * len(told) + [PASSED]


def test_people_named_in_the_settings_are_admins_by_address_and_by_id(town: Town) -> None:
    town.add_person("helen")
    admins = f"Helen@School.example.com, {town.people['sven'].user_id}"
    with town.run_bot(lms_admins=admins):
        for name in ("helen", "sven", "ada"):
            assert "✅ **LMS**: answers" in town.ask(name, "health")
        assert "for admins only" in town.ask("anna", "health")


def test_the_user_map_overrides_addresses(town: Town) -> None:
    user_map = town.folder / "map.csv"
    rows = [
        "lms_kind,lms_username,zulip_user",
        "mentor,anna,SVEN@school.example.com",
        f"mentor,bob,{town.people['ada'].user_id}",
    ]
    user_map.write_text("\n".join(rows), encoding="utf-8")
    with town.run_bot(lms_user_map=user_map):
        town.lms.start_exam("john_doe", town.exam)
        town.wait_until_settled()
        assert town.titles("sven") == town.titles("ada") == [STARTED]
        assert town.told("anna") == town.told("bob") == []
        assert "john_doe" in town.ask("sven", "students")
        assert "john_doe" not in town.ask("anna", "students")


def test_both_stores_serve(
    new_lms: Callable[[], School], zulip: SandboxZulip, tmp_path: Path, store_url: str
) -> None:
    town = Town(new_lms(), zulip, tmp_path, store_url)
    with town.run_bot():
        assert_both_mentors_are_told_once(town)
        assert "Exams passed | 1 |" in town.ask("anna", "stats")
        assert "Total events | 2 |" in town.ask("ada", "stats all")
    with town.run_bot():
        town.wait_until_settled()
    assert town.titles("bob") == [STARTED, PASSED]


def test_two_bots_on_one_store_tell_and_answer_once(
    new_lms: Callable[[], School], zulip: SandboxZulip, tmp_path: Path, store_url: str
) -> None:
    town = Town(new_lms(), zulip, tmp_path, store_url)
    with town.run_bot() as first, town.run_bot() as second:
        attempt = town.lms.start_exam("john_doe", town.exam)
        town.wait_until_settled()
        answers = [town.ask("ada", "status") for _ in range(5)]
        assert len(town.told("ada")) == len(answers)
        first.kill()
        town.lms.finish_exam(attempt, "pass")
        town.wait_until_told("bob", PASSED)
        town.wait_until_settled()
        assert second.exit_code is None
    assert town.titles("anna") == town.titles("bob") == [STARTED, PASSED]


# ---- classes of one's own ----

OUR_CLASSES = """
from lms_bot import LMSActivityEventHandler, LMSActivityEvent, MessageFormatter, UserMapper

class Formatter(MessageFormatter):
    def format_exam_started_message(self, event, emoji, student_name):
        return f"{emoji} {student_name} is at it (#{event.event_id})"

class Mapper(UserMapper):
    def get_notification_recipients(self, student_id):
        return [SVEN]

class Handler(LMSActivityEventHandler):
    def handle_event(self, event):
        row = LMSActivityEvent.get_by_id(event["event_id"])
        if row.event_type != "exam_started":
            super().handle_event(event)

class FailingHandler(LMSActivityEventHandler):
    def handle_event(self, event):
        if LMSActivityEvent.get_by_id(event["event_id"]).event_type == "exam_started":
            raise RuntimeError("not today")
        super().handle_event(event)
"""


@pytest.fixture
def python_path(town: Town) -> dict[str, str]:
    """The environment in which the module `ours` is found."""
    text = OUR_CLASSES.replace("SVEN", str(town.people["sven"].user_id))
    (town.folder / "ours.py").write_text(text, encoding="utf-8")
    return {"PYTHONPATH": str(town.folder)}


def test_a_formatter_of_ones_own_words_the_messages(town: Town, python_path: dict[str, str]) -> None:
    with town.run_bot(PACKAGE / "lms_bot.py", env=python_path, lms_message_formatter="ours.Formatter"):
        attempt = town.lms.start_exam("john_doe", town.exam)
        assert town.wait_until_told("anna", "at it").startswith("📝 john_doe is at it (#1)")
        town.lms.finish_exam(attempt, "pass")
        town.wait_until_told("bob", PASSED)


def test_a_mapper_of_ones_own_decides_who_is_told(town: Town, python_path: dict[str, str]) -> None:
    with town.run_bot(env=python_path, lms_user_mapper="ours.Mapper"):
        town.lms.start_exam("john_doe", town.exam)
        town.wait_until_told("sven", STARTED)
        town.wait_until_settled()
        assert town.titles("sven") == [STARTED]
        assert town.told("anna") == town.told("bob") == []


def test_an_event_handler_of_ones_own_decides_what_becomes_of_events(town: Town, python_path: dict[str, str]) -> None:
    with town.run_bot(env=python_path, lms_event_handler="ours.Handler"):
        attempt = town.lms.start_exam("john_doe", town.exam)
        town.wait_until_settled()
        town.lms.finish_exam(attempt, "pass")
        town.wait_until_settled()
    assert town.store.event_types == ["exam_started", "exam_passed"]
    assert town.titles("anna") == town.titles("bob") == [PASSED]


def test_an_event_handler_that_raises_costs_its_event_but_no_other(town: Town, python_path: dict[str, str]) -> None:
    with town.run_bot(env=python_path, lms_event_handler="ours.FailingHandler"):
        attempt = town.lms.start_exam("john_doe", town.exam)
        town.wait_until_settled()
        town.lms.finish_exam(attempt, "pass")
        town.wait_until_settled()
        assert town.titles("bob") == [PASSED]
        assert "RuntimeError" in town.ask("ada", "errors")


# ---- without Zulip ----


def test_the_shell_answers_without_a_zulip(town: Town) -> None:
    config = town.write_config()
    command = [str(SCRIPTS / "zulip-bot-shell"), str(PACKAGE / "lms_bot.py"), "-b", str(config)]
    with BotProcess(command, cwd=town.folder, env={}, folder=town.folder) as shell:
        shell.type("help all")
        wait_until(lambda: "`stats all`: " in shell.output, "help is answered")
        shell.type("stats all")
        wait_until(lambda: "| Total events | 0 |" in shell.output, "stats are answered")
        assert "Traceback" not in shell.output


def test_what_happened_while_only_the_shell_ran_is_told_by_the_bot(town: Town) -> None:
    config = town.write_config()
    command = [str(SCRIPTS / "zulip-bot-shell"), str(PACKAGE / "lms_bot.py"), "-b", str(config)]
    with BotProcess(command, cwd=town.folder, env={}, folder=town.folder):
        town.wait_for_polls(1)
        town.lms.start_exam("john_doe", town.exam)
        wait_until(lambda: town.store.event_types, "the event is stored")
    with town.run_bot():
        town.wait_until_told("bob", STARTED)
        town.wait_until_settled()
    assert town.titles("anna") == town.titles("bob") == [STARTED]
