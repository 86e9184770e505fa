"""A school to be watched, and bots that watch it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lms_bot.lms import horizon, poll
from lms_bot.sandbox.lms.school import School
from tests.worlds.watching import Watching, fill

if TYPE_CHECKING:
    from lms_bot.sandbox.lms.postgres import EmbeddedPostgres

Watch = Callable[..., Watching]

_numbers = itertools.count(1)


@pytest.fixture
def school(lms: School) -> School:
    """With two students, one exam and one content; nobody has tried anything yet."""
    return fill(lms)


@pytest.fixture(params=["newest", "oldest"])
def any_school(request: pytest.FixtureRequest) -> Iterator[School]:
    """The same on the newest PostgreSQL and on the oldest that is at hand."""
    if request.param == "newest":
        yield request.getfixturevalue("school")
        return
    server: EmbeddedPostgres = request.getfixturevalue("postgres15")
    name = f"lms_{next(_numbers)}"
    with School(server.create_database(name)) as lms:
        yield fill(lms.create())
    server.drop_database(name)


@pytest.fixture
def watching(school: School, store_url: str) -> Iterator[Watching]:
    """On either store, and before its first look."""
    one = Watching(school.url, store_url)
    yield one
    one.close()


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Watch]:
    """`watch(lms)` gives a bot that watches it, with a store of its own."""
    watching: list[Watching] = []

    def start(lms: School, store_url: str | None = None, **settings: object) -> Watching:
        store_url = store_url or f"sqlite:///{tmp_path / f'{len(watching)}.db'}"
        watching.append(Watching(lms.url, store_url, **settings))
        return watching[-1]

    yield start
    for one in watching:
        one.close()


@pytest.fixture
def no_crash_margin(monkeypatch: pytest.MonkeyPatch) -> None:
    """No server crashes here. With the margin, every new connection would look at these small tables whole."""
    monkeypatch.setattr(poll, "CRASH_MARGIN", 0)


@pytest.fixture
def one_block_a_poll(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sweep takes one block per poll, as if the table were a thousand times as large."""
    for name in ("FIRST_SLICE_BLOCKS", "SMALLEST_SLICE_BLOCKS", "LARGEST_SLICE_BLOCKS"):
        monkeypatch.setattr(poll, name, 1)
    monkeypatch.setattr(horizon, "SLICE_BLOCKS", 1)
