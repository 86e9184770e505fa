"""No text of the LMS, of Zulip or of the chat becomes more than text in anything the bot writes.

A school whose every name, title, figure and reason is hostile is asked everything there is to ask, by a mentor and
by an admin, and told everything there is to tell. Each page must be made of exactly the same elements as the page
of a school with harmless words in the same places, and show those words as they are.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from lms_bot.chat.commands.table import COMMANDS
from lms_bot.core.activities import ActivityType
from lms_bot.core.markdown import disarm
from lms_bot.core.normalize import normalize
from lms_bot.lms.people import Mentor, Student
from lms_bot.notify.formatter import MessageFormatter
from lms_bot.operation.health import Check
from lms_bot.people.rosters import Roster
from lms_bot.people.users import UnmappedMentor
from lms_bot.store.conversation import Note
from lms_bot.store.messages import Correction
from lms_bot.store.models import LMSActivityEvent, RejectedRow
from tests.places import RECORDINGS
from tests.worlds.chat_world import ADMIN, MARIA, NOW, People, World, close_world, make_user, open_world
from tests.worlds.zulip_rules import TRICKS, as_seen, constructs, hostile_texts, marks, render_widely, text_of

if TYPE_CHECKING:
    from lms_bot.zulip.gateway import ZulipUser

RENDERED = RECORDINGS / "rendered.json"
RECORDED = [each["text"] for each in json.loads(RENDERED.read_text("utf-8"))] if RENDERED.exists() else []

LENGTH = 40  # short enough that no answer shortens it
SEEN_AT_LEAST = 10  # characters of a text that is to be seen; a few places have room for little more
FIRST, SECOND, THIRD = 11, 12, 13
ONE, TWO = "learner_one", "learner_two"
METADATA = ("score", "percentage", "result", "time_taken", "course_title", "chapter_name", "content_type")


class Words(dict[str, str]):
    """What stands in each place that foreign text can get to; each place asks once or always gets the same."""

    def __init__(self, choose: Callable[[int], str]) -> None:
        self._choose = choose

    def __missing__(self, place: str) -> str:
        text = self[place] = self._choose(len(self))
        return text


def harmless_words() -> Words:
    return Words(lambda number: f"word{number:03}y")


def hostile_words(texts: Sequence[str]) -> Words:
    """The texts in turn, as a database can hold them; a word, where there is nothing that a title is found by."""
    held = [text.encode(errors="ignore").decode().replace("\0", "")[:LENGTH] for text in texts]
    return Words(lambda number: _visible(held[number % len(held)]))


def _visible(text: str) -> str:
    return text if any(each.isalpha() for each in normalize(text)) else f"{text}x"


@dataclass
class ForeignPeople(People):
    """Everybody's names are foreign words; only what somebody must type is plain."""

    words: Words = field(default_factory=harmless_words)

    def __post_init__(self) -> None:
        self.zulip_users = {
            MARIA: make_user(MARIA, self.words["zulip name"], delivery_email="maria@school.example.com"),
            ADMIN: make_user(ADMIN, self.words["admin name"], role=200, delivery_email="ada@school.example.com"),
        }

    @property
    def students(self) -> dict[int, Student]:
        logins = {FIRST: ONE, SECOND: TWO, THIRD: self.words["username"]}
        return {key: self._student(key, login) for key, login in logins.items()}

    def _student(self, key: int, username: str) -> Student:
        first, last, shown = (self.words[f"{part} name {key}"] for part in ("first", "last", "display"))
        return Student(key, username, f"{username}@school.example.com", shown, first, last)

    def _mentor(self, key: int) -> Mentor:
        login, email, name = (self.words[f"mentor {part} {key}"] for part in ("username", "email", "name"))
        return Mentor(key, 9000 + key, login, email, name)

    def get_mentors_for_zulip_user(self, user: ZulipUser) -> list[Mentor]:
        return [self._mentor(1)] if user.user_id == MARIA else []

    def get_mentors_below(self, mentors: Sequence[Mentor]) -> list[Mentor]:
        return [self._mentor(2)] if mentors else []

    def get_roster(self, mentors: Sequence[Mentor]) -> Roster:
        return Roster(self.students, frozenset({THIRD}), NOW - timedelta(hours=1), is_stale=False)

    def get_all_students(self) -> list[Student]:
        return list(self.students.values())

    def get_unmapped_mentors(self) -> list[UnmappedMentor]:
        return [UnmappedMentor(self._mentor(3), self.words["unmapped reason"])]

    def get_mapping_stats(self) -> dict[str, int]:
        return {"mapped": 1}


def populate(world: World, words: Words) -> None:
    """What happened, at three students, in these words."""
    world.use_people(ForeignPeople(words=words))
    world.change(get_checks=lambda: [Check(words["check"], False, words["trouble"])])
    students = ForeignPeople(words=words).students
    for student in students.values():
        _let_learn(world, student, words)
    event = _let_do(world, students[FIRST], words["event type"][:32], "plain", words)
    world.add_delivery(event, "mentor:3", state="unmapped", reason=words["why unmapped"])
    world.add_delivery(event, "zulip:3", message=world.add_message(reason=words["why waiting"]))
    world.add_error(event, words["why failed"])
    with world.store.transaction():
        RejectedRow.create(
            **{name: words[f"row {name}"] for name in ("stream", "row_key", "problem", "reason")}, rejected_at=NOW
        )
        Note.create(
            student_id=FIRST, zulip_user_id=MARIA, author_name=words["author"], text=words["note"], created_at=NOW
        )


def _let_learn(world: World, student: Student, words: Words) -> None:
    for number, kind in enumerate(ActivityType):
        titles = ("plain", f"{words[f'title {number}']} plain {number}", f"plain {number} {words[f'title {number}']}")
        _let_do(world, student, kind.value, titles[student.student_id % 3], words, number)


def _let_do(world: World, student: Student, kind: str, title: str, words: Words, number: int = 0) -> Any:
    metadata = {name: words[f"{name} {number}"] for name in METADATA}
    columns: dict[str, Any] = {"event_type": kind, "activity_title": title, "activity_metadata": metadata}
    event = world.add_event(student, **columns, ago=timedelta(hours=number + 1))
    world.add_delivery(event, state="sent")
    return event


QUESTIONS = [
    *dict.fromkeys(command.get_example(ONE, TWO) for command in COMMANDS),
    *(command.name for command in COMMANDS),
    *("exam plain", "content plain", "find plain", "chart exam plain", "exam lain", "content lain", "no such thing"),
    *(f"student {TWO}", "history nobody", "history learner", "export all", f"notes {ONE}", f"done {ONE}", "settings"),
]
"""Whatever is asked, nothing foreign is typed."""


def ask_everything(world: World) -> dict[str, str]:
    return {f"{who}: {question}": ask(world, question, who) for question in QUESTIONS for who in (MARIA, ADMIN)}


def ask(world: World, question: str, who: int) -> str:
    """The answer as it is sent: with the addresses of its files."""
    reply = world.ask(question, who)
    text = reply.text
    for number, file in enumerate(reply.files):
        text = text.replace(f"](attachment:{number})", f"](/user_uploads/2/xy/{file.name})")
    return text


def tell_everything(world: World, words: Words) -> dict[str, str]:
    """A message of each kind, by the method that writes it."""
    formatter = world.context.formatters.long
    with world.store.session():
        events = list(LMSActivityEvent.select().order_by(LMSActivityEvent.event_id))
    told = {
        "format_student_name": formatter.format_student_name(events[0]),
        "format_notification_message": "\n\n".join(map(formatter.format_notification_message, events)),
        "format_group_messages": "\n\n".join(text for text, _ in formatter.format_group_messages(events)),
        "format_summary_message": formatter.format_summary_message(events, words["period"]),
        "format_alarm_message": formatter.format_alarm_message({words["alarm"]: 3, f"{words['alarm']} 2": 1}),
        "format_recovery_message": formatter.format_recovery_message(),
    }
    turned = Correction(was_type="exam_passed", was_percentage=70.0, event_type="exam_failed", percentage=30.0)
    corrected = copy(events[0])
    corrected.correction = turned
    told["format_correction_message"] = formatter.format_notification_message(corrected)
    for name in FORMATS - told.keys():
        told[name] = getattr(formatter, name)(events[-1], "❌", disarm(words["name"]))
    return told


FORMATS = {name for name in dir(MessageFormatter) if name.startswith("format_")}


def write_everything(folder: Path, words: Words) -> dict[str, str]:
    world = open_world(f"sqlite:///{folder / 'store.db'}")
    try:
        populate(world, words)
        return {**ask_everything(world), **tell_everything(world, words)}
    finally:
        close_world(world)


@pytest.fixture(scope="module")
def without_charts() -> Iterator[None]:
    """As without the extra: what is drawn is no markdown, and the text is the same."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "matplotlib", None)
        yield


@pytest.fixture(scope="module")
def usual(without_charts: None, tmp_path_factory: pytest.TempPathFactory) -> Written:
    return Written(tmp_path_factory.mktemp("harmless"), harmless_words())


class Written:
    """All that was written of a school in these words, and what each of it is made of."""

    def __init__(self, folder: Path, words: Words) -> None:
        self.words = words
        self.texts = write_everything(folder, words)
        self.pages = {name: text_of(render_widely(text)) for name, text in self.texts.items()}
        self.constructs = {name: constructs(text) for name, text in self.texts.items()}


dense_texts = st.lists(hostile_texts, min_size=20, max_size=20)


@settings(
    max_examples=4,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),  # to find the smallest of so much would take too long
    suppress_health_check=list(HealthCheck),
)
@given(dense_texts)
@example(RECORDED or TRICKS.split())
def test_foreign_text_is_text_in_every_answer_and_message(
    usual: Written, tmp_path_factory: pytest.TempPathFactory, texts: list[str]
) -> None:
    hostile = Written(tmp_path_factory.mktemp("hostile"), hostile_words(texts))
    assert hostile.words.keys() == usual.words.keys()
    for name, text in hostile.texts.items():
        assert hostile.constructs[name] == usual.constructs[name], f"{name}:\n{text}\n\n{usual.texts[name]}"
        for place, word in usual.words.items():
            if word in usual.pages[name] and "page" not in usual.pages[name]:
                seen = _plainly(as_seen(disarm(hostile.words[place])))[:SEEN_AT_LEAST]
                assert seen in _plainly(hostile.pages[name]), f"{name} lost {place} {seen!a}:\n{text}"


def _plainly(text: str) -> str:
    """Code spans show characters for which others that look the same stand elsewhere; types show no underscore."""
    return "".join(text.translate(str.maketrans("\u02cb\u2217\u2223", "`*|", "_")).split())


OWN = {
    *("strong", "code", "time", "ul", "ol", "li", "hr"),
    *("div.spoiler-block", "div.spoiler-header", "div.spoiler-content"),
}
"""What the bot's own answers are made of; besides, it links to the files it sends."""


@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
@given(hostile_texts)
def test_whatever_is_typed_comes_back_as_text(asked: World, text: str) -> None:
    for question in (text, *(f"{command.name} {text}" for command in COMMANDS), f"note {ONE} {text}", f"notes {ONE}"):
        for who in (MARIA, ADMIN):
            answer = ask(asked, question, who)
            found = marks(answer)
            assert found.pop("a", 0) == answer.count("](/user_uploads/2/xy/events-")
            assert not found.keys() - OWN, f"{question!a}:\n{answer}"


@pytest.fixture
def asked(without_charts: None, tmp_path: Path) -> Iterator[World]:
    world = open_world(f"sqlite:///{tmp_path / 'store.db'}")
    populate(world, harmless_words())
    yield world
    close_world(world)


NOT_SHOWN = {"first name", "last name"}  # the display name is; these are for finding students


def test_every_kind_of_foreign_text_is_shown_somewhere(usual: Written) -> None:
    everything = "\n".join(usual.pages.values())
    shown = {_kind_of(place) for place, word in usual.words.items() if word in everything}
    assert shown == {_kind_of(place) for place in usual.words} - NOT_SHOWN


def _kind_of(place: str) -> str:
    return place.rstrip(" 0123456789")
