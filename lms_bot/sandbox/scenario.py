"""The scripted demo: people act and ask, act by act, and every message is shown as it arrives."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from lms_bot.sandbox.environment import LOOK_SECONDS, BotDied, DemoEnvironment, IsOver, get_full_name, invite
from lms_bot.sandbox.lms.sample import EXAMS, MENTORS, STUDENTS, SUPERVISOR
from lms_bot.sandbox.transcript import Transcript
from lms_bot.sandbox.zulip import SandboxMessage

PATIENCE_SECONDS = 30.0  # with the bot, before the script goes on without its answer or news
QUIET_SECONDS = 1.5  # so long after the last message nothing more is to come: several polls

EVENTS = "SELECT count(*) FROM lms_activity_events"
TOLD = "SELECT zulip_message_id FROM lms_messages JOIN lms_deliveries USING (message_id)"
UNTOLD = "SELECT count(*) FROM lms_deliveries WHERE state NOT IN ('sent', 'unwanted', 'dead')"

Act = tuple[str, ...]  # the name of a verb of Scenario, and its arguments


class Scenario:
    """The school's mentors in Zulip, its students in the LMS, the bot between them, and somebody who watches.

    While anything is waited for, messages are shown, IsOver is raised once `is_over()`, and BotDied if the
    bot's process ends.
    """

    def __init__(self, transcript: Transcript, environment: DemoEnvironment, is_over: Callable[[], bool]) -> None:
        self.school = environment.school
        self._transcript = transcript
        self._zulip = zulip = environment.zulip
        self._account = environment.account
        self._bot = environment.bot
        self._is_over = is_over
        self._last_shown_id = 0
        self._last_shown_at = time.monotonic()
        self._attempts: dict[str, tuple[int, int | None]] = {}
        self._people = {person.username: invite(zulip, person) for person in MENTORS}
        self._people[SUPERVISOR.username] = invite(zulip, SUPERVISOR, role=200)
        self._names = {each.user_id: each.full_name for each in (self._account, *self._people.values())}

    def play(self, script: Iterable[Act], seconds_each: float) -> None:
        """Act by act, evenly, each of a student's recorded before the next; then until nothing more arrives."""
        for verb, *arguments in script:
            begun_at = time.monotonic()
            self._act(verb, arguments)
            self._show_until(begun_at + seconds_each)
        self._show_patiently_while(lambda: self._count(UNTOLD) > 0)
        self._last_shown_at = time.monotonic()
        self._show_while(lambda: time.monotonic() < self._last_shown_at + QUIET_SECONDS)

    def _act(self, verb: str, arguments: Sequence[str]) -> None:
        known = self._count(EVENTS)
        getattr(self, verb)(*arguments)
        if verb != "ask":
            self._show_patiently_while(lambda: self._count(EVENTS) == known)

    # ---- what people do: the verbs of a script ----

    def start_exam(self, student: str, exam: str, lesson: str | None = None) -> None:
        """`lesson` is the content that is this exam, if it is taken from within the course."""
        self._tell(f"{STUDENT_NAMES[student]} starts the exam: {EXAM_TITLES[exam]}")
        attempt_id = self.school.start_exam(student, exam)
        lesson_id = self.school.start_content(student, lesson, assessment_id=attempt_id) if lesson else None
        self._attempts[student] = (attempt_id, lesson_id)

    def finish_exam(self, student: str, result: str, percentage: str) -> None:
        """An empty `result` is an exam that somebody has yet to grade."""
        self._tell(f"{STUDENT_NAMES[student]} hands the exam in: {result or 'not graded yet'}")
        attempt_id, lesson_id = self._attempts.pop(student)
        taken: dict[str, Any] = {"time_taken": "0:45:00"}  # nobody wants to watch that long
        self.school.finish_exam(attempt_id, result or None, int(percentage) if percentage else None, **taken)
        if lesson_id is not None:
            self.school.complete_content(lesson_id)

    def watch(self, student: str, content: str) -> None:
        self._tell(f"{STUDENT_NAMES[student]} watches: {content}")
        self.school.watch_content(student, content)

    def complete(self, student: str, content: str) -> None:
        self._tell(f"{STUDENT_NAMES[student]} works through: {content}")
        self.school.complete_content(self.school.start_content(student, content))

    def ask(self, username: str, question: str) -> None:
        """Somebody writes to the bot and gets an answer."""
        asker = self._people[username]
        question_id = self._zulip.send(asker, self._account, question)

        def is_unanswered() -> bool:
            return not any(each.id > question_id for each in self._zulip.messages(sender=self._account, to=asker))

        self._show_patiently_while(is_unanswered)
        self._show_arrived()

    def _tell(self, text: str) -> None:
        self._transcript.write_aside(f"> {text}")

    # ---- showing ----

    def _show_patiently_while(self, goes_on: Callable[[], bool]) -> None:
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        self._show_while(lambda: goes_on() and time.monotonic() < give_up_at)

    def _show_until(self, moment: float) -> None:
        self._show_while(lambda: time.monotonic() < moment)

    def _show_while(self, goes_on: Callable[[], bool]) -> None:
        while goes_on():
            if self._is_over():
                raise IsOver
            exit_code = self._bot.exit_code
            if exit_code is not None:
                raise BotDied(f"The bot ended by itself, with exit code {exit_code}.")
            self._show_arrived(LOOK_SECONDS)

    def _show_arrived(self, seconds: float = 0.0) -> None:
        """Show what has arrived, or else what does within so many seconds."""
        try:
            self._zulip.wait_for(lambda message: message.id > self._last_shown_id, timeout=seconds)
        except TimeoutError:
            return
        for message in self._zulip.messages():
            if message.id > self._last_shown_id:
                self._last_shown_id = message.id
                self._last_shown_at = time.monotonic()
                self._transcript.write_message(self._direction(message), message.content)

    def _direction(self, message: SandboxMessage) -> str:
        names = [self._names.get(user_id, f"user {user_id}") for user_id in message.recipient_ids]
        where = ", ".join(names) if message.stream is None else f"#{message.stream}"
        return f"{self._names.get(message.sender_id, f'user {message.sender_id}')} → {where}"

    # ---- ending ----

    def end(self) -> None:
        """Stop the bot in order, and show what it still said and how much there was in all."""
        self._bot.stop()
        self._show_arrived()
        self._transcript.write(f"\n{self._format_counts()}")

    def _format_counts(self) -> str:
        """Events as stored; what the bot said as Zulip has it, messages apart from answers to questions."""
        told = {row[0] for row in self._bot.stored(TOLD)}
        said = {message.id for message in self._zulip.messages(sender=self._account)}
        counts = (
            _format_count(self._count(EVENTS), "event"),
            _format_count(len(said & told), "message"),
            _format_count(len(said - told), "answer"),
        )
        return f"Done: {', '.join(counts)}."

    def _count(self, query: str) -> int:
        """In the bot's store; 0 while that is not made yet."""
        return sum(number for (number,) in self._bot.stored(query))


def _format_count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


STUDENT_NAMES = {student.username: f"{get_full_name(student)} ({student.username})" for student in STUDENTS}
EXAM_TITLES = {slug: title for slug, title, *_ in EXAMS}
