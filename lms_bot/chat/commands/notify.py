"""`notify`, `watch`, `unwatch`: how somebody is told what happens, of all, of a type, of a student."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lms_bot.chat.commands.rendering import count, name_of
from lms_bot.chat.commands.status import change, format_own_level, get_preferences, with_held_back
from lms_bot.chat.language.arguments import UnclearStudent, read_student
from lms_bot.chat.language.question import Command, Question, WrongArguments
from lms_bot.chat.language.student_index import word_for
from lms_bot.chat.language.words import strip_fillers
from lms_bot.core.activities import ActivityType
from lms_bot.core.markdown import code
from lms_bot.lms.people import Student
from lms_bot.notify.formatter import EMOJI, LABELS
from lms_bot.notify.preferences import DAILY_AT, Preferences, When
from lms_bot.notify.welcome import MEANINGS
from lms_bot.people.access import Audience
from lms_bot.settings.checks import ALL_TYPES

MEANINGS_OF_STUDENT = {
    When.CALM: "failed exams and recoveries come at once, other results once an hour at most",
    When.DIGEST: "failed exams and recoveries come at once, all else in the digest",
    When.EVERYTHING: "you are told everything, as it comes",
    When.NOW: "you are told everything, as it comes",
    When.HOURLY: "you are told once an hour",
    When.DAILY: f"you are told every day at {DAILY_AT:%H:%M}",
    When.OFF: "you are told nothing, now or later",
}
NAMES_SHOWN = 5
TYPE_NAMES = ", ".join(code(kind.value) for kind in ActivityType)

_HOW_SOON = {
    When.CALM: "as calm has it",
    When.DIGEST: "in the digest",
    When.EVERYTHING: "as they come",
    When.NOW: "at once",
    When.HOURLY: "every full hour",
    When.DAILY: f"every day at {DAILY_AT:%H:%M}",
    When.OFF: "not at all",
}
_WHENS = {
    When.CALM: ("calm", "calmly", "quietly"),
    When.DIGEST: ("digest", "in the digest", "digest only"),
    When.EVERYTHING: ("everything", "every one"),
    When.NOW: ("now", "at once", "immediately", "instantly", "always", "on"),
    When.HOURLY: ("hourly", "every hour", "once an hour"),
    When.DAILY: ("daily", "every day", "once a day", "every evening"),
    When.OFF: ("off", "never", "none", "no", "not at all", "nothing"),
}
_TOLD_OF = {
    **{when: f"👁️ **Told {how} of:**" for when, how in _HOW_SOON.items()},
    When.EVERYTHING: "👁️ **Watched:**",
    When.OFF: "🔕 **Told nothing of:**",
}
_LIKE_OTHERS = ("default", "normal", "normally", "as usual", "like others", "reset")
_EXAMS = frozenset(kind.value for kind in ActivityType if kind.is_exam)
_CONTENTS = frozenset(kind.value for kind in ActivityType) - _EXAMS
_STARTS = frozenset(kind.value for kind in ActivityType if kind.is_start)
_ENDS = frozenset((ActivityType.EXAM_COMPLETED.value, ActivityType.CONTENT_COMPLETED.value))
_BETWEEN = frozenset(("a", "an", "are", "for", "is", "me", "my", "of", "the", "when"))
_WORDS_OF_TYPES = {
    "exam exams test tests quiz quizzes": _EXAMS,
    "content contents lesson lessons material materials course courses": _CONTENTS,
    "all everything every any events event activity activities": _EXAMS | _CONTENTS,
    "start starts started starting begin begins began begun": _STARTS,
    "complete completes completed finish finishes finished end ends ended done": _ENDS,
    "pass passes passed": frozenset({"exam_passed"}),
    "fail fails failed failing failure failures": frozenset({"exam_failed"}),
    "watch watches watched watching view views viewed video videos": frozenset({"content_watched"}),
}
"""What a word said of an event may mean. Several words mean what all of them may mean."""

_TYPES_OF_WORD = {word: types for words, types in _WORDS_OF_TYPES.items() for word in words.split()}


def answer_notify(question: Question) -> str:
    said = " ".join(strip_fillers(question.words)).casefold().replace("_", " ")
    what, when = _split_when(said)
    if when is None and said.startswith(("only ", "just ")):
        return _change_only(question, find_types([word for word in said.split()[1:] if word not in _BETWEEN]))
    if when is None and any(said.endswith(f" {spelling}") for spelling in _LIKE_OTHERS):
        return answer_unwatch(question)
    if when is None:
        raise WrongArguments(
            "How shall I tell you: `calm`, `digest`, `everything`, or of some types `now`, `hourly`, `daily`, `off`?"
        )
    types = find_types([word for word in what.split() if word not in _BETWEEN])
    if not what or len(types) == len(ActivityType):
        return _change_level(question, when)
    if not types:
        return _change_student(question, when, len(said.split()) - len(what.split()))
    chosen = [kind.value for kind in ActivityType if kind.value in types]
    change(question, notify={**get_preferences(question).notify, **dict.fromkeys(chosen, when.value)})
    return with_held_back(question, format_notify(chosen, when))


def _split_when(said: str) -> tuple[str, When | None]:
    """What is to be told, and how; "" is everything."""
    for when, spellings in _WHENS.items():
        for spelling in sorted(spellings, key=len, reverse=True):
            if said == spelling or said.endswith(f" {spelling}"):
                return said.removesuffix(spelling).strip(), when
    return said, None


def _change_level(question: Question, when: When) -> str:
    """For everything: what was chosen by type before holds no longer, what was by student does."""
    preferences = change(question, level=when.value, notify={})
    return with_held_back(question, format_level(preferences))


def _change_only(question: Question, types: frozenset[str]) -> str:
    """These at once, and nothing else but the digest."""
    if not types:
        raise WrongArguments("Only of what: `failed exams`, say?")
    notify = {kind.value: (When.NOW if kind.value in types else When.OFF).value for kind in ActivityType}
    change(question, notify=notify)
    what = _list_types([kind.value for kind in ActivityType if kind.value in types])
    answer = f"🔔 Told at once: {what}. Of all else nothing but the digest. {code('notify calm')} takes that back."
    return with_held_back(question, answer)


def _change_student(question: Question, when: When, words_of_when: int) -> str:
    words = strip_fillers(question.words)[:-words_of_when]
    try:
        student, _ = read_student(question, words=words, own_only=True)
    except UnclearStudent as unclear:
        if unclear.students:
            raise UnclearStudent(str(unclear), unclear.students, unclear.before, (when.value,)) from None
        raise WrongArguments(
            f"Which events, or which student of yours? I know {TYPE_NAMES}, `exams`, `contents` and `all`."
        ) from None
    return _set_student(question, student, when)


def _set_student(question: Question, student: Student, when: When) -> str:
    key = str(student.student_id)
    change(question, students={**get_preferences(question).students, key: when.value})
    undo = code(f"unwatch {word_for(student)}")
    answer = f"👁️ Of **{name_of(student)}** {MEANINGS_OF_STUDENT[when]}. {undo} takes that back."
    return with_held_back(question, answer)


def answer_watch(question: Question) -> str:
    student, _ = read_student(question, own_only=True)
    return _set_student(question, student, When.EVERYTHING)


def answer_unwatch(question: Question) -> str:
    words = strip_fillers(question.words)
    for spelling in _LIKE_OTHERS:
        ending = tuple(spelling.split())
        if tuple(word.casefold() for word in words[-len(ending) :]) == ending:
            words = words[: -len(ending)]
    student, _ = read_student(question, words=words, own_only=True)
    students = dict(get_preferences(question).students)
    was_chosen = students.pop(str(student.student_id), None) is not None
    change(question, students=students)
    if not was_chosen:
        return f"🔔 Of **{name_of(student)}** you are told as of all others already."
    return with_held_back(question, f"🔔 Of **{name_of(student)}** you are told as of all others again.")


def answer_notify_default(question: Question) -> str:
    """For all who chose nothing themselves."""
    said = " ".join(strip_fillers(question.words)).casefold()
    book = question.context.preferences
    if said in ("setting", "settings", "as set", "reset"):
        book.change_default(None)
    else:
        what, when = _split_when(said)
        if when is None or what:
            raise WrongArguments("What shall hold for who chose nothing: `calm`, `digest`, `everything` or `off`?")
        book.change_default({ALL_TYPES: when.value})
    question.context.on_preferences_changed()
    default = When(book.get_default().get(ALL_TYPES, When.CALM.value))
    return f"🛠️ Who chose nothing gets {code(default.value)} from now on: {MEANINGS[default]}."


def find_types(words: Sequence[str]) -> frozenset[str]:
    """The event types that all of the words may mean; none if there are no words."""
    meant = [_TYPES_OF_WORD.get(word, frozenset()) for word in words]
    return frozenset.intersection(*meant) if meant else frozenset()


def format_notify(types: Sequence[str], when: When) -> str:
    """What was chosen for these event types, and what that means."""
    what = _list_types(types)
    if when is When.OFF:
        return f"🔕 Not told at all, now or later: {what}. {code('history')} still shows it."
    return f"🔔 Told {_HOW_SOON[when]}: {what}."


def format_level(preferences: Preferences) -> str:
    """What holds for everything, and what that means."""
    level = preferences.general
    icon = "🔕" if level is When.OFF else "🔔"
    undo = "everything" if level in (When.CALM, When.DIGEST) else "calm"
    return f"{icon} {code(level.value)}: {MEANINGS[level]}. {code(f'notify {undo}')} changes that."


def format_told(preferences: Preferences, students: Mapping[int, Student]) -> list[str]:
    """The level, and what is told otherwise: by type, and by student, where they are the person's own."""
    level = preferences.general
    lines = [format_own_level(preferences)]
    of_when: dict[When, list[str]] = {}
    for kind in ActivityType:
        when = preferences.get_when(kind.value)
        if when is not level:
            of_when.setdefault(when, []).append(kind.value)
    lines += [_format_told(when, types) for when, types in of_when.items()]
    return lines + _format_told_of(preferences, students)


def _format_told_of(preferences: Preferences, students: Mapping[int, Student]) -> list[str]:
    of_when: dict[When, list[str]] = {}
    unknown = 0
    for key, when in preferences.students.items():
        if student := students.get(int(key)):
            of_when.setdefault(When(when), []).append(name_of(student))
        else:
            unknown += 1
    lines = [f"{_TOLD_OF[when]} {_list_names(names)}" for when, names in of_when.items()]
    return (
        [*lines, f"👁️ **Told otherwise of** {count(unknown, 'student')} not known to be yours now"]
        if unknown
        else lines
    )


def _list_names(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMES_SHOWN:,} more" if len(names) > NAMES_SHOWN else ""
    return f"{', '.join(names[:NAMES_SHOWN])}{more}"


def _format_told(when: When, types: Sequence[str]) -> str:
    title = "🔕 **Not told:**" if when is When.OFF else f"🔔 **Told {_HOW_SOON[when]}:**"
    return f"{title} {_list_types(types)}"


def _list_types(types: Sequence[str]) -> str:
    if len(types) == len(ActivityType):
        return "everything"
    return ", ".join(f"{EMOJI[one]} {LABELS[one]}" for one in types)


COMMANDS = (
    Command(
        "notify", "notify [<type or student>] calm|digest|everything|now|hourly|daily|off, notify only <type>",
        "how you are told what your students do", Audience.KNOWN, "notify calm", answer_notify,
        is_about_own_students=True, changes=True,
    ),
    Command(
        "watch", "watch <student>", "be told everything of one student, as it comes", Audience.KNOWN,
        "watch {student}", answer_watch, is_about_own_students=True, changes=True,
    ),
    Command(
        "unwatch", "unwatch <student>", "be told of a student as of all others again", Audience.KNOWN,
        "unwatch {student}", answer_unwatch, is_about_own_students=True, changes=True,
    ),
)  # fmt: skip


ADMIN_COMMANDS = (
    Command(
        "notify default", "notify default calm|digest|everything|off|setting",
        "how those are told who chose nothing themselves", Audience.ADMINS, "notify default calm",
        answer_notify_default, is_private=True, changes=True,
    ),
)  # fmt: skip
