"""The parts of a sentence that may be all of what is meant: after a comma, after `I would like to know`. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

MOST_CLAUSES = 6
FEWEST_WORDS = 2
LONGEST_REASON = 6
"""Words."""

_ENDS = tuple(",;:.!?")
_JOINERS = frozenset(("and", "but", "so", "because", "cause", "bc", "cos", "therefore", "-", "\u2013", "\u2014"))
_LEADS_IN = frozenset(("to know", "to see", "to hear", "to find", "me know", "know if", "remind me", "was wondering"))
"""What is meant follows these."""

_BEGINS = frozenset(("tell me", "show me", "give me", "get me", "send me", "let me"))
"""What is meant begins with these."""

PRONOUNS = frozenset(("he", "him", "his", "she", "her", "hers", "they", "them", "their"))
_IS = frozenset(("is", "was", "has", "are", "im", "will", "be"))


class Clause(NamedTuple):
    """From `start` on and before `end`, in words."""

    start: int
    end: int


def find_clauses(words: Sequence[str]) -> list[Clause]:
    """All but the whole, those at the end first: people come to the point last."""
    cuts = [0, *_find_cuts(words), len(words)]
    between = [_without_joiner(words, start, end) for start, end in pairwise(cuts)]
    after = [Clause(at, len(words)) for at in _find_beginnings(words)]
    found = dict.fromkeys([*reversed(after), *reversed(between)])
    return [one for one in found if one.end - one.start >= FEWEST_WORDS and one != (0, len(words))][:MOST_CLAUSES]


def _find_cuts(words: Sequence[str]) -> Iterator[int]:
    for at, word in enumerate(words[1:], start=1):
        if words[at - 1].endswith(_ENDS) or word.casefold() in _JOINERS:
            yield at


def _without_joiner(words: Sequence[str], start: int, end: int) -> Clause:
    while start < end and words[start].casefold() in _JOINERS:
        start += 1
    return Clause(start, end)


def _find_beginnings(words: Sequence[str]) -> Iterator[int]:
    said = [word.casefold().strip(",.!?") for word in words]
    for at in range(len(said) - 1):
        pair = f"{said[at]} {said[at + 1]}"
        if pair in _LEADS_IN:
            yield at + 2
        elif pair in _BEGINS and at:
            yield at


def find_reason(words: Sequence[str], clause: Clause, names: Collection[int]) -> tuple[str, ...]:
    """Why, in a few words beside the clause: `ill` of `zoe is ill, leave her off the list`; () where none is said.

    `names` are the places of words that name the student.
    """
    for start, end in ((0, clause.start), (clause.end, len(words))):
        said = list(range(start, end))
        while said and (said[0] in names or words[said[0]].casefold() in PRONOUNS | _IS | _JOINERS):
            said.pop(0)
        if 0 < len(said) <= LONGEST_REASON:
            return tuple(words[at].strip(",.!?;:") for at in said)
    return ()
