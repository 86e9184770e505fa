"""Finding the student somebody means. Pure: it looks only among the students it is given."""

from __future__ import annotations

import difflib
import threading
from bisect import bisect_left
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from functools import cached_property
from itertools import chain, takewhile
from typing import TYPE_CHECKING

from lms_bot.core.cache import ExpiringCache
from lms_bot.core.normalize import normalize

if TYPE_CHECKING:
    from lms_bot.lms.people import Student

SHORTEST_BEGINNING = 2
"""So many letters, at least, are taken as the beginning of a name."""

MOST_COMPARED = 1000
"""Among more students than these no typo is looked for: comparing takes time."""

LONGEST_COMPARED = 60
CUTOFF = 0.75
DIRECTORIES_KEPT = 50
EVERYBODY_SECONDS = 50.0
CHOSEN = "\u2063"
"""Begins a word that means what was chosen from a list. It cannot be typed: words are without it."""


def chosen_word(student_id: int) -> str:
    """The word that finds this very student, whatever others are called. Nobody can type it."""
    return f"{CHOSEN}{student_id}"


class StudentIndex:
    """Students, to be found by their names; each name is folded once, however many are looked for."""

    def __init__(self, students: Iterable[Student]) -> None:
        self._in_order = sorted(students, key=lambda student: (student.username, student.student_id))
        self._names = [_names(student) for student in self._in_order]

    def find(self, said: str) -> list[Student]:
        """The students who may be meant, by username; none if `said` says nothing.

        A username as it is written wins over a username in another case, that over an id, that over a name
        (display, first, last or full), and that over the beginning of any of these. Accents do not count.
        """
        folded = normalize(said)
        if said.startswith(CHOSEN):
            return self._by_id.get(said.removeprefix(CHOSEN), [])
        if not folded:
            return []
        return (
            self._by_username.get(said)
            or self._by_folded_username.get(folded)
            or self._by_id.get(folded.removeprefix("#"))
            or self._by_name.get(folded)
            or self._find_beginning(folded)
        )

    def find_similar(self, said: str, limit: int) -> list[Student]:
        """At most so many students whose names are nearly what was said, the nearest first."""
        folded = normalize(said)
        if not SHORTEST_BEGINNING < len(folded) <= LONGEST_COMPARED or len(self._in_order) > MOST_COMPARED:
            return []
        names = difflib.get_close_matches(folded, self._by_name, n=3 * limit, cutoff=CUTOFF)
        found = chain.from_iterable(self._by_name[name] for name in names)
        return list({student.student_id: student for student in found}.values())[:limit]

    def search(self, said: str) -> list[Student]:
        """Everybody whose id this is, or who has a name with a word that begins so."""
        folded = normalize(said)
        found = [*self._by_id.get(folded.removeprefix("#"), []), *self._find_beginning(folded)]
        return list({student.student_id: student for student in found}.values())

    def _find_beginning(self, folded: str) -> list[Student]:
        if len(folded) < SHORTEST_BEGINNING:
            return []
        first = bisect_left(self._beginnings, (folded, -1))
        entries = (self._beginnings[at] for at in range(first, len(self._beginnings)))
        found = {index for _, index in takewhile(lambda entry: entry[0].startswith(folded), entries)}
        return [self._in_order[index] for index in sorted(found)]

    @cached_property
    def _by_username(self) -> dict[str, list[Student]]:
        return self._index(lambda student, names: [student.username])

    @cached_property
    def _by_folded_username(self) -> dict[str, list[Student]]:
        return self._index(lambda student, names: names[:1])

    @cached_property
    def _by_id(self) -> dict[str, list[Student]]:
        return self._index(lambda student, names: [str(student.student_id)])

    @cached_property
    def _by_name(self) -> dict[str, list[Student]]:
        return self._index(lambda student, names: names)

    def _index(self, keys: Callable[[Student, list[str]], list[str]]) -> dict[str, list[Student]]:
        index = defaultdict(list)
        for student, names in zip(self._in_order, self._names, strict=True):
            for key in keys(student, names):
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
    """StudentIndexes made lately: a long roster is folded once, and anew when it is another one. Threads share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, tuple[tuple[Student, ...], StudentIndex]] = OrderedDict()
        self._everybody: ExpiringCache[str, Mapping[int, Student]] = ExpiringCache()

    def get_everybody(self, fetch: Callable[[], Mapping[int, Student]], is_fresh: bool) -> Mapping[int, Student]:
        """All students there are, by id: what `fetch` gave lately, or where it shall be fresh gives now."""
        known = None if is_fresh else self._everybody.get("all")
        return self._everybody.put("all", fetch(), EVERYBODY_SECONDS) if known is None else known

    def get(self, whose: Hashable, students: Iterable[Student]) -> StudentIndex:
        """The directory of these students, who are what `whose` has now."""
        roster = tuple(students)
        with self._lock:
            kept = self._kept.get(whose)
        if kept is not None and kept[0] == roster:
            return kept[1]
        directory = StudentIndex(roster)
        with self._lock:
            self._kept[whose] = (roster, directory)
            self._kept.move_to_end(whose)
            while len(self._kept) > DIRECTORIES_KEPT:
                self._kept.popitem(last=False)
        return directory


def _names(student: Student) -> list[str]:
    """The folded username first, which may be ""; no name twice."""
    first, last = normalize(student.first_name), normalize(student.last_name)
    full = [f"{first} {last}", f"{last} {first}"] if first and last else []
    full += [] if not full or full[0].isascii() else [f"{last}{first}"]  # Chinese is written without the space
    others = [*filter(None, (normalize(student.display_name), first, last)), *full]
    apart = [name.replace("-", " ") for name in others]  # "Jean Luc" is Jean-Luc, and Jones is Ms Smith-Jones
    return list(dict.fromkeys([normalize(student.username), *others, *apart]))


def _rests(name: str) -> Iterator[str]:
    """"john paul doe", "paul doe", "doe"."""
    words = name.split()
    return (" ".join(words[first:]) for first in range(len(words)))
