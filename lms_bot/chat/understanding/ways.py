"""The table of ways to say each command: data, from `ways.txt`. Pure."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from lms_bot.chat.understanding.tokens import get_spellings, pairs_of, stem, to_token

REST = "{rest}"
"""Whatever follows: the text of a note, say."""

PERIOD = "{period}"
IMPOSSIBLE = ("?",)
HINT = "~ "
PAIR_WEIGHT = 0.3
SHORTEST_SPELLING = 3
UNNAMED = 0.85
"""What a sentence is worth that lacks the command's own name, where the way has it."""

TELLING = 1.5
"""A word that weighs so much says what is meant."""


_NOT = ("not", "no", "never", "stop", "off", "without", "end", "cancel", "unwatch", "unmute", "unsnooze", "less")
TURNING = {
    frozenset(map(stem, _NOT)): 0.75,
    frozenset(map(stem, ("all", "every"))): 0.85,
    frozenset(("mentor",)): 0.9,
    frozenset(("my", "mine", "our")): 0.9,
    frozenset(map(stem, ("again", "undo", "back"))): 0.9,
    frozenset(("only", "just")): 0.9,
    frozenset(("content",)): 0.85,
}
"""Words that turn what is said, and what a sentence is worth that has one where the other has none."""


@dataclass(frozen=True)
class Way:
    """`says` is how one would type what the sentence means; both have the same slots, such as `{student}`.

    A hint tells what is so (`{student} is ill`), not what to do about it: that is asked back.
    """

    says: tuple[str, ...]
    words: tuple[str, ...]
    tokens: tuple[str, ...]
    is_hint: bool = False

    @property
    def is_impossible(self) -> bool:
        """Whether this is what no command does: mark an exam, write to a student."""
        return self.says == IMPOSSIBLE

    @property
    def slots(self) -> tuple[str, ...]:
        return slots_of(self.tokens)


def slots_of(tokens: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(token for token in tokens if token.startswith("{")))


class Ways:
    """The table, to be looked through for what resembles a sentence."""

    def __init__(self, ways: Sequence[Way]) -> None:
        self.ways = ways
        self.vocabulary = frozenset(token for one in ways for token in one.tokens if not token.startswith("{"))
        said = (word.casefold() for one in ways for word in one.words if word.isalpha())
        self.spellings = get_spellings() | {word for word in said if len(word) > SHORTEST_SPELLING}
        self._weights = _weigh(ways)
        self._strangest = max(self._weights.values())
        self._features = [self.get_features(one.tokens) for one in ways]
        self._sets = [frozenset(one.tokens) for one in ways]
        self._sizes = [sum(one.values()) for one in self._features]
        self._telling = [self.get_telling(one.tokens) for one in ways]
        self._names = [name if (name := to_token(one.says[0])) in one.tokens else "" for one in ways]
        self._by_feature: dict[str, list[int]] = defaultdict(list)
        self._by_slots: dict[tuple[str, ...], set[int]] = defaultdict(set)
        for place, (one, features) in enumerate(zip(ways, self._features, strict=True)):
            self._by_slots[one.slots].add(place)
            for feature in features:
                self._by_feature[feature].append(place)

    def get_features(self, tokens: Sequence[str]) -> dict[str, float]:
        """Words, and neighbours, each with its weight: what few commands are said with weighs most."""
        features = {token: self._weigh(token) for token in tokens}
        for pair in pairs_of(tokens):
            first, second = pair.split(" ")
            features[pair] = PAIR_WEIGHT * (self._weigh(first) + self._weigh(second)) / 2
        return features

    def find(self, tokens: Sequence[str], slots: tuple[str, ...]) -> dict[int, float]:
        """How much each way with these slots is what was said: 1 is the same."""
        allowed = self._by_slots.get(slots)
        if not allowed:
            return {}
        features = self.get_features(tokens)
        size = sum(features.values())
        allowed = {place for place in allowed if self._may_be_meant(place, tokens)}
        shared: dict[int, float] = defaultdict(float)
        for feature, weight in features.items():
            for place in allowed.intersection(self._by_feature.get(feature, ())):
                shared[place] += weight
        said = frozenset(tokens)
        alike = {place: 2 * weight / (size + self._sizes[place]) for place, weight in shared.items()}
        return {place: much * self._agree(said, place) for place, much in alike.items()}

    def _agree(self, said: frozenset[str], place: int) -> float:
        """What turns a sentence into its opposite, or makes it one about everybody, is in both or in neither."""
        name = self._names[place]
        worth = UNNAMED if name and name not in said else 1.0
        for turning, much in TURNING.items():
            if turning.isdisjoint(said) != turning.isdisjoint(self._sets[place]):
                worth *= much
        return worth

    def _may_be_meant(self, place: int, tokens: Sequence[str]) -> bool:
        """They share a word that few commands are said with, unless the way is made of names and the like alone."""
        telling = self._telling[place]
        return not telling or not telling.isdisjoint(tokens)

    def get_telling(self, tokens: Iterable[str]) -> set[str]:
        """The words among them that few commands are said with."""
        return {token for token in tokens if not token.startswith("{") and self._weigh(token) >= TELLING}

    def _weigh(self, token: str) -> float:
        if token in "^$":
            return 0.5
        return 1.0 if token.startswith("{") else self._weights.get(token, self._strangest)


def _weigh(ways: Sequence[Way]) -> Mapping[str, float]:
    """By how few commands a word is said with."""
    said: dict[str, set[str]] = defaultdict(set)
    for one in ways:
        for token in one.tokens:
            said[token].add(one.says[0])
    count = len({one.says[0] for one in ways})
    return {token: math.log((count + 1) / len(of)) + 0.1 for token, of in said.items()}


def parse_ways(text: str) -> list[Way]:
    """`# command {slot}` above the ways to say it; `~` before a hint. A period may be left out: both are meant."""
    ways: list[Way] = []
    says: tuple[str, ...] = ()
    for line in text.splitlines():
        if line.startswith("# "):
            says = tuple(line.removeprefix("# ").split())
        elif line.strip():
            ways.append(_make(says, tuple(line.removeprefix(HINT).split()), is_hint=line.startswith(HINT)))
    without = [
        _make(_leave_out(one.says), _leave_out(one.words), is_hint=one.is_hint)
        for one in ways
        if PERIOD in one.words and len(one.words) > 1
    ]
    known = {one.tokens for one in ways}
    return [*ways, *(one for one in without if one.tokens not in known)]


def _leave_out(words: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(word for word in words if word != PERIOD)


def _make(says: tuple[str, ...], words: tuple[str, ...], *, is_hint: bool) -> Way:
    tokens = (word if word.startswith("{") else to_token(word) for word in words)
    return Way(says, words, tuple(filter(None, tokens)), is_hint)


@cache
def load_ways() -> Ways:
    return Ways(parse_ways((files(__package__) / "ways.txt").read_text(encoding="utf-8")))
