"""Finding what changed: the end, the open rows and the sweep, on tables that change while they are looked at."""

from __future__ import annotations

import itertools
import shutil
import subprocess
from collections.abc import Callable, Collection, Iterator
from contextlib import closing
from datetime import datetime, timezone
from typing import TYPE_CHECKING

import psycopg2
import pytest

from lms_bot.core.errors import LMSUnavailable
from lms_bot.lms import horizon, poll, source
from lms_bot.lms.horizon import Moment, written_since
from lms_bot.lms.standard import STREAMS
from lms_bot.sandbox.lms.postgres import EmbeddedPostgres
from lms_bot.sandbox.lms.school import School
from tests.worlds.watching import Found, Watching, add_attempts, failed, fill, passed, run

if TYPE_CHECKING:
    from lms_bot.people.recipients import Recipients
    from tests.lms.conftest import Watch

ATTEMPTS = STREAMS[0]
ROWS_IN_BLOCKS = 900  # some ten blocks of 8 kB

pytestmark = pytest.mark.usefixtures("no_crash_margin")


def slow_watch(watch: Watch, school: School) -> Watching:
    """Watches `school`, whose first rows are known and whose first pass is over, one block a poll from now on."""
    watching = watch(school)
    watching.poll()
    watching.slow_down()
    return watching


def block_of(school: School, row_id: int) -> int:
    ((ctid,),) = run(school, "SELECT ctid::text FROM attempts WHERE id = %s", row_id)
    return int(ctid.strip("()").split(",")[0])


# ---- the sweep over several polls ----


def test_a_sweep_over_many_polls_finds_every_change_once(
    school: School, watch: Watch, one_block_a_poll: None
) -> None:
    add_attempts(school, 1, ROWS_IN_BLOCKS)
    watching = slow_watch(watch, school)
    blocks = block_of(school, ROWS_IN_BLOCKS) + 1
    assert blocks > 8
    changed = range(1, ROWS_IN_BLOCKS, 50)
    run(school, "UPDATE attempts SET result = 'fail' WHERE id = ANY(%s)", list(changed))
    found = watching.poll()
    assert found < failed(*changed)
    for _ in range(3 * blocks):
        more = watching.poll()
        assert not more & found
        found |= more
    assert found == failed(*changed)


def test_the_horizon_moves_only_when_a_pass_is_complete(school: School, watch: Watch, one_block_a_poll: None) -> None:
    add_attempts(school, 1, ROWS_IN_BLOCKS)
    watching = slow_watch(watch, school)
    before = watching.position()
    run(school, "UPDATE attempts SET result = 'fail' WHERE id = 3")
    while (position := (watching.poll(), watching.position())[1]).pass_horizon is not None:
        assert position.horizon == before.horizon
        assert position.pass_block > 0
    assert position.horizon > before.horizon
    assert watching.events() == failed(3)


def test_a_row_that_moves_to_a_block_already_swept_is_found(
    school: School, watch: Watch, one_block_a_poll: None
) -> None:
    add_attempts(school, 1, ROWS_IN_BLOCKS)
    run(school, "DELETE FROM attempts WHERE id <= 40")
    run(school, "VACUUM attempts")  # room in the first block
    watching = slow_watch(watch, school)
    run(school, "SELECT pg_current_xact_id()")
    watching.poll(2)
    assert watching.position().pass_block >= 2
    assert block_of(school, 700) > watching.position().pass_block
    run(school, "UPDATE attempts SET result = 'fail', username = repeat('x', 1500) WHERE id = 700")
    assert block_of(school, 700) == 0
    assert watching.poll(3 * 12) == failed(700)


def test_a_table_rewritten_in_the_middle_of_a_pass_is_swept_anew(
    school: School, watch: Watch, one_block_a_poll: None
) -> None:
    add_attempts(school, 1, ROWS_IN_BLOCKS)
    watching = slow_watch(watch, school)
    changed = list(range(5, ROWS_IN_BLOCKS, 100))
    run(school, "UPDATE attempts SET result = 'fail' WHERE id = ANY(%s)", changed)  # now at the table's end
    found = watching.poll(4)
    assert watching.position().pass_block > 0
    run(school, "VACUUM FULL attempts")
    run(school, "CLUSTER attempts USING attempts_pkey")  # the changed rows are spread over all blocks again
    found |= watching.poll(3 * 12)
    assert found == failed(*changed)


@pytest.mark.parametrize("page_rows", [300, poll.PAGE_ROWS])  # always more than a block can hold
def test_more_changes_in_one_slice_than_a_page_holds_are_all_found(
    school: School, watch: Watch, monkeypatch: pytest.MonkeyPatch, page_rows: int
) -> None:
    monkeypatch.setattr(poll, "PAGE_ROWS", page_rows)
    count = 2 * page_rows + 300
    add_attempts(school, 1, count)
    watching = watch(school)
    watching.app.source.memory.budget_seconds = 60.0
    assert watching.poll() == set()
    run(school, "UPDATE attempts SET result = 'fail'")
    assert watching.poll() == failed(*range(1, count + 1))


def test_a_backlog_comes_in_pages_each_recorded_with_its_position(
    school: School, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(poll, "PAGE_ROWS", 50)
    watching = watch(school)
    watching.poll()
    add_attempts(school, 1, 420)
    position, sizes = watching.position(), []
    for changes in watching.app.source.fetch_changes(ATTEMPTS, position, watching.known()):
        assert changes.position.high_key is not None
        sizes.append(len(changes.readings))
    assert max(sizes) <= 2 * 50
    assert sum(sizes) == 420  # the sweep does not read again what the end has just given
    watching.app.source.forget()
    assert watching.poll() == passed(*range(1, 421))


def test_a_new_row_changed_while_the_others_are_read_is_found(
    school: School, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(poll, "PAGE_ROWS", 300)
    watching = watch(school)
    watching.poll()
    add_attempts(school, 1, 700)
    events, changes = watching.app.events, iter(["UPDATE attempts SET result = 'fail' WHERE id IN (5, 650)"])

    def find_recipients(student_ids: Collection[int]) -> dict[int, Recipients]:
        for change in changes:  # after the first page was read, before it is recorded
            run(school, change)
        return events.get_recipients(student_ids)

    watching.replace_parts(monkeypatch, find_recipients=find_recipients)
    found = watching.poll(2)
    assert found == passed(*(set(range(1, 701)) - {650})) | failed(5, 650)


def test_the_first_look_comes_in_pages(school: School, watch: Watch) -> None:
    add_attempts(school, 1, 2 * poll.PAGE_ROWS + 1)
    watching = watch(school)
    first = watching.app.source.fetch_first_position(ATTEMPTS)
    pages = watching.app.source.fetch_baseline(ATTEMPTS, first)
    sizes = [len(next(pages).readings)]
    asked = "SELECT query FROM pg_stat_activity WHERE application_name = 'lms_bot' AND datname = current_database()"
    ((query,),) = run(school, asked)
    assert query.startswith("FETCH FORWARD")  # the rest waits on the server
    sizes += [len(one.readings) for one in pages]
    assert sizes == [poll.PAGE_ROWS, poll.PAGE_ROWS, 1, 0]


def test_a_failed_page_leaves_no_transaction_open_in_the_lms(school: School, watch: Watch) -> None:
    add_attempts(school, 1, 10)
    watching = watch(school)
    with watching.app.store.transaction() as db:
        db.execute_sql("DROP TABLE lms_attempts")
    with pytest.raises(Exception, match="lms_attempts") as caught:
        watching.poll()
    states = "SELECT state FROM pg_stat_activity WHERE application_name = 'lms_bot' AND datname = current_database()"
    assert run(school, states) == [("idle",)]
    del caught


# ---- which rows are looked at when ----


def test_open_rows_are_followed_at_every_poll_however_long_the_sweep_takes(
    school: School, watch: Watch, one_block_a_poll: None
) -> None:
    add_attempts(school, 1, ROWS_IN_BLOCKS)
    add_attempts(school, ROWS_IN_BLOCKS + 1, ROWS_IN_BLOCKS + 3, "started")
    watching = slow_watch(watch, school)
    run(school, "UPDATE attempts SET state = 'completed' WHERE id > %s", ROWS_IN_BLOCKS + 1)
    assert watching.poll() == passed(ROWS_IN_BLOCKS + 2, ROWS_IN_BLOCKS + 3)


def test_a_new_row_at_the_end_is_found_at_once_and_then_followed(
    school: School, watch: Watch, one_block_a_poll: None
) -> None:
    add_attempts(school, 1, ROWS_IN_BLOCKS)
    watching = slow_watch(watch, school)
    add_attempts(school, 5000, 5000, "started")
    assert watching.poll() == {("5000", "exam_started")}
    run(school, "UPDATE attempts SET state = 'Ended', result = 'FAILED' WHERE id = 5000")
    assert watching.poll() == failed(5000)


def test_a_row_open_for_weeks_is_left_to_the_sweep_and_still_found(
    school: School, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_attempts(school, 1, 1, "started")
    watching = watch(school)
    watching.poll()
    with watching.app.store.transaction() as db:
        db.execute_sql("UPDATE lms_open_rows SET opened_at = '2020-01-01 00:00:00.000000+00:00'")
    watching.poll()
    with watching.app.store.session() as db:
        assert db.execute_sql("SELECT count(*) FROM lms_open_rows").fetchone() == (0,)
    run(school, "UPDATE attempts SET state = 'completed'")
    assert watching.poll() == passed(1)


def test_nothing_is_read_again_when_nothing_was_written(school: School, watch: Watch) -> None:
    add_attempts(school, 1, 50)
    watching = watch(school)
    watching.poll(2)
    read = list(watching.app.source.fetch_changes(ATTEMPTS, watching.position(), watching.known()))
    assert [changes.readings for changes in read] == [[]]


def test_a_table_touched_all_over_is_no_news(any_school: School, watch: Watch) -> None:
    add_attempts(any_school, 1, 200)
    watching = watch(any_school)
    watching.poll()
    for touch in ("UPDATE attempts SET state = state", "VACUUM FULL attempts", "VACUUM FREEZE attempts"):
        run(any_school, touch)
        assert watching.poll() == set()


# ---- transactions that commit late ----


def test_rows_committed_after_younger_ones_were_read_are_found(any_school: School, watch: Watch) -> None:
    watching = watch(any_school)
    watching.poll()
    with (
        closing(any_school.connect()) as old,
        closing(any_school.connect()) as nested,
        closing(any_school.connect()) as prepared,
    ):
        for number, late in enumerate((old, nested, prepared), start=1):
            with late.cursor() as sql:
                if late is prepared:
                    late.tpc_begin("prepared")
                sql.execute("SAVEPOINT inner_one" if late is nested else "SELECT 1")
                sql.execute(
                    "INSERT INTO attempts (id, user_id, state, result) VALUES (%s, 1, 'ended', 'pass')", (number,)
                )
                sql.execute("RELEASE inner_one" if late is nested else "SELECT 1")
        prepared.tpc_prepare()
        for row_id in range(100, 105):
            add_attempts(any_school, row_id, row_id)
            assert watching.poll() == passed(row_id)
        old.commit()
        assert watching.poll() == passed(1)
        nested.commit()
        assert watching.poll() == passed(2)
        watching.poll()
        prepared.tpc_commit()
        assert watching.poll() == passed(3)
        assert watching.poll() == set()


def test_a_late_commit_is_found_though_the_sweep_was_far_beyond_its_block(
    school: School, watch: Watch, one_block_a_poll: None
) -> None:
    add_attempts(school, 1, ROWS_IN_BLOCKS)
    watching = slow_watch(watch, school)
    with closing(school.connect()) as late, late.cursor() as sql:
        sql.execute("UPDATE attempts SET result = 'fail' WHERE id = 2")
        run(school, "UPDATE attempts SET result = result WHERE id = 1")
        watching.poll(40)
        late.commit()
    assert watching.poll(40) == failed(2)


def test_a_rolled_back_transaction_is_no_event(school: School, watch: Watch) -> None:
    watching = watch(school)
    watching.poll()
    with closing(school.connect()) as late, late.cursor() as sql:
        sql.execute("INSERT INTO attempts (id, user_id, state) VALUES (7, 1, 'started')")
        assert watching.poll() == set()
        late.rollback()
    assert watching.poll(2) == set()


# ---- another table of the same name ----


def test_a_table_prepared_long_ago_and_swapped_in_is_looked_at_whole(school: School, watch: Watch) -> None:
    add_attempts(school, 1, 30)
    run(school, "CREATE TABLE attempts_new (LIKE attempts INCLUDING ALL)")
    run(school, "INSERT INTO attempts_new SELECT * FROM attempts")
    run(school, "UPDATE attempts_new SET result = 'fail' WHERE id IN (4, 9)")
    watching = watch(school)
    watching.poll()
    run(school, "ALTER TABLE content_attempts DROP CONSTRAINT content_attempts_assessment_id_fkey")
    run(school, "BEGIN; DROP TABLE attempts; ALTER TABLE attempts_new RENAME TO attempts; COMMIT")
    assert watching.poll() == failed(4, 9)


def test_a_table_dropped_and_loaded_again_tells_only_what_differs(school: School, watch: Watch) -> None:
    add_attempts(school, 1, 30)
    watching = watch(school)
    watching.poll()
    run(school, "CREATE TABLE kept AS SELECT * FROM attempts")
    run(school, "TRUNCATE attempts, content_attempts")
    watching.poll()
    run(school, "INSERT INTO attempts SELECT * FROM kept WHERE id <> 3")
    run(school, "UPDATE attempts SET result = 'fail' WHERE id = 5")
    assert watching.poll() == failed(5)


def test_a_copy_in_another_database_is_looked_at_whole(
    school: School, watch: Watch, new_database: Callable[..., str]
) -> None:
    add_attempts(school, 1, 30)
    run(school, "UPDATE attempts SET result = 'fail' WHERE id = 8")  # changed back below, in the original only
    run(school, "SELECT 1")
    school.close()
    copy = School(new_database(school.url.rpartition("/")[2]))
    run(school, "UPDATE attempts SET result = 'pass' WHERE id = 8")
    watching = watch(school)
    watching.poll(2)
    watching.close()
    moved = watch(copy, watching.settings.store_url)
    assert moved.poll() == failed(8)


def test_a_server_whose_transactions_count_from_the_start_again_is_looked_at_whole(
    school: School, watch: Watch
) -> None:
    """As after a move of the LMS by dump and restore."""
    add_attempts(school, 1, 30)
    watching = watch(school)
    watching.poll()
    with watching.app.store.transaction() as db:  # as if it had been read from a server with a longer life
        db.execute_sql("UPDATE lms_cursors SET position = json_set(position, '$.horizon', 1099511627776)")
    run(school, "UPDATE attempts SET result = 'fail' WHERE id = 8")
    assert watching.poll() == failed(8)
    assert watching.position().horizon < 2**40


# ---- transaction ids that wrap around ----


def reset_next_transaction(server: EmbeddedPostgres, next_id: int) -> None:
    """Makes the server hand out transaction ids from there on, as if it had lived for years."""
    data = server.folder / "data"
    owner = data.stat().st_uid
    with server.away():
        subprocess.run(
            [server.binaries / "pg_resetwal", "-D", data, "-x", str(next_id)],
            check=True, user=owner, group=data.stat().st_gid, extra_groups=[], cwd="/", capture_output=True,
        )  # fmt: skip
        segment = data / "pg_xact" / f"{next_id // 2**20:04X}"
        segment.write_bytes(bytes(2**18))
        segment.chmod(0o600)
        subprocess.run(["chown", f"--reference={data}", segment], check=True)


def freeze_all(server: EmbeddedPostgres) -> None:
    for name in ("template0", "template1", "postgres", "lms"):
        with closing(server.connect()) as admin, admin.cursor() as sql:
            sql.execute("UPDATE pg_database SET datallowconn = true WHERE datname = 'template0'")
            sql.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,))
        with closing(server.connect(name)) as admin, admin.cursor() as sql:
            sql.execute("VACUUM FREEZE")


def test_transaction_ids_may_wrap_around(watch: Watch) -> None:
    with EmbeddedPostgres() as server, School(server.create_database("lms")) as school:
        fill(school.create())
        add_attempts(school, 1, 50)
        for billion in (1.5, 3.0):
            freeze_all(server)
            reset_next_transaction(server, int(billion * 10**9))
        freeze_all(server)
        reset_next_transaction(server, 2**32 - 60)
        watching = watch(school)
        watching.poll()
        before = watching.position().horizon
        for row_id in range(1, 51):
            run(school, "UPDATE attempts SET result = 'fail' WHERE id = %s", row_id)
            run(school, "SELECT pg_current_xact_id()")
            assert watching.poll() == failed(row_id)
        after = watching.position().horizon
        assert before % 2**32 > 2**32 - 70 and after % 2**32 < 200 and before < after
        watching.restart()
        assert watching.poll() == set()
        run(school, "UPDATE attempts SET state = 'started' WHERE id = 7")
        assert watching.poll() == {("7", "exam_started")}


def test_a_server_restored_to_an_earlier_moment_is_looked_at_whole(watch: Watch) -> None:
    """What was lost and used again since are more transactions than any margin."""
    with EmbeddedPostgres() as server, School(server.create_database("lms")) as school:
        fill(school.create())
        watching = watch(school)
        watching.poll()
        data, backup = server.folder / "data", server.folder / "backup"
        with server.away():
            subprocess.run(["cp", "-a", data, backup], check=True)
        reset_next_transaction(server, 1_500_000)
        add_attempts(school, 100, 100)
        assert poll_anew(watching) == {("100", "exam_passed")}
        with server.away():
            shutil.rmtree(data)
            backup.rename(data)
        add_attempts(school, 1, 1)
        reset_next_transaction(server, 2_500_000)
        ((written_by,),) = run(school, "SELECT xmin::text::int FROM attempts")
        assert written_by < 100_000 < watching.position().horizon < 2_500_000
        assert poll_anew(watching) == {("1", "exam_passed")}
        assert watching.position().horizon >= 2_500_000


def poll_anew(watching: Watching) -> Found:
    """After the server went away, which the first poll finds out, unless its connection had aged so long."""
    try:
        return watching.poll()
    except LMSUnavailable:
        return watching.poll()


@pytest.mark.parametrize("epoch", [0, 1, 5])
def test_no_row_version_is_taken_for_older_than_it_is(school: School, epoch: int) -> None:
    """Asked of PostgreSQL itself: a row written now is never below a horizon in the past."""
    now = datetime.now(timezone.utc)
    with school.transaction() as sql:
        sql.execute("SELECT pg_current_xact_id()::text::bigint")
        ((current,),) = sql.fetchall()
        xmax = epoch * 2**32 + current + 1
        for age in (0, 1, 2, 3, 100, 2**31 - 20_000_000, 2**31 - 1, 2**31, 2**32, 2**33):
            condition = written_since(max(0, xmax - age - 1), Moment(xmax, xmax, now))
            sql.execute(f"UPDATE exams SET title = title WHERE id = 1 RETURNING {condition}")
            assert sql.fetchall() == [(True,)], age


def test_what_was_written_before_the_horizon_is_not_looked_at(school: School) -> None:
    with closing(psycopg2.connect(school.url)) as reader, reader.cursor() as sql:
        sql.execute(horizon.MOMENT_SQL)
        moment = Moment(*sql.fetchone() or ())
        sql.execute(f"SELECT count(*) FROM exams WHERE {written_since(moment.xmax, moment)}")
        assert sql.fetchone() == (0,)
        sql.execute(f"SELECT count(*) FROM exams WHERE {written_since(0, moment)}")
        assert sql.fetchone() == (1,)


# ---- the first start ----


def test_what_is_there_at_the_first_start_is_known_but_for_the_lookback(any_school: School, watch: Watch) -> None:
    ((now,),) = run(any_school, "SELECT now() AT TIME ZONE 'utc'")
    add_attempts(any_school, 1, 20)
    add_attempts(any_school, 21, 22, "started", date=now)
    watching = watch(any_school, lms_initial_lookback=300)
    assert watching.poll() == {("21", "exam_started"), ("22", "exam_started")}
    assert watching.poll() == set()


def test_what_is_there_at_the_first_start_is_in_answers_though_it_is_no_event(
    any_school: School, watch: Watch
) -> None:
    add_attempts(any_school, 1, 20)
    add_attempts(any_school, 21, 22, "started")
    run(any_school, "UPDATE attempts SET percentage = 80")
    watching = watch(any_school)
    assert watching.poll() == set()
    assert len(watching.shown()) == 22
    attempts = watching.attempts()
    assert [one.outcome for one in attempts].count("passed") == 20
    assert {(one.title, one.percentage) for one in attempts} == {("Maths", 80), ("Maths", None)}


def test_exams_running_at_the_first_start_are_followed_to_their_end(any_school: School, watch: Watch) -> None:
    add_attempts(any_school, 1, 20)
    add_attempts(any_school, 21, 22, "started")
    watching = watch(any_school)
    assert watching.poll() == set()
    run(any_school, "UPDATE attempts SET state = 'completed', result = NULL WHERE id = 21")
    assert watching.poll() == {("21", "exam_completed")}
    run(any_school, "UPDATE attempts SET result = 'pass' WHERE id = 21")
    assert watching.poll() == passed(21)


def test_a_first_look_that_broke_off_is_repeated_and_what_came_between_is_news(
    school: School, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "PAGE_ROWS", 300)
    add_attempts(school, 1, 900)
    watching = watch(school)
    pages = watching.app.source.fetch_baseline
    with monkeypatch.context() as broken:
        broken.setattr(watching.app.source, "fetch_baseline", lambda *all, **named: _cut_off(pages(*all, **named)))
        with pytest.raises(KeyboardInterrupt):
            watching.poll()
    add_attempts(school, 2000, 2002)
    run(school, "UPDATE attempts SET result = 'fail' WHERE id = 2")
    watching.restart()
    assert watching.poll(2) == passed(2000, 2001, 2002) | failed(2)
    assert watching.poll() == set()


@pytest.mark.parametrize("savepoint", ["SELECT 1", "SAVEPOINT inner_one"])
def test_what_others_had_open_when_the_first_look_began_is_news_also_if_the_look_is_repeated(
    any_school: School, watch: Watch, savepoint: str
) -> None:
    """A part of a transaction has an id of its own, which a snapshot does not name."""
    with closing(any_school.connect()) as older, closing(any_school.connect()) as late:
        execute = "INSERT INTO attempts (id, user_id, state, result) VALUES (%s, 1, 'ended', 'pass')"
        with older.cursor() as sql:
            sql.execute("SELECT pg_current_xact_id()")  # holds the horizon back
        add_attempts(any_school, 1, 5)
        with late.cursor() as sql:
            sql.execute("SELECT pg_current_xact_id()")
            sql.execute(savepoint)
            sql.execute(execute, (77,))
        add_attempts(any_school, 6, 9)
        watching = watch(any_school)
        _break_first_look_off(watching)
        late.commit()
        older.commit()
        add_attempts(any_school, 100, 102)
        assert watching.poll(2) == passed(77, 100, 101, 102)


def _break_first_look_off(watching: Watching) -> None:
    """As if killed after the place where it began was noted."""
    store = watching.app.store
    with store.transaction() as db:
        db.execute_sql("ALTER TABLE lms_attempts RENAME TO hidden")
    with pytest.raises(Exception, match="lms_attempts"):
        watching.poll()
    with store.transaction() as db:
        db.execute_sql("ALTER TABLE hidden RENAME TO lms_attempts")
    watching.restart()


def _cut_off(pages: Iterator[object]) -> Iterator[object]:
    yield from itertools.islice(pages, 2)
    raise KeyboardInterrupt


def test_rows_there_before_the_first_start_are_known_though_an_older_transaction_was_open(
    school: School, watch: Watch
) -> None:
    with closing(school.connect()) as open_one, open_one.cursor() as sql:
        sql.execute("INSERT INTO attempts (id, user_id, state) VALUES (7, 1, 'started')")
        add_attempts(school, 100, 110)
        watching = watch(school)
        assert watching.poll(2) == set()
        open_one.commit()
    assert watching.poll() == {("7", "exam_started")}


def test_rows_of_types_not_watched_are_known_later(school: School, watch: Watch) -> None:
    watching = watch(school, lms_event_types_to_monitor="exam_failed")
    watching.poll()
    add_attempts(school, 1, 3)
    add_attempts(school, 4, 4, result="fail")
    assert watching.poll() == failed(4)
    watching.restart(lms_event_types_to_monitor=frozenset({"exam_failed", "exam_passed"}))
    run(school, "UPDATE attempts SET state = state")
    assert watching.poll() == set()
    add_attempts(school, 5, 5)
    assert watching.poll() == passed(5)


@pytest.mark.parametrize("skew", ["+1 hour", "-1 hour"])
def test_clocks_may_differ_by_an_hour(school: School, watch: Watch, skew: str) -> None:
    """The LMS's clock is another than ours: its now() is replaced for every new session."""
    run(
        school,
        f"""CREATE SCHEMA skewed;
        CREATE FUNCTION skewed.now() RETURNS timestamptz STABLE LANGUAGE sql
        AS $$ SELECT pg_catalog.now() + interval '{skew}' $$;
        DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = skewed, pg_catalog, public',
        current_database()); END $$""",
    )
    school.close()
    written = (
        "INSERT INTO attempts (id, date, user_id, state) VALUES (%s, now() AT TIME ZONE 'utc' - %s::interval, 1, %s)"
    )
    run(school, written, 1, "20 minutes", "started")
    run(school, written, 2, "1 minute", "started")
    watching = watch(school, lms_initial_lookback=300)
    assert watching.poll() == {("2", "exam_started")}
    for row_id, ago in ((3, "0"), (4, "50 minutes"), (5, "-50 minutes")):
        run(school, written, row_id, ago, "started")
        assert watching.poll() == {(str(row_id), "exam_started")}
    watching.restart()
    assert watching.poll() == set()
    assert watching.rejected() == {}


def test_a_bot_that_was_away_for_a_week_catches_up(school: School, watch: Watch, store_url: str) -> None:
    add_attempts(school, 1, 100)
    add_attempts(school, 101, 110, "started")
    watching = watch(school, store_url)
    watching.poll()
    watching.close()
    run(school, "UPDATE attempts SET state = 'ended' WHERE id > 105")
    run(school, "VACUUM FULL attempts")
    add_attempts(school, 2000, 2004)
    add_attempts(school, 500, 503, result="fail")  # lower ids, later
    watching.restart()
    assert watching.poll() == passed(*range(106, 111), *range(2000, 2005)) | failed(*range(500, 504))
    assert watching.poll() == set()
