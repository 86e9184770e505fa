"""What the digest of a mentor is made of: numbers and names about their students, no text."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from lms_bot.insight.concerns.reads import get_cleared_between, get_open_concerns
from lms_bot.insight.concerns.tellings import get_snoozes, get_told_numbers
from lms_bot.store.concerns import Concern, ConcernKind
from lms_bot.store.database import database
from lms_bot.store.statements import Statements, from_stored, to_stored

BEST_OF = 5
"""So many results it takes, this one among them, for one to be the best yet."""


class Ended(NamedTuple):
    """An attempt that ended in the time of the digest."""

    student_id: int
    is_exam: bool
    coursework_id: int | None
    title: str | None
    outcome: str
    percentage: float | None
    last_at: datetime


@dataclass(frozen=True)
class Needs:
    """Open concerns of somebody's students, the most urgent first.

    Where `quiet_everywhere`, so many are `silent` that it is no news of each; they are not among `concerns`.
    `snoozed` are students who were put off, `seen` are concerns that somebody has seen to.
    """

    concerns: Sequence[Concern]
    silent: int = 0
    is_quiet_everywhere: bool = False
    snoozed: int = 0
    seen: int = 0


@dataclass(frozen=True)
class Digest:
    """From `start` on and before `end`. `fresh` are concerns to be told now, `old` those that were there when the bot
    came, `open_count` how many were told before and are open still. `escalated` are urgent ones of students of
    mentors below, that nobody has seen to. `failed`, `recovered`, `best` are results of exams; `back` are silences
    that ended. The rest is for the sums.
    """

    start: datetime
    end: datetime
    students: int
    fresh: Sequence[Concern] = ()
    old: Sequence[Concern] = ()
    open_count: int = 0
    silent_everywhere: int = 0
    escalated: Sequence[Concern] = ()
    failed: Sequence[Ended] = ()
    recovered: Sequence[Ended] = ()
    best: Sequence[Ended] = ()
    back: Sequence[Concern] = ()
    passed: int = 0
    completed: int = 0
    contents: int = 0
    active: int = 0
    names: Mapping[int, str] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        return not (self.fresh or self.old or self.escalated or self.active or self.back or self.silent_everywhere)


def get_needs(student_ids: Collection[int], now: datetime) -> Needs:
    """Call it inside `Store.session()`."""
    concerns = get_open_concerns(student_ids)
    snoozed = get_snoozes(student_ids, now)
    awake = [one for one in concerns if one.student_id not in snoozed]
    unseen = [one for one in awake if one.seen_at is None]
    silent = [one for one in unseen if one.kind == ConcernKind.SILENT]
    is_quiet = is_quiet_everywhere(sum(one.kind == ConcernKind.SILENT for one in awake), len(student_ids))
    shown = [one for one in unseen if not (is_quiet and one.kind == ConcernKind.SILENT)]
    asleep = len({one.student_id for one in concerns} & snoozed.keys())
    return Needs(shown, len(silent), is_quiet, asleep, len(awake) - len(unseen))


def is_quiet_everywhere(silent: int, students: int) -> bool:
    """Whether more than half of the others are silent too, whichever of the silent one looks at."""
    return silent > 1 and (silent - 1) * 2 > students - 1


ENDED_SQL = """
SELECT student_id, attempt.is_exam, attempt.coursework_id, title, outcome, percentage, last_at
FROM lms_attempts AS attempt LEFT JOIN lms_coursework AS about ON about.coursework_id = attempt.coursework_id
WHERE is_shown AND {students} AND last_at >= ? AND last_at < ? ORDER BY last_at DESC, row_key"""
RESULTS_SQL = """
SELECT student_id, coursework_id, outcome, percentage FROM lms_attempts
WHERE is_shown AND is_exam AND {students} AND last_at <= ? AND outcome NOT IN ('started', 'withdrawn')
ORDER BY last_at, row_key"""


def get_ended(student_ids: Collection[int], start: datetime, end: datetime) -> list[Ended]:
    """What changed last in that time, the latest first: also what was only started."""
    statements = Statements(database.obj)
    condition, ids = statements.among("student_id", sorted(student_ids))
    found = statements.execute(ENDED_SQL.format(students=condition), (*ids, to_stored(start), to_stored(end)))
    return [
        Ended(student_id, bool(is_exam), coursework_id, title, outcome, percentage, from_stored(last_at))
        for student_id, is_exam, coursework_id, title, outcome, percentage, last_at in found
    ]


def gather_digest(
    zulip_user_id: int, student_ids: Collection[int], start: datetime, end: datetime, needs: Needs
) -> Digest:
    """All but the escalations and the names. Call it inside `Store.session()`."""
    told = get_told_numbers(zulip_user_id, list(needs.concerns))
    untold = [one for one in needs.concerns if told.get(one.concern_id, -1) < one.number]
    ended = get_ended(student_ids, start, end)
    exams = [one for one in ended if one.is_exam]
    passed = [one for one in exams if one.outcome == "passed"]
    recovered, best = _find_good_news(passed)
    cleared = get_cleared_between(student_ids, start, end)
    return Digest(
        start,
        end,
        len(student_ids),
        fresh=[one for one in untold if not one.is_old or one.number],
        old=[one for one in untold if one.is_old and not one.number],
        open_count=len(needs.concerns) - len(untold),
        silent_everywhere=needs.silent if needs.is_quiet_everywhere else 0,
        failed=[one for one in exams if one.outcome == "failed"],
        recovered=recovered,
        best=best,
        back=[one for one in cleared if _is_back(one)],
        passed=len(passed),
        completed=sum(one.outcome == "completed" for one in exams),
        contents=sum(not one.is_exam and one.outcome in ("completed", "watched") for one in ended),
        active=len({one.student_id for one in ended}),
    )


def _is_back(concern: Concern) -> bool:
    facts = concern.cleared_facts
    return concern.kind == ConcernKind.SILENT and isinstance(facts, dict) and bool(facts.get("school_days"))


def _find_good_news(passed: Sequence[Ended]) -> tuple[list[Ended], list[Ended]]:
    """Of these passes, those of exams that were failed just before, and those that are the student's best result."""
    if not passed:
        return [], []
    statements = Statements(database.obj)
    condition, ids = statements.among("student_id", sorted({one.student_id for one in passed}))
    latest = to_stored(max(one.last_at for one in passed))
    last: dict[tuple[int, int | None], str] = {}
    results: dict[int, list[float]] = defaultdict(list)
    recovered: dict[tuple[int, int | None], bool] = {}
    for student_id, coursework_id, outcome, percentage in statements.execute(
        RESULTS_SQL.format(students=condition), (*ids, latest)
    ):
        key = (student_id, coursework_id)
        if outcome == "passed":
            recovered[key] = last.get(key) == "failed"
        if outcome in ("passed", "failed"):
            last[key] = outcome
        if percentage is not None:
            results[student_id].append(percentage)
    back = [one for one in passed if recovered.get((one.student_id, one.coursework_id))]
    counts = {student_id: Counter(known) for student_id, known in results.items()}
    best = [
        one
        for one in passed
        if one not in back
        and one.percentage is not None
        and len(results[one.student_id]) >= BEST_OF
        and one.percentage == max(results[one.student_id])
        and counts[one.student_id][one.percentage] == 1
    ]
    return back, best
