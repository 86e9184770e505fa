"""What people type is understood: phrases that the table does not hold, and each way that it does."""

from __future__ import annotations

import re
from collections import Counter
from datetime import timezone
from pathlib import Path

import pytest

from lms_bot.chat.commands.table import COMMANDS, find_command
from lms_bot.chat.language.student_index import CHOSEN, StudentIndex
from lms_bot.chat.understanding.reading import read
from lms_bot.chat.understanding.slots import Known
from lms_bot.chat.understanding.titles import TitleIndex
from lms_bot.chat.understanding.tokens import MOST_WORDS
from lms_bot.chat.understanding.understand import get_command_names
from lms_bot.chat.understanding.ways import REST, load_ways
from tests.chat.understanding.world import CONTENTS, EXAMS, STUDENTS, Asking, add_up, judge, read_phrases
from tests.worlds.chat_world import NOW

LEAST_WAYS, LEAST_LINES = 12, 500
SAID = {
    "{student}": "jane smith",
    "{exam}": "algebra",
    "{content}": "fractions",
    "{period}": "last week",
    "{time}": "until tomorrow",
    "{clock}": "21:00",
    "{range}": "21:00-07:00",
    "{days}": "monday",
    "{numbers}": "#12",
    "{types}": "passed exams",
    "{how}": "hourly",
    "{dates}": "2026-12-23..2027-01-06",
    "{any}": "owusu",
    "{command}": "history",
    REST: "was here",
}
"""What stands for each slot of a way."""

UNDERSTOOD, ANSWERED_WRONGLY = 0.92, 0.03
WAYS = load_ways()


def make_known() -> Known:
    titles = TitleIndex([*((True, title) for title in EXAMS), *((False, title) for title in CONTENTS)])
    return Known(StudentIndex(STUDENTS), titles, NOW, timezone.utc, get_command_names(WAYS))


def test_phrases_that_the_table_does_not_hold_are_understood(tmp_path: Path) -> None:
    phrases = read_phrases()
    in_table = {" ".join(one.words) for one in WAYS.ways}
    fresh = [one for one in phrases if one.said.casefold().strip("?!.") not in in_table]
    assert len(fresh) > 1600
    score = add_up(list(judge(Asking(tmp_path), fresh[::7])))  # `tests.chat.understanding.world` takes all
    assert score["understood"] >= UNDERSTOOD, score
    assert score["taken for something else"] <= ANSWERED_WRONGLY, score


def test_each_way_means_its_own_command() -> None:
    known, wrong = make_known(), []
    for way in WAYS.ways[::3]:
        said = " ".join(SAID.get(word, word) for word in way.words)
        best = read(said.split(), WAYS, known)
        if not best or best[0].way.says != way.says:
            wrong.append((said, way.says, best[0].says if best else None))
    assert len(wrong) <= 0.02 * len(WAYS.ways) / 3, wrong[:40]


def test_each_command_can_be_said_in_a_dozen_ways() -> None:
    ways = Counter(found.name for one in WAYS.ways if (found := find_command(one.says)[0]) is not None)
    few = {one.name: ways[one.name] for one in COMMANDS if ways[one.name] < LEAST_WAYS}
    assert len(WAYS.ways) >= LEAST_LINES
    assert few == {}


def test_a_way_names_only_slots_that_its_command_takes() -> None:
    for way in WAYS.ways:
        assert way.is_impossible or find_command(way.says)[0] is not None, way.says
        assert set(re.findall(r"{\w+}", " ".join(way.says))) <= {*way.words, "{period}"}, way


@pytest.mark.parametrize("said", ["x" * 10_000, "word " * 5_000, "john " * 200, "", "???", "\u2063", "{student}"])
def test_what_is_no_sentence_means_nothing(said: str) -> None:
    assert read(said.split(), WAYS, make_known()) == []


def test_a_sentence_of_many_names_is_still_read() -> None:
    words = ("john doe " * (MOST_WORDS // 2)).split()
    assert len(read(words, WAYS, make_known())) >= 0
    best = read(["which", "exams", "did", "jane", "smith", "fail", "last", "week"], WAYS, make_known())[0]
    assert best.says == ("failed", "last", "week", f"{CHOSEN}{STUDENTS[1].student_id}")
