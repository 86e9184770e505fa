"""What a sentence may mean: command lines, the surest first. Pure: of the table, the words and the asker's world."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from lms_bot.chat.language.student_index import CHOSEN
from lms_bot.chat.understanding.clauses import PRONOUNS, find_clauses, find_reason
from lms_bot.chat.understanding.guesses import TYPO, correct, correct_time, correct_titles, guess_names
from lms_bot.chat.understanding.slots import Known, Slot, find_people, find_slots
from lms_bot.chat.understanding.tokens import MOST_WORDS, split_sentence, to_token
from lms_bot.chat.understanding.ways import PERIOD, REST, Way, Ways, slots_of
from lms_bot.core.normalize import normalize

MOST_ALTERNATIVES, MOST_IN_CLAUSE = 48, 12
NAMED = ("student", "exam", "content")
GUESS, NEAR_GUESS, WITH_PERIOD, REST_OF_IT = 0.8, 0.94, 0.985, 0.97
ANYTHING, UNNAMED, CLAUSE = 0.93, 0.95, 0.81
"""What a reading is worth that takes words nobody knows for a name, corrects one, goes beyond the table, takes a name
for a word, or is of a part of what was said: so little that nothing is done without being asked back."""

TO_BE_ASKED, PLAIN_REST = 0.81, 0.93
PLAIN = 0.82
"""Where all of it is read so surely, no part is looked at."""

FEWEST_IN_BABBLE = 12
FEWEST_AROUND_GUESS = 3
"""Words, with the guess: an unknown one alone names nobody."""

LEAST_REST, LEAST_GUESS = 0.75, 0.68
"""Less sure readings of these kinds are none."""

TAKES_PERIOD = frozenset(("failed", "passed", "inactive", "summary", "history", "export", "open"))
CARD = ("student", "{student}")
BEFORE_REST = tuple(frozenset(map(to_token, words)) for words in (("notes", "file", "record"), ("that", "saying")))
"""Words that may stand between a name and what is written down of it: one of these, then one of those."""


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
    if not words or len(words) > MOST_WORDS or _is_babble(words):
        return []
    words = [(correct_time(text, ways), place) for text, place in words]
    found = list(_read_words(words, said, ways, known, MOST_ALTERNATIVES))
    if max((one.sureness for one in found), default=0.0) < PLAIN:
        found += _read_clauses(words, said, ways, known)
    if len(words) == 1:  # no other word bears out what a single one may mean
        found = [one for one in found if _is_as_said(one, words[0][0])]
    best: dict[tuple[str, ...], Reading] = {}
    for one in found:
        if one.says not in best or best[one.says].sureness < one.sureness:
            best[one.says] = one
    # `stop` is said as the table has it, rather than as a part of a title
    return sorted(best.values(), key=lambda one: (-one.sureness, len(one.way.slots), len(one.says)))


def _read_words(
    words: Sequence[tuple[str, int]], said: Sequence[str], ways: Ways, known: Known, most: int
) -> Iterator[Reading]:
    for alternative in _get_alternatives(words, ways, known, most):
        yield from _read_one(alternative, words, said, ways)


def _read_clauses(
    words: Sequence[tuple[str, int]], said: Sequence[str], ways: Ways, known: Known
) -> Iterator[Reading]:
    """What a part may mean, less surely; `her` in it is the one student whom the sentence names."""
    plain = [text for text, _ in words]
    clauses = find_clauses(plain)
    named = list(find_people(plain, known)) if clauses else []
    whom = {one.says for one in named if len(one.says) == 1 and one.says[0].startswith(CHOSEN)}
    names = {at for one in named for at in range(one.start, one.end)}
    for clause in clauses:
        part = list(words[clause.start : clause.end])
        if len(whom) == 1 and names.isdisjoint(range(clause.start, clause.end)):
            (student,) = next(iter(whom))
            part = [(student if text.casefold() in PRONOUNS else text, place) for text, place in part]
        end = words[clause.end][1] if clause.end < len(words) else len(said)
        for one in _read_words(part, said[:end], ways, known, MOST_IN_CLAUSE):
            says = one.says
            if says[0] == "snooze" and REST not in one.way.words:
                says += find_reason(plain, clause, names)
            yield replace(one, says=says, sureness=one.sureness * CLAUSE)


def _is_babble(words: Sequence[tuple[str, int]]) -> bool:
    """The same few words again and again."""
    return len(words) > FEWEST_IN_BABBLE and 3 * len({text.casefold() for text, _ in words}) < len(words)


def _is_as_said(one: Reading, word: str) -> bool:
    return one.way.words[0].startswith("{") or one.way.words == (word.casefold().strip(",.!?;:"),)


def _get_alternatives(words: Sequence[tuple[str, int]], ways: Ways, known: Known, most: int) -> list[list[Item]]:
    """Which words may be names, and which not: the likeliest first, so many at most."""
    plain = [text for text, _ in words]
    found_slots = find_slots(plain, known)
    found_slots += correct_titles(plain, ways, found_slots, known)
    slots = _longest_of_each([*found_slots, *guess_names(plain, ways, found_slots, known)])
    tokens = [correct(text, ways) for text in plain]
    found: list[list[Item]] = []
    waiting: deque[tuple[int, list[Item]]] = deque([(0, [])])
    while waiting and len(found) < most:
        at, items = waiting.popleft()
        if at == len(words):
            found.append(items)
            continue
        token, worth, is_known = tokens[at]
        here = slots.get(at, ())
        further = [(one.end, [*items, one]) for one in here]
        if is_known or not token or all(one.is_guess or one.is_near for one in here):
            is_name = any(one.kind == "student" and not one.is_guess for one in here)
            word = _Word(token, at, worth * UNNAMED if is_name else worth)
            further.append((at + 1, [*items, *([word] if token else [])]))
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
        sure = sureness * worth
        if not is_far or sure >= LEAST_GUESS:
            sure = min(sure, TO_BE_ASKED) if way.is_hint else sure
            yield Reading(_fill(way.says, slots, rest), sure, way, is_guess)


def _match_beyond(
    tokens: Sequence[str], slots: Sequence[Slot], period: Slot, worth: float, ways: Ways
) -> Iterator[Reading]:
    """A period may be said with what is asked of a period, also where the table has it without."""
    for one in _match([token for token in tokens if token != PERIOD], slots, worth * WITH_PERIOD, ways):
        if PERIOD in one.way.says:
            continue
        if one.says[0] in TAKES_PERIOD:
            yield Reading((*one.says, *period.says), one.sureness, one.way, one.is_guess)
        elif one.way.says == CARD:  # how somebody is doing in a time is what they did in it
            says = ("history", *one.says[1:], *period.says)
            yield Reading(says, one.sureness, one.way, one.is_guess)


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
            slots = [one for one in items[: at + 1] if isinstance(one, Slot)]
            end = _skip_to_rest(items, at + 1)
            following = words[end][1] if end < len(words) else len(said)
            rest = tuple(said[following:])
            head = [*tokens[: at + 1], REST]
            telling = ways.get_telling(head)
            for one in _match(head, slots, worth * REST_OF_IT, ways, rest):
                if one.sureness >= LEAST_REST and telling and telling <= set(one.way.tokens):
                    is_plain = one.sureness >= PLAIN_REST or one.says[0] in {normalize(text) for text, _ in words}
                    yield one if is_plain else replace(one, sureness=min(one.sureness, TO_BE_ASKED))


def _skip_to_rest(items: Sequence[Item], at: int) -> int:
    """The place in the words where what is kept begins: after `notes that` where this follows the name."""
    before = items[at - 1]
    place = before.end if isinstance(before, Slot) else before.place + 1
    for skipped in BEFORE_REST:
        item = items[at] if at < len(items) - 1 else None
        if isinstance(item, _Word) and item.token in skipped:
            at, place = at + 1, item.place + 1
    return place


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
