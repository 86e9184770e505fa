"""What the documents say is what the program does: names, figures, examples."""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click
import pytest

import lms_bot
from lms_bot.app import App, build_app, set_app
from lms_bot.cli import main, monitor_lms_activities
from lms_bot.core import errors as exceptions
from lms_bot.core.activities import ActivityType
from lms_bot.core.former_names import FORMER_NAMES
from lms_bot.core.markdown import MAX_MESSAGE_LENGTH
from lms_bot.lms.connection import OLDEST_SERVER
from lms_bot.lms.standard import STATES
from lms_bot.notify.digest_message import ROWS
from lms_bot.notify.preferences import DAILY_AT, DIGEST_AT
from lms_bot.outbox.sender import MOST_TRIES, RESERVED_REQUESTS, Patience
from lms_bot.running import SENDERS
from lms_bot.sandbox.lms.school import School
from lms_bot.settings.settings import Settings, load_settings
from lms_bot.store.conversation import AuditEntry, Note, SeenEvent
from lms_bot.store.database import open_store
from lms_bot.store.messages import Correction, Delivery, DeliveryState, Lane, Message, MessageState
from lms_bot.store.models import LMSActivityEvent, LMSEventLog
from lms_bot.store.totals import Attempt, StudentCount, StudentTotals
from lms_bot.version import __version__
from lms_bot.zulip.gateway import DEFAULT_LIMIT, Credentials
from lms_bot.zulip.outage import BACKOFF_SECONDS
from tests.places import REPOSITORY
from tests.worlds.watching import Watching, run
from tests.worlds.written_docs import FIRST_NEWS, PUBLIC_METHODS, WRITTEN, between, long_sample, read

if TYPE_CHECKING:
    from lms_bot.sandbox.zulip import SandboxZulip

DOCUMENTS = ("README.md", "doc.md", "CONTRIBUTING.md", "CHANGELOG.md", "benchmarks/README.md")


@pytest.mark.parametrize(("document", "marker"), [(name, marker) for name in WRITTEN for marker in WRITTEN[name]])
def test_what_is_written_from_the_code_is_up_to_date(document: str, marker: str) -> None:
    found = between(marker).findall(read(document))
    assert found == [WRITTEN[document][marker]()], "`python -m tests.worlds.written_docs` brings it up to date"


# ---- what is named exists, and what exists is named ----


def test_the_sample_message_is_the_golden_one() -> None:
    golden = json.loads(read("lms_bot/fixtures/exam_passed.json"))[0]["message"]
    assert long_sample() == f"```text\n{golden}\n```\n"


def test_every_public_name_is_documented() -> None:
    assert {*PUBLIC_METHODS, "health_check", "handler_class", "__version__"} == set(lms_bot.__all__)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_settings_that_are_named_exist(document: str) -> None:
    assert {*re.findall(r"\bLMS_[A-Z_]+\b", read(document))} <= {name.upper() for name in Settings.model_fields}


def _shell_lines(text: str) -> Iterator[list[str]]:
    code = re.findall(r"```sh\n(.*?)```", text, re.DOTALL) + re.findall(r"`([^`\n]+)`", text)
    for line in "\n".join(code).splitlines():
        if found := re.match(r"(?:\S*/)?(lms-bot|monitor_lms_activities)\b(?! =)([^>]*)", line):
            yield [found[1], *shlex.split(found[2])]


def _asked(program: str, words: list[str]) -> click.Command:
    """The command that a line names; AssertionError where there is no such command, or option of it."""
    command: click.Command = main if program == "lms-bot" else monitor_lms_activities
    options = _options_of(command)
    if isinstance(command, click.Group):
        context = command.make_context(program, list(words), resilient_parsing=True)
        name = next(iter([*getattr(context, "_protected_args", ()), *context.args]), None)
        command = command.commands.get(name, command) if name else command
        assert name in (None, command.name), f"there is no {program} {name}"
        options |= _options_of(command)
    assert {word for word in words if word.startswith("-")} <= options
    return command


def _options_of(command: click.Command) -> set[str]:
    return {name for parameter in command.params for name in parameter.opts} | {"--help"}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_commands_for_the_shell_exist_with_their_options(document: str) -> None:
    for program, *words in _shell_lines(read(document)):
        _asked(program, words)


def test_a_command_that_does_not_exist_would_be_noticed() -> None:
    for line in ("lms-bot frobnicate", "lms-bot events --frobnicate", "monitor_lms_activities --frobnicate"):
        ((program, *words),) = _shell_lines(f"`{line}`")
        with pytest.raises(AssertionError):
            _asked(program, words)


def test_every_command_for_the_shell_is_in_the_readme() -> None:
    named = {_asked(program, words).name for program, *words in _shell_lines(read("README.md"))}
    assert {*main.commands, "monitor_lms_activities"} - {"demo"} <= named
    for option in monitor_lms_activities.params:
        assert any(f" {one}" in read("README.md") for one in option.opts)


def test_the_readme_begins_with_two_commands_that_make_knows() -> None:
    first = re.findall(r"```sh\n(.*?)```", read("README.md"), re.DOTALL)[0]
    assert first == "make demo\nmake test\n"
    targets = re.findall(r"^(\w[\w-]*):", read("Makefile"), re.MULTILINE)
    named = re.findall(r"`make ([\w-]+)", "".join(map(read, DOCUMENTS)))
    assert {"demo", "test", *named} <= set(targets)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document: str) -> None:
    folder = (REPOSITORY / document).parent
    for target in re.findall(r"\]\(([^)]+)\)", read(document)):
        if target.startswith(("https://", "/user_uploads/", "attachment:")):
            continue
        name, _, anchor = target.partition("#")
        path = folder / name if name else REPOSITORY / document
        assert path.exists(), target
        assert not anchor or anchor in _anchors(path.read_text(encoding="utf-8")), target


def _anchors(text: str) -> set[str]:
    """How GitHub names the headings in links."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}


PATH = re.compile(
    r"`(?:python -m )?((?:\.ci|lms_bot|tests|benchmarks|docs)/[\w./]*|\w+/|\w+\.(?:py|md|sql|conf\.example))`"
)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_files_that_are_named_exist(document: str) -> None:
    """A name without a folder is of any file or folder: the text before it says where."""
    names = {path.name for path in _files()} | {f"{path.parent.name}/" for path in _files()}
    missing = [
        path for path in PATH.findall(read(document)) if path not in names and not (REPOSITORY / path).exists()
    ]
    assert missing == []


def test_modules_that_are_named_exist() -> None:
    text = "".join(map(read, DOCUMENTS))
    for module in [*re.findall(r"python -m ([\w.]+)", text), *FORMER_NAMES]:
        assert find_spec(module), module
    assert all(f"`{name}`" in read("doc.md") and f"`{name}`" in read("CHANGELOG.md") for name in FORMER_NAMES)


# ---- the walks ----


def _section(heading: str) -> str:
    ((text),) = re.findall(rf"^## {heading}\n(.*?)(?=^## )", read("doc.md"), re.DOTALL | re.MULTILINE)
    return str(text)


def _walk(heading: str) -> list[list[str]]:
    """The files that each step names, its own first."""
    steps = re.findall(r"^\d\. (.*?)(?=^\d\. |\n\n)", _section(heading), re.DOTALL | re.MULTILINE)
    return [re.findall(r"`(lms_bot/[\w/]+\.py)`", step) for step in steps]


def _imports(path: str) -> set[str]:
    """The files that one imports from, also for types alone."""
    found = [node for node in ast.walk(ast.parse(read(path))) if isinstance(node, ast.ImportFrom)]
    modules = {f"{node.module}" for node in found} | {
        f"{node.module}.{one.name}" for node in found for one in node.names
    }
    return {f"{module.replace('.', '/')}.py" for module in modules}


def _know_each_other(one: str, other: str) -> bool:
    return one == other or other in _imports(one) or one in _imports(other)


@pytest.mark.parametrize("heading", ["The walk of a row", "The walk of a question"])
def test_each_file_of_a_walk_hands_on_to_the_next(heading: str) -> None:
    """The two know each other; or one that their steps name knows both, or knows the next and was met before."""
    walk = _walk(heading)
    files = [step[0] for step in walk]
    assert len(files) == len(set(files)) == 8
    for number in range(1, len(walk)):
        before, after = files[number - 1], files[number]
        named = {*walk[number - 1][1:], *walk[number][1:]}
        between = {one for one in named if one in files[:number] or _know_each_other(one, before)}
        assert any(_know_each_other(one, after) for one in (before, *between)), after


def test_packages_are_listed_in_the_order_that_the_gate_holds() -> None:
    table = re.findall(r"^\| ([^|]*) \|", _section("Packages and layers"), re.MULTILINE)
    listed = [
        one.rstrip("/").removesuffix(".py").replace("/", ".")
        for cell in table
        for one in re.findall(r"`(\S+)`", cell)
    ]
    held = re.findall(
        r'^    "(lms_bot\.[\w.: ]+)",$', read("pyproject.toml").split("layers = [")[1].split("]")[0], re.MULTILINE
    )
    order = [name for line in held for name in line.split(" : ")]
    assert [one for one in order if one in listed] == [one for one in listed if one in order]
    packages = {f"lms_bot.{path.parent.name}" for path in (REPOSITORY / "lms_bot").glob("*/__init__.py")}
    assert packages <= {*listed}


def test_the_states_and_failures_of_the_outbox_are_in_the_doc() -> None:
    doc = read("doc.md")
    failures = {name for name in vars(exceptions) if name.startswith("Zulip")}
    lanes = {lane.name.lower() for lane in Lane}
    named = {*lanes, *map(str, MessageState), *map(str, DeliveryState), *map(str, ActivityType), *failures}
    assert {one for one in named if f"`{one}`" not in doc} == set()
    assert {word for word in STATES if word not in doc.replace("_", " ")} == set()


def test_the_figures_that_are_told_are_those_of_the_code() -> None:
    doc, readme = (" ".join(read(name).split()) for name in ("doc.md", "README.md"))
    assert f"after {MOST_TRIES} tries" in doc
    assert f"{BACKOFF_SECONDS[0]} second at first, {BACKOFF_SECONDS[-1]} at most" in doc
    assert f"{SENDERS} threads for answers and {SENDERS} for news" in doc
    assert f"at least every {BACKOFF_SECONDS[-1]} seconds" in readme
    assert f"{RESERVED_REQUESTS} requests a minute are left" in doc
    assert f"again after {Patience().failed:g} seconds" in doc and f"again after {Patience().lost:g} seconds" in doc
    assert f"`daily` (at {DAILY_AT:%H:%M})" in readme
    assert f"comes at {DIGEST_AT:%H:%M} of the person's time zone" in readme
    assert f"({ROWS} at most)" in readme
    assert f"{DEFAULT_LIMIT} requests a minute" in readme
    assert f"{MAX_MESSAGE_LENGTH:,} characters" in readme
    assert f"PostgreSQL {OLDEST_SERVER // 10_000} or newer" in readme


def test_the_changelog_tells_of_this_version() -> None:
    assert re.search(rf"^## \[({re.escape(__version__)}|Unreleased)\]", read("CHANGELOG.md"), re.MULTILINE)


# ---- what is shown works ----


class Example(NamedTuple):
    """A python block of doc.md; `how` is the comment before it: run, module NAME, or nothing."""

    how: str
    code: str


def _examples() -> list[Example]:
    found = re.findall(r"(?:<!-- ([\w ]+) -->\n)?```python\n(.*?)```", read("doc.md"), re.DOTALL)
    return [Example(*one) for one in found]


@pytest.mark.parametrize("example", _examples(), ids=lambda example: example.how or "shown")
def test_examples_compile(example: Example) -> None:
    ast.parse(example.code)


def _write_module(name: str, folder: Path) -> dict[str, Any]:
    """Writes the module that doc.md shows, and returns what is in it."""
    ((_, code),) = [one for one in _examples() if one.how == f"module {name}"]
    (folder / f"{name}.py").write_text(code, encoding="utf-8")
    namespace: dict[str, Any] = {}
    exec(compile(code, name, "exec"), namespace)
    return namespace


@pytest.fixture
def app(school: School, zulip: SandboxZulip, tmp_path: Path) -> Iterator[App]:
    """The configured app: the sample school's month is news to it. One of three mentors is not in Zulip."""
    bot = zulip.add_person("LMS bot", is_bot=True)
    for name in ("maria.santos", "arjun.nair"):
        zulip.add_person(name, delivery_email=f"{name}@school.example.com")
    given = {
        "lms_db_url": school.url,
        "lms_bot_store": f"sqlite:///{tmp_path / 'store.db'}",
        "lms_initial_lookback": str(30 * 86_400),
        "lms_group_seconds": "0",
        "lms_default_notify": "everything",
    }
    settings = load_settings(given, environ={}, dotenv=None)
    app = build_app(settings, Credentials(bot.delivery_email, bot.api_key, zulip.site))
    set_app(app)
    yield app
    set_app(None)
    app.stop()


def test_examples_run_one_after_the_other(app: App, capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {}
    for example in _examples():
        if example.how == "run":
            exec(compile(example.code, "doc.md", "exec"), names)
    assert names["created"] == len(names["coming"]) > 20
    assert names["stats"]["events_with_notifications"] and names["stats"]["events_with_errors"]
    assert names["failed"] and not names["mended"]
    assert {one.event_id for one in names["with_errors"]} <= {log.event_id for log in names["failed"]}
    assert names["lately"] and names["history"] and names["counts"] and names["totals"]["total"]
    assert names["taken"] == len(names["batch"]) > 0
    assert names["numbers"]["mapped_mentors"] == 2
    assert names["one"] and names["many"]
    assert capsys.readouterr().out.endswith("['Hello']\n")


def test_classes_of_ones_own_are_used_as_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = _write_module("house_rules", tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (config,) = re.findall(r"```ini\n(\[lms_bot\].*?)```", read("doc.md"), re.DOTALL)
    (tmp_path / "lms_bot.conf").write_text(config, encoding="utf-8")
    app = build_app(load_settings(tmp_path / "lms_bot.conf", environ={}, dotenv=None, require_lms=False))
    for name, part in (
        ("HouseFormatter", app.formatters.long),
        ("HouseMapper", app.users),
        ("HouseHandler", app.events),
    ):
        assert type(part).__name__ == name and name in shown
    assert app.formatters.long.format_notification_message(FIRST_NEWS).endswith("Tell them so!")
    assert app.events.decides_one_by_one
    app.stop()


OTHER_LMS = """
CREATE TABLE coaches (id int PRIMARY KEY, login text, address text, name text);
CREATE TABLE learners (id int PRIMARY KEY, login text, address text, name text, coach_id int);
CREATE TABLE quizzes (id int PRIMARY KEY, title text);
CREATE TABLE quiz_runs (
    run_id uuid PRIMARY KEY DEFAULT gen_random_uuid(), quiz_id int, learner_id int, state text, points int,
    began text, ended text, is_test boolean NOT NULL DEFAULT FALSE
);
CREATE TABLE page_views (id bigint PRIMARY KEY, learner_id int, page text, at timestamptz);
INSERT INTO coaches VALUES (1, 'anna', 'anna@school.example', 'Anna');
INSERT INTO learners VALUES (7, 'ole', 'ole@school.example', 'Ole', 1);
INSERT INTO quizzes VALUES (1, 'Birds'), (2, 'Trees'), (3, 'Stars'), (4, 'Stones');
INSERT INTO quiz_runs (quiz_id, learner_id, state, points, began) VALUES
    (1, 7, 'won', 9, '2026-01-15T14:30:00+00:00'), (2, 7, 'lost', 2, '2026-01-15 15:30'),
    (3, 7, 'paused', 0, '2026-01-15 16:30'), (4, 7, 'begun', NULL, '2026-01-15 17:30');
INSERT INTO page_views VALUES (1, 7, '/birds', now());
"""


@pytest.fixture
def other_lms(new_database: Callable[..., str]) -> Iterator[School]:
    with School(new_database()) as database:
        run(database, OTHER_LMS)
        yield database


@pytest.fixture
def quizzes(other_lms: School, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watching]:
    """Watches the other kind of LMS as doc.md shows. Its first look is over."""
    shown = _write_module("quiz_lms", tmp_path)
    monkeypatch.setattr("lms_bot.app.KIND", shown["KIND"])
    watching = Watching(other_lms.url, f"sqlite:///{tmp_path / 'store.db'}")
    assert watching.poll() == set()
    yield watching
    watching.close()


def _tried(watching: Watching) -> set[tuple[str | None, str]]:
    return {(one.title, one.outcome) for one in watching.attempts(7)}


def test_another_kind_of_lms_is_watched_as_shown(other_lms: School, quizzes: Watching) -> None:
    assert _tried(quizzes) == {("Birds", "passed"), ("Trees", "failed"), ("Stones", "started")}
    assert list(quizzes.rejected().values()) == ["a run cannot be “paused”"]
    run(other_lms, "UPDATE quiz_runs SET state = 'won' WHERE quiz_id IN (2, 3)")
    run(other_lms, "INSERT INTO page_views VALUES (2, 7, '/trees', now())")
    assert sorted(kind for _, kind in quizzes.poll()) == ["content_watched", "exam_passed", "exam_passed"]
    run(other_lms, "UPDATE quizzes SET title = 'All stones'; UPDATE learners SET name = 'Ole B.'")
    run(other_lms, "UPDATE quiz_runs SET state = 'quit' WHERE quiz_id = 4")
    run(other_lms, "UPDATE quiz_runs SET is_test = TRUE WHERE quiz_id = 2")
    run(other_lms, "DELETE FROM quiz_runs WHERE quiz_id = 1")
    assert quizzes.poll() == set()
    assert _tried(quizzes) == {("All stones", "passed"), ("All stones", "withdrawn"), ("/trees", "watched")}
    assert quizzes.rejected() == {}


def test_people_and_history_of_another_kind_of_lms_are_read_as_shown(quizzes: Watching) -> None:
    runs, _ = quizzes.app.source.streams
    since = datetime(2026, 1, 15, 15, tzinfo=timezone.utc)
    assert sum(len(readings) for readings, _ in quizzes.app.source.fetch_history(runs, since, None)) == 3
    people = quizzes.app.reader
    assert people.fetch_mentors() == people.fetch_mentors_of_students([7])[7]
    assert people.fetch_students_of_mentors([1])[1] == people.fetch_students([7]) == people.fetch_all_students()
    assert people.fetch_shared_student_emails(["ole@school.example"]) == set()


def test_a_student_can_be_forgotten_as_shown(store_url: str) -> None:
    (statements,) = re.findall(r"<!-- forget -->\n```sql\n(.*?)```", read("README.md"), re.DOTALL)
    store = open_store(store_url)
    with store.transaction() as db:
        for student_id in (17, 18):
            about = {"event_type": "exam_passed", "activity_id": 1, "source_key": str(student_id)}
            event = LMSActivityEvent.create(student_id=student_id, timestamp=datetime.now(timezone.utc), **about)
            message = Message.create(zulip_user_id=9, content="…")
            Delivery.create(event=event, recipient="zulip:9", message=message)
            LMSEventLog.create(event=event)
            Note.create(student_id=student_id, zulip_user_id=9, author_name="Maria", text="…")
            SeenEvent.create(event=event, zulip_user_id=9)
            AuditEntry.create(zulip_user_id=9, student_id=student_id, command="history")
            at = event.timestamp
            row = {"stream": "attempts", "row_key": str(student_id)}
            Attempt.create(student_id=student_id, is_exam=True, outcome="passed", last_at=at, **row)
            StudentTotals.create(student_id=student_id, last_at=at)
            Correction.create(event=event, was_type="exam_failed", event_type="exam_passed")
            StudentCount.create(span=0, day=0, student_id=student_id)
        for statement in filter(str.strip, statements.split(";")):
            db.execute_sql(statement)
        assert [one.student_id for one in LMSActivityEvent.select()] == [18]
        kept = [Message, Delivery, Correction, LMSEventLog, Note, SeenEvent, AuditEntry]
        kept += [Attempt, StudentTotals, StudentCount]
        assert [model.select().count() for model in kept] == [1] * len(kept)
    store.close_thread()


# ---- what does not belong into a public project ----

FOREIGN = re.compile("issue" + r" #|\bissues/\d|/wor" + "k/|helper" + "-")
NOT_OURS = (".egg-info", "__pycache__", "build", "dist", "node_modules")


def _files() -> Iterator[Path]:
    for folder, folders, names in os.walk(REPOSITORY):
        folders[:] = [one for one in folders if one == ".ci" or not one.startswith(".")]
        folders[:] = [one for one in folders if not one.endswith(NOT_OURS)]
        yield from (Path(folder, name) for name in names)


def test_nothing_speaks_of_where_it_was_made() -> None:
    found = []
    for path in _files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{path.relative_to(REPOSITORY)}: {one[0]}" for one in FOREIGN.finditer(text)]
    assert found == []
