"""What a sentence may mean: command lines, the surest first. Pure: of the table, the words and the asker's world."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lms_bot.chat.understanding.slots import Known, Slot, find_slots
from lms_bot.chat.understanding.tokens import MOST_WORDS, split_sentence, to_token
from lms_bot.chat.understanding.ways import PERIOD, REST, Way, Ways, slots_of
from lms_bot.core.normalize import normalize
from lms_bot.core.typos import find_nearest

MOST_ALTERNATIVES = 48
LONGEST_NAME = 3
NAMED = ("student", "exam", "content")
GUESS, NEAR_GUESS, TYPO, WITH_PERIOD, REST_OF_IT, STRANGE = 0.8, 0.94, 0.97, 0.985, 0.97, 0.92
ANYTHING = 0.93
"""What a reading is worth that takes words nobody knows for a name, corrects one, or goes beyond the table."""

FEWEST_AROUND_GUESS = 3
"""Words, with the guess: an unknown one alone names nobody."""

LEAST_REST, LEAST_GUESS = 0.75, 0.68
"""Less sure readings of these kinds are none."""

TAKES_PERIOD = frozenset(("failed", "passed", "inactive", "summary", "history", "export", "open"))
TYPO_CUTOFF = 80
SHORTEST_TYPO = 4


@dataclass(frozen=True)
class Reading:
    """`says` is the line as one would type it, `sureness` up to 1; a guess takes unknown words for a name."""

    says: tuple[str, ...]
    sureness: float
    way: Way
    is_guess: bool = False


@dataclass(frozen=True)
class _Word:
    token: str
    place: int
    worth: float = 1.0


Item = _Word | Slot


def read(said: Sequence[str], ways: Ways, known: Known) -> list[Reading]:
    """The readings of these words, the surest first, each line once; none of a message that is too long."""
    words = split_sentence(said) if len(said) <= MOST_WORDS else []
    if not words or len(words) > MOST_WORDS:
        return []
    best: dict[tuple[str, ...], Reading] = {}
    for alternative in _get_alternatives(words, ways, known):
        for one in _read_one(alternative, words, said, ways):
            if one.says not in best or best[one.says].sureness < one.sureness:
                best[one.says] = one
    if len(words) == 1:  # no other word bears out what a single one may mean
        best = {key: one for key, one in best.items() if _is_as_said(one, words[0][0])}
    return sorted(best.values(), key=lambda one: (-one.sureness, len(one.says)))


def _is_as_said(one: Reading, word: str) -> bool:
    return one.way.words[0].startswith("{") or one.way.words == (word.casefold().strip(",.!?;:"),)


def _get_alternatives(words: Sequence[tuple[str, int]], ways: Ways, known: Known) -> list[list[Item]]:
    """Which words may be names, and which not: the likeliest first, so many at most."""
    plain = [text for text, _ in words]
    found_slots = find_slots(plain, known)
    slots = _longest_of_each([*found_slots, *_guess_names(plain, ways, found_slots, known)])
    tokens = [_correct(text, ways) for text in plain]
    found: list[list[Item]] = []
    waiting: deque[tuple[int, list[Item]]] = deque([(0, [])])
    while waiting and len(found) < MOST_ALTERNATIVES:
        at, items = waiting.popleft()
        if at == len(words):
            found.append(items)
            continue
        token, worth, is_known = tokens[at]
        here = slots.get(at, ())
        further = [(one.end, [*items, one]) for one in here]
        if is_known or not token or not any(not one.is_guess for one in here):
            further.append((at + 1, [*items, *([_Word(token, at, worth)] if token else [])]))
        waiting.extendleft(reversed(further))
    return found


def _longest_of_each(slots: Sequence[Slot]) -> dict[int, list[Slot]]:
    """By where they begin, without those that are part of another of their kind; the longest first."""
    found: dict[int, list[Slot]] = defaultdict(list)
    for one in sorted(slots, key=lambda one: (one.is_guess, -one.end)):
        if not any(_is_part(one, other) for other in slots):
            found[one.start].append(one)
    return found


def _is_part(one: Slot, other: Slot) -> bool:
    is_within = other.start <= one.start and one.end <= other.end and one.kind == other.kind
    return is_within and (one.start, one.end) != (other.start, other.end)


def _guess_names(words: Sequence[str], ways: Ways, slots: Sequence[Slot], known: Known) -> Iterator[Slot]:
    """Runs of words that neither the table nor the asker's world knows: of somebody else, or with a typo."""
    covered = {at for one in slots for at in range(one.start, one.end)}
    is_named = any(one.kind == "student" for one in slots)
    strange = [at not in covered and is_strange(word, ways) for at, word in enumerate(words)]
    start = 0
    while start < len(words):
        end = start
        while end < len(words) and strange[end] and end - start < LONGEST_NAME:
            end += 1
        if end > start:
            says = tuple(word.strip(",.!?;:") for word in words[start:end])
            is_near = bool(known.students.find_similar(" ".join(says), 1))
            if not is_named:  # else it is somebody else's name, or none
                yield Slot("student", start, end, says, is_guess=True, is_near=is_near)
            yield from (Slot(kind, start, end, says, is_guess=True) for kind in NAMED[1:])
        start = max(end, start + 1)


def is_strange(word: str, ways: Ways) -> bool:
    token = to_token(word)
    return bool(token) and token not in ways.vocabulary and not token.isdecimal()


def _correct(word: str, ways: Ways) -> tuple[str, float, bool]:
    """The token, what it is worth, and whether the table knows it: a mistyped word is the one it resembles."""
    token = to_token(word)
    if not token or token in ways.vocabulary:
        return token, 1.0, True
    if len(token) >= SHORTEST_TYPO and not token.isdecimal():
        near = find_nearest(normalize(word), ways.spellings, 1, TYPO_CUTOFF)
        if near:
            return to_token(near[0]), TYPO, False
    return token, 1.0 if token.isdecimal() else STRANGE, False


def _read_one(
    items: Sequence[Item], words: Sequence[tuple[str, int]], said: Sequence[str], ways: Ways
) -> Iterator[Reading]:
    tokens = [_token_of(one) for one in items]
    slots = [one for one in items if isinstance(one, Slot)]
    worth = min((one.worth for one in items if isinstance(one, _Word)), default=1.0)
    worth *= min((_worth_of(one) for one in slots), default=1.0)
    yield from _match(tokens, slots, worth, ways)
    if PERIOD in tokens:
        period = next(one for one in slots if one.kind == "period")
        yield from _match_beyond(tokens, [one for one in slots if one is not period], period, worth, ways)
    yield from _match_rest(items, tokens, words, said, worth, ways)
    named = [one for one in slots if one.kind in NAMED]
    if len(named) == 1:
        anything = [("{any}" if token == f"{{{named[0].kind}}}" else token) for token in tokens]
        thing = Slot("any", named[0].start, named[0].end, _said_of(named[0], words), named[0].is_guess)
        others = [thing if one is named[0] else one for one in slots]
        yield from _match(anything, others, worth / GUESS * ANYTHING if named[0].is_guess else worth * TYPO, ways)


def _worth_of(slot: Slot) -> float:
    if slot.is_near:
        return NEAR_GUESS
    return GUESS if slot.is_guess else 1.0


def _token_of(item: Item) -> str:
    return f"{{{item.kind}}}" if isinstance(item, Slot) else item.token


def _said_of(slot: Slot, words: Sequence[tuple[str, int]]) -> tuple[str, ...]:
    return tuple(text.strip(",.!?;:") for text, _ in words[slot.start : slot.end])


def _match(
    tokens: Sequence[str], slots: Sequence[Slot], worth: float, ways: Ways, rest: tuple[str, ...] = ()
) -> Iterator[Reading]:
    is_guess = any(one.is_guess for one in slots)
    is_far = any(one.is_guess and not one.is_near for one in slots)
    if is_far and len(tokens) < FEWEST_AROUND_GUESS:
        return
    names_only = all(token.startswith("{") for token in tokens)
    for place, sureness in ways.find(tokens, slots_of(tokens)).items():
        way = ways.ways[place]
        if names_only and way.tokens != tuple(tokens):
            continue  # a number alone, say, is no question
        if not is_far or sureness * worth >= LEAST_GUESS:
            yield Reading(_fill(way.says, slots, rest), sureness * worth, way, is_guess)


def _match_beyond(
    tokens: Sequence[str], slots: Sequence[Slot], period: Slot, worth: float, ways: Ways
) -> Iterator[Reading]:
    """A period may be said with what is asked of a period, also where the table has it without."""
    for one in _match([token for token in tokens if token != PERIOD], slots, worth * WITH_PERIOD, ways):
        if one.says[0] in TAKES_PERIOD and PERIOD not in one.way.says:
            yield Reading((*one.says, *period.says), one.sureness, one.way, one.is_guess)


def _match_rest(
    items: Sequence[Item],
    tokens: Sequence[str],
    words: Sequence[tuple[str, int]],
    said: Sequence[str],
    worth: float,
    ways: Ways,
) -> Iterator[Reading]:
    """After a student, or a time, may come words that are kept as they are."""
    for at, item in enumerate(items[:-1]):
        if isinstance(item, Slot) and item.kind in ("student", "time") and not item.is_guess:
            following = words[item.end][1] if item.end < len(words) else len(said)
            slots = [one for one in items[: at + 1] if isinstance(one, Slot)]
            rest = tuple(said[following:])
            head = [*tokens[: at + 1], REST]
            for one in _match(head, slots, worth * REST_OF_IT, ways, rest):
                telling = ways.get_telling(head)
                if one.sureness >= LEAST_REST and telling and telling <= set(one.way.tokens):
                    yield one


def _fill(says: Sequence[str], slots: Sequence[Slot], rest: tuple[str, ...]) -> tuple[str, ...]:
    waiting: dict[str, deque[Slot]] = defaultdict(deque)
    for one in slots:
        waiting[f"{{{one.kind}}}"].append(one)
    filled: list[str] = []
    for word in says:
        if word == REST:
            filled += rest
        elif waiting.get(word):
            filled += waiting[word].popleft().says
        elif not word.startswith("{"):
            filled.append(word)
    return tuple(filled)
