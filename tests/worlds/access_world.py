"""A school with every kind of person in it, its LMS and Zulip over their wires, to see who is shown what."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lms_bot.app import App, build_app
from lms_bot.chat.reply import Reply
from lms_bot.chat.respond import respond
from lms_bot.settings.settings import load_settings
from lms_bot.store.conversation import AuditEntry, Choice
from lms_bot.store.database import rows
from lms_bot.zulip.gateway import Credentials

if TYPE_CHECKING:
    from lms_bot.sandbox.lms.school import School
    from lms_bot.sandbox.zulip import SandboxPerson, SandboxZulip

MENTORS = {  # username: supervisor
    "chief": None, "head": "chief", "anna": "head", "bob": "head", "carla": None, "bea": None, "meg": None,
    "gus": None, "robot": None, "gone": None,
}  # fmt: skip
STUDENTS = {  # username: display name, mentors
    "amber_a": ("Alice Amber", ["anna"]),
    "birch_b": ("Bruno Birch", ["bob"]),
    "hazel_h": ("Hanna Hazel", ["head"]),
    "cedar_c": ("Cleo Cedar", ["carla", "gus", "robot", "gone"]),
    "date_d": ("Dora Date", ["bea"]),
    "maple_m": ("Mia Maple", ["meg"]),
    "olive_o": ("Otto Olive", ["anna", "head", "carla", "bea", "meg"]),
    "twin_1": ("Tim Thorn", []),
    "twin_2": ("Tom Thorn", []),
    "idle_i": ("Ida Ivy", []),
}
SHARED = "olive_o"
EVERYBODYS_EXAM = "An Exam for Everybody"


@dataclass
class AccessWorld:
    """`people` are in Zulip; `student_ids` and `names` by username. Everybody did something, with a secret title."""

    lms: School
    zulip: SandboxZulip
    app: App
    people: dict[str, SandboxPerson]
    student_ids: dict[str, int]

    def ask(self, who: str, text: str, now: datetime | None = None) -> Reply:
        return respond(self.app.context, text, self.people[who].user_id, now=now)

    @contextmanager
    def students_may_ask(self, may: bool) -> Iterator[None]:
        usual = self.app.context
        self.app.context = replace(usual, access=replace(usual.access, students_may_ask=may))
        yield
        self.app.context = usual

    def get_audited(self) -> list[tuple[Any, ...]]:
        """Who looked at whom with which command, oldest first."""
        with self.app.store.session():
            columns = (AuditEntry.zulip_user_id, AuditEntry.student_id, AuditEntry.command)
            return rows(AuditEntry.select(*columns).order_by(AuditEntry.look_id))

    def forget_audited(self) -> None:
        with self.app.store.transaction():
            AuditEntry.delete().execute()

    def forget_choices(self) -> None:
        with self.app.store.transaction():
            Choice.delete().execute()

    def close(self) -> None:
        self.app.source.connection.close()
        self.app.store.close_thread()


def students_in(reply: Reply) -> set[str]:
    """The usernames of those whom the answer, or a file or button that comes with it, names in any way."""
    text = reply.text + "".join(file.content.decode("utf-8", "ignore") for file in reply.files)
    text += reply.heading + "".join(map(str, reply.buttons))
    return {one for one, (name, _) in STUDENTS.items() if one in text or name in text}


def title_of(name: str) -> str:
    """Of what only this student did; like no other title, so that nobody is asked whether they mean another."""
    return name[::-1]


def open_access_world(lms: School, zulip: SandboxZulip, folder: Path) -> AccessWorld:
    student_ids = _fill(lms)
    people = _add_people(zulip)
    user_map = folder / "map.csv"
    lines = [f"mentor,meg,{people['mapped mentor'].user_id}", f"student,birch_b,{people['mapped student'].user_id}"]
    user_map.write_text("\n".join(["lms_kind,lms_username,zulip_user", *lines, ""]), encoding="utf-8")
    section: dict[str, Any] = {
        "lms_db_url": lms.url,
        "lms_default_notify": "everything",
        "lms_bot_store": f"sqlite:///{folder / 'store.db'}",
        "lms_initial_lookback": "31536000",
        "lms_user_map": str(user_map),
        "lms_admins": f"{people['admin who mentors'].user_id}, {people['guest'].user_id}, robot@school.example.com",
        "lms_students_may_ask": "true",
    }
    bot = people["the bot"]
    app = build_app(
        load_settings(section, environ={}, dotenv=None), Credentials(bot.delivery_email, bot.api_key, zulip.site)
    )
    while app.monitor.process_activities():
        pass
    return AccessWorld(lms, zulip, app, people, student_ids)


def _fill(lms: School) -> dict[str, int]:
    """Everybody took an exam and saw a film of their own an hour ago, and all took one exam together."""
    for username, supervisor in MENTORS.items():
        lms.add_mentor(username, supervisor=supervisor)
    ids = {}
    for username, (name, mentors) in STUDENTS.items():
        first, last = name.split()
        ids[username] = lms.add_student(
            username,
            mentors=mentors,
            first_name=first,
            last_name=last,
            display_name=name,
            email="twins@students.example.com" if "twin" in username else f"{username}@students.example.com",
            is_active=username != "idle_i",
        )
    began_at = datetime.now(timezone.utc) - timedelta(hours=1)
    together, course = lms.add_exam(EVERYBODYS_EXAM), lms.add_course("Films")
    for username, (name, _) in STUDENTS.items():
        for exam in (lms.add_exam(title_of(name)), together):
            lms.finish_exam(lms.start_exam(username, exam, began_at), "fail", at=began_at + timedelta(minutes=30))
        lms.add_content(title_of(name), course=course)
        lms.watch_content(username, title_of(name), began_at)
    return ids


def _add_people(zulip: SandboxZulip) -> dict[str, SandboxPerson]:
    def add(name: str, address: str | None = None, **account: Any) -> SandboxPerson:
        address = address or f"{name.replace(' ', '.')}@elsewhere.example.com"
        return zulip.add_person(name.title(), email=address, delivery_email=address, **account)

    def staff(username: str) -> str:
        return f"{username}@school.example.com"

    def learner(username: str) -> str:
        return f"{username}@students.example.com"

    return {
        "the bot": add("the bot", is_bot=True),
        "admin": add("ada", role=200),
        "admin who mentors": add("bea", staff("bea")),
        "mentor": add("anna", staff("anna")),
        "supervisor": add("head", staff("head").upper()),
        "supervisor's supervisor": add("chief", staff("chief")),
        "other mentor": add("carla", staff("carla")),
        "mapped mentor": add("mapped mentor"),
        "student": add("alice", learner("Amber_A")),
        "mapped student": add("mapped student"),
        "twin": add("twin", learner("twins")),
        "inactive student": add("ida", learner("idle_i")),
        "stranger": add("sven"),
        "guest": add("gus", staff("gus"), role=600),
        "bot": add("robot", staff("robot"), is_bot=True),
        "deactivated": add("gone", staff("gone"), role=200, is_active=False),
    }
