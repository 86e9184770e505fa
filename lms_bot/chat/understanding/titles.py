"""The titles that exams and contents have, to see at once whether some words are from one. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lms_bot.core.normalize import normalize
from lms_bot.core.typos import find_nearest

SHORTEST, CUTOFF = 4, 82
COMMON = frozenset(("a", "an", "and", "at", "for", "in", "is", "it", "my", "of", "on", "or", "the", "to", "with"))


class TitleIndex:
    """Titles as one text each for exams and contents, so that looking for some words is one search in it."""

    def __init__(self, titles: Iterable[tuple[bool, str]]) -> None:
        """Of (whether it is an exam, title)."""
        known = [(is_exam, normalize(title)) for is_exam, title in titles]
        self._text = {
            kind: "\n".join(["", *(f" {title} " for is_one, title in known if is_one is is_exam), ""])
            for kind, is_exam in (("exam", True), ("content", False))
        }
        self._words = frozenset(word for _, title in known for word in title.split())

    def has_word(self, word: str) -> bool:
        said = normalize(word)
        return bool(said) and all(part in self._words for part in said.split())

    def correct(self, word: str) -> str | None:
        """The word of a title that this one begins, or is nearly: `intro`, `maths`, `phisics`."""
        said = normalize(word).removesuffix("s")
        if len(said) < SHORTEST or not self._words:
            return None
        longer = [one for one in self._words if one.startswith(said)]
        if len(longer) == 1:
            return longer[0]
        return next(iter(find_nearest(normalize(word), self._words, 1, CUTOFF)), None)

    def find_kinds(self, words: Sequence[str]) -> list[str]:
        """Of what the words are a title, or follow each other in one."""
        said = normalize(" ".join(words))
        if not said or all(word in COMMON for word in (said.split()[0], said.split()[-1])):
            return []
        return [kind for kind, text in self._text.items() if f" {said} " in text]
