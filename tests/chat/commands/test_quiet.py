"""`quiet` and `workdays`: times at which nothing is told."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from lms_bot.notify.preferences import Preferences
from tests.worlds.chat_world import MARIA, World, close_world, make_user, open_world


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("empty") / "store.db"
    close_world(open_world(f"sqlite:///{path}"))
    return path


@pytest.fixture
def small_world(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Maria lives in Berlin: there it is 13:00, on a Wednesday."""
    path = tmp_path_factory.mktemp("chat") / "store.db"
    shutil.copy(empty_store, path)
    world = open_world(f"sqlite:///{path}")
    world.people.zulip_users[MARIA] = make_user(MARIA, "Maria", timezone="Europe/Berlin")
    yield world
    close_world(world)


def chosen(world: World, who: int = MARIA) -> Preferences:
    preferences: Preferences = world.context.preferences.get(who)
    return preferences


@pytest.mark.parametrize(
    "said",
    ["21:00-07:00", "9pm-7am", "21-7", "21:00 to 07:00", "from 9pm until 7am", "21:00 – 07:00", "21:00 - 07:00"],  # noqa: RUF001
)
def test_quiet_times(small_world: World, said: str) -> None:
    text = small_world.ask(f"quiet {said}").text
    assert chosen(small_world) == Preferences(default=chosen(small_world).default, quiet=("21:00", "07:00"))
    assert text == (
        "🌙 Quiet from 21:00 to 07:00 (Europe/Berlin): what happens then is held back and told afterwards."
        " With `quiet except failed`, failed exams are told all the same."
    )


@pytest.mark.parametrize(
    ("said", "passes"),
    [
        ("quiet 21:00-07:00 except failed", True),
        ("quiet 21-7 but failed exams", True),
        ("quiet except failed", True),
        ("quiet except for exam_failed", True),
        ("quiet except failed on", True),
        ("workdays mon-fri except failed", True),
        ("quiet except nothing", False),
        ("quiet except failed off", False),
        ("quiet 21:00-07:00 without exceptions", False),
        ("quiet 21:00-07:00 no exception", False),
    ],
)
def test_failed_exams_may_pass(small_world: World, said: str, passes: bool) -> None:
    small_world.context.preferences.change(MARIA, failed_pass=not passes)
    small_world.ask(said)
    assert chosen(small_world).failed_pass is passes


def test_what_is_not_said_of_quiet_times_stays_as_it_is(small_world: World) -> None:
    small_world.ask("quiet 21:00-07:00 except failed")
    text = small_world.ask("quiet 22:00-06:00").text
    assert chosen(small_world).quiet == ("22:00", "06:00") and chosen(small_world).failed_pass
    assert text.endswith("Failed exams are told even at such times; `quiet except nothing` ends that.")
    small_world.ask("quiet except nothing")
    assert chosen(small_world).quiet == ("22:00", "06:00")
    assert small_world.ask("quiet off").text == "🔔 You have no quiet times."
    assert chosen(small_world).quiet is None


@pytest.mark.parametrize(
    ("said", "days"),
    [
        ("mon-fri", ("mon", "tue", "wed", "thu", "fri")),
        ("sun-thu", ("mon", "tue", "wed", "thu", "sun")),
        ("mon,wed,fri", ("mon", "wed", "fri")),
        ("mon, wed and fri", ("mon", "wed", "fri")),
        ("Monday to Friday", ("mon", "tue", "wed", "thu", "fri")),
        ("off", None),
        ("every day", None),
        ("mon-sun", None),
    ],
)
def test_work_days(small_world: World, said: str, days: tuple[str, ...] | None) -> None:
    small_world.ask("workdays sat")
    small_world.ask(f"workdays {said}")
    assert chosen(small_world).workdays == days


def test_work_days_say_what_they_mean(small_world: World) -> None:
    assert small_world.ask("workdays sun,mon").text == (
        "📅 You are told on Monday, Sunday (Europe/Berlin): what happens on other days is held back and told"
        " afterwards. With `quiet except failed`, failed exams are told all the same."
    )
    assert "On days off, what happens is held back." in small_world.ask("quiet off").text
    assert small_world.ask("workdays off").text == "🔔 You are told on every day of the week."
