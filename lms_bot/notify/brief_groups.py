"""Many events for one person, briefly: failures first, a line each; who passed one exam in one line. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from lms_bot.core.markdown import disarm
from lms_bot.notify.brief_wording import FAILED, NAME_LENGTH, PASSED, TITLE_LENGTH, brief_name, full_name, result_of
from lms_bot.notify.group_rows import step_of
from lms_bot.notify.wording import (
    EMOJI,
    MOST_CORRECTIONS,
    correction_of,
    count_of,
    emoji_of,
    format_corrections,
    kind_of,
    tell_apart,
    title_of,
    type_of,
)

MAX_LENGTH = 9_500
"""What is added above or below has room in the message."""

NAMES, EXAMS = 4, 6
"""So many are named of those who passed an exam, and so many exams; failures are all named."""

SOME_IN_ROW = 3
"""From so many failures in a row on, or of one exam, it is said."""

MOST_LINES, NAMED = 12, 30
"""More failures than these are told by exam, so many in a line."""

COMPLETED = "exam_completed"
_LESSONS = ("exam_started", "content_started", "content_completed", "content_watched")
_DONE = {
    "exam_started": ("exam started", "exams started"),
    "content_started": ("lesson started", "lessons started"),
    "content_completed": ("lesson completed", "lessons completed"),
    "content_watched": ("lesson watched", "lessons watched"),
}


@dataclass(frozen=True)
class _Block:
    """Some lines and the events they tell of."""

    text: str
    event_ids: tuple[int, ...]


def format_brief_pages(
    events: Sequence[Any], name_of: Callable[[Any], str], format_named: Callable[[Any, str], str]
) -> list[tuple[str, list[int]]]:
    """The messages that tell of these events, each with their ids; none for no events.

    `name_of` is what a student is called, disarmed; `format_named` words one event with such a name.
    """
    names = _name_students(events, name_of)

    def line(event: Any) -> _Block:
        return _Block(format_named(event, names[event.student_id]), (event.event_id,))

    told, overtaken = _drop_overtaken(events)
    told, made_good = _split_made_good(told)
    groups: dict[str, list[Any]] = {}
    for event in told:
        groups.setdefault(_group_of(event), []).append(event)
    failures = _worst(groups.pop(FAILED, []))
    alone = failures if len(failures) <= MOST_LINES else [one for one in failures if _is_one_of_several(one)]
    together = [one for one in failures if one not in alone]
    blocks = [
        *map(line, alone),
        *_by_exam(together, "failed", names, is_all=True),
        *_corrections(groups.pop("corrected", []), line),
        *map(line, made_good),
        *map(line, groups.pop("recovered", [])),
        *_by_exam(groups.pop(PASSED, []), "passed", names),
        *_by_exam(groups.pop(COMPLETED, []), "completed", names),
        *_lessons([one for kind in _LESSONS for one in groups.pop(kind, [])], names),
        *(line(one) for those in groups.values() for one in those),
    ]
    return _fill_pages(blocks, [one.event_id for one in overtaken])


def _group_of(event: Any) -> str:
    if correction_of(event) is not None:
        return "corrected"
    kind = type_of(event)
    so_far = getattr(event, "so_far", None)
    return "recovered" if kind == PASSED and so_far is not None and so_far.is_recovery else kind


def _name_students(events: Iterable[Any], name_of: Callable[[Any], str]) -> dict[Any, str]:
    """By student; with the username where two are called alike, as long as it is their name that `name_of` gives."""
    known = {event.student_id: event for event in events}
    names = {student: disarm(name_of(one), max_length=NAME_LENGTH) for student, one in known.items()}
    return tell_apart(
        {
            student: (name, full_name(known[student]) if name == brief_name(known[student]) else name)
            for student, name in names.items()
        }
    )


def _drop_overtaken(events: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """A start, or an end without a result, of an attempt that went further is not what there is to tell."""
    furthest: dict[Any, int] = {}
    for event in events:
        key = _attempt_of(event)
        furthest[key] = max(furthest.get(key, 0), step_of(event))
    told: list[Any] = []
    overtaken: list[Any] = []
    for event in events:
        (told if step_of(event) == furthest[_attempt_of(event)] else overtaken).append(event)
    return told, overtaken


def _split_made_good(events: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """Apart from the others, the failures that a recovery made good: they are not what calls for a mentor first."""
    recovered = {
        (one.student_id, one.activity_id): one.event_id
        for one in events
        if _group_of(one) == "recovered" and one.activity_id is not None
    }

    def is_made_good(one: Any) -> bool:
        return _group_of(one) == FAILED and one.event_id < recovered.get((one.student_id, one.activity_id), 0)

    return [one for one in events if not is_made_good(one)], [one for one in events if is_made_good(one)]


def _attempt_of(event: Any) -> Any:
    attempt = getattr(event, "attempt_id", None)
    known = event.activity_id if attempt is None else attempt  # events of earlier versions have it there
    return (event.student_id, kind_of(event), known) if known else ("event", event.event_id)


def _worst(failures: Iterable[Any]) -> list[Any]:
    """Who has failed most in a row first, then the lowest result."""

    def rank(event: Any) -> tuple[int, float, int]:
        so_far = getattr(event, "so_far", None)
        try:
            percentage = float(result_of(event).removesuffix(" %"))
        except ValueError:
            percentage = 1000.0
        return -(so_far.failures_in_row if so_far else 0), percentage, event.event_id

    return sorted(failures, key=rank)


def _is_one_of_several(event: Any) -> bool:
    """Whether its line says that the student failed again and again."""
    so_far = getattr(event, "so_far", None)
    return so_far is not None and max(so_far.failures_in_row, so_far.failures_of_exam) >= SOME_IN_ROW


def _corrections(corrected: Sequence[Any], line: Callable[[Any], _Block]) -> list[_Block]:
    """A line each, or one for many."""
    if len(corrected) <= MOST_CORRECTIONS:
        return [line(one) for one in corrected]
    return [_Block(format_corrections(corrected), tuple(one.event_id for one in corrected))]


def _by_exam(results: Sequence[Any], word: str, names: dict[Any, str], *, is_all: bool = False) -> list[_Block]:
    """`🎉 **Algebra**: Jane Smith 85 %, Ama Owusu 90 % … and 9 more`; with `is_all`, each is named."""
    exams: dict[Any, list[Any]] = {}
    for one in results:  # two exams of one title are two, and one that was renamed meanwhile is one
        exams.setdefault(one.activity_id or title_of(one), []).append(one)
    in_order = sorted(exams.values(), key=len, reverse=True)
    if is_all:
        parts = (those[at : at + NAMED] for those in in_order for at in range(0, len(those), NAMED))
        return [_exam_block(part, word, names, NAMED) for part in parts]
    blocks = [_exam_block(those, word, names, NAMES) for those in in_order[:EXAMS]]
    rest = [one for those in in_order[EXAMS:] for one in those]
    if rest:
        exams_left = count_of(len(in_order) - EXAMS, "exam", "exams")
        text = f"… and {count_of(len(rest), 'result', 'results')} of {exams_left}, {word}"
        blocks.append(_Block(text, tuple(one.event_id for one in rest)))
    return blocks


def _exam_block(those: Sequence[Any], word: str, names: dict[Any, str], most: int) -> _Block:
    title = disarm(title_of(those[-1]), max_length=TITLE_LENGTH) or "an untitled exam"
    shown = [f"{names[one.student_id]} {result_of(one)}".rstrip() for one in those[:most]]
    more = f" … and {len(those) - most} more" if len(those) > most else ""
    did = "" if word == "passed" else f" {word}"  # which the emoji says
    text = f"{emoji_of(type_of(those[0]))} **{title}**{did}: {', '.join(shown)}{more}"
    return _Block(text, tuple(one.event_id for one in those))


def _lessons(events: Sequence[Any], names: dict[Any, str]) -> list[_Block]:
    """`📖 3 lessons started, 📚 2 lessons completed by Jane Smith`"""
    if not events:
        return []
    counts = Counter(type_of(event) for event in events)
    what = ", ".join(f"{EMOJI[kind]} {count_of(counts[kind], *_DONE[kind])}" for kind in _LESSONS if counts[kind])
    students = list(dict.fromkeys(names[one.student_id] for one in events))
    who = ", ".join(students) if len(students) <= 3 else f"{len(students)} students"
    return [_Block(f"{what} by {who}", tuple(one.event_id for one in events))]


def _fill_pages(blocks: Sequence[_Block], overtaken: Sequence[int]) -> list[tuple[str, list[int]]]:
    """As many lines on each page as there is room for; what was overtaken is told by what overtook it."""
    pages: list[tuple[str, list[int]]] = []
    for block in blocks:
        if pages and len(pages[-1][0]) + 1 + len(block.text) <= MAX_LENGTH:
            text, ids = pages[-1]
            pages[-1] = (f"{text}\n{block.text}", ids + list(block.event_ids))
        else:
            pages.append((block.text, list(block.event_ids)))
    if pages:
        pages[0][1].extend(overtaken)
    return pages
