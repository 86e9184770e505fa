"""Conversations with the bot, as pairs of lines: who writes what, and what the bot answers.

What is written stands here; the answers stand in conversations.md, where they can be read, and from where doc.md
shows some. `python -m tests.worlds.conversations` writes them anew; read them before you keep them.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from lms_bot.chat.commands.notes import write_note
from lms_bot.core.activities import ActivityType
from lms_bot.notify.events import RetryOutcome
from lms_bot.store.concerns import Concern, ConcernKind
from lms_bot.store.messages import DeliveryState
from lms_bot.store.models import KeyValue, RejectedRow
from tests.worlds.chat_world import (
    ADMIN,
    AMA,
    ARJUN,
    GUEST,
    JANE,
    JOHN,
    JOSE,
    MARIA,
    NOW,
    PUPIL,
    SOFIA,
    ZOE,
    World,
    close_world,
    open_world,
)

ANSWERS = Path(__file__).with_name("conversations.md")
HEAD = "# Conversations\n\nWritten by `python -m tests.worlds.conversations`, which says who is who.\n"
SHOWN, OTHERS = "## Shown in doc.md\n", "## Others\n"
_ATTACHMENT = re.compile(r"\[([^\]]*)\]\(attachment:[0-9]+\)")
WHO = {"Maria": MARIA, "Sofia": SOFIA, "Ada": ADMIN, "John": PUPIL, "Gus": GUEST}
PASSED, FAILED, STARTED = ActivityType.EXAM_PASSED, ActivityType.EXAM_FAILED, ActivityType.EXAM_STARTED
WATCHED, COMPLETED = ActivityType.CONTENT_WATCHED, ActivityType.CONTENT_COMPLETED


@dataclass(frozen=True)
class Conversation:
    """What one person writes, line after line. `is_shown`: doc.md shows it."""

    title: str
    who: str
    lines: tuple[str, ...]
    is_shown: bool = False


def talk(title: str, who: str, lines: str) -> Conversation:
    return Conversation(title, who, tuple(line.strip() for line in lines.strip().splitlines()))


def show(title: str, who: str, lines: str) -> Conversation:
    return replace(talk(title, who, lines), is_shown=True)


CONVERSATIONS = (
    show("What one student did", "Maria", """
        show me history of john please
        history jane last week exams
        what did jane do yesterday?"""),
    show("How one student is doing", "Maria", """
        how is john doing?
        what about jane?
        john vs jane"""),
    show("In one's own words", "Maria", """
        who failed this week?
        and last month?
        which exams did john fail
        who got the best mark in physics midterm
        who hasn't done anything today
        stop telling me about jane
        i want to hear about jane again
        don't message me after 9pm
        hold everything back until monday
        delete all the errors
        order a pizza"""),
    show("A name that is not clear", "Maria", """
        history jo since monday
        2
        history jhon today
        yes
        compare jo and jane
        7
        the first"""),
    show("A period in plain words", "Maria", """
        summary
        failed this week
        passed mathematics final exam
        inactive yesterday
        best physics midterm
        history john 10-17 march
        history john 2026-03-17..2026-03-10
        history john fortnight
        summary 10/03/2026"""),
    show("All students", "Maria", """
        students
        stats
        summary march"""),
    show("An exam, a content, a word", "Maria", """
        exam math
        exam m
        2
        exam phisics
        content equations
        find jo
        find chem"""),
    show("A picture and a file", "Maria", """
        chart john 3 weeks
        chart exam mathematics final exam
        chart week
        export john last week
        export all"""),
    show("Writing things down", "Maria", """
        note john Talked to his parents; they'll help with *algebra*.
        notes john
        unnote #1
        unnote #2
        open
        done #3
        done jane
        open
        reopen #3"""),
    show("Who needs me", "Maria", """
        needs
        concerns john
        snooze jane 5 days ill
        needs
        unsnooze jane
        done john
        digest
        digest weekly mon 8:00
        watch jane
        unwatch jane
        notify digest
        notify calm"""),
    show("Being left in peace", "Maria", """
        mute john until monday
        quiet 21:00-07:00 except failed
        notify content watched daily
        workdays mon-fri
        settings
        unmute all"""),
    show("Somebody else's student", "Maria", """
        history zoe_m
        history nobody
        student 14
        mute zoe
        note zoe Hello"""),
    show("A student", "John", """
        history
        history last week exams
        student
        history jane
        students"""),
    show("A stranger", "Gus", """
        help
        history john"""),
    show("An admin", "Ada", """
        history zoe
        audit
        needs all
        notify default everything
        notify default setting
        holiday 2026-03-30..2026-04-10 Easter
        holidays
        summary week all
        students of arjun
        unmentored
        audit zoe
        delete all the errors
        no"""),
    talk("Help", "Maria", """
        help
        help history
        help summary
        help errors
        thanks!"""),
    talk("The bot and oneself", "Maria", """
        status
        whoami
        why do I get nothing?
        test"""),
    talk("A student asks for more", "John", """
        chart march
        chart week
        note john I am great
        help"""),
    talk("A supervisor", "Sofia", """
        students
        history zoe
        student ama
        whoami
        errors"""),
    talk("An admin and what went wrong", "Ada", """
        errors
        retry #14
        discard #14
        discard #99
        discard
        retry john
        pending
        health
        poll now
        unmapped"""),
    talk("An admin and everybody", "Ada", """
        students
        students all
        summary
        stats
        stats all
        student john
        compare john jane
        exam math
        find zo
        export john
        chart week
        mute john
        open
        whoami
        status
        history jhon
        help"""),
    talk("Wrong arguments", "Maria", """
        history
        history john since whenever
        history john page 99
        student
        student john now
        students all of them
        students page 2
        compare john
        compare john john
        exam
        content
        find
        chart
        chart john nonsense
        chart exam
        export
        export john nonsense
        note
        note john
        notes
        unnote
        unnote john
        done
        done #99
        reopen
        open nonsense
        summary nonsense
        notify
        notify bananas daily
        mute
        mute john nonsense
        unmute
        quiet
        workdays never ever"""),
    talk("Typos, and what is for others", "Maria", """
        histroy john
        sumary
        studnet john
        exmas
        hepl
        xyzzy
        2
        errors
        stats all
        health
        retry all"""),
)  # fmt: skip


def seed(world: World) -> None:
    """Five weeks in a school, with what the bot told of them."""

    def exam(student: Any, kind: ActivityType, title: str, days: float, percentage: int | None = None) -> None:
        known = {} if percentage is None else {"score": percentage // 5, "percentage": percentage}
        columns: dict[str, Any] = {"activity_title": title, "activity_metadata": known}
        event = world.add_event(student, kind, ago=timedelta(days=days), **columns)
        mentors = {JOHN: (MARIA, ARJUN), ZOE: (ARJUN,), AMA: (SOFIA,)}.get(student, (MARIA,))
        for mentor in mentors:
            world.add_delivery(event, f"zulip:{mentor}", state=DeliveryState.SENT.value)

    exam(JOHN, FAILED, "Mathematics Final Exam", 30, 45)
    exam(JOHN, PASSED, "Mathematics Final Exam", 12, 65)
    exam(JANE, FAILED, "Physics Midterm", 8.1, 38)
    exam(JANE, PASSED, "Mathematics Final Exam", 8, 92)
    exam(JOHN, WATCHED, "Linear Equations", 6)
    exam(JANE, STARTED, "Chemistry Basics", 5)
    exam(JOHN, PASSED, "Algebra: Quiz 1", 4, 80)
    exam(JOSE, COMPLETED, "Linear Equations", 3)
    exam(ZOE, PASSED, "Mathematics Final Exam", 2, 71)
    exam(AMA, FAILED, "Physics Midterm", 2, 20)
    exam(JANE, FAILED, "Physics Midterm", 1, 44)
    exam(JOHN, FAILED, "Physics Midterm", 0.5, 48)
    exam(JOHN, PASSED, "Physics Midterm", 0.1, 85)
    failed = world.add_event(ZOE, FAILED, activity_title="History Essay", activity_metadata={"percentage": 30})
    world.add_delivery(failed, "mentor:7", state=DeliveryState.UNMAPPED.value, reason="no Zulip user has the address")
    world.add_error(failed, "mentor chen.wei: no Zulip user has the e-mail address")
    with world.store.transaction():
        since = NOW - timedelta(days=9)
        facts: dict[str, Any] = {"exams": ["Physics Midterm"] * 3, "percentages": [48, 41, 39], "of_exam": 3}
        Concern.create(
            student_id=JOHN.student_id,
            kind=ConcernKind.FAILING,
            opened_at=NOW,
            changed_at=NOW,
            since_at=since,
            facts={**facts, "in_row": 3, "exam": "Physics Midterm"},
        )
        Concern.create(
            student_id=JANE.student_id,
            kind=ConcernKind.LEFT_OPEN,
            opened_at=NOW,
            changed_at=NOW,
            since_at=NOW - timedelta(days=5),
            facts={"exams": [["Chemistry Basics", since.isoformat()]], "count": 1},
        )
        KeyValue.put("last_good_poll", (NOW - timedelta(seconds=30)).isoformat())
        RejectedRow.create(
            stream="attempts", row_key="5", problem="unknown state", reason="state is 'limbo'", rejected_at=NOW
        )
        write_note(JANE.student_id, ARJUN, "Arjun", "Works better in the mornings.", now=NOW - timedelta(days=20))


@contextmanager
def seeded_world(folder: Path) -> Iterator[World]:
    """A world of its own for each conversation, on a copy of a store that is made once in the folder."""
    template, copy = folder / "template.db", folder / "store.db"
    if not template.exists():
        world = open_world(f"sqlite:///{template}")
        seed(world)
        with world.store.session():
            world.context.counters.catch_up()
            world.store.database.execute_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        close_world(world)
    shutil.copyfile(template, copy)
    world = open_world(f"sqlite:///{copy}", students_may_ask=True)
    world.events.outcome = RetryOutcome(retried=1, unknown_ids=[], nothing_to_do_ids=[], unmapped_ids=[])
    world.events.failed = {14}
    world.events.stats = {"total_events": 14, "processed_events": 13, "pending_events": 1}
    yield world
    close_world(world)
    for leftover in folder.glob("store.db*"):
        leftover.unlink()


def hold(conversation: Conversation, world: World) -> str:
    """The conversation as conversations.md has it."""
    parts = [f"### {conversation.title}\n"]
    for number, line in enumerate(conversation.lines):
        reply = world.ask(line, WHO[conversation.who], NOW + timedelta(seconds=10 * number))
        answer = _ATTACHMENT.sub(r"📎 \1", reply.text.replace("\u200b", ""))
        parts.append(f"**{conversation.who}:** {line}\n\n~~~~text\n{answer}\n~~~~\n")
    return "\n".join(parts)


def read_answers() -> dict[str, str]:
    """Each conversation as it was written, by its title."""
    parts = re.split(r"^#{2,3} ", ANSWERS.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {part.partition("\n")[0]: f"### {part}" for part in parts if "~~~~text" in part}


def read_single_answers() -> list[str]:
    """Each answer as it was written, once."""
    answers = re.findall(r"^~~~~text\n(.*?)\n~~~~$", ANSWERS.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return list(dict.fromkeys(answers))


def write() -> None:
    held = {}
    with tempfile.TemporaryDirectory() as folder:
        for conversation in CONVERSATIONS:
            with seeded_world(Path(folder)) as world:
                held[conversation] = hold(conversation, world)
    parts = [HEAD, SHOWN, *(held[one] for one in CONVERSATIONS if one.is_shown)]
    parts += [OTHERS, *(held[one] for one in CONVERSATIONS if not one.is_shown)]
    ANSWERS.write_text("\n".join(parts), encoding="utf-8")


if __name__ == "__main__":
    write()
