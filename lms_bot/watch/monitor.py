"""LMS rows -> events: what a poll finds is recorded with how far it read, in one transaction."""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic
from typing import Any

from lms_bot.core.activities import Activity
from lms_bot.core.clock import utc_now
from lms_bot.core.configured import get_configured
from lms_bot.core.errors import LMSBotError, LMSRefused
from lms_bot.lms.reading import Reading
from lms_bot.lms.source import Source
from lms_bot.lms.stream import Changes, Position, Stream
from lms_bot.people.recipients import FindRecipients, Recipients
from lms_bot.people.users import UserMapper
from lms_bot.store.attempts import AttemptBook, Turn
from lms_bot.store.corrections import CorrectionBook
from lms_bot.store.database import Store
from lms_bot.store.models import Cursor, KeyValue, LMSActivityEvent
from lms_bot.watch.event_data import name_as_known, to_activity, to_event_data
from lms_bot.watch.news import NewsFinder
from lms_bot.watch.recorder import Recorder
from lms_bot.watch.stored_rows import StoredRows

logger = logging.getLogger(__name__)

OPEN_ROWS_KEPT = timedelta(days=14)
LAST_GOOD_POLL = "last_good_poll"
LAST_POLL_ERROR = "last_poll_error"


@dataclass(frozen=True)
class MonitorParts:
    """What a monitor reads from, writes to, and goes by.

    `decides_one_by_one`: who is told is decided later, event by event. `is_telling` False: nobody is told at all.
    What happened more than `initial_lookback_seconds` before the very first start is taken as known; what happened
    more than `news_max_age_seconds` before the last good poll, in a row never seen before, is no news: imported, say.
    """

    store: Store
    source: Source
    users: UserMapper
    find_recipients: FindRecipients
    decides_one_by_one: bool
    event_types: frozenset[str]
    is_telling: bool
    initial_lookback_seconds: float
    news_max_age_seconds: float


class ActivityMonitor:
    """Watches the LMS. `poll_interval` is in seconds; it is kept for whoever runs the monitor."""

    def __init__(self, poll_interval: float = 60, parts: MonitorParts | None = None) -> None:
        self.poll_interval = poll_interval
        self._parts = parts or get_configured(MonitorParts)
        self._store, self._source = self._parts.store, self._parts.source
        self._recorder = Recorder(self._store)
        self._attempts = AttemptBook(self._store.database)
        self._corrections = CorrectionBook(self._store.database)
        lookback = timedelta(seconds=self._parts.initial_lookback_seconds)
        self._news = NewsFinder(self._attempts, self._parts.event_types, lookback)
        self._news_since: datetime | None = None
        self._lock = threading.Lock()

    def poll_for_new_activities(self) -> list[dict[str, Any]]:
        """What the next `process_activities` would record, as event data. Changes nothing.

        Raises LMSUnavailable, LMSRefused or StoreUnavailable.
        """
        with self._lock:
            try:
                return [event for stream in self._source.streams for event in self._peek(stream)]
            finally:
                self._source.forget()

    def process_activities(self) -> int:
        """One poll: records what happened in the LMS since the last. Returns how many events were created.

        Raises LMSUnavailable, LMSRefused or StoreUnavailable; what was not recorded is found again. Where one stream
        is refused, the others are read all the same.
        """
        with self._lock:
            began = monotonic()
            try:
                self._news_since = self._find_news_since()
                created, refusals = self._process_all()
                if not refusals:
                    with self._store.transaction():
                        KeyValue.put(LAST_GOOD_POLL, utc_now().isoformat())
            except Exception:
                self._source.forget()
                raise
        if created:
            plural = "" if created == 1 else "s"
            logger.info("recorded %d event%s in %.2f s", created, plural, monotonic() - began)
        if refusals:
            is_all = len(refusals) == len(self._source.streams)
            raise LMSRefused("; ".join(refusals), retry_after_seconds=None if is_all else 0.0)  # the others go on
        return created

    def _process_all(self) -> tuple[int, list[str]]:
        """How many events were created, and of which streams the LMS refused to be read."""
        created, refusals = 0, []
        for stream in self._source.streams:
            try:
                created += self._process(stream)
            except LMSRefused as error:
                self._source.forget()
                if not self._source.connection.is_open:  # it is not about the stream
                    raise
                refusals.append(f"{stream.name}: {error}")
        return created, refusals

    def create_activity_event(self, event_data: Mapping[str, Any]) -> LMSActivityEvent | None:
        """Stores one event from event data. None where that event was stored before.

        Raises ValueError for an unknown event type, KeyError for missing data.
        """
        activity = to_activity(event_data)
        zulip_user_id = self._get_zulip_user_id(activity.student_id)  # before the transaction
        people = Recipients((), event_data.get("mentor_id"), event_data.get("mentor_username"), zulip_user_id)
        recipients = {activity.student_id: people}
        with self._store.transaction():
            self._recorder.lock_stream(activity.stream)
            now = utc_now()
            if self._attempts.is_newer(activity):  # the polls may have read since what is newer
                self._attempts.follow(activity.stream, [activity], now)
            event_ids = self._insert([activity], recipients, now, is_decided=False)
            return LMSActivityEvent.get_by_id(event_ids[0]) if event_ids else None

    def _get_zulip_user_id(self, student_id: int) -> int | None:
        """The student's, if there is one and it can be found out now."""
        try:
            user = self._parts.users.get_zulip_user_for_student(student_id)
        except LMSBotError:
            return None
        return None if user is None else user.user_id

    def record_history(
        self, stream: Stream, readings: Iterable[Reading], since: datetime, until: datetime, is_told: bool
    ) -> int:
        """Stores older activities, from `since` on and before `until`, that are not stored yet. Returns how many.

        No position moves: this is beside the polls. Raises what `process_activities` does.
        """
        activities = [
            one.activity
            for one in readings
            if one.activity is not None
            and not one.activity.is_withdrawn
            and one.activity.event_type.value in self._parts.event_types
            and one.activity.happened_at is not None
            and since <= one.activity.happened_at < until
        ]
        recipients = self._find_recipients(activities)
        with self._store.transaction():
            self._recorder.lock_stream(stream.name)
            now = utc_now()
            seen = self._attempts.get_seen(stream.name, [one.row_key for one in activities])
            # Of rows known already the polls may have read since what is newer than this.
            self._attempts.follow(stream.name, [one for one in activities if one.row_key not in seen], now)
            return len(self._insert(activities, recipients, now, is_told=is_told))

    def _insert(
        self,
        activities: list[Activity],
        recipients: dict[int, Recipients],
        now: datetime,
        *,
        is_told: bool = True,
        is_decided: bool = True,
        untold: Collection[str] = (),
    ) -> list[int]:
        """The events of those activities that are not stored yet, oldest first; their stream is locked."""
        stored = self._recorder.get_stored([one.source_key for one in activities]) if activities else set()
        fresh = [one for one in activities if one.source_key not in stored]
        fresh.sort(key=lambda one: one.happened_at or now)
        is_decided = is_decided and not self._parts.decides_one_by_one
        is_told = is_told and self._parts.is_telling
        return self._recorder.insert_events(
            fresh, recipients, now=now, is_told=is_told, is_decided=is_decided, untold=untold
        )

    def _peek(self, stream: Stream) -> Iterator[dict[str, Any]]:
        position = self.get_position(stream) or self._source.fetch_first_position(stream)
        with closing(self._changes(stream, position)) as pages:
            for changes in pages:
                fresh = self._news.find(changes, None).fresh
                recipients = self._find_recipients(fresh)
                yield from (to_event_data(one, recipients[one.student_id]) for one in fresh)

    def _process(self, stream: Stream) -> int:
        position = self.get_position(stream) or self._begin(stream)
        created = 0
        # Closed at once when a page fails: the first look keeps a transaction in the LMS open between pages.
        with closing(self._changes(stream, position)) as pages:
            for page in pages:
                if page.is_empty and page.position == position:
                    continue
                recorded = self._record(page, position)
                if recorded is None:  # another process has read on meanwhile: what we hold may be older
                    self._source.forget()
                    logger.info("%s was read by another process meanwhile", stream.name)
                    break
                created, position = created + recorded, page.position
        return created

    def _find_news_since(self) -> datetime:
        """A bot that was away for long catches up with all that happened since; at the very first poll, from now."""
        with self._store.session():
            last_good = KeyValue.find(LAST_GOOD_POLL)
        last_at = utc_now() if last_good is None else datetime.fromisoformat(last_good)
        return last_at - timedelta(seconds=self._parts.news_max_age_seconds)

    def _begin(self, stream: Stream) -> Position:
        """The very first start: notes the moment before which everything is taken as known."""
        position = self._source.fetch_first_position(stream)
        with self._store.transaction():
            Cursor.insert(stream=stream.name, position=position.to_json()).on_conflict_ignore().execute()
        return position

    def _changes(self, stream: Stream, position: Position) -> Generator[Changes, None, None]:
        if position.baseline_at is not None:
            return self._source.fetch_baseline(stream, position)
        return self._source.fetch_changes(
            stream, position, StoredRows(self._store, self._recorder, self._attempts, stream.name)
        )

    def get_position(self, stream: Stream) -> Position | None:
        """How far the stream has been read; None if never."""
        with self._store.session():
            cursor = Cursor.get_or_none(Cursor.stream == stream.name)
        return None if cursor is None else Position.from_json(cursor.position)

    def _record(self, changes: Changes, before: Position) -> int | None:
        """One page: its attempts, events, their deliveries, and the position, all or none.

        Returns how many events that were; None, and nothing is recorded, where the stream is no longer at `before`,
        from which the page was read.
        """
        stream, now = changes.stream.name, utc_now()
        activities = [one.activity for one in changes.readings if one.activity is not None]
        with self._store.session():
            news = self._news.find(changes, self._news_since)
        # Asks the LMS and Zulip, so before the transaction.
        recipients = self._find_recipients(news.fresh + news.turning)
        with self._store.transaction():
            self._recorder.lock_stream(stream)
            if self.get_position(changes.stream) != before:
                return None
            followed = self._attempts.follow(stream, activities, now)
            fresh = [name_as_known(one, followed.titles) for one in news.fresh]
            created = self._insert(fresh, recipients, now, untold=news.untold)
            self._record_turns(followed.turns, created, recipients, now)
            self._attempts.mark_gone(stream, changes.gone, now)
            self._attempts.insert_known(stream, changes.known, now)
            self._keep_account(changes, now)
            position = changes.position.to_json()
            Cursor.update(position=position, updated_at=now).where(Cursor.stream == stream).execute()
        return len(created)

    def _record_turns(
        self, turns: Sequence[Turn], created: Sequence[int], recipients: dict[int, Recipients], now: datetime
    ) -> None:
        """Who was told of a result that the LMS has turned since is owed the present one."""
        owed = {
            student_id: {one.zulip_user_id for one in people.owed if one.zulip_user_id is not None}
            for student_id, people in (recipients.items() if self._parts.is_telling else ())
        }
        self._corrections.record(turns, frozenset(created), owed, now)

    def _find_recipients(self, activities: list[Activity]) -> dict[int, Recipients]:
        return self._parts.find_recipients({one.student_id for one in activities})

    def _keep_account(self, changes: Changes, now: datetime) -> None:
        """Which rows are open, which could not be read, and what other tables say."""
        recorder, stream = self._recorder, changes.stream.name
        for table, digests in changes.digests.items():
            recorder.update_digests(stream, table, digests)
        opened = [one.row_key for one in changes.readings if one.is_open]
        closed = [one.row_key for one in changes.readings if not one.is_open and one.rejection is None]
        closed += changes.gone
        recorder.update_open(stream, opened, closed, now)
        recorder.close_older(stream, now - OPEN_ROWS_KEPT)
        looked_at = [*(one.row_key for one in changes.readings), *changes.gone]
        rejections = [one.rejection for one in changes.readings if one.rejection is not None]
        recorder.replace_rejected(stream, looked_at, rejections, now)
        for one in rejections[:5]:
            logger.warning("%s row %s gives no event (%s); see `errors`", one.stream, one.row_key, one.problem)
        if len(rejections) > 5:
            logger.warning("… and %d more such rows", len(rejections) - 5)
