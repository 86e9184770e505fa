"""What the page shows and does: people, a school where one click makes something happen, trouble at will."""

from __future__ import annotations

import json
import logging
import queue
import random
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timezone
from typing import Any

import psycopg2

from lms_bot.sandbox.environment import DemoEnvironment, invite
from lms_bot.sandbox.lms.sample import MENTORS, STUDENTS, SUPERVISOR
from lms_bot.sandbox.page import path as page_path
from lms_bot.sandbox.page.path import Act, Path
from lms_bot.sandbox.page.trouble import CannotNow, Trouble
from lms_bot.sandbox.page.zulip_client import Conversation, ZulipClient

logger = logging.getLogger(__name__)

LOOK_SECONDS = 0.1
PATHS_SHOWN = 30
ADMINISTRATOR = 200
PASS_PERCENTAGES, FAIL_PERCENTAGES = range(62, 101), range(12, 48)
EVENT_TYPES = {"start": "exam_started", "pass": "exam_passed", "fail": "exam_failed", "watch": "content_watched"}

ROWS_SINCE = (
    "SELECT (SELECT count(*) FROM attempts WHERE greatest(date, last_answer_updated_time) >= %(began)s)"
    " + (SELECT count(*) FROM content_attempts WHERE greatest(created, completed_on) >= %(began)s)"
)
STUDENTS_WITH_MENTORS = (
    "SELECT username, coalesce(display_name, concat_ws(' ', first_name, last_name)),"
    ' ARRAY(SELECT mentors.username FROM "_MentorToStudent" JOIN mentors ON mentors.id = "A"'
    ' WHERE "B" = students.id ORDER BY 1) FROM students ORDER BY id'
)
EXAMS = "SELECT slug, title FROM exams ORDER BY id"
CONTENTS = 'SELECT title, content_type FROM "ChapterContent" WHERE "examId" IS NULL ORDER BY id'

OVER = "over"
Told = tuple[str, Any]  # kind and what: one thing the page is to hear


class PageBackend:
    """The environment, the people one can be, and whoever watches. Thread-safe; `close()` ends what it started."""

    def __init__(self, environment: DemoEnvironment) -> None:
        self.environment = environment
        self.began_at = time.time()
        people = {"mentor": MENTORS, "admin": (SUPERVISOR,), "student": STUDENTS}
        self._roles = {one.username: role for role, group in people.items() for one in group}
        self._clients = {
            one.username: ZulipClient(
                environment.zulip.site, invite(environment.zulip, one, ADMINISTRATOR if one is SUPERVISOR else 400)
            )
            for group in people.values()
            for one in group
        }
        self._names = {client.person.user_id: client.person.full_name for client in self._clients.values()}
        self._school = self._read_school()
        self.acts: list[Act] = []
        self._open_attempts: dict[tuple[str, str], int] = {}
        self._one_at_a_time = threading.Lock()
        self._trouble = Trouble(environment)
        self._watchers: list[queue.SimpleQueue[Told]] = []
        self._shown: dict[str, str] = {}
        self._rows: int | None = 0
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="page-backend", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._is_over.set()
        self._thread.join()
        self._tell(OVER, None)
        self._trouble.end()

    # ---- what there is ----

    def describe(self) -> dict[str, Any]:
        """What does not change: people, students with their mentors, exams, contents."""
        people = [
            {"username": name, "name": client.person.full_name, "role": self._roles[name]}
            for name, client in self._clients.items()
        ]
        return {"people": people, **self._school}

    def get_client(self, username: object) -> ZulipClient:
        """The Zulip client of somebody one can be; CannotNow where there is nobody of that name."""
        client = self._clients.get(username) if isinstance(username, str) else None
        if client is None:
            raise CannotNow("nobody of that name is here")
        return client

    def _read_school(self) -> dict[str, Any]:
        with self.environment.school.transaction() as sql:
            sql.execute(STUDENTS_WITH_MENTORS)
            students = [{"username": user, "name": name, "mentors": of} for user, name, of in sql.fetchall()]
            sql.execute(EXAMS)
            exams = [{"slug": slug, "title": title} for slug, title in sql.fetchall()]
            sql.execute(CONTENTS)
            contents = [{"title": title, "type": kind} for title, kind in sql.fetchall()]
        return {"students": students, "exams": exams, "contents": contents}

    # ---- what people do in Zulip ----

    def say(self, username: object, content: str) -> None:
        to = [self.environment.account.user_id]
        self.get_client(username).call("POST", "messages", type="direct", to=to, content=content)

    def edit(self, username: object, message_id: int, content: str) -> None:
        self.get_client(username).call("PATCH", f"messages/{message_id}", content=content)

    def get_source(self, username: object, message_id: int) -> str:
        """What was written, as opposed to how Zulip renders it."""
        found: str = self.get_client(username).call("GET", f"messages/{message_id}")["raw_content"]
        return found

    def react(self, username: object, message_id: int, emoji_name: str, is_on: bool) -> None:
        method = "POST" if is_on else "DELETE"
        self.get_client(username).call(method, f"messages/{message_id}/reactions", emoji_name=emoji_name)

    def show_typing(self, username: object, is_typing: bool) -> None:
        to = [self.environment.account.user_id]
        op = "start" if is_typing else "stop"
        self.get_client(username).call("POST", "typing", type="direct", to=to, op=op)

    # ---- what students do in the LMS ----

    def act(self, student: object, verb: object, what: object) -> int:
        """A student starts, passes, fails (an exam's slug) or watches (a content's title). Returns the act's id."""
        mentors = next((one["mentors"] for one in self._school["students"] if one["username"] == student), None)
        group, key = ("contents", "title") if verb == "watch" else ("exams", "slug")
        title = next((one["title"] for one in self._school[group] if one[key] == what), None)
        if mentors is None or title is None or verb not in EVENT_TYPES:
            raise CannotNow("there is no such student, exam or content, or nothing like that to do")
        stream = "content_attempts" if verb == "watch" else "attempts"
        with self._one_at_a_time:
            try:
                row_key = self._write(str(student), str(verb), str(what))
            except psycopg2.Error as error:
                raise CannotNow("the LMS is away, so nobody can work in it") from error
            act = Act(
                act_id=len(self.acts) + 1,
                student=str(student),
                verb=str(verb),
                title=title,
                stream=stream,
                row_key=row_key,
                event_type=EVENT_TYPES[str(verb)],
                written_at=time.time(),
                mentors=len(mentors),
            )
            self.acts.append(act)
        self._tell("path", Path(act).show(self._names))
        return act.act_id

    def _write(self, student: str, verb: str, what: str) -> int:
        """Into the LMS's tables, as an LMS would; returns the id of the row."""
        school = self.environment.school
        if verb == "watch":
            return school.watch_content(student, what)
        if verb == "start":
            self._open_attempts[student, what] = school.start_exam(student, what)
            return self._open_attempts[student, what]
        percentage = random.choice(PASS_PERCENTAGES if verb == "pass" else FAIL_PERCENTAGES)
        time_taken = f"0:{random.randrange(20, 60)}:00"  # nobody wants to watch that long
        attempt_id = self._open_attempts.get((student, what))
        if attempt_id is not None:
            school.finish_exam(attempt_id, verb, percentage, time_taken=time_taken)
            del self._open_attempts[student, what]
            return attempt_id
        ended: dict[str, Any] = {"result": verb, "percentage": percentage, "score": percentage}
        ended |= {"time_taken": time_taken}
        now = datetime.now(timezone.utc).replace(tzinfo=None)
        return school.start_exam(student, what, state="completed", last_answer_updated_time=now, **ended)

    # ---- trouble ----

    def make_trouble(self, kind: object, is_on: bool) -> None:
        """Begins or ends the trouble of this kind; returns when it has come to be. CannotNow for an unknown kind."""
        self._trouble.make(kind, is_on)

    # ---- who watches ----

    def watch(self) -> queue.SimpleQueue[Told]:
        """Hears from now on what comes to be, first of all how everything stands."""
        watcher: queue.SimpleQueue[Told] = queue.SimpleQueue()
        with self._one_at_a_time:
            acts = self.acts[-PATHS_SHOWN:]
            self._watchers.append(watcher)
        paths, _ = page_path.look(acts, self.environment.bot.stored, self._fetch_messages)
        watcher.put(("paths", [path.show(self._names) for path in paths]))
        for kind, what in list(self._shown.items()):
            if kind in ("trouble", "counts"):
                watcher.put((kind, json.loads(what)))
        return watcher

    def stop_watching(self, watcher: queue.SimpleQueue[Told]) -> None:
        with self._one_at_a_time, suppress(ValueError):
            self._watchers.remove(watcher)

    def converse(self, username: str, tell: Callable[[str, Any], None]) -> Conversation:
        """Follows one person's conversation with the bot."""
        return Conversation(self.get_client(username), self.environment.account, tell)

    def _watch(self) -> None:
        while not self._is_over.wait(LOOK_SECONDS):
            if self._watchers:
                try:
                    self._look()
                except Exception:  # the page goes on; the next look is soon
                    logger.exception("the page could not look at its environment")

    def _look(self) -> None:
        self._trouble.supervise()
        self._tell_if_new("trouble", self._trouble.describe())
        paths, arrivals = page_path.look(list(self.acts), self.environment.bot.stored, self._fetch_messages)
        for path in paths[-PATHS_SHOWN:]:
            self._tell_if_new(f"path {path.act.act_id}", path.show(self._names))
        rows = self._count_rows()
        self._tell_if_new(
            "counts", page_path.count(paths, arrivals, rows, self.began_at, self.environment.bot.stored)
        )

    def _count_rows(self) -> int | None:
        if self._trouble.is_lms_away:
            return self._rows
        with suppress(psycopg2.Error), self.environment.school.transaction() as sql:
            began = datetime.fromtimestamp(self.began_at, timezone.utc).replace(tzinfo=None)
            sql.execute(ROWS_SINCE, {"began": began})
            (self._rows,) = sql.fetchone() or (None,)
        return self._rows

    def _fetch_messages(self) -> list[Any]:
        return self.environment.zulip.messages(sender=self.environment.account)

    def _tell_if_new(self, kind: str, what: Any) -> None:
        text = json.dumps(what)
        if self._shown.get(kind) != text:
            self._shown[kind] = text
            self._tell(kind.partition(" ")[0], what)

    def _tell(self, kind: str, what: Any) -> None:
        with self._one_at_a_time:
            watchers = list(self._watchers)
        for watcher in watchers:
            watcher.put((kind, what))
