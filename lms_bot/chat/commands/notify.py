"""`notify`: how soon news of a type is told."""

from __future__ import annotations

from collections.abc import Sequence

from lms_bot.chat.commands.status import change, get_preferences, with_held_back
from lms_bot.chat.language.question import Command, Question, WrongArguments
from lms_bot.chat.language.words import strip_fillers
from lms_bot.core.activities import ActivityType
from lms_bot.core.markdown import code
from lms_bot.notify.formatter import EMOJI, LABELS
from lms_bot.notify.preferences import DAILY_AT, Preferences, When
from lms_bot.people.access import Audience

TYPE_NAMES = ", ".join(code(kind.value) for kind in ActivityType)

_HOW_SOON = {
    When.NOW: "at once",
    When.HOURLY: "every full hour",
    When.DAILY: f"every day at {DAILY_AT:%H:%M}",
    When.OFF: "not at all",
}
_WHENS = {
    When.NOW: ("now", "at once", "immediately", "instantly", "always", "on"),
    When.HOURLY: ("hourly", "every hour", "once an hour"),
    When.DAILY: ("daily", "every day", "once a day", "every evening"),
    When.OFF: ("off", "never", "none", "no", "not at all"),
}
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
    types, when = _read_notify(" ".join(strip_fillers(question.words)).casefold().replace("_", " "))
    notify = {**get_preferences(question).notify, **dict.fromkeys(types, when.value)}
    change(question, notify=notify)
    return with_held_back(question, format_notify(types, when))


def _read_notify(said: str) -> tuple[list[str], When]:
    for when, spellings in _WHENS.items():
        for spelling in spellings:
            if said.endswith(f" {spelling}"):
                return _read_types(said.removesuffix(spelling)), when
    raise WrongArguments("When shall I tell you: `now`, `hourly`, `daily`, or not at all (`off`)?")


def _read_types(said: str) -> list[str]:
    meant = find_types([word for word in said.split() if word not in _BETWEEN])
    if not meant:
        raise WrongArguments(f"Which events? I know {TYPE_NAMES}, `exams`, `contents` and `all`.")
    return [kind.value for kind in ActivityType if kind.value in meant]


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


def format_told(preferences: Preferences) -> list[str]:
    of_when: dict[When, list[str]] = {when: [] for when in When}
    for kind in ActivityType:
        of_when[preferences.get_when(kind.value)].append(kind.value)
    return [_format_told(when, types) for when, types in of_when.items() if types]


def _format_told(when: When, types: Sequence[str]) -> str:
    title = "🔕 **Not told:**" if when is When.OFF else f"🔔 **Told {_HOW_SOON[when]}:**"
    return f"{title} {_list_types(types)}"


def _list_types(types: Sequence[str]) -> str:
    if len(types) == len(ActivityType):
        return "everything"
    return ", ".join(f"{EMOJI[one]} {LABELS[one]}" for one in types)


COMMANDS = (
    Command(
        "notify", "notify <type or all> now|hourly|daily|off", "how soon you are told of events of a type",
        Audience.KNOWN, "notify content_watched daily", answer_notify,
    ),
)  # fmt: skip
