"""Tables in parts: partitioned ones, and those that others inherit from. The parts are looked at together."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING

import pytest

from lms_bot.core.errors import LMSRefused
from lms_bot.lms import poll
from lms_bot.sandbox.lms.school import School
from tests.worlds.watching import LONG_AGO, Watching, add_attempts, add_content, failed, passed, run

if TYPE_CHECKING:
    from tests.lms.conftest import Watch

pytestmark = pytest.mark.usefixtures("no_crash_margin")

IN_PARTS = """
ALTER TABLE content_attempts DROP CONSTRAINT content_attempts_assessment_id_fkey;
DROP TABLE attempts CASCADE;
CREATE TABLE attempts ({columns}) PARTITION BY {by}
"""
COLUMNS = """
    id integer, date timestamp(3), exam_id integer, user_id integer, username text, correct_answers_count integer,
    incorrect_answers_count integer, unanswered_count integer, score integer, percentage integer,
    percentile double precision, speed integer, time_taken text, result text, state text,
    last_started_time timestamp(3), last_answer_updated_time timestamp(3)
"""


def put_in_parts(school: School, by: str, *parts: str) -> School:
    """Has `attempts` made anew in parts of these names, each with its bounds: `low FOR VALUES FROM (0) TO (100)`."""
    run(school, IN_PARTS.format(columns=COLUMNS, by=by))
    for part in parts:
        name, _, bounds = part.partition(" ")
        run(school, f"CREATE TABLE {name} PARTITION OF attempts {bounds}")
    return school


def put_in_two(school: School) -> School:
    parts = ("low FOR VALUES FROM (0) TO (1000)", "high FOR VALUES FROM (1000) TO (2000)")
    return put_in_parts(school, "RANGE (id)", *parts)


def set_aside(school: School, first: int, last: int) -> None:
    """A filled table `aside`, which is no part yet; nobody can tell when its rows were written."""
    run(school, "CREATE TABLE aside (LIKE attempts)")
    add_attempts(school, first, last)
    run(school, "WITH moved AS (DELETE FROM attempts RETURNING *) INSERT INTO aside SELECT * FROM moved")
    run(school, "VACUUM FREEZE aside")


def test_what_happens_in_every_part_is_found(any_school: School, watch: Watch) -> None:
    school = put_in_two(any_school)
    add_attempts(school, 1, 3)
    add_attempts(school, 1001, 1003, "started")
    watching = watch(school)
    assert watching.poll() == set()
    add_attempts(school, 4, 4)
    add_attempts(school, 1004, 1004)
    assert watching.poll() == passed(4, 1004)
    run(school, "UPDATE attempts SET state = 'ended', result = 'fail' WHERE id IN (2, 1002)")
    assert watching.poll() == failed(2, 1002)
    run(school, "DELETE FROM attempts WHERE id IN (1, 1001)")
    assert watching.poll() == set()
    assert watching.shown() == {"2", "3", "4", "1002", "1003", "1004"}


def test_the_history_of_every_part_is_found(school: School, watching: Watching) -> None:
    put_in_two(school)
    add_attempts(school, 1, 300)
    add_attempts(school, 1001, 1001)
    watching.poll()
    source = watching.app.source
    since = datetime(2019, 1, 1, tzinfo=timezone.utc)
    found = [one.row_key for page, _ in source.fetch_history(source.streams[0], since, None) for one in page]
    assert sorted(map(int, found)) == [*range(1, 301), 1001]


def test_a_row_that_moves_from_part_to_part_is_told_once(school: School, watching: Watching) -> None:
    """By its date, which is no key: the old row is deleted, and a new one comes."""
    years = (f"y{year} FOR VALUES FROM ('{year}-01-01') TO ('{year + 1}-01-01')" for year in (2020, 2021))
    put_in_parts(school, "RANGE (date)", *years, "rest DEFAULT")
    watching.poll()
    add_attempts(school, 7, 7, "started", date=LONG_AGO)
    assert watching.poll() == {("7", "exam_started")}
    for moved in ("date = '2021-06-01'", "date = NULL"):
        run(school, f"UPDATE attempts SET {moved}")
        assert watching.poll() == set()
    run(school, "UPDATE attempts SET date = '2020-06-01', state = 'ended', result = 'pass'")
    assert watching.poll() == passed(7)
    assert [one.outcome for one in watching.attempts()] == ["passed"]


@pytest.mark.parametrize("first", [1, 5001])
def test_a_part_attached_later_is_looked_at_whole_however_old_its_rows_are(
    school: School, watching: Watching, first: int
) -> None:
    put_in_parts(school, "RANGE (id)", "middle FOR VALUES FROM (1000) TO (2000)", "rest DEFAULT")
    set_aside(school, first, first + 5)
    add_attempts(school, 1001, 1003)
    watching.poll(2)
    run(school, f"ALTER TABLE attempts ATTACH PARTITION aside FOR VALUES FROM ({first}) TO ({first + 100})")
    assert watching.poll() == passed(*range(first, first + 6))
    assert watching.poll() == set()


def test_a_part_made_later_is_watched_as_the_others_are(school: School, watching: Watching) -> None:
    put_in_two(school)
    watching.poll()
    run(school, "CREATE TABLE higher PARTITION OF attempts FOR VALUES FROM (2000) TO (3000)")
    watching.poll()
    add_attempts(school, 2500, 2501, "started")
    assert watching.poll() == {("2500", "exam_started"), ("2501", "exam_started")}
    run(school, "UPDATE attempts SET state = 'ended' WHERE id = 2501")
    assert watching.poll() == passed(2501)


def test_the_rows_of_a_detached_part_are_gone_until_it_is_back(school: School, watching: Watching) -> None:
    put_in_two(school)
    add_attempts(school, 1, 2)
    add_attempts(school, 1001, 1002)
    watching.poll()
    run(school, "ALTER TABLE attempts DETACH PARTITION high")
    assert watching.poll() == set()
    assert watching.shown() == {"1", "2"}
    run(school, "UPDATE high SET result = 'fail' WHERE id = 1002")
    watching.poll()
    run(school, "ALTER TABLE attempts ATTACH PARTITION high FOR VALUES FROM (1000) TO (2000)")
    assert watching.poll() == failed(1002)
    assert watching.shown() == {"1", "2", "1001", "1002"}


def test_parts_may_have_parts(school: School, watching: Watching) -> None:
    put_in_parts(school, "RANGE (id)", "low FOR VALUES FROM (0) TO (1000) PARTITION BY HASH (id)")
    for number in range(3):
        run(school, f"CREATE TABLE low_{number} PARTITION OF low FOR VALUES WITH (MODULUS 3, REMAINDER {number})")
    watching.poll()
    add_attempts(school, 1, 20)
    assert watching.poll() == passed(*range(1, 21))
    run(school, "VACUUM FULL low_1")
    run(school, "UPDATE attempts SET result = 'fail' WHERE id IN (3, 4, 5, 6)")
    assert watching.poll() == failed(3, 4, 5, 6)


def test_a_table_without_any_part_yet_has_no_rows(school: School, watching: Watching) -> None:
    put_in_parts(school, "RANGE (id)")
    assert watching.poll(2) == set()
    run(school, "CREATE TABLE all_of_them PARTITION OF attempts DEFAULT")
    add_attempts(school, 1, 2)
    assert watching.poll() == passed(1, 2)


def test_a_block_that_holds_more_than_a_page_since_many_parts_have_it_is_read_whole(
    school: School, watch: Watch, monkeypatch: pytest.MonkeyPatch, one_block_a_poll: None
) -> None:
    monkeypatch.setattr(poll, "PAGE_ROWS", 150)  # more than a block holds, less than the same block of all parts
    parts = (f"part_{number} FOR VALUES WITH (MODULUS 5, REMAINDER {number})" for number in range(5))
    put_in_parts(school, "HASH (id)", *parts)
    add_attempts(school, 1, 1200)
    watching = watch(school)
    watching.app.source.memory.budget_seconds = 60.0
    assert watching.poll() == set()
    run(school, "UPDATE attempts SET result = 'fail'")
    assert watching.poll() == failed(*range(1, 1201))
    watching.app.source.memory.budget_seconds = 1e-9
    run(school, "UPDATE attempts SET state = 'started'")
    assert watching.poll(20) == {(str(row_id), "exam_started") for row_id in range(1, 1201)}


# ---- inheritance ----


def test_the_rows_of_tables_that_inherit_are_found_too(school: School, watching: Watching) -> None:
    run(school, "CREATE TABLE more_attempts () INHERITS (attempts)")
    add_attempts(school, 1, 2)
    run(school, "INSERT INTO more_attempts (id, user_id, state) VALUES (50, 1, 'started')")
    assert watching.poll() == set()
    run(school, "UPDATE attempts SET state = 'ended', result = 'fail' WHERE id IN (2, 50)")
    assert watching.poll() == failed(2, 50)
    run(school, "INSERT INTO more_attempts (id, user_id, state) VALUES (40, 1, 'started')")
    assert watching.poll() == {("40", "exam_started")}
    run(school, "DELETE FROM more_attempts WHERE id = 50")
    watching.poll()
    assert watching.shown() == {"1", "2", "40"}


def test_a_table_that_inherits_later_is_looked_at_whole(school: School, watching: Watching) -> None:
    set_aside(school, 1, 3)
    add_attempts(school, 10, 11)
    watching.poll(2)
    run(school, "ALTER TABLE aside ADD CHECK (TRUE), ALTER id SET NOT NULL")
    run(school, "ALTER TABLE aside INHERIT attempts")
    assert watching.poll() == passed(1, 2, 3)
    run(school, "ALTER TABLE aside NO INHERIT attempts")
    assert watching.poll() == set()
    assert watching.shown() == {"10", "11"}


# ---- what cannot be watched ----

VIEW = "ALTER TABLE attempts RENAME TO old_attempts; CREATE VIEW attempts AS SELECT * FROM old_attempts"
SERVER = "CREATE FOREIGN DATA WRAPPER elsewhere; CREATE SERVER elsewhere FOREIGN DATA WRAPPER elsewhere;"
FOREIGN = f"{SERVER} DROP TABLE attempts CASCADE; CREATE FOREIGN TABLE attempts ({COLUMNS}) SERVER elsewhere"
FOREIGN_PART = f"""{SERVER} {IN_PARTS.format(columns=COLUMNS, by="RANGE (id)")};
CREATE TABLE low PARTITION OF attempts FOR VALUES FROM (0) TO (1000);
CREATE FOREIGN TABLE high PARTITION OF attempts FOR VALUES FROM (1000) TO (2000) SERVER elsewhere
"""
FOREIGN_HEIR = f"{SERVER} CREATE FOREIGN TABLE more_attempts () INHERITS (attempts) SERVER elsewhere"
UNWATCHABLE = [
    (VIEW, "is a view"),
    (FOREIGN, "is a foreign table"),
    (FOREIGN_PART, "has a part that is a foreign table"),
    (FOREIGN_HEIR, "has a part that is a foreign table"),
]


@pytest.mark.parametrize("is_first_look", [False, True])
@pytest.mark.parametrize(("change", "words"), UNWATCHABLE)
def test_what_cannot_be_watched_is_refused_and_not_read_in_silence(
    school: School, watching: Watching, change: str, words: str, is_first_look: bool
) -> None:
    if not is_first_look:
        watching.poll()
    run(school, change)
    add_content(school, 9)
    with pytest.raises(LMSRefused, match=f"^attempts: “attempts” {words}, in which changes cannot be found"):
        watching.poll()
    assert watching.events() == (set() if is_first_look else {("9", "content_started")})
