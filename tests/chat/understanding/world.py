"""A school to ask about in one's own words: whether a phrase gets the answer that its plain command gets."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

from lms_bot.core.activities import ActivityType
from lms_bot.lms.people import Mentor, Student
from tests.worlds.chat_world import BOTH, MENTOR_OF, People, World, close_world, make_student, open_world

PHRASES = Path(__file__).with_name("phrases.txt")
NAMES = {
    "john_doe": "John Doe",
    "jane_smith": "Jane Smith",
    "tim_notley": "Tim Notley",
    "anna_kim": "Anna Kim",
    "zoe_brown": "Zoë Brown",
    "mai_le": "Mai Le",
    "will_open": "Will Open",
    "ama_owusu": "Ama Owusu",
}
STUDENTS = tuple(make_student(number, login, *name.split()) for number, (login, name) in enumerate(NAMES.items(), 21))
EXAMS = ("Algebra", "Mathematics Final Exam", "History of Art", "Physics 1")
CONTENTS = ("Introduction to Algebra", "Fractions", "Safety Video")
MENTORS = (
    Mentor(key=1, mentor_id=9001, username="arjun", email=None, name="Arjun Rao"),
    Mentor(key=2, mentor_id=9002, username="bob", email=None, name="Bob Miles"),
)
TAKEN_FOR = re.compile(r"\A↳ `[^`]*`\n\n")
NOT_ANSWERED = (
    "I do not know",
    "I cannot do that",
    "You are welcome",
    "I am not sure",
    "Which do you mean",
    "🤔",
    "You have no",
    "No student of that name",
)


class Phrase(NamedTuple):
    """What somebody says, and what they would type; `?` is what the bot cannot do."""

    said: str
    typed: str


def read_phrases() -> list[Phrase]:
    lines = PHRASES.read_text(encoding="utf-8").splitlines()
    return [Phrase(*(part.strip() for part in line.rsplit("=>", 1))) for line in lines if "=>" in line]


class SchoolPeople(People):
    """The one who asks mentors all students here, and is an admin."""

    def get_all_students(self) -> list[Student]:
        return list(STUDENTS)

    def get_mentors(self) -> list[Mentor]:
        return [*MENTORS, MENTOR_OF[BOTH]]


def fill(world: World) -> None:
    kinds = (ActivityType.EXAM_FAILED, ActivityType.EXAM_PASSED, ActivityType.EXAM_STARTED)
    for number, student in enumerate(STUDENTS):
        for exam, title in enumerate(EXAMS):
            known = {"percentage": 40 + 5 * number + exam}
            ago = timedelta(days=3 * number + exam)
            kind = kinds[(number + exam) % 3]
            world.add_event(student, kind, ago=ago, activity_title=title, activity_metadata=known)
        for title in CONTENTS:
            ago = timedelta(days=number + 1)
            world.add_event(student, ActivityType.CONTENT_WATCHED, ago=ago, activity_title=title)
        world.ask(f"note {student.username} from the start", BOTH)


@dataclass
class Asking:
    """Asks each phrase in a school of its own: what was chosen or written down before plays no part."""

    folder: Path
    numbers: int = 0

    def __post_init__(self) -> None:
        self._template = self.folder / "template.db"
        world = self._open(self._template)
        fill(world)
        world.store.database.execute_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        close_world(world)

    def _open(self, path: Path) -> World:
        world = open_world(f"sqlite:///{path}")
        people = SchoolPeople()
        people.students_of = {1: STUDENTS[:2], 2: STUDENTS[2:3], 3: STUDENTS}
        world.use_people(people)
        return world

    def answer(self, *lines: str) -> list[str]:
        self.numbers += 1
        path = Path(shutil.copy(self._template, self.folder / f"{self.numbers}.db"))
        world = self._open(path)
        try:
            return [TAKEN_FOR.sub("", world.ask(line, BOTH).text) for line in lines]
        finally:
            close_world(world)
            path.unlink()


class Outcome(NamedTuple):
    """`asked` is that it was asked back, or offered, and the right one."""

    phrase: Phrase
    is_right: bool
    is_offered: bool
    answer: str


def judge(asking: Asking, phrases: Sequence[Phrase]) -> Iterator[Outcome]:
    for one in phrases:
        if one.typed == "?":
            (answer,) = asking.answer(one.said)
            yield Outcome(one, answer.startswith(NOT_ANSWERED), False, answer)
            continue
        (wanted,) = asking.answer(one.typed)
        answer, confirmed, second = asking.answer(one.said, "yes", "2")
        asked_back = answer.startswith("🤔") and confirmed == wanted
        offered = (confirmed, second, asking.answer(one.said, "1")[-1])
        is_offered = answer.startswith(NOT_ANSWERED) and wanted in offered
        yield Outcome(one, answer == wanted or asked_back, is_offered, answer)


def add_up(outcomes: Sequence[Outcome]) -> dict[str, float]:
    """Shares of all: understood (of what cannot be done: not answered), offered, and answered wrongly."""
    count = len(outcomes)
    right = sum(one.is_right for one in outcomes)
    offered = sum(one.is_offered and not one.is_right for one in outcomes)
    helped = sum(not one.is_right and not one.is_offered and one.answer.startswith(NOT_ANSWERED) for one in outcomes)
    return {
        "understood": right / count,
        "offered": offered / count,
        "not understood": helped / count,
        "taken for something else": (count - right - offered - helped) / count,
    }


def main() -> None:
    """`python -m tests.chat.understanding.world`: the score, and what was not understood."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        outcomes = list(judge(Asking(Path(folder)), read_phrases()))
    for one in outcomes:
        if not one.is_right:
            mark = "offered" if one.is_offered else "WRONG"
            print(f"{mark}: {one.phrase.said} => {one.phrase.typed} | {one.answer[:90]!r}")
    print({name: round(share, 3) for name, share in add_up(outcomes).items()}, len(outcomes))


if __name__ == "__main__":
    main()
