"""`students`, `summary`: many students at once, of the asker's own or of all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import astuple, replace
from datetime import datetime, timedelta, tzinfo
from functools import partial

from lms_bot.chat.commands.needs import format_needs_in_short
from lms_bot.chat.commands.rendering import (
    NAME_LENGTH,
    NO_ACTIVITY,
    NO_STUDENTS,
    PAGE_ROWS,
    check_page,
    count,
    format_change,
    format_clock,
    format_date,
    format_mark,
    format_page,
    format_title,
    get_short_names,
    list_counts,
    page_note,
)
from lms_bot.chat.language.arguments import get_everybody, read_listing, read_page
from lms_bot.chat.language.periods import UNCLEAR_PERIOD, Period, get_period_before
from lms_bot.chat.language.question import Command, NothingFound, Question, WrongArguments
from lms_bot.chat.language.words import get_bare, strip_fillers
from lms_bot.core.markdown import code, disarm, glue
from lms_bot.core.normalize import normalize
from lms_bot.insight.digest import get_needs
from lms_bot.insight.reports.counting import (
    StudentSummary,
    SummaryPage,
    Totals,
    get_summary,
)
from lms_bot.insight.reports.students import Attention, Flag, get_attention
from lms_bot.lms.people import Mentor, Student
from lms_bot.people.access import Audience

WEEK = timedelta(days=7)
MENTORS_SHOWN = 9
CONTENT = "content"
RESULT_WORDS = ("failed", "left open", "passed", "completed", CONTENT)
SUMMARY_MARKS = ("❌", "📝", "🎉", "✅", "📚")
"""Failed, left open, passed, completed, contents: as few columns as a phone shows."""

FLAGS = {Flag.FAILED: "❌", Flag.LEFT_OPEN: "📝", Flag.SILENT: "💤"}
FLAG_WORDS = {Flag.FAILED: "failed their last exam", Flag.LEFT_OPEN: "left an exam open", Flag.SILENT: "silent"}


def answer_summary(question: Question) -> str:
    students = question.own_students
    return _summarise(question, _get_active(students).keys()) if students else NO_STUDENTS


def answer_summary_all(question: Question) -> str:
    question.audit(None)
    return _summarise(question, None)


def _summarise(question: Question, student_ids: Collection[int] | None) -> str:
    """What each of these students did in the period asked for, or today; None is everybody."""
    listing = read_listing(question, question.words)
    if listing is None or listing.is_exam is not None:
        raise WrongArguments(UNCLEAR_PERIOD)
    period = listing.period or question.read_period(("today",))
    assert period is not None
    first_row = (listing.page - 1) * PAGE_ROWS
    found = get_summary(period.start, period.end, student_ids, limit=PAGE_ROWS, offset=first_row)
    check_page(listing.page, found.students)
    before = get_period_before(period, question.now, question.zone)
    earlier = get_summary(before.start, before.end, student_ids, limit=0).totals
    names = get_short_names(question, [row.student_id for row in found.rows])
    students = None if student_ids is None else len(student_ids)
    note = page_note(listing.page, found.students, f"{question.command} {listing.said}".strip())
    say_when = partial(_say_when, question, _is_one_day(question, period))
    return format_summary(found, names, say_when, period.label, (before.label, earlier), students, note)


def _is_one_day(question: Question, period: Period) -> bool:
    last = period.end - timedelta(microseconds=1)
    return period.start.astimezone(question.zone).date() == last.astimezone(question.zone).date()


def _say_when(question: Question, is_of_one_day: bool, moment: datetime) -> str:
    """Of one day, which the heading names, the hour."""
    return format_clock(moment, question.zone) if is_of_one_day else format_date(moment, question.zone, question.now)


def format_summary(
    page: SummaryPage,
    names: Mapping[int, str],
    say_when: Callable[[datetime], str],
    period: str,
    before: tuple[str, Totals],
    students: int | None,
    note: str,
) -> str:
    """Who did what in a period, and when last, as `say_when` has it.

    `names` are disarmed, `before` is the period before, with what it is called. `students` is how many there are,
    None where everybody is asked about; `note` says which page this is.
    """
    label, earlier = before
    title = f"📊 **Summary** · {period}"
    silent = students - page.students if students is not None else 0
    silence = f"{count(silent, 'student')} without activity." if silent else ""
    if not page.students:
        known = ", ".join(_say(*each) for each in zip(RESULT_WORDS, astuple(earlier), strict=True) if each[1])
        compared = f"Compare {label}: {known}." if known else ""
        return "\n".join([title, "", *filter(None, (NO_ACTIVITY, silence, compared))])
    of_all = f"{page.students:,} of " if silent else ""
    who = f"{of_all}{count(page.students + silent, 'student')}"
    totals = _format_changes(page.totals, earlier)
    changes = f"▲ ▼ against {label}." if totals else ""
    rows = [_summary_row(names[one.student_id], one, say_when(one.last_at)) for one in page.rows]
    first_line = f"{title} · {who}{': ' if totals else ''}{totals}"
    # The head names what there is any of.
    marks = " ".join(mark for mark in SUMMARY_MARKS if any(mark in str(row[1]) for row in rows))
    return format_page(
        first_line, ("Student", marks, "Last"), rows, [" ".join(filter(None, (silence, changes))), note]
    )


def _format_changes(totals: Totals, before: Totals) -> str:
    """`3 failed (▲ 1), 9 passed (=)`: what there is, or was, any of."""
    pairs = zip(RESULT_WORDS, astuple(totals), astuple(before), strict=True)
    return ", ".join(f"{_say(word, now)} ({format_change(now - then)})" for word, now, then in pairs if now or then)


def _say(word: str, number: int) -> str:
    return count(number, word) if word == CONTENT else f"{number:,} {word}"


def _summary_row(name: str, one: StudentSummary, last: str) -> list[object]:
    numbers = (one.failed, one.left_open, one.passed, one.completed, one.contents)
    marks = " ".join(glue(mark, number) for mark, number in zip(SUMMARY_MARKS, numbers, strict=True) if number)
    return [name, marks, last]


def answer_students(question: Question) -> str:
    students = question.own_students
    if not students:
        return NO_STUDENTS
    return _list_students(question, "Your", students)


def answer_students_all(question: Question) -> str:
    students = get_everybody(question)
    if not students:
        return "No student is known yet."
    question.audit(None)
    return _list_students(question, "All", students)


def answer_students_of(question: Question) -> str:
    """Those of one mentor, who is named as the LMS calls them."""
    page, said = _split_page(get_bare(strip_fillers(question.words)))
    if not said:
        raise WrongArguments("Of which mentor?")
    found = find_mentors(said, question.context.users.get_mentors())
    if not found:
        raise NothingFound(f"The LMS has no mentor who is called **{disarm(said, max_length=NAME_LENGTH)}**.")
    if len(found) > 1:
        names = ", ".join(code(one.username) for one in found[:MENTORS_SHOWN])
        return f"Several mentors are called so: {names}. Please say which."
    roster = question.context.users.get_roster(found)
    students = {key: one for key, one in roster.students.items() if key not in roster.below}
    name = disarm(found[0].name or found[0].username, max_length=NAME_LENGTH)
    if not students:
        return f"The LMS gives **{name}** no students."
    question.audit(None)
    return _list_students(replace(question, words=page), f"{name}:", students)


def _split_page(said: str) -> tuple[tuple[str, ...], str]:
    """The words that say which page, and the rest."""
    before, word, number = said.rpartition(" page ")
    return (("page", number), before) if word and number.isdecimal() else ((), said)


def find_mentors(said: str, mentors: Iterable[Mentor]) -> list[Mentor]:
    """Who is called so in full, else by one of the names, else by the beginning of one."""
    wanted, known = normalize(said), list(mentors)
    names = {one.key: [normalize(one.username), normalize(one.name)] for one in known}
    tests: tuple[Callable[[str], bool], ...] = (
        lambda name: name == wanted,
        lambda name: wanted in name.split(),
        lambda name: any(word.startswith(wanted) for word in name.split()),
    )
    found = ([one for one in known if any(map(test, names[one.key]))] for test in tests)
    meant = next(filter(None, found), []) if wanted else []
    return meant or (find_mentors(said[:-1], known) if said.endswith("s") else [])  # bobs students


def _get_active(students: Mapping[int, Student]) -> dict[int, Student]:
    """Of the others nothing is expected; they can be asked about by name."""
    return {student_id: student for student_id, student in students.items() if student.is_active}


def _list_students(question: Question, whose: str, everybody: Mapping[int, Student]) -> str:
    page, students = read_page(question), _get_active(everybody)
    inactive = len(everybody) - len(students)
    check_page(page, len(students))
    attention = get_attention(students.keys(), question.now)
    in_order = sorted(attention.values(), key=lambda one: (*_by_urgency(one), _by_name(students[one.student_id])))
    shown = in_order[(page - 1) * PAGE_ROWS : page * PAGE_ROWS]
    names = get_short_names(question, [one.student_id for one in shown], students)
    flags = Counter(flag for one in in_order for flag in one.flags)
    left_out = f"{count(inactive, 'inactive student')} left out." if inactive else ""
    note = " ".join(filter(None, (left_out, page_note(page, len(students), question.command))))
    when = question.zone, question.now
    text = format_students(f"{whose} {count(len(students), 'student')}", names, shown, flags, note, when)
    if page > 1:
        return text
    needs = format_needs_in_short(question, students, get_needs(students.keys(), question.now))
    return "\n".join([*needs, "", text]) if needs else text


def _by_urgency(one: Attention) -> tuple[int, int]:
    return min(map(list(Flag).index, one.flags), default=len(Flag)), -len(one.flags)


def _by_name(student: Student) -> tuple[str, int]:
    return normalize(student.display_name or student.username), student.student_id


def format_students(
    whose: str,
    names: Mapping[int, str],
    page: Sequence[Attention],
    flags: Mapping[Flag, int],
    note: str,
    when: tuple[tzinfo, datetime],
) -> str:
    """A row for each student of this page; `flags` says how many of all there are raised. `names` are disarmed.

    `when` is where and at what time it is asked.
    """
    flagged = list_counts({FLAG_WORDS[flag]: flags.get(flag, 0) for flag in Flag})
    legend = " · ".join(f"{FLAGS[flag]} {flag.value}" for flag in Flag if flags.get(flag))
    rows = [_student_row(names[one.student_id], one, when) for one in page]
    first_line = f"👥 **{whose}** · {flagged or 'nobody needs attention'}"
    return format_page(first_line, ("Student", "Last result", "Last activity"), rows, [legend, note])


def _student_row(name: str, one: Attention, when: tuple[tzinfo, datetime]) -> list[object]:
    who = glue(*(FLAGS[flag] for flag in one.flags), name)
    seen = format_date(one.last_at, *when) if one.last_at else "none known"
    if (last := one.last_result) is None:
        return [who, "", seen]
    mark, title = format_mark(last.outcome, last.percentage), format_title(last.title, last.activity_id)
    return [who, f"{mark} {title}", seen]


COMMANDS = (
    Command(
        "students", "students [page N]", "your students: last activity and result, who needs attention",
        Audience.MENTORS, "students", answer_students, is_about_own_students=True,
    ),
    Command(
        "summary", "summary [period] [page N]", "what each of your students did, worst first", Audience.MENTORS,
        "summary last week", answer_summary, is_about_own_students=True,
    ),
)  # fmt: skip


ADMIN_COMMANDS = (
    Command(
        "students all", "students all [page N]", "all students, who needs attention first", Audience.ADMINS,
        "students all", answer_students_all,
    ),
    Command(
        "students of", "students of <mentor> [page N]", "the students of one mentor", Audience.ADMINS,
        "students of arjun", answer_students_of,
    ),
    Command(
        "summary all", "summary [period] [page N] all", "what every student did, worst first", Audience.ADMINS,
        "summary week all", answer_summary_all,
    ),
)  # fmt: skip
