"""Finding the command somebody means. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from lms_bot.chat.language.question import Command
from lms_bot.chat.language.words import read_owner, strip_fillers, strip_leading_fillers, strip_trailing_fillers
from lms_bot.core.typos import find_nearest
from lms_bot.people.access import Asker

ALL = "all"
"""Said with a command of which there is one about everybody, it means that one: `summary week all`."""
LONGEST_WORD = 40
_IS_OF_SOMETHING = re.compile("<student>|<name>|\\[period\\]")

CUTOFF = 66
"""How similar a typo must be to what was meant: 100 is the same, and 66 still takes `cvs` for `csv`."""

MOST_SIMILAR = 2


class CommandFinder:
    """Finds commands of a table by what was said."""

    def __init__(self, commands: Sequence[Command]) -> None:
        self._by_name = {name: command for command in commands for name in (command.name, *command.aliases)}
        self._most_words = max(len(name.split()) for name in self._by_name)

    def find_command(self, words: Sequence[str]) -> tuple[Command | None, tuple[str, ...]]:
        """The command that the words begin with, or None, and the words after it. Asking nothing is `help`."""
        said = strip_leading_fillers(words) if strip_fillers(words) else ("help",)
        length = self._count_name(said)
        if not length:
            said = self._put_command_first(said)
            length = self._count_name(said)
        if length:
            rest = said[length:] if strip_trailing_fillers(said[length:]) else ()
            return self._widen(_key(said[:length]), rest)
        return None, said

    def _count_name(self, words: Sequence[str]) -> int:
        """How many words of a command's name they begin with: the longest such name, 0 where there is none."""
        lengths = range(min(self._most_words, len(words)), 0, -1)
        return next((length for length in lengths if _key(words[:length]) in self._by_name), 0)

    def _put_command_first(self, words: tuple[str, ...]) -> tuple[str, ...]:
        """`john's history today` as `history john today`, and `last week's summary` as `summary last week`."""
        for at, word in enumerate(words):
            owner, after = read_owner(word), words[at + 1 :]
            length = self._count_name(after) if owner else 0
            if owner and length and _IS_OF_SOMETHING.search(self._by_name[_key(after[:length])].usage):
                return (*after[:length], *words[:at], owner, *after[length:])
        return words

    def _widen(self, name: str, rest: tuple[str, ...]) -> tuple[Command, tuple[str, ...]]:
        """`summary week all` is `summary all week`."""
        wider = self._by_name.get(f"{name} {ALL}")
        if wider is not None and ALL in map(str.casefold, rest):
            return wider, tuple(word for word in rest if word.casefold() != ALL)
        return self._by_name[name], rest

    def choose_for(self, asker: Asker, command: Command) -> Command:
        """The command itself, or the one about everybody where that is all the asker may use."""
        wider = self._by_name.get(f"{command.name} {ALL}")
        if wider is not None and not asker.may_use(command.audience) and asker.may_use(wider.audience):
            return wider
        return command

    def find_similar(self, words: Sequence[str], asker: Asker) -> list[Command]:
        """At most MOST_SIMILAR commands that the asker may use and may have meant."""
        commands = {name: one for name, one in self._by_name.items() if asker.may_use(one.audience)}
        similar = [
            commands[name]
            for length in range(1, self._most_words + 1)
            for name in find_nearest(_key(words[:length]), commands, MOST_SIMILAR, CUTOFF)
        ]
        return list(dict.fromkeys(similar))[:MOST_SIMILAR]


def _key(words: Iterable[str]) -> str:
    return " ".join(word[:LONGEST_WORD] for word in words).casefold()
