"""LMS rows -> events: what a poll finds is recorded with how far it read, in one transaction."""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection, Generator, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic
from typing import Any

from lms_bot.core.activities import Activity
from lms_bot.core.clock import utc_now
from lms_bot.core.configured import get_configured
from lms_bot.core.errors import LMSBotError, LMSRefused
from lms_bot.lms.source import Source
from lms_bot.lms.stream import Changes, Position, Reading, Stream
from lms_bot.people.recipients import FindRecipients, Recipients
from lms_bot.people.users import UserMapper
from lms_bot.store.database import Store
from lms_bot.store.models import Cursor, KeyValue, LMSActivityEvent
from lms_bot.watch.event_data import to_activity, to_event_data
from lms_bot.watch.recorder import Recorder

logger = logging.getLogger(__name__)

OPEN_ROWS_FOLLOWED = 5000
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
            event_ids = self._insert(activity.stream, [activity], recipients, utc_now(), is_decided=False)
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
            and one.activity.event_type.value in self._parts.event_types
            and one.activity.happened_at is not None
            and since <= one.activity.happened_at < until
        ]
        recipients = self._find_recipients(activities)
        with self._store.transaction():
            return len(self._insert(stream.name, activities, recipients, utc_now(), is_told=is_told))

    def _insert(
        self,
        stream: str,
        activities: list[Activity],
        recipients: dict[int, Recipients],
        now: datetime,
        *,
        is_told: bool = True,
        is_decided: bool = True,
        untold: Collection[str] = (),
    ) -> list[int]:
        """The events of those activities that are not stored yet, oldest first; within a transaction."""
        self._recorder.lock_stream(stream)
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
                fresh, _ = self._sort(changes)
                recipients = self._find_recipients(fresh)
                yield from (to_event_data(one, recipients[one.student_id]) for one in fresh)

    def _process(self, stream: Stream) -> int:
        position = self.get_position(stream) or self._begin(stream)
        # Closed at once when a page fails: the first look keeps a transaction in the LMS open between pages.
        with closing(self._changes(stream, position)) as pages:
            return sum(self._record(page) for page in pages if page.readings or page.position != position)

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
        with self._store.session():
            open_keys = self._recorder.get_open(stream.name, OPEN_ROWS_FOLLOWED)
        return self._source.fetch_changes(stream, position, open_keys)

    def get_position(self, stream: Stream) -> Position | None:
        """How far the stream has been read; None if never."""
        with self._store.session():
            cursor = Cursor.get_or_none(Cursor.stream == stream.name)
        return None if cursor is None else Position(**cursor.position)

    def _record(self, changes: Changes) -> int:
        """One page: its events, their deliveries, and the position, all or none."""
        stream, now = changes.stream.name, utc_now()
        with self._store.session():
            fresh, silent = self._sort(changes)
            untold = self._find_untold(changes, fresh)
        recipients = self._find_recipients(fresh)  # asks the LMS and Zulip, so before the transaction
        with self._store.transaction():
            created = len(self._insert(stream, fresh, recipients, now, untold=untold))
            self._recorder.insert_known(stream, ((one.row_key, one.event_type.value) for one in silent))
            self._keep_account(changes, now)
            position = changes.position.to_json()
            Cursor.update(position=position, updated_at=now).where(Cursor.stream == stream).execute()
        return created

    def _sort(self, changes: Changes) -> tuple[list[Activity], list[Activity]]:
        """The page's activities that are news, oldest first, and those to be taken as known in silence."""
        activities = [one.activity for one in changes.readings if one.activity is not None]
        if not activities:
            return [], []
        stored = self._recorder.get_stored([one.source_key for one in activities])
        known = self._recorder.get_known(changes.stream.name, [one.row_key for one in activities])
        fresh: list[Activity] = []
        silent: list[Activity] = []
        first_start = changes.position.baseline_at  # null but on the pages of the very first look
        lookback = timedelta(seconds=self._parts.initial_lookback_seconds)
        told_since = datetime.fromisoformat(first_start) - lookback if first_start else None
        for one in activities:
            if one.source_key in stored or (one.row_key, one.event_type.value) in known:
                continue
            is_old = told_since is not None and (one.happened_at is None or one.happened_at < told_since)
            is_watched = one.event_type.value in self._parts.event_types
            (fresh if is_watched and not is_old else silent).append(one)
        return fresh, silent

    def _find_untold(self, changes: Changes, fresh: list[Activity]) -> set[str]:
        """Source keys of what is too old to be news, in rows never seen before: of those we know, a change is news
        whatever their dates say, which may be of when they were begun."""
        since = self._news_since
        if since is None or changes.position.baseline_at:  # at the first look, the lookback decides
            return set()
        old = [one for one in fresh if one.happened_at is not None and one.happened_at < since]
        seen = self._recorder.get_seen(changes.stream.name, [one.row_key for one in old]) if old else set()
        return {one.source_key for one in old if one.row_key not in seen}

    def _find_recipients(self, activities: list[Activity]) -> dict[int, Recipients]:
        return self._parts.find_recipients({one.student_id for one in activities})

    def _keep_account(self, changes: Changes, now: datetime) -> None:
        """Which rows are open, and which could not be read."""
        recorder, stream = self._recorder, changes.stream.name
        opened = [one.row_key for one in changes.readings if one.is_open]
        closed = [one.row_key for one in changes.readings if not one.is_open and one.rejection is None]
        recorder.update_open(stream, opened, closed, now)
        recorder.close_older(stream, now - OPEN_ROWS_KEPT)
        looked_at = [one.row_key for one in changes.readings]
        rejections = [one.rejection for one in changes.readings if one.rejection is not None]
        recorder.replace_rejected(stream, looked_at, rejections, now)
        for one in rejections[:5]:
            logger.warning("%s row %s gives no event (%s); see `errors`", one.stream, one.row_key, one.problem)
        if len(rejections) > 5:
            logger.warning("… and %d more such rows", len(rejections) - 5)
