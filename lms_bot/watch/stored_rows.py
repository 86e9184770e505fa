"""What the store knows of one stream's rows, for the poll that looks for what changed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from lms_bot.store.attempts import AttemptBook
from lms_bot.store.database import Store
from lms_bot.watch.recorder import Recorder

OPEN_ROWS_FOLLOWED = 5000


@dataclass(frozen=True)
class StoredRows:
    """`lms.known_rows.KnownRows`, of the store."""

    store: Store
    recorder: Recorder
    attempts: AttemptBook
    stream: str

    def get_open_keys(self) -> Sequence[str]:
        with self.store.session():
            return self.recorder.get_open(self.stream, OPEN_ROWS_FOLLOWED)

    def get_keys(self, after: str | None, limit: int) -> Sequence[str]:
        with self.store.session():
            return self.attempts.get_shown_keys(self.stream, after, limit)

    def get_seen(self, keys: Sequence[str]) -> Collection[str]:
        with self.store.session():
            return self.attempts.get_seen(self.stream, keys)

    def get_digests(self, table: str, keys: Sequence[str] | None) -> Mapping[str, str]:
        with self.store.session():
            return self.recorder.get_digests(self.stream, table, keys)

    def count_digests(self, table: str) -> int:
        with self.store.session():
            return self.recorder.count_digests(self.stream, table)
