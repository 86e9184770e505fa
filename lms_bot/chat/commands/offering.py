"""Students who may be meant, to be chosen from by a number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lms_bot.chat.commands.rendering import ANSWER_WITH_NUMBER, name_of
from lms_bot.chat.language.choices import MOST_OFFERED, offer_students
from lms_bot.core.markdown import code, event_ref

if TYPE_CHECKING:
    from lms_bot.chat.language.arguments import SeveralStudents, UnknownStudent
    from lms_bot.chat.language.question import Question
    from lms_bot.lms.people import Student
    from lms_bot.store.conversation import Choice


def offer_several(question: Question, several: SeveralStudents) -> str:
    """Which of them is meant?"""
    return _offer(question, several.found, several.before, several.after, _format_several(several.found))


def offer_similar(question: Question, unknown: UnknownStudent) -> str:
    """That nobody is called so, and who may be meant instead."""
    sentence = _format_unknown(str(unknown), unknown.similar)
    return _offer(question, unknown.similar, unknown.before, unknown.after, sentence)


def _offer(
    question: Question, students: Sequence[Student], before: Sequence[str], after: Sequence[str], answer: str
) -> str:
    """The answer, with the students it lists remembered to be chosen from."""
    for student in students[:MOST_OFFERED]:
        question.audit(student.student_id)
    if students:
        with question.context.store.transaction():
            offer_students(question.zulip_user_id, students, before, after, question.now)
    return answer


def format_out_of_range(choice: Choice) -> str:
    count = len(choice.questions)
    return f"Please answer with a number from 1 to {count}." if count > 1 else "I offered you only one, number 1."


def _format_several(students: Sequence[Student]) -> str:
    """The list to choose from; `students` are all who may be meant."""
    lines = [f"{number}. {name}" for number, name in enumerate(_tell_apart(students[:MOST_OFFERED]), start=1)]
    more = len(students) - len(lines)
    ending = f"… and {more} more: write more of the name to find them. " if more else ""
    return "\n".join(["Which one do you mean?", "", *lines, "", f"{ending}{ANSWER_WITH_NUMBER}"])


def _format_unknown(sentence: str, similar: Sequence[Student]) -> str:
    if not similar:
        return sentence
    if len(similar) == 1:
        return f"{sentence}\nDid you mean **{name_of(similar[0])}**? Then answer {code('yes')}."
    return f"{sentence}\n{_format_several(similar)}"


def _tell_apart(students: Sequence[Student]) -> list[str]:
    """Their names, disarmed, with the id of those whose names are the same."""
    names = [name_of(student) for student in students]
    return [
        f"{name} {event_ref(student.student_id)}" if names.count(name) > 1 else name
        for name, student in zip(names, students, strict=True)
    ]
