"""Tables of what a mentor should know of a student: concerns, whom they were told, and what puts them off."""

from __future__ import annotations

from enum import Enum

from peewee import (
    AutoField,
    BigIntegerField,
    BooleanField,
    CharField,
    CompositeKey,
    ForeignKeyField,
    IntegerField,
    JSONField,
    TextField,
)

from lms_bot.core.clock import utc_now
from lms_bot.store.database import UTCDateTimeField
from lms_bot.store.messages import Message
from lms_bot.store.models import BaseModel


class ConcernKind(str, Enum):
    """The patterns that are looked for, the most urgent first."""

    FAILING = "failing"
    FALLING = "falling"
    SILENT = "silent"
    LEFT_OPEN = "left_open"
    RUSHING = "rushing"
    NEVER_STARTED = "never_started"

    def __str__(self) -> str:
        return self.value

    @property
    def is_urgent(self) -> bool:
        """Told at once, and to the supervisor where nobody sees to it."""
        return self is ConcernKind.FAILING


URGENT_KINDS = frozenset(kind.value for kind in ConcernKind if kind.is_urgent)


class Concern(BaseModel):
    """A pattern in one student's record. There is one open row of a kind for a student; a later one is a new row.

    `facts` say why, by kind (see `insight.concerns.rules`); `since_at` is when what they say began. `number` counts
    how often it has worsened: each is told anew. `is_old`: it was so already when the bot came. `changed_at` is when
    it opened or worsened last. `cleared_facts` say what ended it. `is_owed`: who is to be told at once is still to be
    found out. Who has seen to it, as a Zulip user id, is `seen_by`; a concern that worsens is unseen again.
    """

    concern_id = AutoField()
    student_id = BigIntegerField()
    kind = CharField(max_length=16)
    opened_at = UTCDateTimeField()
    since_at = UTCDateTimeField()
    facts = JSONField()
    number = IntegerField(default=0)
    is_old = BooleanField(default=False)
    changed_at = UTCDateTimeField()
    cleared_at = UTCDateTimeField(null=True)
    cleared_facts = JSONField(null=True)
    is_owed = BooleanField(default=False)
    seen_at = UTCDateTimeField(null=True)
    seen_by = BigIntegerField(null=True)

    class Meta:
        table_name = "lms_concerns"


class ConcernTelling(BaseModel):
    """That a concern, as it was the `number`th time, is told to one person: in `message`, null while it is owed.

    `to_supervisor`: because no mentor has seen to it. What a message that was given up carried counts as untold.
    """

    concern = ForeignKeyField(Concern, column_name="concern_id", backref="tellings", on_delete="CASCADE")
    concern_id: int
    number = IntegerField()
    zulip_user_id = BigIntegerField()
    to_supervisor = BooleanField(default=False)
    message = ForeignKeyField(Message, null=True, column_name="message_id", on_delete="SET NULL")
    created_at = UTCDateTimeField(default=utc_now)

    class Meta:
        table_name = "lms_concern_tellings"
        primary_key = CompositeKey("concern", "number", "zulip_user_id", "to_supervisor")


class Snooze(BaseModel):
    """Until when nobody is told of a student's concerns, and why: said by a mentor, for all of them."""

    student_id = BigIntegerField(primary_key=True)
    until = UTCDateTimeField()
    reason = TextField(null=True)
    zulip_user_id = BigIntegerField()
    created_at = UTCDateTimeField(default=utc_now)

    class Meta:
        table_name = "lms_snoozes"


class Newcomer(BaseModel):
    """A student who has a mentor and has done nothing yet, since when."""

    student_id = BigIntegerField(primary_key=True)
    since_at = UTCDateTimeField()

    class Meta:
        table_name = "lms_newcomers"


class PersonNews(BaseModel):
    """What one person was told when last, of each pace of news, so that it need not be looked for in their messages.

    `digest_at` is up to when the last digest told; `quiet_told_at` is when they were told that most of their students
    are silent, null once that is over. `welcomed_at` is when the bot explained itself.
    """

    zulip_user_id = BigIntegerField(primary_key=True)
    last_at = UTCDateTimeField(null=True)
    urgent_at = UTCDateTimeField(null=True)
    results_at = UTCDateTimeField(null=True)
    digest_at = UTCDateTimeField(null=True)
    quiet_told_at = UTCDateTimeField(null=True)
    welcomed_at = UTCDateTimeField(null=True)

    class Meta:
        table_name = "lms_person_news"
