"""From changed LMS rows to stored events with their deliveries.

Floors, in the same run, on the first of the rows, and compared as rows per second. `execute_values`: the same event
rows, ready in memory, into the same table with the same indexes on PostgreSQL; it reads nothing, decides nothing and
has no deliveries. `orm_loop`: the same activities, also ready in memory, one by one into the same kind of store, each
in a transaction of its own that looks whether it is known, creates the event and its deliveries, and moves the
cursor. `bare_orm_loop`: nothing but `create()` for each event and delivery, in autocommit; it would lose or double
events at a crash. The tables are smaller when the floors are measured, which favours these.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any

import psycopg2
from psycopg2.extras import execute_values

from benchmarks.measuring import Report, at_least, doing, rounded, seconds_of, spread
from lms_bot.store.database import Store, open_store, rows
from lms_bot.store.messages import Delivery
from lms_bot.store.models import Cursor, LMSActivityEvent
from lms_bot.watch.recorder import EVENT_COLUMNS

if TYPE_CHECKING:
    from benchmarks.world import BenchmarkLMS, StoreKind, World
    from lms_bot.app import App

PAGE_SIZE = 1000
SECONDS_OF_ROUNDS = 70  # of each kind of store: with the servers' start, two kinds take less than three minutes


@dataclass(frozen=True)
class Sizes:
    """How many rows each way stores; the slow ones store fewer."""

    changed_rows: int
    rows_of_execute_values: int
    rows_of_loops: int
    most_rounds: int


FULL = Sizes(200_000, 100_000, 2000, most_rounds=3)
SMOKE = Sizes(2000, 2000, 200, most_rounds=1)

EventRow = tuple[Any, ...]
StoreOne = Callable[[Store, dict[str, Any], list[int]], None]


def run(world: World, stores: Sequence[StoreKind], is_smoke: bool) -> Report:
    sizes = SMOKE if is_smoke else FULL
    report = Report("ingest", {**asdict(sizes), "page_of_execute_values": PAGE_SIZE, "rounds": {}})
    with world.new_lms() as lms:
        for kind in stores:
            rounds = _measure_rounds(world, lms, kind, sizes)
            report.sizes["rounds"][kind] = len(rounds)
            _add(report, kind, rounds)
    return report


def _measure_rounds(world: World, lms: BenchmarkLMS, kind: StoreKind, sizes: Sizes) -> list[dict[str, float]]:
    """One round, and more as long as another fits into the time."""
    began = perf_counter()
    rounds = [_measure(world, lms, kind, sizes)]
    while len(rounds) < sizes.most_rounds and (perf_counter() - began) * (1 + 1 / len(rounds)) < SECONDS_OF_ROUNDS:
        rounds.append(_measure(world, lms, kind, sizes))
    return rounds


def _measure(world: World, lms: BenchmarkLMS, kind: StoreKind, sizes: Sizes) -> dict[str, float]:
    """Rows per second of each way to store the rows."""
    changed, bulk_rows, loop_rows = sizes.changed_rows, sizes.rows_of_execute_values, sizes.rows_of_loops
    doing(f"ingest, {kind}: writing {changed:,} rows into the LMS")
    lms.remove_attempts()
    with world.new_app(lms, kind) as app:
        app.monitor.process_activities()  # the first start: an LMS without attempts
        lms.add_attempts(changed)
        doing(f"ingest, {kind}: the bot records them")
        ingest = seconds_of(app.monitor.process_activities)
        doing(f"ingest, {kind}: reading what was stored, for the floors")
        events = _stored_events(app, changed, bulk_rows)
        deliveries = rows(Delivery.select(Delivery.event, Delivery.zulip_user_id).where(Delivery.event <= loop_rows))
    doing(f"ingest, {kind}: {bulk_rows:,} of them by execute_values")
    bulk = _seconds_of_execute_values(world, events)
    doing(f"ingest, {kind}: {loop_rows:,} of them by an ORM loop, in transactions")
    loop = _seconds_of_loop(world, kind, events[:loop_rows], deliveries, _record_one)
    doing(f"ingest, {kind}: {loop_rows:,} of them by an ORM loop, bare")
    bare = _seconds_of_loop(world, kind, events[:loop_rows], deliveries, _create_one)
    doing(f"ingest, {kind}: done")
    return {
        "ingest": changed / ingest,
        "execute_values": bulk_rows / bulk,
        "orm_loop": loop_rows / loop,
        "bare_orm_loop": loop_rows / bare,
    }


def _stored_events(app: App, expected: int, wanted: int) -> list[EventRow]:
    with app.store.session():
        count, owed = LMSActivityEvent.select().count(), Delivery.select().count()
        query = LMSActivityEvent.select(*(getattr(LMSActivityEvent, one) for one in EVENT_COLUMNS))
        stored = rows(query.order_by(LMSActivityEvent.event_id).limit(wanted))
    assert count == expected, f"{count} events of {expected} rows"
    assert owed > expected, "students have one mentor or two, all of them known to Zulip"
    return [tuple(json.dumps(one) if isinstance(one, dict) else one for one in row) for row in stored]


def _seconds_of_execute_values(world: World, events: list[EventRow]) -> float:
    with world.new_store("postgresql") as url:
        store = Store(url)
        store.migrate()
        store.close_thread()
        with closing(psycopg2.connect(url)) as connected:
            return seconds_of(lambda: _execute_values(connected, events))


def _execute_values(connected: Any, events: list[EventRow]) -> None:
    sql = f"INSERT INTO lms_activity_events ({', '.join(EVENT_COLUMNS)}) VALUES %s"
    with connected, connected.cursor() as cursor:
        execute_values(cursor, sql, events, page_size=PAGE_SIZE)


def _seconds_of_loop(
    world: World, kind: StoreKind, events: list[EventRow], deliveries: list[EventRow], store_one: StoreOne
) -> float:
    owed: dict[int, list[int]] = {}
    for event_id, zulip_user_id in deliveries:
        owed.setdefault(event_id, []).append(zulip_user_id)
    fields = [dict(zip(EVENT_COLUMNS, row, strict=True)) for row in events]
    for one in fields:
        one["activity_metadata"] = json.loads(one["activity_metadata"])

    def loop() -> None:
        for one in fields:
            store_one(store, one, owed[one["event_id"]])

    with world.new_store(kind) as url:
        store = open_store(url)
        Cursor.create(stream="attempts", position={})
        try:
            return seconds_of(loop)
        finally:
            store.close_thread()


def _record_one(store: Store, fields: dict[str, Any], owed: list[int]) -> None:
    with store.transaction():
        if LMSActivityEvent.get_or_none(LMSActivityEvent.source_key == fields["source_key"]) is None:
            _create_one(store, fields, owed)
        Cursor.update(position={"high_key": fields["activity_id"]}).where(Cursor.stream == "attempts").execute()


def _create_one(_: Store, fields: dict[str, Any], owed: list[int]) -> None:
    event = LMSActivityEvent.create(**{name: fields[name] for name in EVENT_COLUMNS if name != "event_id"})
    for zulip_user_id in owed:
        Delivery.create(event=event, recipient=f"zulip:{zulip_user_id}", zulip_user_id=zulip_user_id)


def _add(report: Report, kind: StoreKind, rounds: list[dict[str, float]]) -> None:
    """Ratios are taken within a round, so that whatever else the machine does meets both sides."""
    per_second = {f"{name}_rows_per_second": spread(one[name] for one in rounds) for name in rounds[0]}
    ratios = {name: median(one["ingest"] / one[name] for one in rounds) for name in rounds[0] if name != "ingest"}
    report.figures[kind] = per_second | {f"ingest_to_{name}_ratio": rounded(ratio) for name, ratio in ratios.items()}
    report.targets += [
        at_least(f"{kind}: ingest to execute_values", ratios["execute_values"], 0.5),
        at_least(f"{kind}: ingest to the ORM loop", ratios["orm_loop"], 25),
    ]
