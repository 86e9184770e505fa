"""What most tests stand on: a PostgreSQL, a school in it, a Zulip over HTTP, a store on either database."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from lms_bot.sandbox.lms.postgres import EmbeddedPostgres
from lms_bot.sandbox.lms.sample import fill
from lms_bot.sandbox.lms.school import School
from lms_bot.store.database import open_store

if TYPE_CHECKING:
    from lms_bot.sandbox.zulip import SandboxZulip
    from tests.worlds.chat_world import World

POSTGRES_15 = Path("/usr/lib/postgresql/15/bin")

# HYPOTHESIS_PROFILE=thorough looks further than the gate has time for.
settings.register_profile("gate", max_examples=50)
settings.register_profile("thorough", max_examples=500)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "gate"))

_numbers = itertools.count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take long come first, lest one of several workers be left alone with them at the end."""
    items.sort(key=lambda item: not item.nodeid.startswith(("tests/system/", "tests/sandbox/", "tests/cli/")))


@pytest.fixture(autouse=True)
def clean_surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting of the developer's reaches a test, and no test writes into the checkout."""
    for name in list(os.environ):
        if name.startswith(("LMS_", "ZULIP_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    """One server for all tests, started when the first one asks. A test that stops it must start it again."""
    with EmbeddedPostgres() as server:
        yield server


@pytest.fixture(scope="session")
def postgres15() -> Iterator[EmbeddedPostgres]:
    """The oldest PostgreSQL that is supported."""
    if not (POSTGRES_15 / "postgres").exists():
        pytest.skip(f"no PostgreSQL 15 in {POSTGRES_15}")
    with EmbeddedPostgres(POSTGRES_15) as server:
        yield server


@pytest.fixture(scope="session")
def lms_template(postgres: EmbeddedPostgres) -> str:
    """The name of a database with the LMS's empty tables, to be copied."""
    with School(postgres.create_database("lms_template")) as school:
        school.create()
    return "lms_template"


@pytest.fixture(scope="session")
def school_template(postgres: EmbeddedPostgres) -> str:
    with School(postgres.create_database("school_template")) as school:
        fill(school.create())
    return "school_template"


@pytest.fixture
def new_database(postgres: EmbeddedPostgres) -> Iterator[Callable[..., str]]:
    """`new_database()` gives the URL of an empty one, `new_database(template)` of a copy, for this test."""
    names: list[str] = []

    def create(template: str = "template1") -> str:
        names.append(f"test_{next(_numbers)}")
        return postgres.create_database(names[-1], template)

    yield create
    for name in names:
        postgres.drop_database(name)


@pytest.fixture
def new_lms(new_database: Callable[..., str], lms_template: str) -> Iterator[Callable[[], School]]:
    """`new_lms()` gives a school without people, on a database of its own, each time it is called."""
    schools: list[School] = []

    def create() -> School:
        schools.append(School(new_database(lms_template)))
        return schools[-1]

    yield create
    for school in schools:
        school.close()


@pytest.fixture
def lms(new_lms: Callable[[], School]) -> School:
    """A school without people: only the tables."""
    return new_lms()


@pytest.fixture
def school(new_database: Callable[..., str], school_template: str) -> Iterator[School]:
    """The sample school."""
    with School(new_database(school_template)) as sample:
        yield sample


@pytest.fixture
def zulip() -> Iterator[SandboxZulip]:
    """A Zulip organization of its own, over HTTP."""
    from lms_bot.sandbox.zulip import SandboxZulip

    with SandboxZulip() as server:
        yield server


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with the store's empty tables, to be copied: to make them takes longer than most tests."""
    path = tmp_path_factory.mktemp("empty") / "store.db"
    open_store(f"sqlite:///{path}").close_thread()
    return path


@pytest.fixture(scope="session")
def store_template(postgres: EmbeddedPostgres) -> str:
    """The name of a database with the store's empty tables, to be copied."""
    open_store(postgres.create_database("store_template")).close_thread()
    return "store_template"


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A store with empty tables: each test that asks runs on both kinds."""
    if request.param == "sqlite":
        return f"sqlite:///{shutil.copy(request.getfixturevalue('empty_store'), tmp_path / 'store.db')}"
    create: Callable[..., str] = request.getfixturevalue("new_database")
    return create(request.getfixturevalue("store_template"))


@pytest.fixture(params=["sqlite", "postgresql"])
def url_without_tables(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a store may be made, on both kinds."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store.db'}"
    create: Callable[..., str] = request.getfixturevalue("new_database")
    return create()


@pytest.fixture
def world(store_url: str) -> Iterator[World]:
    """People to ask the bot as, without a Zulip and an LMS."""
    from tests.worlds.chat_world import close_world, open_world

    world = open_world(store_url)
    yield world
    close_world(world)


@pytest.fixture
def small_world(empty_store: Path, tmp_path: Path) -> Iterator[World]:
    """The same on SQLite only, for what does not depend on the store."""
    from tests.worlds.chat_world import close_world, open_world

    world = open_world(f"sqlite:///{shutil.copy(empty_store, tmp_path / 'small.db')}")
    yield world
    close_world(world)
