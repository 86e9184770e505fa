"""`student` and `compare`: how one student is doing, or two side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, tzinfo

from lms_bot.chat.commands.notes import count_notes, format_note, get_notes
from lms_bot.chat.commands.rendering import (
    MAX_LENGTH,
    NO_ACTIVITY,
    count,
    format_attempt,
    format_date,
    format_titled,
    format_try,
    get_short_names,
    list_counts,
    name_of,
    narrow_table,
)
from lms_bot.chat.language.arguments import read_student, read_two_students
from lms_bot.chat.language.question import Command, Question, WrongArguments
from lms_bot.chat.language.student_index import word_for
from lms_bot.core.markdown import code, fit_lines, spoiler, table_head, table_row, time_tag
from lms_bot.core.results import Attempt, Direction, Results, Trend, add_up, group_tries, percent
from lms_bot.insight.reports.counting import get_summary
from lms_bot.insight.reports.students import get_attempts, get_totals_of_students
from lms_bot.insight.reports.titles import get_labels_among
from lms_bot.lms.people import Student
from lms_bot.notify.brief_wording import ordinal
from lms_bot.people.access import Audience
from lms_bot.store.conversation import Note

NOTES_SHOWN = 3
ARROWS = {Direction.RISING: "↗", Direction.STEADY: "→", Direction.FALLING: "↘"}
OPEN_SHOWN = 3
EARLIER_SHOWN = 8
NOTE_LENGTH = 300
SPOILER_FRAME = 100


@dataclass(frozen=True)
class Card:
    """What is known of a student: `name` is disarmed, `word` what to type for them.

    `contents` were done this week; `notes` are the newest, newest first, of `note_count`. `rank` is how many of the
    asker's students have a lower average, and how many others have any. `labels` tell exams of one title apart, by
    coursework id. `when` is where and at what time it is asked.
    """

    name: str
    word: str
    last: Attempt | None
    results: Results
    when: tuple[tzinfo, datetime]
    contents: int
    rank: tuple[int, int] | None = None
    notes: Sequence[Note] = ()
    note_count: int = 0
    labels: Mapping[int, str] = field(default_factory=dict)


def answer_student(question: Question) -> str:
    student, _ = read_student(question)
    question.audit(student.student_id)
    return format_card(make_card(question, student, is_complete=True))


def make_card(question: Question, student: Student, is_complete: bool = False) -> Card:
    """Where it `is_complete`, with what only their mentors may know."""
    student_id = student.student_id
    for_mentors = is_complete and not question.asker.is_student
    week = question.read_period(("this", "week"))
    assert week is not None
    exams = get_attempts(student_id, is_exam=True)
    return Card(
        name_of(student),
        word_for(student),
        next(iter(get_attempts(student_id, limit=1)), None),
        add_up(exams),
        (question.zone, question.now),
        contents=get_summary(week.start, week.end, [student_id], limit=0).totals.contents,
        rank=_rank(question, student_id) if for_mentors else None,
        notes=get_notes(student_id, NOTES_SHOWN) if for_mentors else (),
        note_count=count_notes(student_id) if for_mentors else 0,
        labels=get_labels_among(exams, question.students_in_sight),
    )


def _rank(question: Question, student_id: int) -> tuple[int, int] | None:
    """Their place by average, and of how many; None where there is nobody of the asker's own to compare with."""
    if not question.asker.is_own(student_id):
        return None
    totals = get_totals_of_students(question.asker.students.keys())
    averages = {key: one.percentage_total / one.scored for key, one in totals.items() if one.scored}
    average = averages.pop(student_id, None)
    if average is None or not averages:
        return None
    return sum(other > average for other in averages.values()) + 1, len(averages) + 1


def format_card(card: Card) -> str:
    notes = _format_notes(card)
    if card.last is None:
        return "\n\n".join(filter(None, (f"🎓 **{card.name}**", NO_ACTIVITY, notes)))
    parts = [_format_headline(card), _format_facts(card)]
    room = MAX_LENGTH - sum(len(part) + 2 for part in (*parts, notes))
    return "\n\n".join(filter(None, (*parts, _format_tries(card, room), notes)))


def _format_headline(card: Card) -> str:
    average = f"average {percent(card.results.average)}" if card.results.average is not None else "no results yet"
    seen = f"last seen {time_tag(card.last.last_at)}" if card.last else "never seen"
    return f"🎓 **{card.name}** · {' '.join(filter(None, (average, format_direction(card.results.trend))))} · {seen}"


def _format_facts(card: Card) -> str:
    results = card.results
    marks = (results.best, results.last, results.average)
    facts = {
        "Last activity": format_attempt(card.last, _get_label(card, card.last)) if card.last else "",
        "Exams": _format_exams(results),
        "Left open": _format_open(card),
        "Best / last / average": " / ".join(filter(None, map(percent, marks))),
        "Trend": _format_trend(results.trend),
        "Pass rate": _format_pass_rate(results),
        "Rank": _format_rank(card.rank),
        "This week": f"{count(card.contents, 'content')} done",
    }
    first, *others = ([what, value] for what, value in facts.items() if value)
    return "\n".join([*table_head(first), *map(table_row, others)])


def _format_exams(results: Results) -> str:
    if not results.attempts:
        return ""
    ended = list_counts({word: results.outcomes[word] for word in ("passed", "failed", "completed", "withdrawn")})
    tries, exams = len(results.attempts), len(group_tries(results.attempts))
    at = f"{count(tries, 'attempt')} at {count(exams, 'exam')}"
    return f"{at}: {ended}" if ended else at


def _format_pass_rate(results: Results) -> str:
    passed = f" ({results.outcomes['passed']} of {results.judged})"
    return f"{percent(results.pass_rate)}{passed}" if results.judged else ""


def _format_open(card: Card) -> str:
    left_open = [one for one in card.results.attempts if one.outcome == "started"]
    newest = left_open[:OPEN_SHOWN]
    shown = [f"{_format_exam(card, one)} since {format_date(one.last_at, *card.when)}" for one in newest]
    more = [f"… and {len(left_open) - OPEN_SHOWN} more"] if len(left_open) > OPEN_SHOWN else []
    return f"{len(left_open)}: {'; '.join([*shown, *more])}" if left_open else ""


def _format_trend(trend: Trend | None) -> str:
    if trend is None:
        return ""
    recent, before = (f"{number:.0f}%" for number in (trend.recent, trend.before))
    latest = "last" if trend.recent_count == 1 else f"last {trend.recent_count}"
    earlier = "one" if trend.before_count == 1 else str(trend.before_count)
    return f"{format_direction(trend)}: {recent} in the {latest}, {before} in the {earlier} before"


def _format_rank(rank: tuple[int, int] | None) -> str:
    if rank is None:
        return ""
    place, of = rank
    return f"{ordinal(place)} of {of:,} of your students, by average"


def _format_tries(card: Card, room: int) -> str:
    """Every attempt, by exam, to be opened; as many as there is room for, in characters."""
    attempts = card.results.attempts
    if not attempts:
        return ""
    rows = [_tries_row(card, tries) for tries in group_tries(attempts)]
    head, lines = narrow_table(("Exam", "Last", "Earlier"), rows)
    return spoiler(f"All attempts · {len(attempts):,}", fit_lines(head, lines, limit=room - SPOILER_FRAME))


def _tries_row(card: Card, tries: Sequence[Attempt]) -> list[object]:
    last, *earlier = tries
    marks = [format_try(one) for one in earlier[:EARLIER_SHOWN]]
    more = [f"… and {len(earlier) - EARLIER_SHOWN} more"] if len(earlier) > EARLIER_SHOWN else []
    when = f"{format_try(last)} {format_date(last.last_at, *card.when)}"
    return [_format_exam(card, last), when, ", ".join([*marks, *more])]


def _format_exam(card: Card, attempt: Attempt) -> str:
    return format_titled(attempt.title, _get_label(card, attempt), attempt.activity_id)


def _get_label(card: Card, attempt: Attempt) -> str:
    return card.labels.get(attempt.coursework_id or 0, "")


def format_direction(trend: Trend | None) -> str:
    return f"{ARROWS[trend.direction]} {trend.direction.value}" if trend else ""


def _format_notes(card: Card) -> str:
    if not card.notes:
        return ""
    lines = [format_note(note, *card.when, max_length=NOTE_LENGTH) for note in card.notes]
    more = card.note_count > len(card.notes)
    tail = ["", f"{code(f'notes {card.word}')} shows all."] if more else []
    return "\n".join([f"📌 **Notes** · {card.note_count:,}", "", *lines, *tail])


def answer_compare(question: Question) -> str:
    first, second = read_two_students(question)
    if first.student_id == second.student_id:
        raise WrongArguments("That is the same student twice.")
    cards, students = [], {one.student_id: one for one in (first, second)}
    names = get_short_names(question, students, students)
    for student_id, student in students.items():
        question.audit(student_id)
        cards.append(replace(make_card(question, student), name=names[student_id]))
    return format_comparison(*cards)


def format_comparison(first: Card, second: Card) -> str:
    rows = [[what, show(first), show(second)] for what, show in _COMPARED.items()]
    shown = [table_row(row) for row in rows if any(row[1:])]
    table = "\n".join([*table_head(["", first.name, second.name]), *shown])
    parts = [f"⚖️ {_compare_averages(first, second)}", table]
    room = MAX_LENGTH - sum(len(part) + 2 for part in parts)
    return "\n\n".join(filter(None, (*parts, _format_shared(first, second, room))))


def _compare_averages(first: Card, second: Card) -> str:
    if first.results.average is None or second.results.average is None:
        return f"**{first.name}** and **{second.name}**"
    averages = sorted(((card.results.average or 0.0, card.name) for card in (first, second)), reverse=True)
    (higher, better), (lower, other) = averages
    if percent(higher) == percent(lower):
        return f"**{first.name}** and **{second.name}** have the same average: {percent(higher)}"
    return f"**{better}** has the higher average: {percent(higher)}, **{other}** {percent(lower)}"


_COMPARED: dict[str, Callable[[Card], str]] = {
    "Last seen": lambda card: format_date(card.last.last_at, *card.when) if card.last else "never",
    "Average": lambda card: percent(card.results.average),
    "Best": lambda card: percent(card.results.best),
    "Last": lambda card: percent(card.results.last),
    "Trend": lambda card: format_direction(card.results.trend),
    "Pass rate": lambda card: percent(card.results.pass_rate),
    "Passed": lambda card: str(card.results.outcomes["passed"] or ""),
    "Failed": lambda card: str(card.results.outcomes["failed"] or ""),
    "Left open": lambda card: str(card.results.outcomes["started"] or ""),
    "Contents this week": lambda card: str(card.contents or ""),
}


def _format_shared(first: Card, second: Card, room: int) -> str:
    """The exams that both took, with the best each made of them, to be opened."""
    mine, theirs = (_get_best(card.results) for card in (first, second))
    rows = [
        [_format_exam(first, mine[key]), format_try(mine[key]), format_try(theirs[key])]
        for key in mine
        if key and key in theirs
    ]
    if not rows:
        return ""
    head = table_head(["Exam", first.name, second.name])
    table = fit_lines(head, [table_row(row) for row in rows], limit=room - SPOILER_FRAME)
    return spoiler(f"Best at the {count(len(rows), 'exam')} that both took", table)


def _get_best(results: Results) -> dict[int | None, Attempt]:
    """The attempt with the most of each exam, the latest of these, by the exam."""
    tries = group_tries(results.attempts)
    return {one[0].coursework_id: max(one, key=lambda attempt: attempt.percentage or 0.0) for one in tries}


COMMANDS = (
    Command(
        "student", "student <name>", "how one student is doing: exams, trend, what is open, notes",
        Audience.LEARNERS, "student {student}", answer_student, aliases=("card", "progress", "report", "profile"),
        is_about_own_students=True,
    ),
    Command(
        "compare", "compare <student> <student>", "two students side by side", Audience.KNOWN,
        "compare {student} {other}", answer_compare, is_about_own_students=True,
    ),
)  # fmt: skip
