"""A complete look at a table in which nothing changed, against `SELECT count(*)` of the same table.

The store plays no part in it: this is the LMS's time, and ours to ask for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.idle_poll import position_at_end
from benchmarks.measuring import Report, at_most, doing, rounded, seconds_of, spread

if TYPE_CHECKING:
    from benchmarks.world import BenchmarkLMS, StoreKind, World
    from lms_bot.app import App
    from lms_bot.lms.stream import Position, Stream

MOST_TIMES_COUNT = 3


def run(world: World, _: Sequence[StoreKind], is_smoke: bool) -> Report:
    attempts, repeats = (20_000, 3) if is_smoke else (5_000_000, 5)
    with world.new_lms() as lms, world.new_app(lms, "sqlite") as app:
        doing(f"sweep: writing {attempts:,} rows into the LMS")
        lms.add_attempts(attempts)
        doing("sweep: letting them grow old")
        lms.settle()
        stream = replace(app.source.streams[0], depends_on=())  # of the table alone
        counts, passes = zip(*(_measure(app, lms, stream) for _ in range(repeats)), strict=True)
    ratio = median(sum(polls) / count for count, polls in zip(counts, passes, strict=True))
    per_million = 1e6 / attempts
    figures = {
        "sweep_seconds_per_million_rows": spread(sum(polls) * per_million for polls in passes),
        "count_seconds_per_million_rows": spread(count * per_million for count in counts),
        "polls_to_complete": spread(len(polls) for polls in passes),
        "each_poll_milliseconds": spread(1000 * poll for polls in passes for poll in polls),
        "sweep_to_count_ratio": rounded(ratio),
    }
    sizes = {"attempts": attempts, "repeats": repeats, "budget_milliseconds": app.settings.lms_sweep_budget}
    return Report("sweep", sizes, figures, [at_most("sweep to count(*)", ratio, MOST_TIMES_COUNT)])


def _measure(app: App, lms: BenchmarkLMS, stream: Stream) -> tuple[float, list[float]]:
    """Seconds of the floor, and of each poll until the pass over the whole table was complete."""
    doing("sweep: counting them, and a pass over all of them")
    position = position_at_end(app, stream)
    lms.write_elsewhere()  # else there would be nothing to look for
    with app.source.connection.snapshot() as snapshot:
        count = seconds_of(lambda: snapshot.fetch_one(f"SELECT count(*) FROM {stream.table}"))
    polls: list[float] = []

    def poll() -> None:
        nonlocal position
        position = _poll(app, stream, position)

    while not polls or position.pass_horizon is not None:
        polls.append(seconds_of(poll))
    return count, polls


def _poll(app: App, stream: Stream, position: Position) -> Position:
    for changes in app.source.fetch_changes(stream, position):
        assert not changes.readings, "nothing changed, so nothing may be found"
        position = changes.position
    return position
