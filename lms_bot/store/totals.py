"""Tables with what is known of each student's attempts, and counts of events, so that answers need not count them.

Attempts, and what they add up to, are kept with what is recorded (see `attempts`); the counts beside it (`counters`).
"""

from __future__ import annotations

from peewee import (
    AutoField,
    BigIntegerField,
    BooleanField,
    CharField,
    CompositeKey,
    DoubleField,
    IntegerField,
    TextField,
)

from lms_bot.core.clock import utc_now
from lms_bot.store.database import UTCDateTimeField
from lms_bot.store.models import BaseModel


class Coursework(BaseModel):
    """An exam or content somebody has tried: what the LMS calls it now, and where it belongs.

    `activity_id` is its id in the LMS, 0 where it is there no more; `lost_key` then tells it from others that are
    not, by the title as last known. `title_key` is the title as it is looked for (see `core.normalize`).
    """

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


class Attempt(BaseModel):
    """One student's try at one exam or content: a row of the LMS as it says now.

    `outcome` is started, completed, watched, passed, failed or withdrawn; `percentage` and `score` are its result,
    null while it runs. `started_at` and `last_at` are when it began and when what it says last happened, and
    `changed_at` is when we last saw it say something else. `is_shown` is False for what is no more in the LMS, and
    for a content that is an exam. `seen_types` are the event types that it was seen as, told or not: their bits.
    `student_id` is null where only that much is known. `judged` and `judged_percentage` are its last result that was
    passed or failed, also while the LMS gives it none.
    """

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
    is_shown = BooleanField(default=True)
    seen_types = IntegerField(default=0)
    changed_at = UTCDateTimeField(default=utc_now)
    judged = CharField(max_length=12, null=True)
    judged_percentage = DoubleField(null=True)

    class Meta:
        table_name = "lms_attempts"
        primary_key = CompositeKey("stream", "row_key")


class StudentTotals(BaseModel):
    """One student: what they are called now, when they last did something, and the exams that have a percentage.

    `percentage_total` is the sum over `scored` exam attempts. `is_changed`: an attempt has changed since concerns
    were looked for last.
    """

    student_id = BigIntegerField(primary_key=True)
    username = TextField(null=True)
    display_name = TextField(null=True)
    last_at = UTCDateTimeField()
    scored = IntegerField(default=0)
    percentage_total = DoubleField(default=0.0)
    is_changed = BooleanField(default=False)

    class Meta:
        table_name = "lms_standings"


class StudentCount(BaseModel):
    """How many events of each type one student has in `span` days from `day` on (days since 1970-01-01, UTC).

    Spans are 1, 8 and 64 days, beginning at multiples of themselves, and 0: all time, with day 0. `told` is kept for
    all time only, by who tells, not by who counts: of how many events somebody was told.
    """

    span = IntegerField()
    day = IntegerField()
    student_id = BigIntegerField()
    exam_started = IntegerField(default=0)
    exam_completed = IntegerField(default=0)
    exam_passed = IntegerField(default=0)
    exam_failed = IntegerField(default=0)
    content_started = IntegerField(default=0)
    content_completed = IntegerField(default=0)
    content_watched = IntegerField(default=0)
    other = IntegerField(default=0)
    told = IntegerField(default=0)

    class Meta:
        table_name = "lms_student_counts"
        primary_key = CompositeKey("span", "day", "student_id")
