"""The commands: one table, from which parsing, help, usage, access and documentation follow."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from lms_bot.chat import admin_answers, answers, preference_answers
from lms_bot.chat.access import Asker, Audience
from lms_bot.chat.periods import PERIODS
from lms_bot.chat.question import Question
from lms_bot.chat.replies import PLAIN_USERNAME
from lms_bot.chat.words import strip_fillers
from lms_bot.markdown import code

HELP = "help"
ALL = "all"
"""Said with a command of which there is one about everybody, it means that one: `summary week all`."""

SOMEBODY = "john_doe"
"""The student in an example where the asker has none."""


@dataclass(frozen=True)
class Command:
    """What may be asked. `meaning` is one line; `{student}` in the example becomes one of the asker's own.

    An answer that is private holds what only the asker may read. One that needs the store is made while
    connected to it; the others are given while it is away, too.
    """

    name: str
    usage: str
    meaning: str
    audience: Audience
    example: str
    answer: Callable[[Question], str]
    aliases: tuple[str, ...] = ()
    is_private: bool = True
    needs_store: bool = True
    is_about_own_students: bool = False

    def get_example(self, student: str = SOMEBODY) -> str:
        return self.example.format(student=student)


def answer_help(question: Question) -> str:
    """What the asker may ask; with a command after it, all about that one."""
    asker = question.asker
    found, _ = find_command(question.words)
    command = choose_for(asker, found) if found else None
    if command is not None and command.name != HELP and asker.may_use(command.audience):
        return "\n".join([f"{code(command.name)}: {command.meaning}.", format_usage(command)])
    lines = [f"- {code(one.usage)}: {one.meaning}" for one in COMMANDS if asker.may_use(one.audience)]
    return "\n".join(["You can ask me:", "", *lines])


def format_usage(command: Command, student: str = SOMEBODY) -> str:
    return f"Usage: {code(command.usage)}\nFor example: {code(command.get_example(student))}"


def pick_student_for_example(asker: Asker) -> str:
    """A username of the asker's own that is easily typed."""
    usernames = (student.username for student in asker.students.values())
    return next(filter(PLAIN_USERNAME.fullmatch, usernames), SOMEBODY)


COMMANDS: tuple[Command, ...] = (
    Command(
        HELP,
        "help [command]",
        "what you can ask me",
        Audience.KNOWN,
        "help history",
        answer_help,
        aliases=("commands", "usage"),
        is_private=False,
        needs_store=False,
    ),
    Command(
        "stats",
        "stats",
        "how many events of your students there are, of each type",
        Audience.MENTORS,
        "stats",
        answers.answer_stats,
        aliases=("statistics",),
        is_about_own_students=True,
    ),
    Command(
        "summary",
        f"summary [{PERIODS}]",
        "what each of your students did, worst first",
        Audience.MENTORS,
        "summary 7 days",
        answers.answer_summary,
        is_about_own_students=True,
    ),
    Command(
        "history",
        "history <student> [N days]",
        "what one student did, newest first",
        Audience.KNOWN,
        "history {student} 7 days",
        answers.answer_history,
        is_about_own_students=True,
    ),
    Command(
        "students",
        "students",
        "your students and what each did last",
        Audience.MENTORS,
        "students",
        answers.answer_students,
        is_about_own_students=True,
    ),
    Command(
        "status",
        "status",
        "whether I am watching, and what is on its way to you",
        Audience.KNOWN,
        "status",
        answers.answer_status,
        is_about_own_students=True,
    ),
    Command(
        "notify",
        "notify <type or all> now|hourly|daily|off",
        "how soon you are told of events of a type",
        Audience.KNOWN,
        "notify content_watched daily",
        preference_answers.answer_notify,
    ),
    Command(
        "mute",
        "mute <student>|all [N days|until tomorrow|until 18:00]",
        "hold back the news of one student, or all, for some time",
        Audience.KNOWN,
        "mute {student} 3 days",
        preference_answers.answer_mute,
        is_about_own_students=True,
    ),
    Command(
        "unmute",
        "unmute <student>|all",
        "tell you again of a student, or of all, that you muted",
        Audience.KNOWN,
        "unmute {student}",
        preference_answers.answer_unmute,
        is_about_own_students=True,
    ),
    Command(
        "quiet",
        "quiet <from>-<to>|off [except failed|except nothing]",
        "hold back news at these times of the day, but perhaps failed exams",
        Audience.KNOWN,
        "quiet 21:00-07:00 except failed",
        preference_answers.answer_quiet,
        aliases=("quiet times", "quiet hours"),
    ),
    Command(
        "workdays",
        "workdays <days>|off",
        "hold back news on other days of the week",
        Audience.KNOWN,
        "workdays mon-fri",
        preference_answers.answer_workdays,
        aliases=("workday", "work days", "working days"),
    ),
    Command(
        "settings",
        "settings",
        "what you chose to be told and when, and what is held back now",
        Audience.KNOWN,
        "settings",
        preference_answers.answer_settings,
        aliases=("preferences", "setting"),
        is_about_own_students=True,
    ),
    Command(
        "stats all",
        "stats all",
        "how many events there are, told and not, and how many people I know",
        Audience.ADMINS,
        "stats all",
        admin_answers.answer_stats_all,
        aliases=("statistics all",),
    ),
    Command(
        "summary all",
        f"summary [{PERIODS}] all",
        "what every student did, worst first",
        Audience.ADMINS,
        "summary week all",
        admin_answers.answer_summary_all,
    ),
    Command(
        "errors",
        "errors",
        "what could not be told or read, by reason",
        Audience.ADMINS,
        "errors",
        admin_answers.answer_errors,
    ),
    Command(
        "pending",
        "pending",
        "what is still to be sent, to whom, since when and why",
        Audience.ADMINS,
        "pending",
        admin_answers.answer_pending,
    ),
    Command(
        "retry",
        "retry [all|<event id>…]",
        "send again what failed",
        Audience.ADMINS,
        "retry #12 #15",
        admin_answers.answer_retry,
    ),
    Command(
        "discard",
        "discard all|<event id>…",
        "give up for good what failed",
        Audience.ADMINS,
        "discard #12 #15",
        admin_answers.answer_discard,
    ),
    Command(
        "health",
        "health",
        "how the LMS, Zulip and my own store are",
        Audience.ADMINS,
        "health",
        admin_answers.answer_health,
        needs_store=False,
    ),
    Command(
        "poll now",
        "poll now",
        "look into the LMS at once",
        Audience.ADMINS,
        "poll now",
        admin_answers.answer_poll_now,
        aliases=("poll",),
    ),
    Command(
        "unmapped",
        "unmapped",
        "mentors whom I cannot find in Zulip",
        Audience.ADMINS,
        "unmapped",
        admin_answers.answer_unmapped,
    ),
)

_BY_NAME = {name: command for command in COMMANDS for name in (command.name, *command.aliases)}
_MOST_WORDS = max(len(name.split()) for name in _BY_NAME)


def find_command(words: Sequence[str]) -> tuple[Command | None, tuple[str, ...]]:
    """The command that the words begin with, or None, and the words after it. Asking nothing is `help`."""
    said = strip_fillers(words) or (HELP,)
    for length in range(_MOST_WORDS, 0, -1):
        name, rest = " ".join(said[:length]).casefold(), said[length:]
        if name in _BY_NAME:
            return _widen(name, rest)
    return None, said


def _widen(name: str, rest: tuple[str, ...]) -> tuple[Command, tuple[str, ...]]:
    """`summary week all` is `summary all week`."""
    wider = _BY_NAME.get(f"{name} {ALL}")
    if wider is not None and ALL in map(str.casefold, rest):
        return wider, tuple(word for word in rest if word.casefold() != ALL)
    return _BY_NAME[name], rest


def choose_for(asker: Asker, command: Command) -> Command:
    """The command itself, or the one about everybody where that is all the asker may use."""
    wider = _BY_NAME.get(f"{command.name} {ALL}")
    if wider is not None and not asker.may_use(command.audience) and asker.may_use(wider.audience):
        return wider
    return command


def find_similar(words: Sequence[str], asker: Asker) -> list[Command]:
    """At most two commands that the asker may use and may have meant."""
    names = {name: _BY_NAME[name] for name in _BY_NAME if asker.may_use(_BY_NAME[name].audience)}
    similar = [
        names[name]
        for said in _beginnings(words)
        for name in difflib.get_close_matches(said, names, n=2, cutoff=0.6)
    ]
    return list(dict.fromkeys(similar))[:2]


def _beginnings(words: Sequence[str]) -> Iterator[str]:
    """The first word alone, and then with it as many as a command may have."""
    for length in range(1, _MOST_WORDS + 1):
        yield " ".join(words[:length]).casefold()[:100]
