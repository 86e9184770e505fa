"""With which percentage exams are passed, as the LMS says: looked up when somebody wants to see it, and kept."""

from __future__ import annotations

import logging
from collections.abc import Collection

from lms_bot.core.cache import ExpiringCache
from lms_bot.core.errors import LMSRefused, LMSUnavailable
from lms_bot.lms.connection import LMSConnection
from lms_bot.store.results import read_result

logger = logging.getLogger(__name__)

HURRY_SECONDS = 0.2  # an answer does without, rather than waiting for a poll to end
KEPT_SECONDS, PAUSE_SECONDS = 3600.0, 60.0
MOST_KEPT = 10_000


class PassMarkReader:
    """`select` gives (exam id, percentage) of `exam_ids`; None for a kind of LMS that has no pass marks.

    Threads may share it. It never raises: what the LMS does not tell now, or to us, is not known, and is not asked
    for again for a minute.
    """

    def __init__(self, connection: LMSConnection, select: str | None) -> None:
        self._connection = connection
        self._select = select
        self._known: ExpiringCache[int, tuple[float | None]] = ExpiringCache(MOST_KEPT)

    def get_pass_marks(self, exam_ids: Collection[int]) -> dict[int, float]:
        """Of these exams, those that have one."""
        wanted = {one for one in exam_ids if one}
        known = {one: kept for one in wanted if (kept := self._known.get(one)) is not None}
        if missing := wanted - known.keys():
            known |= self._fetch(missing)
        return {one: mark for one, (mark,) in known.items() if mark is not None}

    def _fetch(self, exam_ids: Collection[int]) -> dict[int, tuple[float | None]]:
        found: dict[int, float | None] = dict.fromkeys(exam_ids)
        seconds = KEPT_SECONDS
        if self._select is not None:
            try:
                wanted = {"exam_ids": list(exam_ids)}
                with self._connection.snapshot(HURRY_SECONDS) as snapshot:
                    rows = snapshot.fetch_all(snapshot.cut(self._select, wanted), wanted)
                found |= {exam_id: read_result({"percentage": value})[0] for exam_id, value in rows}
            except (LMSRefused, LMSUnavailable) as error:
                logger.info("pass marks are not shown: %s", error)
                seconds = PAUSE_SECONDS
        return {one: self._known.put(one, (mark,), seconds) for one, mark in found.items()}
