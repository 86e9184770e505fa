"""Many events for one person in as few messages as they need: a table, worst first, nothing cut. Pure.

A row tells what one student did with one exam or content, e.g. `❌ 40%, 🎉 85%`; how an attempt began is no news
once it has ended. Where there are more rows than anybody reads, totals by student come first and the rows wait in a
spoiler.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from lms_bot.core.activities import ActivityType
from lms_bot.core.markdown import MAX_MESSAGE_LENGTH, event_ref, glue, spoiler, table_head, table_row
from lms_bot.core.results import percent
from lms_bot.notify.group_rows import Row, get_furthest, get_rows, step_of
from lms_bot.notify.wording import (
    MOST_CORRECTIONS,
    correction_of,
    emoji_of,
    format_corrections,
    kind_of,
    percentage_of,
    type_of,
    value_of,
)

READABLE_ROWS = 60
"""With more rows than this, totals come first and the rows go into a spoiler."""

# For the first line, which is all that a phone's lock screen shows: results before starts, exams before contents.
_NEWS: dict[str, str] = {
    ActivityType.EXAM_FAILED.value: "failed",
    ActivityType.EXAM_PASSED.value: "passed",
    ActivityType.EXAM_COMPLETED.value: "completed",
    ActivityType.EXAM_STARTED.value: "started",
    ActivityType.CONTENT_COMPLETED.value: "content completed",
    ActivityType.CONTENT_WATCHED.value: "content viewed",
    ActivityType.CONTENT_STARTED.value: "content started",
    "": "other",
}
_FAILED, _PASSED = ActivityType.EXAM_FAILED.value, ActivityType.EXAM_PASSED.value

_RESULT_LENGTH = 20
_STEPS_SHOWN = 4
_ATTEMPTS_SHOWN = 4
_REFS_IN_A_LINE = 50
_TOTALS_SHOWN = 30
_MOST_PAGES = 9999  # how long a page number may become
_TIMES = "\u00d7"


@dataclass(frozen=True)
class _Line:
    """A line of the table and the events it names."""

    text: str
    event_ids: tuple[int, ...]


def format_pages(events: Sequence[Any], name_of: Callable[[Any], str]) -> list[tuple[str, list[int]]]:
    """The messages that tell of these events, each with the ids of the events it names; none for no events.

    `name_of` gives the student's name of an event, disarmed. Every event is in exactly one message.
    """
    corrected = [event for event in events if correction_of(event) is not None]
    if len(corrected) > MOST_CORRECTIONS:
        return _add_corrections(corrected, [event for event in events if correction_of(event) is None], name_of)
    rows = get_rows(events, name_of)
    totals = _totals(rows) if len(rows) > READABLE_ROWS else []
    subject = _subject(len(events), rows)
    shown = _counted(event for row in rows for event in row.news)
    news = " · ".join(f"{emoji_of(kind)} {many} {_NEWS[kind]}" for kind, many in shown)

    def page(number: int, page_count: int, lines: Sequence[_Line]) -> str:
        counter = f" ({number}/{page_count})" if page_count > 1 else ""
        if number > 1:
            return _page(f"{subject} …{counter}", [], lines, bool(totals))
        return _page(f"{subject}{counter} · {news}", totals, lines, bool(totals))

    first_room, later_room = (MAX_MESSAGE_LENGTH - len(page(number, _MOST_PAGES, [])) for number in (1, _MOST_PAGES))
    pages = _fill_pages((line for row in rows for line in _lines_of(row)), first_room, later_room)
    return [
        (page(number, len(pages), lines), [event_id for line in lines for event_id in line.event_ids])
        for number, lines in enumerate(pages, start=1)
    ]


def _add_corrections(
    corrected: Sequence[Any], others: Sequence[Any], name_of: Callable[[Any], str]
) -> list[tuple[str, list[int]]]:
    """The messages of all others, the first of which says in one line how many results were corrected."""
    line = format_corrections(corrected)
    event_ids = [event.event_id for event in corrected]
    pages = format_pages(others, name_of) if others else []
    if not pages or len(line) + 2 + len(pages[0][0]) > MAX_MESSAGE_LENGTH:
        return [(line, event_ids), *pages]
    text, carried = pages[0]
    return [(f"{line}\n\n{text}", event_ids + carried), *pages[1:]]


def _page(first_line: str, totals: Sequence[str], lines: Sequence[_Line], is_folded: bool) -> str:
    headers = table_head(["Student", "News", "Exam or content"])
    body = "\n".join([*headers, *(line.text for line in lines)])
    if is_folded:
        body = spoiler("One by one, worst first", body)
    return "\n".join([first_line, "", *totals, body])


def _fill_pages(lines: Iterable[_Line], first_room: int, later_room: int) -> list[list[_Line]]:
    """The lines in order, as many on each page as there is room for (in characters), one at least."""
    pages: list[list[_Line]] = []
    left = 0
    for line in lines:
        length = len(line.text) + 1
        if not pages or length > left:
            left = later_room if pages else first_room
            pages.append([])
        pages[-1].append(line)
        left -= length
    return pages


def _subject(event_count: int, rows: Sequence[Row]) -> str:
    """`🔔 **12 updates on 5 students**`; a student who is alone is named."""
    students = {row.student_id: row.student for row in rows}
    whom = f"{len(students)} students" if len(students) > 1 else "".join(students.values())
    return f"🔔 **{event_count} updates on {whom}**"


def _totals(rows: Sequence[Row]) -> list[str]:
    """A table of students, most failures first, with the empty line that what follows needs."""
    by_student: dict[Any, list[Any]] = {}
    names = {row.student_id: row.student for row in rows}
    for row in rows:
        by_student.setdefault(row.student_id, []).extend(row.news)
    # Rows are sorted: who has an unfinished exam is before who has passed, with as many failures.
    most_failed_first = sorted(by_student, key=lambda student: -dict(_counted(by_student[student])).get(_FAILED, 0))
    shown = most_failed_first[:_TOTALS_SHOWN]
    left_out = len(most_failed_first) - len(shown)
    lines = [table_row([names[student], _format_totals(by_student[student])]) for student in shown]
    more = ["", f"… and {left_out} more, below"] if left_out else []
    return [*table_head(["Student", "In total"]), *lines, *more, ""]


def _lines_of(row: Row) -> list[_Line]:
    """A line; for more events than a line should name, several, of which the first tells what happened."""
    event_ids = sorted(event.event_id for event in row.events)
    first = _line(row, _course(row.attempts), event_ids[:_REFS_IN_A_LINE])
    further = range(_REFS_IN_A_LINE, len(event_ids), _REFS_IN_A_LINE)
    return [first, *(_line(row, "…", event_ids[start : start + _REFS_IN_A_LINE]) for start in further)]


def _line(row: Row, news: str, event_ids: Sequence[int]) -> _Line:
    refs = " ".join(map(event_ref, event_ids))
    return _Line(table_row([row.student, news, f"{row.title} {refs}"]), tuple(event_ids))


def _course(attempts: Sequence[Sequence[Any]]) -> str:
    """`❌ 40%, 🎉 85%`; of many attempts, how they ended and the last: `❌ 33 🎉 2, last ❌ 12%`."""
    courses = _runs(map(_attempt_course, attempts))
    if len(courses) <= _ATTEMPTS_SHOWN:
        return ", ".join(courses)
    return f"{_format_totals(attempt[-1] for attempt in attempts)}, last {courses[-1]}"


def _attempt_course(attempt: Sequence[Any]) -> str:
    steps = _runs(map(_step_text, get_furthest(list(attempt))))
    skipped = ["…"] if len(steps) > _STEPS_SHOWN else []
    return " → ".join(skipped + steps[-_STEPS_SHOWN:])


def _step_text(event: Any) -> str:
    if (correction := correction_of(event)) is not None:
        was, now = (
            glue(emoji_of(kind), percent(number)).rstrip()
            for kind, number in (
                (correction.was_type, correction.was_percentage),
                (correction.event_type, correction.percentage),
            )
        )
        return f"now {now} (was {was})"
    result = _result(event) if step_of(event) and kind_of(event) == "Exam" else ""
    return glue(emoji_of(str(event.event_type)), result).rstrip()


def _result(event: Any) -> str:
    score = value_of(event, "score", _RESULT_LENGTH)
    return percentage_of(event, _RESULT_LENGTH) or (score and f"score {score}")


def _runs(texts: Iterable[str]) -> list[str]:
    """Equal neighbours told once, with how many they are."""
    counts = ((text, sum(1 for _ in same)) for text, same in groupby(texts))
    return [f"{text} {_TIMES}{many}" if many > 1 else text for text, many in counts]


def _format_totals(events: Iterable[Any]) -> str:
    return " ".join(glue(emoji_of(kind), many) for kind, many in _counted(events))


def _counted(events: Iterable[Any]) -> list[tuple[str, int]]:
    """How many there are of each type, in the order of `_NEWS`; types nobody knows together under ""."""
    counts = Counter(kind if (kind := type_of(event)) in _NEWS else "" for event in events)
    return [(kind, counts[kind]) for kind in _NEWS if counts[kind]]
