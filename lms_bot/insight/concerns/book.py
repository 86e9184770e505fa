"""Concerns as rows: opened, worsened, brought up to date and cleared as the rules find."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from lms_bot.insight.concerns.rules import Finding, is_worse
from lms_bot.store.concerns import Concern, ConcernKind
from lms_bot.store.statements import Statements

if TYPE_CHECKING:
    import peewee

_KNOWN = frozenset(kind.value for kind in ConcernKind)
Open = Mapping[ConcernKind, Concern]
"""A student's open concerns."""


@dataclass(frozen=True)
class Look:
    """What a look at one student came to: `findings` are all that hold of the `kinds` looked for.

    Of other kinds nothing is changed. `get_ending` says what ended an open concern that holds no more.
    """

    student_id: int
    kinds: Collection[ConcernKind]
    findings: Iterable[Finding]
    get_ending: Callable[[Concern], dict[str, Any]]


class ConcernBook:
    """The statements, within the caller's transaction. One transaction at a time may change what is open."""

    def __init__(self, database: peewee.Database) -> None:
        self._statements = Statements(database)

    def get_open(self, student_ids: Collection[int]) -> dict[int, dict[ConcernKind, Concern]]:
        """What is open of these students, by id; those of whom nothing is are left out."""
        condition, parameters = self._statements.among("student_id", list(student_ids))
        return self._read(condition, parameters)

    def get_open_in_range(self, after: int | None, upto: int | None) -> dict[int, dict[ConcernKind, Concern]]:
        """The same of the students whose ids are above the one and not above the other, where these are given."""
        return self._read(*between("student_id", after, upto))

    def follow(
        self, looks: Iterable[Look], known: Mapping[int, Open], now: datetime, *, is_old: bool = False
    ) -> None:
        """Makes what is open what was found; `known` is what is open of these students.

        `is_old`: what is found now was so before the bot came, and is told to nobody at once.
        """
        for look in looks:
            open_ones = known.get(look.student_id, {})
            found = {one.kind: one for one in look.findings}
            for kind in look.kinds:
                concern, finding = open_ones.get(kind), found.get(kind)
                if finding is None:
                    if concern is not None:
                        self._clear(concern, look.get_ending(concern), now)
                elif concern is None:
                    self._open(look.student_id, finding, now, is_old)
                else:
                    self._update(concern, finding, now, is_old)

    def _open(self, student_id: int, finding: Finding, now: datetime, is_old: bool) -> None:
        Concern.insert(
            student_id=student_id,
            kind=finding.kind.value,
            opened_at=now,
            since_at=finding.since_at,
            facts=finding.facts | {"severity": finding.severity},
            is_old=is_old,
            changed_at=now,
            is_owed=finding.kind.is_urgent and not is_old,
        ).execute()

    def _update(self, concern: Concern, finding: Finding, now: datetime, is_old: bool) -> None:
        """The severity that is kept is the greatest so far: what is less bad for a while is not told again."""
        severity = concern.facts.get("severity", 0)
        changes: dict[str, Any] = {
            "facts": finding.facts | {"severity": max(severity, finding.severity)},
            "since_at": finding.since_at,
        }
        if is_worse(finding, concern.facts):
            changes |= {"number": concern.number + 1, "changed_at": now, "seen_at": None, "seen_by": None}
            if finding.kind.is_urgent and not is_old:
                changes["is_owed"] = True
        elif changes["facts"] == concern.facts and changes["since_at"] == concern.since_at:
            return
        _write(concern, changes)

    def _clear(self, concern: Concern, ending: dict[str, Any], now: datetime) -> None:
        _write(concern, {"cleared_at": now, "cleared_facts": ending, "is_owed": False})

    def _read(self, condition: str, parameters: Iterable[Any]) -> dict[int, dict[ConcernKind, Concern]]:
        sql = f"SELECT * FROM lms_concerns WHERE cleared_at IS NULL AND {condition}"
        found: dict[int, dict[ConcernKind, Concern]] = defaultdict(dict)
        for one in self._statements.read(Concern, sql, list(parameters)):
            if one.kind not in _KNOWN:
                continue  # a later version's: it is left as it is
            found[one.student_id][ConcernKind(one.kind)] = one
        return dict(found)


def between(column: str, after: int | None, upto: int | None) -> tuple[str, list[int]]:
    """That the column is above the one and not above the other, where these are given."""
    limits = [(f"{column} > ?", after), (f"{column} <= ?", upto)]
    given = [(condition, value) for condition, value in limits if value is not None]
    return " AND ".join(["1 = 1", *(condition for condition, _ in given)]), [value for _, value in given]


def _write(concern: Concern, changes: dict[str, Any]) -> None:
    Concern.update(**changes).where(Concern.concern_id == concern.concern_id).execute()
