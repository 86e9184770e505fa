"""How soon people are answered, by command, with a year of events stored; and how fast these are counted.

Every command of the table is asked that does not change anything, by mentors and by admins, with other students,
titles, periods and pages each time, as a message that has just arrived.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from math import ceil
from time import perf_counter
from typing import TYPE_CHECKING

from benchmarks.measuring import Report, at_most, doing, rounded, seconds_of
from benchmarks.year import MENTORS_IN_ZULIP, PARTS, PEOPLE_SQL, SUBJECTS, Year, write_year
from lms_bot.chat.commands.table import COMMANDS
from lms_bot.chat.language.student_index import StudentIndex
from lms_bot.chat.respond import respond
from lms_bot.chat.understanding.reading import read
from lms_bot.chat.understanding.slots import Known
from lms_bot.chat.understanding.titles import TitleIndex
from lms_bot.chat.understanding.understand import get_command_names
from lms_bot.chat.understanding.ways import load_ways
from lms_bot.core.clock import UTC, utc_now
from lms_bot.lms.people import Student
from lms_bot.people.access import Audience

if TYPE_CHECKING:
    from benchmarks.world import StoreKind, World
    from lms_bot.app import App
    from lms_bot.chat.language.question import Command

EVENTS, EVENTS_SMOKE = 2_000_000, 3_000
ASKED, ASKED_SMOKE = 60, 1
TARGET_MILLISECONDS = 150
ADMIN = "mentor200@school.example"  # who is no mentor in this LMS

READ_MILLISECONDS = 20

CHANGING = frozenset(one.name for one in COMMANDS if one.changes and one.name != "digest")
"""The commands left out: they change something, or wait for what is not ours."""

PERIODS = (
    "", "", "today", "yesterday", "this week", "last week", "7 days", "30 days", "3 months", "last month", "365 days",
)  # fmt: skip
PAGES = ("", "", "", "page 2")


def run(world: World, stores: Sequence[StoreKind], is_smoke: bool, events: int = EVENTS) -> Report:
    events, asked = (EVENTS_SMOKE, ASKED_SMOKE) if is_smoke else (events, ASKED)
    year = Year(events, utc_now())
    sizes = {"events": year.events, "students": year.students, "mentors": year.mentors, "asked_of_each": asked}
    report = Report("answers", sizes | {"commands_left_out": sorted(CHANGING)})
    for kind in stores:
        with world.new_lms() as lms, world.new_app(lms, kind, lms_admins=ADMIN) as app:
            lms.execute(PEOPLE_SQL, year.people)
            app.monitor.process_activities()
            _measure(report, kind, app, year, asked)
    seconds = sorted(_read_sentences())
    report.figures["sentence_milliseconds"] = _spread(seconds)
    report.targets.append(at_most("a sentence read, most milliseconds", 1000 * seconds[-1], READ_MILLISECONDS))
    return report


def _read_sentences() -> Iterator[float]:
    """Seconds to each reading, in the world of a mentor of many students, who did things of many titles."""
    students = [
        Student(one, f"student{one}", None, f"Given{one} Family{one % 977}", None, None) for one in range(2000)
    ]
    titles = [
        (one % 2 == 0, f"{PARTS[one % len(PARTS)]} {SUBJECTS[one % len(SUBJECTS)]} {one}") for one in range(5000)
    ]
    ways = load_ways()
    known = Known(StudentIndex(students), TitleIndex(titles), utc_now(), UTC, get_command_names(ways))
    said = [" ".join(one.words) for one in ways.ways[::40]]
    said = [text.replace("{student}", "given7 family7").replace("{period}", "last week") for text in said]
    said += [
        "which " * 39,
        "given1 family1 " * 20,
        "x" * 10_000,
        "word " * 5000,
        f"{said[0]} and {said[1]} or {said[2]}",
    ]
    read(["who", "failed"], ways, known)  # the first builds the indexes
    for text in said:
        began = perf_counter()
        read(text.split(), ways, known)
        yield perf_counter() - began


def _measure(report: Report, kind: StoreKind, app: App, year: Year, asked: int) -> None:
    zulip_ids = _get_zulip_ids(app)
    mentors = range(1, min(year.mentors, MENTORS_IN_ZULIP) + 1)
    write_year(app, year, {number: zulip_ids[_get_email(number)] for number in mentors})
    doing(f"answers, {kind}: counting the events")
    counting = seconds_of(lambda: app.counters.catch_up(patience_seconds=float("inf")))
    doing(f"answers, {kind}: asking every command {asked} times")
    taken = {
        f"{command.name} {who}".replace(" ", "_"): sorted(_ask(app, year, zulip_ids, command, who, asked))
        for command in COMMANDS
        for who in ("mentor", "admin")
        if command.name not in CHANGING and _may_ask(command, who)
    }
    everything = sorted(seconds for one in taken.values() for seconds in one)
    report.figures[kind] = {
        "counted_events_per_second": rounded(year.events / counting),
        "answer_milliseconds": _spread(everything),
        **{f"{name}_milliseconds": _spread(seconds) for name, seconds in taken.items()},
    }
    p95 = report.figures[kind]["answer_milliseconds"]["p95"]
    report.targets.append(at_most(f"{kind}: an answer, p95 milliseconds", p95, TARGET_MILLISECONDS))


def _get_zulip_ids(app: App) -> dict[str, int]:
    assert app.gateway is not None
    return {user.delivery_email: user.user_id for user in app.gateway.fetch_users() if user.delivery_email}


def _get_email(mentor: int) -> str:
    return f"mentor{mentor}@school.example"


def _may_ask(command: Command, who: str) -> bool:
    return command.audience is not (Audience.ADMINS if who == "mentor" else Audience.MENTORS)


def _ask(app: App, year: Year, zulip_ids: dict[str, int], command: Command, who: str, times: int) -> Iterator[float]:
    """Seconds to each of so many answers."""
    chance = random.Random(command.name)
    for _ in range(times):
        student = chance.randint(1, year.students_in_sight)
        asker = ADMIN if who == "admin" else _get_email(year.get_mentor(student))
        text = _make_question(command, student, year, chance)
        began = perf_counter()
        reply = respond(app.context, text, zulip_ids[asker])
        yield perf_counter() - began
        is_understood = "Usage:" not in reply.text or "There " in reply.text  # … are fewer pages, or is but one
        assert is_understood and reply.is_private is command.is_private, f"{text}: {reply.text}"


def _make_question(command: Command, student: int, year: Year, chance: random.Random) -> str:
    """The command as its usage says, each place filled."""
    other = student - 1 if student % 40 != 1 else min(student + 1, year.students)
    filled = {
        "<student>|all": f"student{student}",
        "[period]": chance.choice(PERIODS),
        "[page N]": chance.choice(PAGES),
        "[exams|content]": chance.choice(("", "exams", "content")),
        "<title>": f"{chance.choice(PARTS)} {chance.choice(SUBJECTS)} {chance.randint(1, 4)}",
        "<exam>": f"{chance.choice(PARTS)} {chance.choice(SUBJECTS)} {chance.randint(1, 4)}",
        "<mentor>": f"mentor{year.get_mentor(student)}",
        "<text>": chance.choice((*SUBJECTS, "Given7", "final")),
        "<name>": f"student{student}",
    }
    text = command.usage
    for place, word in filled.items():
        text = text.replace(place, word)
    text = text.replace("<student>", f"student{student}", 1).replace("<student>", f"student{other}", 1)
    return " ".join(re.sub(r"\[[^\]]*\]", "", text).split())


def _spread(seconds: list[float]) -> dict[str, float]:
    """Milliseconds; of sorted seconds."""
    places = {"median": 0.5, "p95": 0.95, "max": 1.0}
    return {name: rounded(1000 * seconds[ceil(place * len(seconds)) - 1]) for name, place in places.items()}
