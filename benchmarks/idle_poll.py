"""What a poll costs when nothing happened, on tables of growing size, with 1,000 attempts under way.

Two kinds of quiet: `undisturbed`, nobody wrote anything in the LMS since the last poll; and `disturbed`,
somebody wrote something else: then the open rows are looked at, and the sweep looks for more. The sweep takes
what its budget allows it; with the smallest budget there is, it is one slice of a few blocks, and the rest of
the poll shows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from benchmarks.measuring import Report, at_most, doing, rounded, seconds_of, spread
from benchmarks.world import BenchmarkLMS, StoreKind, World, running_app
from lms_bot.lms.comparison import describe
from lms_bot.lms.dependencies import fetch_digests
from lms_bot.lms.horizon import fetch_moment, fetch_table
from lms_bot.store.models import Cursor

if TYPE_CHECKING:
    from lms_bot.app import App
    from lms_bot.lms.stream import Position, Stream

OPEN_ROWS = 1000
LEAST_BUDGET_MILLISECONDS, DEFAULT_BUDGET_MILLISECONDS = 1, 200
WARM_UP_POLLS = 5  # in which the sweep finds the slice that fits its budget


def run(world: World, stores: Sequence[StoreKind], is_smoke: bool) -> Report:
    attempts = [5000, 20_000] if is_smoke else [100_000, 1_000_000, 10_000_000]
    polls = 3 if is_smoke else 20
    report = Report("idle_poll", {"attempts": attempts, "open_rows": OPEN_ROWS, "polls": polls})
    for kind in stores:
        report.figures[kind] = figures = _measure(world, kind, attempts, polls)
        _add_targets(report, kind, figures, attempts)
    return report


def _measure(world: World, kind: StoreKind, attempts: list[int], polls: int) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    with world.new_lms() as lms, world.new_store(kind) as store_url:
        doing(f"idle_poll, {kind}: a first look at {attempts[0]:,} rows")
        lms.add_attempts(attempts[0])
        with running_app(lms.url, store_url, world.credentials) as app:
            seconds = seconds_of(app.monitor.process_activities)
            figures["first_look_rows_per_second"] = rounded(attempts[0] / seconds)
            lms.add_attempts(OPEN_ROWS, state="started")
            app.monitor.process_activities()
        for count in attempts:
            doing(f"idle_poll, {kind}: writing the rows up to {count:,} into the LMS")
            lms.add_attempts(count - min(count, lms.rows))
            lms.settle()
            doing(f"idle_poll, {kind}: {polls} polls of each sort on {count:,} rows")
            figures[f"{count}_attempts"] = _polls_on(world, lms, store_url, polls)
    return figures


def _polls_on(world: World, lms: BenchmarkLMS, store_url: str, polls: int) -> dict[str, Any]:
    figures = {}
    for label, budget in (
        ("least_sweep", LEAST_BUDGET_MILLISECONDS),
        ("default_sweep", DEFAULT_BUDGET_MILLISECONDS),
    ):
        with running_app(lms.url, store_url, world.credentials, lms_sweep_budget=budget) as app:
            skip_to_end(app)
            figures[f"disturbed_{label}_milliseconds"] = _spread_of_polls(app, polls, lms.write_elsewhere)
            if label == "least_sweep":
                skip_to_end(app)
                figures["undisturbed_milliseconds"] = _spread_of_polls(app, polls, lambda: None)
    return figures


def _spread_of_polls(app: App, polls: int, disturb: Callable[[], None]) -> dict[str, float]:
    def poll() -> float:
        disturb()
        return 1000 * seconds_of(app.monitor.process_activities)

    for _ in range(WARM_UP_POLLS):
        poll()
    return spread(poll() for _ in range(polls))


def skip_to_end(app: App) -> None:
    """Takes all rows as seen. The first look would record each of them, which is not what is measured here."""
    for stream in app.source.streams:
        position = position_at_end(app, stream).to_json()
        with app.store.transaction():
            Cursor.update(position=position).where(Cursor.stream == stream.name).execute()


def position_at_end(app: App, stream: Stream) -> Position:
    first = app.source.fetch_first_position(stream)
    with app.source.connection.snapshot() as snapshot:
        (high_key,) = snapshot.fetch_one(f"SELECT max({stream.key}) FROM {stream.table}")
        moment, table = fetch_moment(snapshot), fetch_table(snapshot, stream)
        dependencies, _ = fetch_digests(snapshot, stream, moment)
    return replace(
        first,
        high_key=high_key,
        baseline_at=None,
        dependencies=dependencies,
        compared=describe(table),
        compared_at=moment.lms_now.isoformat(),
    )


def _add_targets(report: Report, kind: StoreKind, figures: dict[str, Any], attempts: list[int]) -> None:
    smallest, largest = (figures[f"{count}_attempts"] for count in (attempts[0], attempts[-1]))
    for name in ("undisturbed_milliseconds", "disturbed_least_sweep_milliseconds"):
        report.targets.append(at_most(f"{kind}: {name} on {attempts[-1]} attempts", largest[name]["median"], 10))
    # The fastest polls, as growth is of our work, not of what else the machine had to do meanwhile.
    growth = largest[name]["min"] / smallest[name]["min"]
    figures["growth_of_fastest_disturbed_poll_ratio"] = rounded(growth)
    report.targets.append(at_most(f"{kind}: growth from {attempts[0]} to {attempts[-1]} attempts", growth, 1.3))
