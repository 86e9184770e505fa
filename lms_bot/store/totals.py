"""Tables with what is known of each student so far, kept beside the events, so that answers need not count them.

`Counters` keeps them. They say nothing that the events do not: they could be made anew from them.
"""

from __future__ import annotations

from peewee import BigIntegerField, BooleanField, CharField, CompositeKey, FloatField, IntegerField, TextField

from lms_bot.store.database import UTCDateTimeField
from lms_bot.store.models import BaseModel


class StudentTotals(BaseModel):
    """One student: the latest names, the latest event, and the exams that have a percentage.

    `percentage_total` is the sum over `scored` exam attempts.
    """

    student_id = BigIntegerField(primary_key=True)
    username = TextField(null=True)
    display_name = TextField(null=True)
    last_at = UTCDateTimeField()
    last_event_id = IntegerField()
    scored = IntegerField(default=0)
    percentage_total = FloatField(default=0.0)

    class Meta:
        table_name = "lms_standings"


class Attempt(BaseModel):
    """What one student made of one exam or content, once: a row of the LMS as its events tell of it.

    `outcome` is the last word of the event type that says most: started, completed, watched, passed or failed.
    `title_key` is the title as it is looked for (see `core.normalize`), "" where there is none.
    """

    student_id = BigIntegerField()
    is_exam = BooleanField()
    activity_id = BigIntegerField()
    title = TextField(null=True)
    title_key = TextField(default="")
    outcome = CharField(max_length=12)
    started_at = UTCDateTimeField(null=True)
    last_at = UTCDateTimeField()
    percentage = FloatField(null=True)
    score = FloatField(null=True)

    class Meta:
        table_name = "lms_attempts"
        primary_key = CompositeKey("student_id", "is_exam", "activity_id")


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


class Title(BaseModel):
    """An exam or content anybody has done something with, by its title."""

    is_exam = BooleanField()
    title_key = TextField()
    title = TextField()

    class Meta:
        table_name = "lms_titles"
        primary_key = CompositeKey("is_exam", "title_key")
