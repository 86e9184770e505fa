"""`export`: events as a file to be opened in a spreadsheet."""

from __future__ import annotations

from collections.abc import Collection
from io import BytesIO

from lms_bot.chat.commands.rendering import NO_ACTIVITY, NO_STUDENTS, count, name_of
from lms_bot.chat.language.arguments import read_student
from lms_bot.chat.language.command_finder import ALL
from lms_bot.chat.language.periods import UNCLEAR_PERIOD, UNCLEAR_TIME, Period
from lms_bot.chat.language.question import Command, Question, WithFiles, WrongArguments
from lms_bot.chat.language.student_index import word_for
from lms_bot.chat.language.words import strip_fillers
from lms_bot.insight.export import CsvFormat, Wanted, write_events
from lms_bot.outbox.draft import File
from lms_bot.people.access import Audience

LARGEST_FILE = 25 * 2**20
"""What Zulip takes, unless its administrator changed it: bytes."""

TOO_LARGE = f"That is more than fits a file in Zulip ({LARGEST_FILE // 2**20} MiB). Please choose a shorter period."


class TooLarge(OSError):
    """No more fits the file."""


class _File(BytesIO):
    """A file that takes as much as Zulip does; more raises TooLarge."""

    def write(self, content: bytes) -> int:  # type: ignore[override]
        if self.tell() + len(content) > LARGEST_FILE:
            raise TooLarge
        return super().write(content)


def answer_export(question: Question) -> str | WithFiles:
    words = strip_fillers(question.words)
    if words and words[0].casefold() == ALL:
        return _export_all(question, words[1:])
    student, period = read_student(question, question.read_period, unclear=UNCLEAR_TIME)
    question.audit(student.student_id)
    return _export(question, f"**{name_of(student)}**", word_for(student), [student.student_id], period)


def _export_all(question: Question, words: tuple[str, ...]) -> str | WithFiles:
    """The asker's own students; for an admin everybody."""
    period = question.read_period(words) if words else None
    if words and period is None:
        raise WrongArguments(UNCLEAR_PERIOD)
    if question.asker.is_admin:
        question.audit(None)
        return _export(question, "**All students**", "all", None, period)
    students = question.own_students
    if not students:
        return NO_STUDENTS
    return _export(question, f"**Your {count(len(students), 'student')}**", "my-students", students.keys(), period)


def _export(
    question: Question, whose: str, called: str, student_ids: Collection[int] | None, period: Period | None
) -> str | WithFiles:
    """`whose` is disarmed, and `called` part of a file name."""
    head = f"📄 {whose} · {period.label if period else 'all that is known'}"
    file = _File()
    try:
        events = _write(question, file, student_ids, period)
    except TooLarge:
        return f"{head}\n\n{TOO_LARGE}"
    if not events:
        return f"{head}\n\n{NO_ACTIVITY}"
    name = f"events-{called}.csv"
    text = f"{head} · {count(events, 'event')}\n\n[{name}](attachment:0)"
    return WithFiles(text, (File(name, file.getvalue()),))


def _write(question: Question, file: _File, student_ids: Collection[int] | None, period: Period | None) -> int:
    """Writes the events, of one student after the other; returns how many."""
    start, end = (period.start, period.end) if period else (None, None)
    lines = CsvFormat(question.zone)
    file.write(f"{lines.format_header()}\n".encode())
    groups: list[tuple[int, ...]] = [()] if student_ids is None else [(one,) for one in sorted(student_ids)]
    wanted = (Wanted(start, end, student_ids=group) for group in groups)
    return sum(write_events(question.context.store, one, lines.format_line, file) for one in wanted)


COMMANDS = (
    Command(
        "export", "export <student>|all [period]", "a file for a spreadsheet: what one student did, or all did",
        Audience.KNOWN, "export {student} last month", answer_export, aliases=("download", "csv"),
        is_about_own_students=True,
    ),
)  # fmt: skip
