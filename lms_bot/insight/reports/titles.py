"""Exams and contents by their titles: finding them, and who took them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple

from lms_bot.core.normalize import normalize
from lms_bot.core.results import Attempt
from lms_bot.core.typos import find_nearest
from lms_bot.insight.reports.counting import choose
from lms_bot.store.coursework import to_title_key
from lms_bot.store.database import database
from lms_bot.store.statements import Condition, Statements, from_stored

LETTERS_RIGHT = 3
"""So many letters at the beginning or the end of a word with a typo in it are taken to be right."""

LABEL_LENGTH = 60
TYPED_LENGTH = 200
MOST_FRAGMENTS = 8
MOST_COMPARED = 2000
LONGEST_COMPARED = 100
CUTOFF = 52
"""How similar a typo must be to what was meant: 100 is the same, and 52 finds `Physics Midterm` for `phisics`."""


@dataclass(frozen=True)
class FoundTitle:
    """An exam or content by its present title, and how many of the students asked about did something with it.

    `label` tells it from others of the same title: its course, or the day when it was first taken (YYYY-MM-DD); ""
    where there is no other.
    """

    coursework_id: int
    is_exam: bool
    title: str
    title_key: str
    students: int
    label: str = ""

    @property
    def called(self) -> str:
        return f"{self.title} · {self.label}" if self.label else self.title

    @property
    def typed(self) -> str:
        """What to type to find it; a title that goes on for ever need not be typed to its end."""
        title = self.title if len(self.title) <= TYPED_LENGTH else self.title_key[:TYPED_LENGTH].strip()
        return f"{title} {self.label}" if self.label else title


@dataclass(frozen=True)
class Taker:
    """What one student made of an exam (or content): `best` and `last` are percentages, where there are any.

    `last`, `last_outcome` (see `Attempt`) and `last_at` are of the latest of so many `tries`.
    """

    student_id: int
    tries: int
    passed: int
    failed: int
    best: float | None
    last: float | None
    last_outcome: str
    last_at: datetime


_HAS_IT = "lms_attempts AS tried WHERE tried.coursework_id = title.coursework_id AND tried.is_shown"
_COLUMNS = "coursework_id, is_exam, title, title_key"
_ORDER = "title_key <> ?, title_key, is_exam DESC, coursework_id"
_COUNTED_SQL = f"""
SELECT {_COLUMNS}, (SELECT count(DISTINCT student_id) FROM {_HAS_IT}{{condition}})
FROM ({{titles}}) AS title ORDER BY {_ORDER}
"""
_FIRST_SQL = f"SELECT {_COLUMNS} {{source}} ORDER BY {_ORDER} LIMIT ? OFFSET ?"
# With OFFSET, PostgreSQL looks it up for each title; it would read every attempt there is otherwise.
_SOMEBODY_HAS_IT = f"EXISTS (SELECT 1 FROM {_HAS_IT}{{condition}} LIMIT 1 OFFSET 0)"
_SHARED_SQL = f"""
SELECT coursework_id, is_exam, title_key, activity_id, course_title,
  (SELECT min(coalesce(started_at, last_at)) FROM {_HAS_IT}{{condition}})
FROM (
  SELECT title.*, count(*) OVER (PARTITION BY is_exam, title_key) AS same
  FROM lms_coursework AS title WHERE {{keys}} AND {_SOMEBODY_HAS_IT}
) AS title WHERE same > 1 ORDER BY coursework_id
"""
_TYPED = f"substr(title_key, 1, {TYPED_LENGTH})"
_BEGUN_WITH_SQL = f"""
SELECT {_COLUMNS} FROM lms_coursework AS title
WHERE title_key NOT IN ('', ?) AND substr(?, 1, length({_TYPED})) = {_TYPED} AND is_exam = ? AND {_SOMEBODY_HAS_IT}
"""
_ONE_SQL = f"SELECT {_COLUMNS} FROM lms_coursework AS title WHERE coursework_id = ? AND {_SOMEBODY_HAS_IT}"

_TAKERS_SQL = """
WITH tries AS (
  SELECT student_id, outcome, percentage, last_at,
         row_number() OVER (PARTITION BY student_id ORDER BY last_at DESC, row_key DESC) AS place
  FROM lms_attempts WHERE coursework_id = ? AND is_shown{condition}
)
SELECT student_id, count(*), sum(CASE outcome WHEN 'passed' THEN 1 ELSE 0 END),
       sum(CASE outcome WHEN 'failed' THEN 1 ELSE 0 END), max(percentage),
       max(CASE place WHEN 1 THEN percentage END), max(CASE place WHEN 1 THEN outcome END), max(last_at)
FROM tries GROUP BY student_id ORDER BY student_id
"""


def find_titles(
    text: str,
    student_ids: Collection[int] | None,
    *,
    is_exam: bool | None = None,
    limit: int = 20,
    offset: int = 0,
) -> list[FoundTitle]:
    """Titles that hold the text, case and accents aside, and that some of these students (None: anybody) have.

    The one that is the text comes first, the others by title; none where the text says nothing. Of exams or contents
    alone if said.
    """
    said = to_title_key(text)
    if not said:
        return []
    statements = Statements(database.obj)
    source, parameters = _hold_one(statements, [said], student_ids, is_exam)
    titles = _FIRST_SQL.format(source=source)
    return _count_students(statements, titles, (*parameters, said, limit, offset), student_ids, said)


def get_all_titles(student_ids: Collection[int] | None) -> list[tuple[bool, str]]:
    """Of each exam and content that some of these students (None: anybody) have, whether it is an exam, and its title
    with its course's."""
    statements = Statements(database.obj)
    condition, ids = choose(statements, student_ids)
    has_it = _SOMEBODY_HAS_IT.format(condition=condition)
    columns = "is_exam, title, coalesce(course_title, '')"
    sql = f"SELECT {columns} FROM lms_coursework AS title WHERE title IS NOT NULL AND {has_it}"
    return [(bool(one), f"{title} {course}".strip()) for one, title, course in statements.execute(sql, ids)]


def count_titles(text: str, student_ids: Collection[int] | None) -> dict[bool, int]:
    """How many exams (True) and contents `find_titles` finds in all."""
    said = to_title_key(text)
    if not said:
        return {}
    statements = Statements(database.obj)
    source, parameters = _hold_one(statements, [said], student_ids)
    found = statements.execute(f"SELECT is_exam, count(*) {source} GROUP BY is_exam", parameters)
    return {bool(is_exam): count for is_exam, count in found}


def find_similar_titles(text: str, student_ids: Collection[int] | None, *, limit: int = 5) -> list[FoundTitle]:
    """Titles of these students that are nearly the text and have the beginning or the end of one of its words."""
    said = normalize(text)[:LONGEST_COMPARED]
    fragments = _get_fragments(said)
    if not fragments:
        return []
    statements = Statements(database.obj)
    source, parameters = _hold_one(statements, fragments, student_ids)
    found = statements.execute(f"SELECT DISTINCT title_key {source} LIMIT {MOST_COMPARED}", parameters)
    nearest = find_nearest(said, (title_key for (title_key,) in found), limit, CUTOFF)
    if not nearest:
        return []
    is_near, keys = statements.among("title_key", nearest)
    source, parameters = _hold_one(statements, fragments, student_ids)
    titles = f"SELECT {_COLUMNS} {source} AND {is_near}"
    similar = _count_students(statements, titles, (*parameters, *keys), student_ids, said)
    return sorted(similar, key=lambda one: nearest.index(one.title_key))[:limit]


def _get_fragments(said: str) -> list[str]:
    """The beginnings and ends of the words, of the longest first."""
    words = sorted((word for word in said.split() if len(word) >= LETTERS_RIGHT), key=len, reverse=True)
    fragments = (part for word in words for part in (word[:LETTERS_RIGHT], word[-LETTERS_RIGHT:]))
    return list(dict.fromkeys(fragments))[:MOST_FRAGMENTS]


def _hold_one(
    statements: Statements, fragments: Sequence[str], student_ids: Collection[int] | None, is_exam: bool | None = None
) -> Condition:
    """FROM and WHERE: the titles that hold one of these texts and that some of the students have."""
    holds = "position(? IN title_key) > 0" if statements.is_postgresql else "instr(title_key, ?) > 0"
    is_one = " OR ".join([holds] * len(fragments))
    kind = "" if is_exam is None else f" AND {'' if is_exam else 'NOT '}is_exam"
    condition, ids = choose(statements, student_ids)
    has_it = _SOMEBODY_HAS_IT.format(condition=condition)
    return f"FROM lms_coursework AS title WHERE ({is_one}){kind} AND {has_it}", (*fragments, *ids)


def _count_students(
    statements: Statements, titles: str, parameters: Sequence[Any], student_ids: Collection[int] | None, first: str
) -> list[FoundTitle]:
    condition, ids = choose(statements, student_ids)
    sql = _COUNTED_SQL.format(condition=condition, titles=titles)
    rows = statements.execute(sql, (*ids, *parameters, first))
    found = [FoundTitle(key, bool(is_exam), *rest) for key, is_exam, *rest in rows]
    labels = get_labels((one.title_key for one in found), student_ids)
    return [replace(one, label=labels.get(one.coursework_id, "")) for one in found]


def get_labels(title_keys: Iterable[str], student_ids: Collection[int] | None) -> dict[int, str]:
    """What tells exams or contents from others of one title that some of these students have; by coursework id."""
    statements = Statements(database.obj)
    keys, parameters = statements.among("title_key", sorted(set(title_keys)))
    condition, ids = choose(statements, student_ids)
    groups: dict[tuple[bool, str], list[_Same]] = {}
    for each, is_exam, title_key, activity_id, course_title, first_at in statements.execute(
        _SHARED_SQL.format(keys=keys, condition=condition), (*ids, *parameters, *ids)
    ):
        group = groups.setdefault((bool(is_exam), title_key), [])
        group.append(_Same(each, activity_id, course_title, f"{from_stored(first_at):%Y-%m-%d}"))
    labelled = (zip(group, _tell_apart(group), strict=True) for group in groups.values())
    return {one.coursework_id: label for group in labelled for one, label in group}


def get_labels_among(attempts: Iterable[Attempt], student_ids: Collection[int] | None) -> dict[int, str]:
    """As `get_labels`, for the exams and contents of these attempts; none where no two of them have one title."""
    about = {(one.coursework_id, one.is_exam, one.title_key) for one in attempts}
    shared = Counter((is_exam, title_key) for _, is_exam, title_key in about if title_key)
    keys = {title_key for (_, title_key), number in shared.items() if number > 1}
    return get_labels(keys, student_ids) if keys else {}


class _Same(NamedTuple):
    """One of several of one title."""

    coursework_id: int
    activity_id: int
    course_title: str | None
    first_day: str


def _tell_apart(group: Sequence[_Same]) -> list[str]:
    """By the course where that will do, else by the day, else by the number too."""
    courses = [(one.course_title or "")[:LABEL_LENGTH].strip() for one in group]
    for labels in (
        courses,
        [one.first_day for one in group],
        [", ".join(filter(None, (course, one.first_day))) for course, one in zip(courses, group, strict=True)],
    ):
        if all(labels) and len(set(map(normalize, labels))) == len(group):
            return labels
    return [f"{one.first_day}, number {one.activity_id or '?'}" for one in group]


def find_labelled(text: str, student_ids: Collection[int] | None, *, is_exam: bool) -> list[FoundTitle]:
    """What the text names with its label, as in `midterm algebra`: of several of one title, almost always one."""
    said = to_title_key(text)
    statements = Statements(database.obj)
    condition, ids = choose(statements, student_ids)
    titles = _BEGUN_WITH_SQL.format(condition=condition)
    found = _count_students(statements, titles, (said, said, is_exam, *ids), student_ids, said)
    return [one for one in found if one.label and _is_named(one, said)]


def _is_named(found: FoundTitle, said: str) -> bool:
    """With its label; to its end, or as far as it need be typed."""
    ways = (f"{found.title} {found.label}", found.typed)
    return said in map(to_title_key, ways)


def get_coursework(coursework_id: int, student_ids: Collection[int] | None) -> FoundTitle | None:
    """One exam or content, if some of these students (None: anybody) have it."""
    statements = Statements(database.obj)
    condition, ids = choose(statements, student_ids)
    titles = _ONE_SQL.format(condition=condition)
    found = _count_students(statements, titles, (coursework_id, *ids), student_ids, "")
    return found[0] if found else None


def get_activity_id(coursework_id: int) -> int:
    """The id in the LMS of the exam or content; 0 where it has it no more."""
    sql = "SELECT activity_id FROM lms_coursework WHERE coursework_id = ?"
    return next((found for (found,) in Statements(database.obj).execute(sql, (coursework_id,))), 0)


def get_takers(coursework_id: int, student_ids: Collection[int] | None) -> list[Taker]:
    """Who of these students (None: anybody) took the exam, or did the content; by student id."""
    statements = Statements(database.obj)
    condition, ids = choose(statements, student_ids)
    found = statements.execute(_TAKERS_SQL.format(condition=condition), (coursework_id, *ids))
    return [replace(Taker(*row), last_at=from_stored(row[-1])) for row in found]
