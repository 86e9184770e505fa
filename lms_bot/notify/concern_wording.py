"""Concerns in plain words. Text of the LMS is disarmed here; `name`s are disarmed already. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from lms_bot.core.markdown import disarm
from lms_bot.notify.brief_wording import in_percent
from lms_bot.notify.wording import count_of
from lms_bot.store.concerns import Concern, ConcernKind

TITLE_LENGTH, NAME_LENGTH = 60, 80
TITLES_SHOWN = 3
EMOJI = {
    ConcernKind.FAILING: "⚡",
    ConcernKind.FALLING: "📉",
    ConcernKind.SILENT: "💤",
    ConcernKind.LEFT_OPEN: "📝",
    ConcernKind.RUSHING: "⏩",
    ConcernKind.NEVER_STARTED: "🌱",
}
NAMES = {
    ConcernKind.FAILING: "failing",
    ConcernKind.FALLING: "results falling",
    ConcernKind.SILENT: "silent",
    ConcernKind.LEFT_OPEN: "exam left open",
    ConcernKind.RUSHING: "rushing",
    ConcernKind.NEVER_STARTED: "never started",
}
Facts = Mapping[str, Any]


def format_concern(concern: Concern, name: str) -> str:
    """`⚡ **John Doe** failed 3 exams in a row: Algebra 35%, Physics 40%`"""
    return f"{emoji_of_concern(concern.kind)} **{name}** {format_reason(concern)}"


def short_name(student_id: int, username: str | None, display_name: str | None) -> str:
    """What a student is called where nobody else shown is called so; disarmed."""
    name = disarm(display_name, max_length=NAME_LENGTH) or disarm(username, max_length=NAME_LENGTH)
    return name or f"Student {student_id}"


def emoji_of_concern(kind: str) -> str:
    known = _to_kind(kind)
    return EMOJI[known] if known else "🔔"


def name_of_concern(kind: str) -> str:
    known = _to_kind(kind)
    return NAMES[known] if known else disarm(kind.replace("_", " "))


def _to_kind(kind: str) -> ConcernKind | None:
    return ConcernKind(kind) if kind in ConcernKind._value2member_map_ else None


def format_reason(concern: Concern) -> str:
    """Why, to be said after the student's name; a kind that this version does not know by its name."""
    known, facts = _to_kind(concern.kind), concern.facts if isinstance(concern.facts, dict) else {}
    return _REASONS[known](facts) if known else name_of_concern(concern.kind)


def format_end(concern: Concern) -> str:
    """What ended it, to be said after the student's name; "" where there is nothing to say."""
    facts = concern.cleared_facts if isinstance(concern.cleared_facts, dict) else {}
    if facts.get("why") == "left":
        return "is no longer a student of yours"
    if concern.kind == ConcernKind.SILENT and facts.get("school_days"):
        return f"is back after {count_of(int(facts['school_days']), 'school day', 'school days')}"
    if concern.kind == ConcernKind.FAILING and facts.get("by"):
        return f"passed {disarm(facts['by'], max_length=TITLE_LENGTH)}"
    return ""


def _failing(facts: Facts) -> str:
    in_row, of_exam = int(facts.get("in_row") or 0), int(facts.get("of_exam") or 0)
    exam = disarm(facts.get("exam"), max_length=TITLE_LENGTH)
    if in_row < 3 or (of_exam >= in_row and exam):
        return f"failed **{exam or 'one exam'}** {count_of(of_exam, 'time', 'times')}"
    exams, numbers = list(facts.get("exams") or ()), list(facts.get("percentages") or ())
    shown = [
        f"{disarm(title, max_length=TITLE_LENGTH) or 'an exam'} {in_percent(number)}".rstrip()
        for title, number in zip(exams[:TITLES_SHOWN], numbers, strict=False)
    ]
    return f"failed {in_row} exams in a row{': ' if shown else ''}{', '.join(shown)}"


def _falling(facts: Facts) -> str:
    recent, before = (in_percent(_rounded(facts.get(name))) for name in ("recent", "before"))
    return f"falls: {recent} in the last 5 results, {before} in the 10 before"


def _rounded(number: Any) -> float | None:
    return round(float(number)) if isinstance(number, (int, float)) else None


def _silent(facts: Facts) -> str:
    return f"did nothing for {count_of(int(facts.get('school_days') or 0), 'school day', 'school days')}"


def _left_open(facts: Facts) -> str:
    count = int(facts.get("count") or 1)
    titles = [disarm(one[0], max_length=TITLE_LENGTH) or "an exam" for one in facts.get("exams") or () if one]
    shown: Sequence[str] = titles[:TITLES_SHOWN]
    more = f" and {count - len(shown)} more" if count > len(shown) else ""
    return f"started {', '.join(f'**{one}**' for one in shown) or 'an exam'}{more} and did not end it"


def _rushing(facts: Facts) -> str:
    return (
        f"rushed through {count_of(int(facts.get('count') or 0), 'content', 'contents')} on {_day(facts.get('day'))}"
    )


def _never_started(facts: Facts) -> str:
    return f"has not begun for {count_of(int(facts.get('school_days') or 0), 'school day', 'school days')}"


def _day(value: Any) -> str:
    """`Fri 27 Nov`"""
    try:
        return format_day(date.fromisoformat(str(value)))
    except ValueError:
        return "that day"


def format_day(day: date | datetime) -> str:
    return f"{day:%a} {day.day} {day:%b}"


_REASONS: dict[ConcernKind, Callable[[Facts], str]] = {
    ConcernKind.FAILING: _failing,
    ConcernKind.FALLING: _falling,
    ConcernKind.SILENT: _silent,
    ConcernKind.LEFT_OPEN: _left_open,
    ConcernKind.RUSHING: _rushing,
    ConcernKind.NEVER_STARTED: _never_started,
}
