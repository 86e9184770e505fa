"""A week of a mentor, as it reads: the real composer and digests on a store of its own, on a clock of its own."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, cast

from lms_bot.app import App, build_app
from lms_bot.core.activities import Activity, ActivityType
from lms_bot.core.clock import UTC
from lms_bot.insight.concerns.watcher import ConcernWatch
from lms_bot.lms.people import Mentor, Student
from lms_bot.notify.composer import Composer
from lms_bot.notify.digests import DigestWriter
from lms_bot.people.recipients import Owed, Recipients
from lms_bot.people.rosters import Roster
from lms_bot.people.users import UserMapper
from lms_bot.settings.settings import Settings
from lms_bot.store.attempts import AttemptBook
from lms_bot.store.messages import Message, MessageState
from lms_bot.store.models import Cursor
from lms_bot.watch.recorder import Recorder
from lms_bot.zulip.gateway import ZulipUser

MARIA = 9
MONDAY = datetime(2026, 3, 16, tzinfo=UTC)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
STARTED, FAILED, PASSED = ActivityType.EXAM_STARTED, ActivityType.EXAM_FAILED, ActivityType.EXAM_PASSED
WATCHED, READ = ActivityType.CONTENT_WATCHED, ActivityType.CONTENT_COMPLETED
PUPILS = {11: "John Doe", 12: "Jane Smith", 13: "José García", 14: "Ama Owusu", 15: "Li Na", 16: "Tim Notley"}
TITLES = {1: "Algebra Final", 2: "Physics Midterm", 3: "Python Basics Quiz", 4: "Loops", 5: "Vectors"}

Happened = tuple[int, str, int, ActivityType, int, int | None]
"""On which day (0 is Monday), when, whose, what, at which exam or content, and with how many percent."""

BEFORE: list[Happened] = [
    (-7, "09:00", 12, READ, 4, None),
    (-6, "09:00", 11, FAILED, 1, 35),
    (-5, "10:00", 11, FAILED, 2, 41),
    (-5, "10:00", 14, FAILED, 3, 44),
    *((-4, f"1{hour}:00", student, WATCHED, 5, None) for hour, student in enumerate((11, 13, 14, 15, 16))),
]
WEEK: list[Happened] = [
    (0, "09:02", 13, STARTED, 2, None),
    (0, "09:40", 13, PASSED, 1, 78),
    (0, "09:55", 14, PASSED, 1, 91),
    (0, "10:05", 15, PASSED, 1, 66),
    (0, "11:30", 11, FAILED, 1, 40),
    (0, "11:36", 16, FAILED, 1, 48),
    (1, "14:00", 14, PASSED, 3, 82),
    (1, "15:00", 15, WATCHED, 5, None),
    (2, "10:00", 13, READ, 5, None),
    (3, "08:30", 11, PASSED, 1, 71),
    (3, "16:00", 12, WATCHED, 4, None),
]


class Maria:
    """The mentor of all of them, in UTC."""

    def get_zulip_user(self, user_id: int) -> ZulipUser:
        return ZulipUser(user_id, "María Santos", "", None, 400, False, True, "")

    def get_mentors_in_zulip(self) -> dict[int, list[Mentor]]:
        return {MARIA: [Mentor(1, 9001, "maria", None, None)]}

    def get_mentors_for_zulip_user(self, user: ZulipUser) -> list[Mentor]:
        return self.get_mentors_in_zulip().get(user.user_id, [])

    def get_roster(self, mentors: Any) -> Roster:
        students = {key: Student(key, f"user{key}", None, name, None, None) for key, name in PUPILS.items()}
        return Roster(students, frozenset(), None, is_stale=False)

    def get_enrolled(self) -> dict[int, None]:
        return dict.fromkeys(PUPILS)

    def prefetch(self, student_ids: Any) -> None: ...

    def get_remembered_recipients(self, student_id: int) -> Recipients:
        return Recipients((Owed(f"zulip:{MARIA}", MARIA),))


class Week:
    def __init__(self, app: App) -> None:
        self._app, users = app, cast("UserMapper", Maria())
        watch = ConcernWatch(app.store, users, app.calendar, app.concerns.thresholds)
        self._composer = Composer(replace(app.composer.parts, users=users, concerns=watch))
        self._digests = DigestWriter(replace(app.digests.parts, users=users, is_ready=watch.is_ready))
        self._watch = watch
        self._rows = 0
        with app.store.transaction():
            Cursor.create(stream="attempts", position={"baseline_at": None})
            Cursor.create(stream="content_attempts", position={"baseline_at": None})

    def live(self) -> Iterator[tuple[datetime, str]]:
        """When she gets which message."""
        for one in BEFORE:
            self._happen(one, is_told=False)
        waiting = sorted(WEEK, key=_get_moment)
        now = MONDAY + 7 * 60 * MINUTE
        while now < MONDAY + 5 * DAY:
            while waiting and _get_moment(waiting[0]) <= now:
                self._happen(waiting.pop(0), is_told=True)
            while self._watch.step(now):
                pass
            self._digests.step(now)
            self._composer.write_messages(now)
            yield from ((now, text) for text in self._send())
            now += 5 * MINUTE

    def _happen(self, one: Happened, *, is_told: bool) -> None:
        _, _, student, kind, work, percentage = one
        self._rows += 1
        activity = Activity(
            stream="attempts" if kind.is_exam else "content_attempts",
            row_key=str(self._rows),
            event_type=kind,
            student_id=student,
            student_username=f"user{student}",
            student_display_name=PUPILS[student],
            activity_id=work,
            activity_title=TITLES[work],
            activity_metadata={"percentage": percentage},
            happened_at=_get_moment(one),
            attempt_id=self._rows,
        )
        people = {student: Recipients((Owed(f"zulip:{MARIA}", MARIA),))}
        with self._app.store.transaction():
            AttemptBook(self._app.store.database).follow(activity.stream, [activity], _get_moment(one))
            if is_told:
                Recorder(self._app.store).insert_events([activity], people, now=_get_moment(one), is_told=True)

    def _send(self) -> list[str]:
        with self._app.store.transaction():
            found = list(Message.select().where(Message.state == MessageState.READY).order_by(Message.message_id))
            Message.update(state=MessageState.SENT).where(Message.state == MessageState.READY).execute()
        return [one.content for one in found]


def _get_moment(one: Happened) -> datetime:
    hour, minute = map(int, one[1].split(":"))
    return MONDAY + one[0] * DAY + timedelta(hours=hour, minutes=minute)


@contextmanager
def open_week() -> Iterator[Week]:
    with tempfile.TemporaryDirectory() as folder:
        app = build_app(Settings.model_validate({"lms_bot_store": f"sqlite:///{Path(folder) / 'store.db'}"}))
        yield Week(app)
        app.store.close_thread()


def format_week() -> str:
    """All she is told from Monday to Friday, in Markdown."""
    with open_week() as week:
        return "\n".join(f"**{now:%A, %H:%M}**\n\n```text\n{text}\n```\n" for now, text in week.live())
