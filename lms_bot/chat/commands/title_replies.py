"""Answers about exams and contents, and what is found, as markdown. As in `replies`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import fmean

from lms_bot.chat.commands.replies import (
    ANSWER_WITH_NUMBER,
    NAME_LENGTH,
    OUTCOMES,
    count,
    format_outcome,
    format_page,
    format_title,
    list_counts,
    percent,
)
from lms_bot.core.markdown import code, disarm, time_tag
from lms_bot.insight.reports import FoundTitle, Taker

EXAM, CONTENT = "exam", "content"
EMOJI_OF = {EXAM: "📝", CONTENT: "📚"}
TAKERS_HEADERS = ("Student", "Result", "Attempts", "Best", "When")
TYPED_LENGTH = 200


def kind_of(is_exam: bool) -> str:
    return EXAM if is_exam else CONTENT


def sort_worst_first(takers: Sequence[Taker]) -> list[Taker]:
    """Who never passed comes before who did; of these, who failed, then who left it open, then who has the less."""
    places = list(OUTCOMES)

    def place(one: Taker) -> tuple[bool, int, float, int]:
        is_known = one.last_outcome in OUTCOMES
        last = places.index(one.last_outcome) if is_known else len(places)
        return one.passed > 0, last, one.best if one.best is not None else 0.0, one.student_id

    return sorted(takers, key=place)


def format_takers(
    found: FoundTitle,
    takers: Sequence[Taker],
    page: Sequence[Taker],
    names: Mapping[int, str],
    students: int | None,
    note: str,
) -> str:
    """All who took it, of so many students (None: of everybody), and a row for each of this page, by name."""
    kind = kind_of(found.is_exam)
    outcomes = Counter(one.last_outcome for one in takers)
    known = list_counts({word: outcomes[outcome] for outcome, (_, word) in OUTCOMES.items()})
    who = f"{len(takers):,} of your {count(students, 'student')}" if students else count(len(takers), "student")
    best = [one.best for one in takers if one.best is not None]
    average = f" · their best: {percent(fmean(best))} on average" if best else ""
    first_line = f"{EMOJI_OF[kind]} **{format_title(found.title)}** · {who}: {known}{average}"
    return format_page(first_line, TAKERS_HEADERS, [_taker_row(one, names[one.student_id]) for one in page], [note])


def _taker_row(one: Taker, name: str) -> list[object]:
    several = one.tries > 1
    result = format_outcome(one.last_outcome, one.last)
    return [name, result, one.tries if several else None, percent(one.best) if several else "", time_tag(one.last_at)]


def get_command(found: FoundTitle) -> str:
    """What to type for it."""
    return f"{kind_of(found.is_exam)} {found.title[:TYPED_LENGTH]}"


def format_found_title(found: FoundTitle) -> str:
    return f"- {_format_title_line(found)}: {code(get_command(found))}"


def _format_title_line(found: FoundTitle) -> str:
    return f"{EMOJI_OF[kind_of(found.is_exam)]} {format_title(found.title)} · {count(found.students, 'student')}"


def format_found_student(name: str, word: str) -> str:
    """`name` is disarmed."""
    return f"- 👤 {name}: {code(f'student {word}')}"


def format_choice(said: str, found: Sequence[FoundTitle], limit: int) -> str:
    """Which exams or contents may be meant: so many of those found, to choose from, and how to see the rest."""
    more = f"There are more: {code(f'find {said}')} shows all. " if len(found) > limit else ""
    head = f"Several titles match **{_shorten(said)}**. Which one do you mean?"
    return "\n".join([head, *_number(found[:limit]), f"{more}{ANSWER_WITH_NUMBER}"])


def format_nothing_found(kind: str, closest: Sequence[FoundTitle], *, of_everybody: bool) -> str:
    who = "Nobody" if of_everybody else "None of your students"
    sentence = f"{who} has {'taken an exam' if kind == EXAM else 'done a content'} of that title."
    if not closest:
        return f"{sentence} `find` looks for a part of one."
    return "\n".join([f"{sentence} Do you mean one of these?", *_number(closest), ANSWER_WITH_NUMBER])


def _number(found: Sequence[FoundTitle]) -> list[str]:
    """As a list to choose from, with the empty lines around it."""
    return ["", *(f"{number}. {_format_title_line(one)}" for number, one in enumerate(found, start=1)), ""]


def format_found(said: str, counts: Mapping[str, int], lines: Sequence[str], note: str) -> str:
    """What was found, each with the command to look further; `counts` is how many students, exams and contents."""
    if not any(counts.values()):
        return f"🔎 I found no student, exam or content for **{_shorten(said)}**."
    known = ", ".join(count(number, thing) for thing, number in counts.items() if number)
    return "\n".join([f"🔎 **{_shorten(said)}** · {known}", "", *lines, *(["", note] if note else [])])


def _shorten(said: str) -> str:
    return disarm(said, max_length=NAME_LENGTH)
