"""Exams and contents that somebody tried: told apart by their ids in the LMS, called by their present titles."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from lms_bot.core.activities import Activity
from lms_bot.core.normalize import normalize
from lms_bot.store.statements import Statements

if TYPE_CHECKING:
    import peewee

LONGEST_KEY = 400  # characters; PostgreSQL's indexes hold 2700 bytes
COLUMNS = ("coursework_id", "stream", "is_exam", "activity_id", "lost_key", "title", "course_title")
KEY = {"stream": "text", "is_exam": "boolean", "activity_id": "bigint", "lost_key": "text"}
WRITTEN = (*KEY, "title", "title_key", "course_title")
REPLACE = f"""({", ".join(KEY)}) DO UPDATE SET title = excluded.title, title_key = excluded.title_key,
    course_title = excluded.course_title"""


class CourseworkKey(NamedTuple):
    """What tells exams and contents apart: their ids; of those that the LMS has no more, whose is 0, the title."""

    stream: str
    is_exam: bool
    activity_id: int
    lost_key: str


class Known(NamedTuple):
    coursework_id: int
    title: str | None
    course_title: str | None


@lru_cache(maxsize=4096)  # a page of rows has few titles, each many times
def to_title_key(title: str) -> str:
    """A title as it is looked for."""
    return normalize(title)[:LONGEST_KEY]


class CourseworkBook:
    """The statements, within the caller's transaction."""

    def __init__(self, database: peewee.Database) -> None:
        self._statements = Statements(database)

    def get_titles(self, coursework_ids: Iterable[int]) -> dict[int, str | None]:
        """The titles as last known."""
        condition, parameters = self._statements.among("coursework_id", sorted(set(coursework_ids)))
        sql = f"SELECT coursework_id, title FROM lms_coursework WHERE {condition}"
        return dict(self._statements.execute(sql, parameters))

    def follow(
        self, activities: Iterable[Activity], titles_before: Mapping[str, str | None]
    ) -> dict[str, Known | None]:
        """What each of these activities is about, by row key, called as it is called now.

        `titles_before` are titles by row key as last known, for rows whose exam is gone. None for a row that is about
        nothing that has an id or ever had a title.
        """
        keys: dict[str, CourseworkKey] = {}
        said: dict[CourseworkKey, tuple[str | None, str | None]] = {}
        for one in activities:
            title = one.activity_title or (None if one.activity_id else titles_before.get(one.row_key))
            if not one.activity_id and not title:
                continue
            lost_key = "" if one.activity_id else to_title_key(title or "")
            key = CourseworkKey(one.stream, one.event_type.is_exam, one.activity_id, lost_key)
            keys[one.row_key] = key
            course = one.activity_metadata.get("course_title")
            said_before = said.get(key, (None, None))  # of one page, not each row need say all
            said[key] = (title or said_before[0], course if course and isinstance(course, str) else said_before[1])
        known = self._write(said)
        return {one.row_key: known.get(keys[one.row_key]) if one.row_key in keys else None for one in activities}

    def _write(self, said: Mapping[CourseworkKey, tuple[str | None, str | None]]) -> dict[CourseworkKey, Known]:
        known = self._find(said)
        rows = []
        for key, (title, course_title) in said.items():
            before = known.get(key)
            named = title or (before.title if before else None)
            placed = course_title or (before.course_title if before else None)
            if before is None or (before.title, before.course_title) != (named, placed):
                rows.append((*key, named, to_title_key(named or ""), placed))
        if not rows:
            return known
        self._statements.merge("lms_coursework", WRITTEN, rows, REPLACE)
        return self._find(said)

    def _find(self, keys: Iterable[CourseworkKey]) -> dict[CourseworkKey, Known]:
        found = self._statements.find("lms_coursework", COLUMNS, KEY, [tuple(key) for key in keys])
        return {
            CourseworkKey(stream, bool(is_exam), activity_id, lost_key): Known(coursework_id, *called)
            for coursework_id, stream, is_exam, activity_id, lost_key, *called in found
        }
