"""Attempts are kept by the LMS's row, exams and contents by their ids, and events name both. Frozen.

What earlier versions stored says which row an event came from, but not which exam: that is looked up with the
complete look at the LMS which the next polls take; so are attempts that the LMS has changed since.
"""

import json
import logging
from typing import Any

from peewee import (
    AutoField,
    BigIntegerField,
    BooleanField,
    CharField,
    CompositeKey,
    DoubleField,
    ForeignKeyField,
    IntegerField,
    Model,
    SqliteDatabase,
    TextField,
)

from lms_bot.store.coursework import to_title_key
from lms_bot.store.database import UTCDateTimeField

logger = logging.getLogger(__name__)

EVENTS_AT_ONCE = 100_000
OLD = 128  # put together out of events, and not read since
TYPES = (
    "exam_started", "exam_completed", "exam_passed", "exam_failed",
    "content_started", "content_completed", "content_watched",
)  # fmt: skip
BIT = "CASE event_type " + " ".join(f"WHEN '{kind}' THEN {1 << at}" for at, kind in enumerate(TYPES)) + " ELSE 0 END"
IS_EXAM = "(event_type LIKE 'exam%')"
IS_START = "event_type LIKE '%started'"
OUTCOME = "CASE " + " ".join(f"WHEN event_type LIKE '%{word}' THEN '{word}'" for word in (
    "started", "completed", "passed", "failed", "watched")) + " END"  # fmt: skip
RANK = (
    f"CASE WHEN {IS_START} THEN 0 WHEN event_type LIKE '%completed' OR event_type LIKE '%watched' THEN 1 ELSE 2 END"
)

NEW_COLUMNS = (
    "ALTER TABLE lms_activity_events ADD COLUMN stream TEXT",
    "ALTER TABLE lms_activity_events ADD COLUMN attempt_id BIGINT",
    "ALTER TABLE lms_activity_events ADD COLUMN is_old_id BOOLEAN NOT NULL DEFAULT {is_old}",
    "ALTER TABLE lms_deliveries ADD COLUMN correction INTEGER NOT NULL DEFAULT 0",
    "DROP INDEX {delivery_index}",
    "CREATE UNIQUE INDEX lms_deliveries_event_recipient ON lms_deliveries (event_id, recipient, correction)",
    "ALTER TABLE lms_standings DROP COLUMN last_event_id",
    "DROP TABLE lms_attempts",
    "DROP TABLE lms_titles",
)
FILL_EVENTS = """UPDATE lms_activity_events SET attempt_id = activity_id, is_old_id = TRUE,
stream = substr(source_key, 1, instr(source_key, ':') - 1) WHERE event_id > ? AND event_id <= ?"""
EXACT_SUMS = "ALTER TABLE lms_standings ALTER COLUMN percentage_total TYPE DOUBLE PRECISION"  # of 4 bytes until now
# PostgreSQL writes the table anew with its indexes in a third of the time that it takes to update all of it.
WRITE_EVENTS_ANEW = """ALTER TABLE lms_activity_events ALTER COLUMN attempt_id TYPE BIGINT USING activity_id,
ALTER COLUMN stream TYPE TEXT USING split_part(source_key, ':', 1), ALTER COLUMN is_old_id SET DEFAULT FALSE"""
ROW_KEY = "substr(source_key, length(stream) + 2, length(source_key) - length(stream) - length(event_type) - 2)"
"""What is between the stream and the type."""
IS_SOUND = "length(source_key) >= length(stream) + length(event_type) + 2"

LARGEST_PERCENTAGE, LARGEST_SCORE = 1000, 10**9  # lest SQLite's sums become infinite
HAS_RESULT = f"NOT ({IS_START}) AND "
NUMBER = {
    # What was stored by hand may have NaN in it, which is no JSON.
    True: "CASE WHEN {has_result} json_type(CASE WHEN json_valid(activity_metadata) THEN activity_metadata END,"
    " '$.{name}') IN ('integer', 'real') THEN CAST(activity_metadata ->> '{name}' AS REAL) END",
    False: "CASE WHEN {has_result} activity_metadata ->> '{name}' ~ '^(-|)[0-9]{{1,9}}([.][0-9]{{1,20}}|)$'"
    " THEN CAST(activity_metadata ->> '{name}' AS DOUBLE PRECISION) END",
}
SAME_ROW = "OVER (PARTITION BY stream, row_key)"
FILL_ATTEMPTS = f"""
WITH event AS {{materialized}} (
  SELECT event_id, stream, {ROW_KEY} AS row_key, student_id, event_type,
         nullif(activity_title, '') AS activity_title, is_echo, timestamp,
         {{percentage}} AS percentage, {{score}} AS score
  FROM lms_activity_events WHERE {IS_SOUND} AND event_type IN {TYPES}
)
INSERT INTO lms_attempts (stream, row_key, student_id, is_exam, coursework_id, outcome, started_at, last_at,
                          percentage, score, is_shown, seen_types, changed_at)
SELECT found.stream, row_key, student_id, found.is_exam, title.coursework_id, outcome, started_at, last_at,
       CASE WHEN abs(percentage) <= {LARGEST_PERCENTAGE} THEN percentage END,
       CASE WHEN abs(score) <= {LARGEST_SCORE} THEN score END, NOT is_echo, seen_types + {OLD}, last_at
FROM (
  SELECT stream, row_key, student_id, {IS_EXAM} AS is_exam, {OUTCOME} AS outcome, is_echo, percentage, score,
         coalesce(activity_title, max(activity_title) {SAME_ROW}) AS activity_title,
         min(CASE WHEN {IS_START} THEN timestamp END) {SAME_ROW} AS started_at,
         max(timestamp) {SAME_ROW} AS last_at, sum({BIT}) {SAME_ROW} AS seen_types,
         row_number() OVER (PARTITION BY stream, row_key ORDER BY {RANK} DESC, event_id DESC) AS place
  FROM event
) AS found
LEFT JOIN old_titles AS title ON title.stream = found.stream AND title.is_exam = found.is_exam
     AND title.title = found.activity_title
WHERE place = 1
"""
FILL_KNOWN = f"""
INSERT INTO lms_attempts (stream, row_key, is_exam, outcome, last_at, is_shown, seen_types, changed_at)
SELECT stream, row_key, FALSE, 'started', {{now}}, FALSE, sum({BIT}), {{now}}
FROM lms_known_rows WHERE 1 = 1 GROUP BY stream, row_key
ON CONFLICT (stream, row_key) DO UPDATE SET seen_types = lms_attempts.seen_types | excluded.seen_types
"""
DROP_STANDINGS = """
DELETE FROM lms_standings WHERE NOT EXISTS (
  SELECT 1 FROM lms_attempts AS attempt WHERE attempt.student_id = lms_standings.student_id AND is_shown
)
"""
FILL_STANDINGS = """
INSERT INTO lms_standings (student_id, username, display_name, last_at, scored, percentage_total)
SELECT student_id,
       (SELECT student_username FROM lms_activity_events AS event WHERE event.student_id = attempt.student_id
        ORDER BY timestamp DESC LIMIT 1),
       (SELECT student_display_name FROM lms_activity_events AS event WHERE event.student_id = attempt.student_id
        ORDER BY timestamp DESC LIMIT 1),
       max(last_at), count(CASE WHEN is_exam THEN percentage END),
       coalesce(sum(CASE WHEN is_exam THEN percentage END), 0)
FROM lms_attempts AS attempt WHERE is_shown AND student_id IS NOT NULL GROUP BY student_id
ON CONFLICT (student_id) DO UPDATE SET last_at = excluded.last_at, scored = excluded.scored,
       percentage_total = excluded.percentage_total
"""
INDEXES = (
    "CREATE INDEX lms_attempts_student ON lms_attempts (student_id, last_at) WHERE is_shown",
    "CREATE INDEX lms_attempts_coursework ON lms_attempts (coursework_id, student_id) WHERE is_shown",
    "CREATE INDEX lms_attempts_open ON lms_attempts (student_id, started_at) WHERE is_shown AND outcome = 'started'",
    "CREATE INDEX lms_attempts_open_since ON lms_attempts (started_at, student_id)"
    " WHERE is_shown AND outcome = 'started'",
    "CREATE INDEX lms_coursework_title ON lms_coursework (title_key, is_exam)",
)


def up(migrator: object, db: Any) -> None:
    is_sqlite = isinstance(db, SqliteDatabase)

    def execute(sql: str, *parameters: object) -> Any:
        return db.execute_sql(sql if is_sqlite else sql.replace("%", "%%").replace("?", "%s"), parameters)

    if not is_sqlite:
        db.execute_sql("SET LOCAL statement_timeout = 0; SET LOCAL work_mem = '256MB'")
    delivery_index = _find_delivery_index(db)
    for statement in NEW_COLUMNS:
        execute(statement.format(delivery_index=delivery_index, is_old="FALSE" if is_sqlite else "TRUE"))
    _create_tables(db)
    if is_sqlite:
        _fill_events(execute)
    else:
        execute(EXACT_SUMS)
        execute(WRITE_EVENTS_ANEW)
    _fill_coursework(execute)
    number = NUMBER[is_sqlite]
    percentage, score = (number.format(name=name, has_result=HAS_RESULT) for name in ("percentage", "score"))
    materialized = "NOT MATERIALIZED" if is_sqlite else "MATERIALIZED"  # lest PostgreSQL sorts the metadata along
    execute(FILL_ATTEMPTS.format(percentage=percentage, score=score, materialized=materialized))
    now = "strftime('%Y-%m-%d %H:%M:%f000+00:00', 'now')" if is_sqlite else "now()"
    execute(FILL_KNOWN.format(now=now))
    execute("DROP TABLE lms_known_rows")
    for statement in INDEXES:
        execute(statement)
    execute(DROP_STANDINGS)
    execute(FILL_STANDINGS)
    _look_at_everything(execute)


def _find_delivery_index(db: Any) -> str:
    return next(
        str(each.name) for each in db.get_indexes("lms_deliveries") if each.columns == ["event_id", "recipient"]
    )


def _create_tables(db: Any) -> None:
    class Base(Model):
        class Meta:
            database = db

    class Coursework(Base):
        coursework_id = AutoField()
        stream = TextField()
        is_exam = BooleanField()
        activity_id = BigIntegerField()
        lost_key = TextField(default="")
        title = TextField(null=True)
        title_key = TextField(default="")
        course_title = TextField(null=True)

        class Meta:
            table_name = "lms_coursework"
            indexes = ((("stream", "is_exam", "activity_id", "lost_key"), True),)

    class Attempt(Base):
        stream = TextField()
        row_key = TextField()
        student_id = BigIntegerField(null=True)
        is_exam = BooleanField()
        coursework_id = IntegerField(null=True)
        outcome = CharField(max_length=12)
        started_at = UTCDateTimeField(null=True)
        last_at = UTCDateTimeField()
        percentage = DoubleField(null=True)
        score = DoubleField(null=True)
        is_shown = BooleanField()
        seen_types = IntegerField()
        changed_at = UTCDateTimeField()
        judged = CharField(max_length=12, null=True)
        judged_percentage = DoubleField(null=True)

        class Meta:
            table_name = "lms_attempts"
            primary_key = CompositeKey("stream", "row_key")

    class RowDigest(Base):
        stream = TextField()
        table = TextField(column_name="table_name")
        row_key = TextField()
        digest = TextField()

        class Meta:
            table_name = "lms_row_digests"
            primary_key = CompositeKey("stream", "table", "row_key")

    class Event(Base):
        event_id = AutoField()

        class Meta:
            table_name = "lms_activity_events"

    class Correction(Base):
        event = ForeignKeyField(Event, primary_key=True, column_name="event_id", on_delete="CASCADE")
        number = IntegerField()
        was_type = CharField(max_length=32)
        was_percentage = DoubleField(null=True)
        event_type = CharField(max_length=32)
        percentage = DoubleField(null=True)
        corrected_at = UTCDateTimeField()

        class Meta:
            table_name = "lms_corrections"

    db.create_tables([Coursework, Attempt, RowDigest, Correction])


def _fill_events(execute: Any) -> None:
    ((last,),) = execute("SELECT coalesce(max(event_id), 0) FROM lms_activity_events").fetchall()
    for first in range(0, last, EVENTS_AT_ONCE):
        execute(FILL_EVENTS, first, first + EVENTS_AT_ONCE)
        if last > EVENTS_AT_ONCE:
            logger.info("carrying the store over: %d of %d events", min(first + EVENTS_AT_ONCE, last), last)


def _fill_coursework(execute: Any) -> None:
    """Told apart by their titles, as before: that is all that is known of them yet."""
    execute("CREATE TEMPORARY TABLE old_titles (stream TEXT, is_exam BOOLEAN, title TEXT, coursework_id INTEGER)")
    titles = execute(
        f"SELECT DISTINCT stream, {IS_EXAM}, activity_title FROM lms_activity_events WHERE activity_title <> ''"
    ).fetchall()
    keys: dict[tuple[str, bool, str], int] = {}
    for stream, is_exam, title in titles:
        key = (stream, bool(is_exam), to_title_key(title))
        if key not in keys:
            keys[key] = len(keys) + 1
            execute(
                "INSERT INTO lms_coursework (stream, is_exam, activity_id, lost_key, title, title_key)"
                " VALUES (?, ?, 0, ?, ?, ?)",
                *key, title, key[2],
            )  # fmt: skip
    ids = {(stream, bool(is_exam), key): each for each, stream, is_exam, key in execute(
        "SELECT coursework_id, stream, is_exam, lost_key FROM lms_coursework").fetchall()}  # fmt: skip
    for stream, is_exam, title in titles:
        found = ids[stream, bool(is_exam), to_title_key(title)]
        execute("INSERT INTO old_titles VALUES (?, ?, ?, ?)", stream, bool(is_exam), title, found)
    execute("CREATE INDEX old_titles_title ON old_titles (title, stream, is_exam)")


def _look_at_everything(execute: Any) -> None:
    """The next polls look at each row of the LMS once, within their budget."""
    for stream, position in execute("SELECT stream, position FROM lms_cursors").fetchall():
        known = json.loads(position) if isinstance(position, str) else position
        changes = {"horizon": 0, "pass_horizon": None, "pass_block": 0} if known.get("baseline_at") is None else {}
        kept = {name: value for name, value in known.items() if name != "pass_file"} | changes
        execute("UPDATE lms_cursors SET position = ? WHERE stream = ?", json.dumps(kept), stream)
