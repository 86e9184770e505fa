"""Exams and contents by their titles: finding them, and who took them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from lms_bot.core.normalize import normalize
from lms_bot.core.typos import find_nearest
from lms_bot.insight.reports.counting import choose
from lms_bot.store.counter_changes import to_title_key
from lms_bot.store.database import database
from lms_bot.store.statements import Condition, Statements, from_stored

LETTERS_RIGHT = 3
"""So many letters at the beginning or the end of a word with a typo in it are taken to be right."""

MOST_FRAGMENTS = 8
MOST_COMPARED = 2000
LONGEST_COMPARED = 100
CUTOFF = 52
"""How similar a typo must be to what was meant: 100 is the same, and 52 finds `Physics Midterm` for `phisics`."""


@dataclass(frozen=True)
class FoundTitle:
    """An exam or content, and how many of the students asked about did something with it."""

    is_exam: bool
    title: str
    title_key: str
    students: int


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


_HAS_IT = "lms_attempts AS tried WHERE tried.title_key = title.title_key AND tried.is_exam = title.is_exam"
_COUNTED_SQL = f"""
SELECT is_exam, title, title_key, (SELECT count(DISTINCT student_id) FROM {_HAS_IT}{{condition}})
FROM ({{titles}}) AS title ORDER BY title_key <> ?, title_key, is_exam DESC
"""
_FIRST_SQL = """
SELECT is_exam, title, title_key {source} ORDER BY title_key <> ?, title_key, is_exam DESC LIMIT ? OFFSET ?
"""

_TAKERS_SQL = """
WITH tries AS (
  SELECT student_id, outcome, percentage, last_at,
         row_number() OVER (PARTITION BY student_id ORDER BY last_at DESC, activity_id DESC) AS place
  FROM lms_attempts WHERE title_key = ? AND is_exam = ?{condition}
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
    titles = f"SELECT is_exam, title, title_key {source} AND {is_near}"
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
    # With OFFSET, PostgreSQL looks it up for each title; it would read every attempt there is otherwise.
    has_it = f"EXISTS (SELECT 1 FROM {_HAS_IT}{condition} LIMIT 1 OFFSET 0)"
    return f"FROM lms_titles AS title WHERE ({is_one}){kind} AND {has_it}", (*fragments, *ids)


def _count_students(
    statements: Statements, titles: str, parameters: Sequence[Any], student_ids: Collection[int] | None, first: str
) -> list[FoundTitle]:
    condition, ids = choose(statements, student_ids)
    sql = _COUNTED_SQL.format(condition=condition, titles=titles)
    found = statements.execute(sql, (*ids, *parameters, first))
    return [FoundTitle(bool(is_exam), *rest) for is_exam, *rest in found]


def get_takers(title_key: str, student_ids: Collection[int] | None, *, is_exam: bool = True) -> list[Taker]:
    """Who of these students (None: anybody) took the exam, or did the content, of that title; by student id."""
    statements = Statements(database.obj)
    condition, ids = choose(statements, student_ids)
    found = statements.execute(_TAKERS_SQL.format(condition=condition), (title_key, is_exam, *ids))
    return [replace(Taker(*row), last_at=from_stored(row[-1])) for row in found]
