"""What was told and no longer holds: results that the LMS turned, owed to those who were told of the former ones."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from lms_bot.core.activities import source_key
from lms_bot.store.attempts import Turn
from lms_bot.store.statements import Statements, to_stored

if TYPE_CHECKING:
    import peewee

COLUMNS = ("event_id", "number", "was_type", "was_percentage", "event_type", "percentage", "corrected_at")
REPLACE = "(event_id) DO UPDATE SET " + ", ".join(f"{name} = excluded.{name}" for name in COLUMNS[1:])
OWED = ("event_id", "recipient", "zulip_user_id", "state", "created_at", "updated_at", "correction")
WAS_TOLD = "state = 'sent' OR (state = 'pending' AND message_id IS NOT NULL)"


class CorrectionBook:
    """The statements, within the caller's transaction."""

    def __init__(self, database: peewee.Database) -> None:
        self._statements = Statements(database)

    def record(
        self, turns: Sequence[Turn], created: Collection[int], owed: Mapping[int, Collection[int]], now: datetime
    ) -> int:
        """Writes down the exams that turned, and owes that to who was told otherwise. Returns to how many it is owed.

        `created` are the events recorded just now: one of these tells of the correction itself, to all it is owed to.
        Where there is none, because the result was seen before, the event of the former result tells of it, or, where
        that has none, the present result's. `owed` are the Zulip users who may hear of a student, by student.
        """
        if not turns:
            return 0
        ids = self._find_events(turns)
        numbers = self._get_numbers(ids.values())
        corrections, deliveries, reopened = [], [], set()
        for turn in turns:
            now_id, was_id = (ids.get(self._key(turn, kind)) for kind in (turn.activity.event_type, turn.was_type))
            is_new = now_id in created
            event_id = now_id if is_new or was_id is None else was_id
            if event_id is None:  # nobody was told: it was so before the bot, or of types that are not watched
                continue
            number = 0 if is_new else numbers.get(event_id, 0) + 1
            kinds = (turn.was_type.value, turn.was_percentage, turn.activity.event_type.value, turn.percentage)
            corrections.append((event_id, number, *kinds, to_stored(now)))
            if is_new:
                continue
            told = self._get_told([one for one in (now_id, was_id) if one is not None], event_id)
            moment = to_stored(now)
            for person in sorted(told & set(owed.get(turn.activity.student_id, ()))):
                deliveries.append((event_id, f"zulip:{person}", person, "pending", moment, moment, number))
                reopened.add(event_id)
        self._statements.merge("lms_corrections", COLUMNS, corrections, REPLACE)
        self._statements.merge("lms_deliveries", OWED, deliveries)
        self._unsettle(reopened)
        return len(deliveries)

    def _key(self, turn: Turn, kind: str) -> str:
        return source_key(turn.activity.stream, turn.activity.row_key, kind)

    def _find_events(self, turns: Sequence[Turn]) -> dict[str, int]:
        keys = [self._key(turn, kind) for turn in turns for kind in (turn.activity.event_type, turn.was_type)]
        condition, parameters = self._statements.among("source_key", keys)
        sql = f"SELECT source_key, event_id FROM lms_activity_events WHERE {condition}"
        return dict(self._statements.execute(sql, parameters))

    def _get_numbers(self, event_ids: Collection[int]) -> dict[int, int]:
        condition, parameters = self._statements.among("event_id", list(event_ids))
        sql = f"SELECT event_id, number FROM lms_corrections WHERE {condition}"
        return dict(self._statements.execute(sql, parameters))

    def _get_told(self, event_ids: Sequence[int], event_id: int) -> set[int]:
        """Who was told of any of these events, and is not about to be told of that one anyway."""
        condition, parameters = self._statements.among("event_id", event_ids)
        told = f"SELECT zulip_user_id FROM lms_deliveries WHERE {condition} AND ({WAS_TOLD})"
        waiting = (
            "SELECT zulip_user_id FROM lms_deliveries WHERE event_id = ? AND state = 'pending' AND message_id IS NULL"
        )
        those = {person for (person,) in self._statements.execute(told, parameters)}
        return those - {person for (person,) in self._statements.execute(waiting, (event_id,))}

    def _unsettle(self, event_ids: Collection[int]) -> None:
        condition, parameters = self._statements.among("event_id", list(event_ids))
        if event_ids:
            sql = f"UPDATE lms_activity_events SET is_settled = FALSE WHERE {condition}"
            self._statements.execute(sql, parameters)
