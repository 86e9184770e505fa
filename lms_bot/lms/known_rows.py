"""What a poll has to be told of the rows that were read before."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

NO_ROW = "no row: "
"""Begins the key of what was stored by hand, which is no row of the LMS and is not looked for there."""


class KnownRows(Protocol):
    """What is remembered of one stream's rows; keys are texts."""

    def get_open_keys(self) -> Sequence[str]:
        """Rows that were started and are not final, as far as these are to be followed."""

    def get_keys(self, after: str | None, limit: int) -> Sequence[str]:
        """Rows that are in the LMS as far as we know, in some order, after one of them."""

    def get_seen(self, keys: Sequence[str]) -> Collection[str]:
        """Which of these rows were seen before, or are taken as known."""

    def get_digests(self, table: str, keys: Sequence[str] | None) -> Mapping[str, str]:
        """What rows of another table said, by key; all of them for None."""

    def count_digests(self, table: str) -> int:
        """Of how many rows of another table it is known what they said."""


@dataclass(frozen=True)
class Remembered:
    """KnownRows as plain values; nothing by default."""

    open_keys: Sequence[str] = ()
    keys: Sequence[str] = ()
    digests: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def get_open_keys(self) -> Sequence[str]:
        return self.open_keys

    def get_keys(self, after: str | None, limit: int) -> Sequence[str]:
        return [key for key in sorted(self.keys) if after is None or key > after][:limit]

    def get_seen(self, keys: Sequence[str]) -> Collection[str]:
        return set(self.keys).intersection(keys)

    def get_digests(self, table: str, keys: Sequence[str] | None) -> Mapping[str, str]:
        known = self.digests.get(table, {})
        return known if keys is None else {key: known[key] for key in keys if key in known}

    def count_digests(self, table: str) -> int:
        return len(self.digests.get(table, {}))


NOTHING_KNOWN = Remembered()
