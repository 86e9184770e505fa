"""What mentors ask: each takes a Question and returns markdown, or raises WrongArguments or LMSBotError."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import timedelta

from lms_bot import reports
from lms_bot.chat import replies
from lms_bot.chat.holding import get_holding
from lms_bot.chat.names import Directory, fold
from lms_bot.chat.periods import Period
from lms_bot.chat.preference_replies import format_held, name_of, word_for
from lms_bot.chat.question import Question, WrongArguments
from lms_bot.chat.words import strip_fillers
from lms_bot.lms.people import Student
from lms_bot.markdown import code, time_tag
from lms_bot.monitor import LAST_GOOD_POLL

UNKNOWN_STUDENT = "You have no student of that name. `students` shows yours."
"""The answer about another mentor's student as well: nobody learns who exists."""

UNKNOWN_TO_ADMIN = "No student of that name or id is known here: nothing they did is stored."
UNCLEAR_PERIOD = "I know who you mean, but not which time."
MOST_NAMES = 20
MOST_WORDS = 12
LATE = timedelta(minutes=2)
POLLS_MISSED = 3


def answer_stats(question: Question) -> str:
    students = question.own_students
    week = question.now - timedelta(days=7)
    columns = {
        "In total": reports.get_counts_by_type(students.keys()),
        "Last 7 days": reports.get_counts_by_type(students.keys(), since=week),
    }
    return replies.format_counts(f"📊 **Your {replies.count(len(students), 'student')}**", columns)


def answer_summary(question: Question) -> str:
    students = question.own_students
    period = read_summary_period(question)
    summaries = reports.get_summary(period.start, period.end, students.keys())
    names = {student_id: name_of(student) for student_id, student in students.items()}
    return replies.format_summary(summaries, names, period.label, len(students) - len(summaries))


def read_summary_period(question: Question) -> Period:
    """The period asked for; today where none is said."""
    period = question.read_period(question.words or ("today",))
    if period is None:
        raise WrongArguments("I could not read that period.")
    return period


def answer_history(question: Question) -> str:
    found, period = _read_history(question)
    if len(found) > 1:
        return ask_which_one(found, "history")
    if not found:
        return UNKNOWN_TO_ADMIN if question.asker.is_admin else UNKNOWN_STUDENT
    student = found[0]
    start, end = (period.start, period.end) if period else (None, None)
    history = reports.get_history(student.student_id, start, end)
    return replies.format_history(name_of(student), history, period.label if period else None)


def _read_history(question: Question) -> tuple[list[Student], Period | None]:
    """Whom and which time is meant."""
    if not question.words:
        raise WrongArguments("Whose history?")
    students = get_students_in_sight(question)
    found, rest = find_named(question.words, students, question.read_period, UNCLEAR_PERIOD)
    return found, question.read_period(rest)


def find_named(
    words: tuple[str, ...], students: Iterable[Student], read: Callable[[tuple[str, ...]], object], unclear: str
) -> tuple[list[Student], tuple[str, ...]]:
    """Who is meant, and the words after the name, which `read` can read.

    The name is as much as finds somebody. WrongArguments saying `unclear` where nothing after it can be read.
    """
    directory = Directory(students)
    is_unclear = False
    for name, rest in _ways_to_split(words[:MOST_WORDS]):
        found = directory.find(" ".join(name))
        if found and (not rest or read(rest)):
            return found, rest
        is_unclear = is_unclear or bool(found)
    if is_unclear:
        raise WrongArguments(unclear)
    return [], ()


def _ways_to_split(words: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Name and rest, longest name first; all as it was said, then without words of kindness."""
    for said in dict.fromkeys((words, strip_fillers(words))):
        for end in range(len(said), 0, -1):
            yield said[:end], said[end:]


def get_students_in_sight(question: Question) -> list[Student]:
    """Everybody the asker may ask about: their own, and for an admin all of whom an event is stored."""
    asker = question.asker
    if not asker.is_admin:
        return list(question.own_students.values())
    stored = map(_student_of, reports.get_stored_students())
    everybody = {student.student_id: student for student in stored} | dict(asker.students)
    return [student for student in everybody.values() if asker.may_see(student.student_id)]


def _student_of(stored: reports.StoredStudent) -> Student:
    return Student(
        student_id=stored.student_id,
        username=stored.username or "",
        email=None,
        display_name=stored.display_name,
        first_name=None,
        last_name=None,
    )


def ask_which_one(students: Iterable[Student], command: str, rest: Sequence[str] = ()) -> str:
    """What to say instead, for each who may be meant."""
    lines = [
        f"- {name_of(student)}: {code(' '.join([command, word_for(student), *rest]))}"
        for student in students
    ]
    more = [f"… and {len(lines) - MOST_NAMES} more"] if len(lines) > MOST_NAMES else []
    return "\n".join(["Several students match. Which one do you mean?", *lines[:MOST_NAMES], *more])


def answer_students(question: Question) -> str:
    students = sorted(
        question.own_students.values(), key=lambda student: fold(student.display_name or student.username)
    )
    names = {student.student_id: name_of(student) for student in students}
    return replies.format_students(names, reports.get_last_events(names.keys()))


def answer_status(question: Question) -> str:
    """Whether the bot is watching, and what is on its way to the asker. Also when the LMS is away."""
    asker = question.asker
    lines = [_format_watch(question)]
    if asker.is_mentor and asker.trouble is None:
        lines.append(f"👥 You have {replies.count(len(asker.students), 'student')}.")
    elif asker.is_mentor:
        lines.append("👥 Who your students are cannot be known now.")
    lines.append(_format_way(question))
    return "\n".join(lines)


def _format_way(question: Question) -> str:
    """What is on its way to the asker, and what is held back."""
    on_its_way = reports.count_unsent(question.zulip_user_id)
    holding = get_holding(question)
    on_its_way += holding.due if holding else 0
    held = f" {format_held(holding)}" if holding and holding.held else ""
    if not on_its_way:
        return f"📬 You have been told all{' the rest' if held else ''}.{held}"
    return f"📬 {replies.count(on_its_way, 'event')} on the way to you.{held}"


def _format_watch(question: Question) -> str:
    settings = question.app.settings
    last_at = reports.get_moment(LAST_GOOD_POLL)
    if not settings.lms_activity_monitor_enabled:
        return "⏸️ I am not watching the LMS: that is switched off."
    if last_at is None:
        return "⚠️ I have not been able to look into the LMS yet. I keep trying."
    if question.now - last_at > max(
        LATE, POLLS_MISSED * timedelta(seconds=settings.lms_activity_poll_interval)
    ):
        return f"⚠️ I could last look into the LMS {time_tag(last_at)}. I keep trying."
    return f"👁️ I am watching the LMS, last {time_tag(last_at)}."
