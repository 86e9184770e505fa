"""Finding the student somebody means. Pure: it looks only among the students it is given."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from functools import cached_property
from itertools import chain, takewhile
from math import inf

from lms_bot.core.cache import ExpiringCache
from lms_bot.core.normalize import fold, normalize
from lms_bot.core.typos import find_nearest
from lms_bot.lms.people import Student

SHORTEST_BEGINNING = 2
"""So many letters, at least, are taken as the beginning of a name."""

LONGEST_COMPARED = 60
CUTOFF = 75
"""How similar a typo must be to what was meant: 100 is the same, and 75 still takes `jhon` for `john`."""

INDEXES_KEPT = 50
EVERYBODY_SECONDS = 50.0
CHOSEN = "\u2063"
"""Begins a word that means what was chosen from a list. It cannot be typed: words are without it."""


PLAIN_USERNAME = re.compile(r"[\w.@+-]{1,60}", re.ASCII)
"""What is easily typed, and no markup."""


def word_for(student: Student) -> str:
    """What to type for a student: the username where that is easily typed, else the id."""
    username = student.username
    return username if username and PLAIN_USERNAME.fullmatch(username) else str(student.student_id)


def chosen_word(student_id: int) -> str:
    """The word that finds this very student, whatever others are called. Nobody can type it."""
    return f"{CHOSEN}{student_id}"


class StudentIndex:
    """Students, to be found by their names; each name is normalized once, however many are looked for."""

    def __init__(self, students: Iterable[Student]) -> None:
        self._in_order = sorted(students, key=lambda student: (student.username, student.student_id))
        self._names = [_names(student) for student in self._in_order]

    def find(self, said: str) -> list[Student]:
        """The students who may be meant, by username; none if `said` says nothing.

        A username as it is written wins over a username in another case, that over an id, that over a name
        (display, first, last, full, or the username with other punctuation), that over one first with one last name
        of several, and that over the beginning of any of these. Accents and punctuation do not count.
        """
        normalized = normalize(said)
        if said.startswith(CHOSEN):
            return self._by_id.get(said.removeprefix(CHOSEN), [])
        if not normalized:
            return []
        return (
            self._by_username.get(said)
            or self._by_folded_username.get(fold(said))
            or self._by_id.get(normalized)
            or self._by_name.get(normalized)
            or self._by_short_name.get(normalized)
            or self._find_beginning(normalized)
        )

    def find_named(self, said: str) -> list[Student]:
        """The students who are called just so, by username or any name; no beginnings, no ids that were typed."""
        normalized = normalize(said)
        if said.startswith(CHOSEN):
            return self._by_id.get(said.removeprefix(CHOSEN), [])
        if not normalized or said.isdecimal():
            return []
        return (
            self._by_folded_username.get(fold(said))
            or self._by_name.get(normalized)
            or self._by_short_name.get(normalized)
            or []
        )

    def find_similar(self, said: str, limit: int) -> list[Student]:
        """At most so many students whose names are nearly what was said, the nearest first."""
        normalized = normalize(said)
        if not SHORTEST_BEGINNING < len(normalized) <= LONGEST_COMPARED:
            return []
        near = find_nearest(normalized, self._by_name, 3 * limit, CUTOFF)
        found = chain.from_iterable(self._by_name[name] for name in near)
        return list({student.student_id: student for student in found}.values())[:limit]

    def search(self, said: str) -> list[Student]:
        """Everybody whose id this is, or who has a name with a word that begins so."""
        normalized = normalize(said)
        found = [*self._by_id.get(normalized, []), *self._find_beginning(normalized)]
        return list({student.student_id: student for student in found}.values())

    def _find_beginning(self, normalized: str) -> list[Student]:
        if len(normalized) < SHORTEST_BEGINNING:
            return []
        first = bisect_left(self._beginnings, (normalized, -1))
        entries = (self._beginnings[at] for at in range(first, len(self._beginnings)))
        found = {index for _, index in takewhile(lambda entry: entry[0].startswith(normalized), entries)}
        return [self._in_order[index] for index in sorted(found)]

    @cached_property
    def _by_username(self) -> dict[str, list[Student]]:
        return self._index([student.username] for student in self._in_order)

    @cached_property
    def _by_folded_username(self) -> dict[str, list[Student]]:
        return self._index([fold(student.username)] for student in self._in_order)

    @cached_property
    def _by_id(self) -> dict[str, list[Student]]:
        return self._index([str(student.student_id)] for student in self._in_order)

    @cached_property
    def _by_name(self) -> dict[str, list[Student]]:
        return self._index(self._names)

    @cached_property
    def _by_short_name(self) -> dict[str, list[Student]]:
        return self._index(_short_names(student) for student in self._in_order)

    def _index(self, keys_of_students: Iterable[list[str]]) -> dict[str, list[Student]]:
        index = defaultdict(list)
        for student, keys in zip(self._in_order, keys_of_students, strict=True):
            for key in keys:
                index[key].append(student)
        index.pop("", None)
        return dict(index)

    @cached_property
    def _beginnings(self) -> list[tuple[str, int]]:
        """Every name from each of its words on, with the place of its student, sorted."""
        return sorted(
            {(rest, index) for index, names in enumerate(self._names) for name in names for rest in _rests(name)}
        )


class StudentIndexes:
    """Indexes made lately: a long roster is indexed once, and anew when it is another one. Threads share it."""

    def __init__(self) -> None:
        self._kept: ExpiringCache[Hashable, tuple[tuple[Student, ...], StudentIndex]] = ExpiringCache(INDEXES_KEPT)
        self._everybody: ExpiringCache[str, Mapping[int, Student]] = ExpiringCache()

    def get_everybody(self, fetch: Callable[[], Mapping[int, Student]], *, is_fresh: bool) -> Mapping[int, Student]:
        """All students there are, by id: what `fetch` gave lately, or where it shall be fresh gives now."""
        known = None if is_fresh else self._everybody.get("all")
        return self._everybody.put("all", fetch(), EVERYBODY_SECONDS) if known is None else known

    def get(self, whose: Hashable, students: Iterable[Student]) -> StudentIndex:
        """The index of these students, who are what `whose` has now."""
        roster = tuple(students)
        kept = self._kept.get(whose)
        if kept is None or kept[0] != roster:
            kept = self._kept.put(whose, (roster, StudentIndex(roster)), inf)
        return kept[1]


def _names(student: Student) -> list[str]:
    """Normalized; no name twice, and "" where there is none."""
    first, last = normalize(student.first_name), normalize(student.last_name)
    full = [f"{first} {last}", f"{last} {first}"] if first and last else []
    full += [] if not full or full[0].isascii() else [f"{last}{first}"]  # Chinese is written without the space
    return list(dict.fromkeys([normalize(student.username), normalize(student.display_name), first, last, *full]))


def _short_names(student: Student) -> list[str]:
    """`anna kim` and `anna maria` of Anna | Maria Kim."""
    first, last = normalize(student.first_name).split(), normalize(student.last_name).split()
    pairs = [(one, other) for one in first[:1] + first[-1:] for other in last[:1] + last[-1:]]
    return list(dict.fromkeys(f"{one} {other}" for one, other in pairs)) if len(first) + len(last) > 2 else []


def _rests(name: str) -> Iterator[str]:
    """ "john paul doe", "paul doe", "doe"."""
    words = name.split()
    return (" ".join(words[first:]) for first in range(len(words)))
