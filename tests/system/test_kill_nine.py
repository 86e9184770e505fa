"""The real bot process, killed at any instant, loses nothing and doubles nothing; asked to end, it ends in time."""

from __future__ import annotations

import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lms_bot.sandbox.zulip import Fault, SandboxZulip
from tests.places import IS_THOROUGH
from tests.worlds.running_bot import BotProcess, Town, wait_until

if TYPE_CHECKING:
    from lms_bot.sandbox.lms.school import School

KILLS = 50 if IS_THOROUGH else 20
PAUSE_SECONDS = (0.03, 0.1)  # between two acts of the students
PATIENCE_SECONDS = 400.0  # a busy machine tells thousands of events for minutes


CORRECT_SQL = "UPDATE attempts SET percentage = %s WHERE id = %s"
TURN_SQL = "UPDATE attempts SET result = 'pass', percentage = 75 WHERE id = %s"
TURNS = 15
OUTCOMES = {None: "started", "pass": "passed", "fail": "failed"}
STORED_SQL = """
SELECT row_key, student_id, activity_id, outcome, percentage FROM lms_attempts AS attempt
JOIN lms_coursework AS about ON about.coursework_id = attempt.coursework_id WHERE is_shown
"""


@pytest.fixture
def town(lms: School, tmp_path: Path) -> Iterator[Town]:
    with SandboxZulip(requests_per_minute=1_000_000) as zulip:
        yield Town(lms, zulip, tmp_path)


class Students(threading.Thread):
    """They start and finish exams all the time, and results are corrected, until they are stopped."""

    def __init__(self, town: Town, seed: int) -> None:
        super().__init__(name="students", daemon=True)
        self._lms, self._exam, self._students = town.lms, town.exam, (town.john, town.zoe)
        self._random = random.Random(seed)
        self._stopped = threading.Event()
        self._running: list[int] = []
        self._finished: list[int] = []
        self.attempts: list[int] = []

    def run(self) -> None:
        while not self._stopped.wait(self._random.uniform(*PAUSE_SECONDS)):
            if self._running and self._random.random() < 0.5:
                attempt = self._running.pop(self._random.randrange(len(self._running)))
                self._lms.finish_exam(attempt, self._random.choice(("pass", "fail")))
                self._finished.append(attempt)
            elif self._finished and self._random.random() < 0.3:
                with self._lms.transaction() as sql:
                    score = self._random.randrange(100)
                    sql.execute(CORRECT_SQL, (score, self._random.choice(self._finished)))
            else:
                attempt = self._lms.start_exam(self._random.choice(self._students), self._exam)
                self._running.append(attempt)
                self.attempts.append(attempt)

    def stop(self) -> None:
        self._stopped.set()
        self.join()


def test_killed_again_and_again_under_load_it_tells_everybody_once(town: Town) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)  # shown when it fails
    chance = random.Random(seed)
    students = Students(town, seed)
    students.start()
    for number in range(KILLS):
        with town.run_bot(is_awaited=False, lms_group_seconds=0):
            if number % 2:
                wait_until_sending(town)
                time.sleep(chance.uniform(0.0, 0.2))
            else:
                time.sleep(chance.uniform(0.3, 1.0))
    students.stop()
    with town.run_bot(is_awaited=False, lms_group_seconds=0):
        town.wait_for_polls()
        wait_until(lambda: count_open(town) == 0, "all is told", PATIENCE_SECONDS)
    check_everybody_is_told_once(town, students)
    check_attempts(town)
    assert count_look_ups(town) > 0


def test_killed_while_results_turn_it_tells_each_correction_once(town: Town) -> None:
    with town.run_bot(lms_group_seconds=0):
        town.wait_for_polls()
        attempts = [town.lms.start_exam(town.zoe, town.exam) for _ in range(TURNS)]
        for attempt in attempts:
            town.lms.finish_exam(attempt, "fail")
        wait_until(lambda: count_told(town, " did not pass: ") == TURNS, "the failures are told")
    for turned in attempts:
        with town.run_bot(is_awaited=False, lms_group_seconds=0), town.lms.transaction() as sql:
            sql.execute(TURN_SQL, (turned,))
            time.sleep(random.uniform(0.0, 0.1))
    with town.run_bot(is_awaited=False, lms_group_seconds=0):
        wait_until(lambda: count_told(town, " is now passed 75% (was failed") >= TURNS, "the corrections are told")
        town.wait_for_polls()
        wait_until(lambda: count_open(town) == 0, "all is told", PATIENCE_SECONDS)
    assert count_told(town, " is now passed 75% (was failed") == TURNS
    check_attempts(town)


def count_told(town: Town, words: str) -> int:
    """How many of Carla's messages say so."""
    return sum(words in text for text in town.told("carla"))


def check_attempts(town: Town) -> None:
    """What the store says of each attempt is what the LMS says."""
    with town.lms.transaction() as sql:
        sql.execute("SELECT id::text, user_id, exam_id, result, percentage::float FROM attempts")
        rows = {key: (student, exam, OUTCOMES[result], mark) for key, student, exam, result, mark in sql.fetchall()}
    found = town.store.rows(STORED_SQL)
    assert {key: tuple(rest) for key, *rest in found} == rows


def wait_until_sending(town: Town) -> None:
    before = len(town.zulip.realm.messages)
    wait_until(lambda: len(town.zulip.realm.messages) > before, "a message is sent")


def count_open(town: Town) -> int:
    """Events nobody has been told of yet, and messages not settled."""
    events = town.store.value("SELECT count(*) FROM lms_activity_events WHERE NOT (has_deliveries AND is_settled)")
    return int(events + town.store.value("SELECT count(*) FROM lms_messages WHERE state != 'sent'"))


def count_look_ups(town: Town) -> int:
    """How often the bot looked for what it had sent to somebody."""
    return sum('"operator": "dm"' in one.narrow for one in town.zulip.requests)


def check_everybody_is_told_once(town: Town, students: Students) -> None:
    told: Counter[tuple[int, str]] = Counter()
    for name in ("anna", "bob", "carla"):
        told.update((event_id(text), name) for text in town.told(name) if "`#" in text)
    events = town.store.rows("SELECT event_id, attempt_id, student_id, event_type FROM lms_activity_events")
    assert told == Counter((event, name) for event, _, student, _ in events for name in mentors(town, student))
    assert len(told) > 10 * KILLS
    assert {attempt for _, attempt, _, _ in events} == set(students.attempts)
    assert len({(attempt, kind) for _, attempt, _, kind in events}) == len(events)
    check_books(town)


def check_books(town: Town) -> None:
    """What the store says of each event is what is in Zulip."""
    messages = [one for one in town.zulip.messages(sender=town.bot) if "`#" in one.content]  # others tell of concerns
    message_ids = {one.id: event_id(one.content) for one in messages}
    logs = town.store.rows(
        "SELECT event_id, notification_sent, notification_message_id, error_message FROM lms_event_logs"
    )
    assert {event for event, *_ in logs} == set(message_ids.values())
    for event, is_sent, message_id, error in logs:
        assert is_sent and error is None and message_ids[message_id] == event
    assert town.store.value("SELECT count(*) FROM lms_deliveries WHERE state != 'sent'") == 0


def mentors(town: Town, student: int) -> tuple[str, ...]:
    return ("anna", "bob") if student == town.john else ("carla",)


def event_id(text: str) -> int:
    """The event a message tells of: it ends in `` `#12` ``."""
    return int(text.rpartition("`#")[2].partition("`")[0])


# ---- asked to end ----


@contextmanager
def ended_while_sending(town: Town, with_signal: int) -> Iterator[Callable[[], float]]:
    """The bot with a send in hand; the value ends it and returns how many seconds that took."""
    with town.run_bot(lms_group_seconds=0) as process:
        town.wait_for_polls()
        town.lms.start_exam(town.zoe, town.exam)
        wait_until(lambda: states(town) == ["sending"], "a message is being sent")
        yield lambda: end(process, with_signal)


def end(process: BotProcess, with_signal: int) -> float:
    began = time.monotonic()
    assert process.end(with_signal) in (0, 130, -signal.SIGINT)
    assert "Traceback" not in process.output
    return time.monotonic() - began


def states(town: Town) -> list[str]:
    return [state for (state,) in town.store.rows("SELECT state FROM lms_messages ORDER BY message_id")]


@pytest.mark.parametrize("with_signal", [signal.SIGTERM, signal.SIGINT])
def test_asked_to_end_it_finishes_the_send_in_hand(town: Town, with_signal: int) -> None:
    town.zulip.faults.add(Fault("slow_after", seconds=1.5))
    with ended_while_sending(town, with_signal) as end_bot:
        town.lms.start_exam(town.zoe, town.exam)  # not to be begun any more
        assert end_bot() < 12
    assert states(town)[0] == "sent"
    assert "sending" not in states(town)
    assert len(town.told("carla")) == 1


def test_asked_to_end_while_zulip_is_slow_it_ends_in_time_and_sends_once(town: Town) -> None:
    town.zulip.faults.add(Fault("slow_before", seconds=14))
    with ended_while_sending(town, signal.SIGTERM) as end_bot:
        assert end_bot() < 12
    assert states(town) == ["sending"]
    with town.run_bot(lms_group_seconds=0):
        wait_until(lambda: states(town) == ["sent"], "it was found in Zulip")
    assert len(town.told("carla")) == 1
