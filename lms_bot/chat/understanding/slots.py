"""What a sentence names of the asker's own world: students, titles, periods, times, days, numbers, event types."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

from lms_bot.chat.language.dates import NUMBER, NUMBER_WORDS
from lms_bot.chat.language.moments import parse_clock, parse_clock_range, parse_days, parse_moment
from lms_bot.chat.language.periods import BackwardPeriod, parse_period
from lms_bot.chat.language.student_index import StudentIndex, chosen_word
from lms_bot.chat.understanding.titles import TitleIndex
from lms_bot.chat.understanding.tokens import get_spellings
from lms_bot.lms.people import Student

LONGEST = {"student": 4, "title": 8, "period": 7, "time": 5, "range": 7, "days": 6, "types": 4}
"""Words, by kind."""

_MONTHS = "january february march april may june july august september october november december"
_MONTH = "|".join(f"{month}|{month[:3]}" for month in _MONTHS.split()) + "|sept"
_DAY = "(?:mon|tues?|wed(?:nes)?|thu(?:rs?)?|fri|sat(?:ur)?|sun)(?:day)?s?"
_PERIOD_BEGINS = re.compile(
    rf"today|yesterday|this|last|past|previous|since|from|between|in|on|over|during|of|for|within|the|day|week|weekend"
    rf"|weeks|month|year|[0-9].*|{NUMBER}|{_MONTH}|{_DAY}"
)
_IN_PERIODS = frozenset(("in", "on", "during", "over", "within", "the"))
_FROM_ON = re.compile(rf"(?:{_DAY}|[0-9].*|.* (?:to|until|till|and|-) .*)(?: .*)?")
_TIME_BEGINS = re.compile(rf"until|til|till|by|for|[0-9].*|{NUMBER}|the|next|on|tomorrow|today|noon|{_DAY}")
_RANGE_BEGINS = re.compile(rf"from|between|[0-9].*|noon|midnight|midday|half|quarter|{'|'.join(NUMBER_WORDS)}")
_DAYS_BEGIN = re.compile(rf"weekdays?|weekends?|{_DAY}(?:[-,/].*)?|[a-z]{{3}}-[a-z]{{3}}")
_CLOCK = re.compile(r"[0-9]{1,2}(?:[:.h][0-5][0-9])(?: ?[ap]\.?m\.?)?|[0-9]{1,2} ?[ap]\.?m\.?|noon|midnight|midday")
_NUMBER = re.compile("#?[0-9]{1,9}(?:,#?[0-9]{1,9})*,?", re.ASCII)
_DATE = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_DATES = re.compile(
    rf"(?:from )?({_DATE.pattern})(?: ?(?:\.\.|-|to|until|till|through) ?({_DATE.pattern}))?", re.ASCII
)
_HOWS = {
    "now": "now|immediately|instantly|right away|straight away|at once|as they come|as it comes|as soon as possible",
    "hourly": "hourly|every hour|once an hour|each hour",
    "daily": "daily|every day|once a day|each day",
}
_TYPE = re.compile(
    r"(?:(?P<did>fail(?:s|ed|ing)?|pass(?:es|ed|ing)?|complet(?:e|es|ed|ing)|finish(?:es|ed|ing)?|start(?:s|ed|ing)?"
    r"|began|begun|watch(?:es|ed|ing)?|view(?:s|ed|ing)?) )?(?:an? |the |their |any )?"
    r"(?:exams?|tests?|quiz(?:zes)?|contents?|lessons?|videos?|materials?)(?: (?P<after>fail(?:ed|ures|ure)|passed"
    r"|completed|finished|started|watched|viewed|starts|completions))?"
)
_ASKING_HOW = frozenset(
    ["how", "what", "explain", "help", "usage", "syntax", "use", "used", "command", "mean", "means", "instructions"]
)
_ONESELF = frozenset(("i", "me", "my", "myself", "mine"))
_HELPERS = frozenset(("will", "may"))
_BEFORE_HELPERS = frozenset(["i", "you", "he", "she", "it", "we", "they", "who", "what", "that", "this", "there"])
SPELLINGS = get_spellings()
_ARTICLES = frozenset(("a", "an", "the", "their", "any"))


@dataclass(frozen=True)
class Slot:
    """The words from `start` on and before `end` name something of this kind; `says` is how one would type it.

    A guess stands for words nobody knows, a name of somebody else perhaps; one that `is_near` is much like a name of
    the asker's own students.
    """

    kind: str
    start: int
    end: int
    says: tuple[str, ...]
    is_guess: bool = False
    is_near: bool = False


@dataclass(frozen=True)
class Known:
    """What the asker's own world knows, and when and where the asker is. `oneself` is a student who asks."""

    students: StudentIndex
    titles: TitleIndex
    now: datetime
    zone: tzinfo
    commands: Collection[str] = ()
    oneself: Student | None = None


def find_slots(words: Sequence[str], known: Known) -> list[Slot]:
    """All that may be meant, also where one is part of another."""
    said = [_bare(word) for word in words]
    finders: tuple[Callable[[], Iterator[Slot]], ...] = (
        lambda: find_people(words, known),
        lambda: find_titles(words, known.titles),
        lambda: _find_periods(said, known),
        lambda: _find_times(said, known),
        lambda: _find_clocks(said),
        lambda: _find_days(said),
        lambda: _find_dates(said),
        lambda: _find_numbers(said),
        lambda: _find_hows(said),
        lambda: _find_types(said),
        lambda: _find_commands(said, known.commands),
    )
    return [slot for find in finders for slot in find()]


def _bare(word: str) -> str:
    return word.casefold().strip(",.!?;:()\"'")


def find_people(words: Sequence[str], known: Known) -> Iterator[Slot]:
    """The asker's students, and the asker, where that is one."""
    yield from _find_students(words, known.students)
    yield from _find_oneself(words, known.oneself)


def _spans(count: int, longest: int, starts: Collection[int] | None = None) -> Iterator[tuple[int, int]]:
    """Longest first, at each start."""
    for start in range(count) if starts is None else sorted(starts):
        for end in range(min(count, start + longest), start, -1):
            yield start, end


def _find_students(words: Sequence[str], index: StudentIndex) -> Iterator[Slot]:
    for start, end in _spans(len(words), LONGEST["student"]):
        said = tuple(words[start:end])
        if start and said[0].casefold() in _HELPERS and words[start - 1].casefold() in _BEFORE_HELPERS:
            continue  # `I will be away` is not of Will
        text = " ".join(said).strip(",.!?;:")
        found = index.find_named(text)
        if not found and text.endswith("s") and text.casefold() not in SPELLINGS:  # `johns card`; `does` is of no Doe
            found = index.find_named(text[:-1])
        if len(found) == 1:
            yield Slot("student", start, end, (chosen_word(found[0].student_id),))
        elif found:
            yield Slot("student", start, end, said)


def _find_oneself(words: Sequence[str], oneself: Student | None) -> Iterator[Slot]:
    for at, word in enumerate(map(_bare, words)):
        if oneself is not None and word in _ONESELF:
            yield Slot("student", at, at + 1, (chosen_word(oneself.student_id),))


def find_titles(words: Sequence[str], titles: TitleIndex) -> Iterator[Slot]:
    known = [titles.has_word(word) for word in words]
    for start, end in _spans(len(words), LONGEST["title"]):
        if all(known[start:end]):
            for kind in titles.find_kinds(words[start:end]):
                yield Slot(kind, start, end, tuple(words[start:end]))


def _find_periods(said: Sequence[str], known: Known) -> Iterator[Slot]:
    starts = [at for at, word in enumerate(said) if _PERIOD_BEGINS.fullmatch(word)]
    for start, end in _spans(len(said), LONGEST["period"], starts):
        try:
            period = parse_period(" ".join(said[start:end]), known.now, known.zone)
        except BackwardPeriod:
            period = None
        if period is not None and said[start] not in ("of", "the", "for") and said[end - 1] != "a":
            bare = [word for word in said[start:end] if word not in _IN_PERIODS]
            if bare[:1] == ["from"] and not _FROM_ON.fullmatch(" ".join(bare[1:])):
                bare = bare[1:]  # what is from last week is of last week
            yield Slot("period", start, end, tuple(bare or said[start:end]))


def _find_times(said: Sequence[str], known: Known) -> Iterator[Slot]:
    starts = [at for at, word in enumerate(said) if _TIME_BEGINS.fullmatch(word)]
    for start, end in _spans(len(said), LONGEST["time"], starts):
        text = " ".join(said[start:end]).removeprefix("for ").removeprefix("the ")
        if parse_moment(text, known.now, known.zone) is not None:
            yield Slot("time", start, end, tuple(text.split()))


def _find_clocks(said: Sequence[str]) -> Iterator[Slot]:
    starts = [at for at, word in enumerate(said) if _RANGE_BEGINS.fullmatch(word)]
    for start, end in _spans(len(said), LONGEST["range"], starts):
        text = " ".join(said[start:end])
        times = parse_clock_range(text)
        if times is not None and (":" in text or "m" in text or end - start > 1):
            yield Slot("range", start, end, (f"{times[0]:%H:%M}-{times[1]:%H:%M}",))
        if _is_clock(text, said[start - 1] if start else ""):
            yield Slot("clock", start, end, (f"{parse_clock(text):%H:%M}",))


def _is_clock(text: str, before: str) -> bool:
    is_plain = not text.isdecimal() or before in ("at", "after", "before", "past")
    return parse_clock(text) is not None and (is_plain or _CLOCK.fullmatch(text) is not None)


def _find_days(said: Sequence[str]) -> Iterator[Slot]:
    starts = [at for at, word in enumerate(said) if _DAYS_BEGIN.fullmatch(word)]
    for start, end in _spans(len(said), LONGEST["days"], starts):
        text = " ".join(_without_plural(word) for word in said[start:end])
        days = parse_days(text)
        if days and said[end - 1] not in ("and", "on", "only"):
            yield Slot("days", start, end, (",".join(days),))


def _without_plural(word: str) -> str:
    return word.removesuffix("s") if word.endswith("days") and word != "weekdays" else word


def _find_dates(said: Sequence[str]) -> Iterator[Slot]:
    """A day, or the first and the last of several, each with its year."""
    for start, end in _spans(
        len(said), 5, [at for at, word in enumerate(said) if word == "from" or _DATE.match(word)]
    ):
        match = _DATES.fullmatch(" ".join(said[start:end]))
        if match:
            yield Slot("dates", start, end, ("..".join(dict.fromkeys(filter(None, match.groups()))),))


def _find_numbers(said: Sequence[str]) -> Iterator[Slot]:
    for start, end in _spans(len(said), len(said), [at for at, word in enumerate(said) if _NUMBER.fullmatch(word)]):
        some = [word for word in said[start:end] if word != "and"]
        if said[end - 1] != "and" and all(map(_NUMBER.fullmatch, some)):
            numbers = [number for word in some for number in re.findall("[0-9]+", word)]
            yield Slot("numbers", start, end, tuple(f"#{number}" for number in numbers))
            return


def _find_hows(said: Sequence[str]) -> Iterator[Slot]:
    for start, end in _spans(len(said), 4):
        text = " ".join(said[start:end])
        for how, spellings in _HOWS.items():
            if text in spellings.split("|"):
                yield Slot("how", start, end, (how,))


def _find_types(said: Sequence[str]) -> Iterator[Slot]:
    for start, end in _spans(len(said), LONGEST["types"]):
        if _TYPE.fullmatch(" ".join(said[start:end])):
            yield Slot("types", start, end, tuple(word for word in said[start:end] if word not in _ARTICLES))


def _find_commands(said: Sequence[str], commands: Collection[str]) -> Iterator[Slot]:
    """The name of a command, where one asks about commands."""
    if _ASKING_HOW.isdisjoint(said):
        return
    for at, word in enumerate(said):
        if word in commands:
            yield Slot("command", at, at + 1, (word,))
