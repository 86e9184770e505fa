"""What is offered to somebody who said it unclearly: students, lines, or a line to say yes to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from lms_bot.chat.commands.rendering import ANSWER_WITH_NUMBER, HELP_SHOWS, name_of
from lms_bot.chat.commands.table import choose_for, find_command, find_similar
from lms_bot.chat.language.arguments import UnclearStudent
from lms_bot.chat.language.choices import MOST_OFFERED, offer
from lms_bot.chat.language.question import Answer, Command, Question, WithButtons, pick_students_for_example
from lms_bot.chat.language.student_index import chosen_word
from lms_bot.chat.understanding.reading import Reading
from lms_bot.chat.understanding.understand import as_typed, understand
from lms_bot.core.markdown import code, event_ref
from lms_bot.lms.people import Student
from lms_bot.outbox.draft import Button
from lms_bot.store.conversation import Choice

FOR_STUDENTS = "You can ask: `history`, `student`, `chart`, about yourself."
WHICH_ONE = "Which one do you mean?"
YES_OR_NO = "Answer `yes` or `no`."
NEAR = 0.3
"""How sure a reading is to be for it to be offered."""

LEAST_IMPOSSIBLE = 0.7
LEAST_FOREIGN, FAR = 0.6, 0.1
"""How sure a reading is to be, and how much surer than the asker's own, for it to be what was meant."""

MOST_NEAR = 2
LONGEST_LINE = 200


@dataclass(frozen=True)
class Sentence:
    """What was asked, and, once, what it may mean."""

    question: Question

    @cached_property
    def readings(self) -> list[Reading]:
        """Those of commands that the asker may use, the surest first."""
        return [one for one, command in self._all if self.question.asker.may_use(command.audience)]

    @property
    def foreign(self) -> Command | None:
        """What was meant, where that is a command for others."""
        best = self.readings[0].sureness if self.readings else 0.0
        first = next((pair for pair in self._all if not self.question.asker.may_use(pair[1].audience)), None)
        if first is None or first[0].sureness < LEAST_FOREIGN or first[0].sureness <= best + FAR:
            return None
        return first[1]

    @property
    def is_impossible(self) -> bool:
        """Whether it is most like what no command does."""
        best = self._understood[0] if self._understood else None
        return best is not None and best.way.is_impossible and best.sureness >= LEAST_IMPOSSIBLE

    @cached_property
    def _understood(self) -> list[Reading]:
        return understand(self.question)

    @cached_property
    def _all(self) -> list[tuple[Reading, Command]]:
        found = ((one, find_command(one.says)[0]) for one in self._understood if not one.way.is_impossible)
        asker = self.question.asker
        return [(one, choose_for(asker, command)) for one, command in found if command is not None]


def format_line(question: Question, says: tuple[str, ...]) -> str:
    """A line as one would type it."""
    return code(as_typed(question, says)[:LONGEST_LINE])


def ask_back(question: Question, command: Command, says: tuple[str, ...]) -> Answer:
    """That is done when the answer is yes."""
    asking = f"🤔 Shall I do this? {format_line(question, says)}: {command.meaning}."
    return _offer_one(question, says, asking, f"{asking}\n{YES_OR_NO}")


def _offer_one(question: Question, says: tuple[str, ...], asking: str, text: str) -> Answer:
    with question.context.store.transaction():
        offer(question.zulip_user_id, [says], question.now)
    return WithButtons(text, (Button("Yes", "yes"), Button("No", "no")), asking)


def offer_lines(question: Question, lines: Sequence[tuple[str, ...]], asking: str = "Which do you mean?") -> Answer:
    """To be chosen from by a number."""
    with question.context.store.transaction():
        offer(question.zulip_user_id, lines, question.now)
    typed = [as_typed(question, one)[:LONGEST_LINE] for one in lines]
    shown = [f"{number}. {code(line)}" for number, line in enumerate(typed, start=1)]
    buttons = tuple(Button(f"{number}. {line}", str(number)) for number, line in enumerate(typed, start=1))
    return WithButtons("\n".join([asking, "", *shown, "", f"{ANSWER_WITH_NUMBER} {HELP_SHOWS}"]), buttons, asking)


def suggest(sentence: Sentence) -> tuple[Answer, bool]:
    """What is nearest, with what was said, to be chosen, and that only the asker may read it.

    Else by the commands' names, which repeats nothing of what was said.
    """
    question = sentence.question
    likely = [one.says for one in sentence.readings if one.sureness >= NEAR and not one.is_guess]
    near = list({tuple(sorted(says)): says for says in reversed(likely)}.values())[::-1][:MOST_NEAR]
    if len(near) == 1:
        asking = f"I am not sure what you mean. Did you mean {format_line(question, near[0])}?"
        return _offer_one(question, near[0], asking, f"{asking} {YES_OR_NO} {HELP_SHOWS}"), True
    if near:
        return offer_lines(question, near, "I am not sure what you mean. Perhaps:"), True
    if question.asker.is_student:
        return FOR_STUDENTS, False
    meant = " or ".join(code(command.name) for command in find_similar(question.words, question.asker))
    if meant or not question.asker.is_mentor:
        asked = f"Did you mean {meant}? " if meant else ""
        return f"I do not know that command. {asked}{HELP_SHOWS}", False
    student, _ = pick_students_for_example(question.asker)
    return f"I do not know that command. Ask for example {code('needs')} or {code(student)}. {HELP_SHOWS}", True


def offer_students(question: Question, unclear: UnclearStudent) -> Answer:
    """Whom they may mean, remembered to be chosen from by a number."""
    offered, sentence = unclear.students[:MOST_OFFERED], str(unclear)
    for student in offered:
        question.audit(student.student_id)
    if not offered:
        return sentence
    questions = [[*unclear.before, chosen_word(one.student_id), *unclear.after] for one in offered]
    with question.context.store.transaction():
        offer(question.zulip_user_id, questions, question.now)
    if len(offered) == 1:
        asking = f"{sentence}\nDid you mean **{name_of(offered[0])}**?"
        return WithButtons(f"{asking} Then answer {code('yes')}.", (Button("Yes", "yes"),), asking)
    names = [f"{number}. {name}" for number, name in enumerate(_tell_apart(offered), start=1)]
    more = len(unclear.students) - len(offered)
    ending = f"… and {more} more: write more of the name to find them. " if more else ""
    asking = f"{sentence}\n{WHICH_ONE}" if sentence else WHICH_ONE
    text = "\n".join([asking, "", *names, "", f"{ending}{ANSWER_WITH_NUMBER}"])
    buttons = tuple(Button(name, str(number)) for number, name in enumerate(names, start=1))
    return WithButtons(text, buttons, f"{asking} {ending}")


def _tell_apart(students: Sequence[Student]) -> list[str]:
    """Their names, disarmed, with the id of those whose names are the same."""
    names = [name_of(student) for student in students]
    return [
        f"{name} {event_ref(student.student_id)}" if names.count(name) > 1 else name
        for name, student in zip(names, students, strict=True)
    ]


def format_out_of_range(choice: Choice) -> str:
    count = len(choice.questions)
    return f"Please answer with a number from 1 to {count}." if count > 1 else "I offered you only one, number 1."
