"""Everybody's preferences, kept in the store."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from datetime import time
from typing import Any

from lms_bot.core.clock import utc_now
from lms_bot.notify.preferences import OFF, Preferences, When, get_end_of_mute
from lms_bot.settings.checks import WEEKDAYS
from lms_bot.store.database import Store
from lms_bot.store.models import KeyValue, Preference

DEFAULT_KEY = "default_notify"
"""Where what an admin chose in the chat is kept: it goes before the setting."""


def _read_until(until: str) -> str:
    get_end_of_mute(until)
    return until


def _read_quiet(quiet: Sequence[str]) -> tuple[str, str]:
    start, end = (time.fromisoformat(one).strftime("%H:%M") for one in quiet)
    return start, end


def _read_digest(digest: str) -> str:
    if digest == OFF:
        return digest
    day, _, clock = digest.rpartition(" ")
    if day and day not in WEEKDAYS:
        raise ValueError(day)
    return f"{day} {time.fromisoformat(clock):%H:%M}".strip()


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "level": lambda level: When(level).value,
    "notify": lambda notify: {kind: When(when).value for kind, when in notify.items()},
    "students": lambda students: {str(int(key)): When(when).value for key, when in students.items()},
    "mutes": lambda mutes: {str(int(key)): _read_until(until) for key, until in mutes.items()},
    "muted_until": _read_until,
    "quiet": _read_quiet,
    "workdays": lambda days: tuple(day for day in WEEKDAYS if day in list(days)),
    "failed_pass": bool,
    "digest": _read_digest,
}
"""How each choice is read from the store's JSON; what raises cannot be read."""


class PreferenceBook:
    """`default` is what holds for who chose nothing: see `Preferences.default`. Methods raise StoreUnavailable."""

    def __init__(self, store: Store, default: Mapping[str, str]) -> None:
        self._store = store
        self._default = dict(default)

    def get(self, zulip_user_id: int) -> Preferences:
        with self._store.session():
            row = Preference.get_or_none(Preference.zulip_user_id == zulip_user_id)
            return _read(row.choices if row is not None else {}, self.get_default())

    def get_all(self, zulip_user_ids: Collection[int]) -> dict[int, Preferences]:
        """Those of each of these people."""
        with self._store.session():
            default = self.get_default()
            chosen = {row.zulip_user_id: row.choices for row in Preference.select()}
        return {person: _read(chosen.get(person, {}), default) for person in zulip_user_ids}

    def change(self, zulip_user_id: int, **choices: Any) -> Preferences:
        """Changes some of a person's preferences and returns all of them."""
        with self._store.transaction():
            changed = replace(self.get(zulip_user_id), **choices)
            kept = {name: value for name, value in asdict(changed).items() if name != "default"}
            row = {"choices": kept, "updated_at": utc_now()}
            Preference.insert(zulip_user_id=zulip_user_id, **row).on_conflict(
                conflict_target=[Preference.zulip_user_id], preserve=[Preference.choices, Preference.updated_at]
            ).execute()
        return changed

    def get_default(self) -> dict[str, str]:
        """What holds for who chose nothing: what an admin said last, else the setting."""
        with self._store.session():
            said = KeyValue.find(DEFAULT_KEY)
        return dict(said) if isinstance(said, dict) else self._default

    def change_default(self, default: Mapping[str, str] | None) -> None:
        """For all who chose nothing, from now on; None is what the setting says."""
        with self._store.transaction():
            KeyValue.put(DEFAULT_KEY, None if default is None else dict(default))

    def get_version(self) -> object:
        """Another value whenever somebody, in whatever process, changed something."""
        sql = "SELECT count(*), max(updated_at) FROM lms_preferences"
        said = "SELECT updated_at FROM lms_facts WHERE name = ?"
        with self._store.session():
            return Preference.ask(sql), KeyValue.ask(said, DEFAULT_KEY)


def _read(choices: Mapping[str, Any], default: Mapping[str, str]) -> Preferences:
    """What cannot be read, e.g. since a newer version wrote it, is as if it were not chosen."""
    known: dict[str, Any] = {}
    for name, read in _READERS.items():
        if choices.get(name) is not None:
            with suppress(TypeError, ValueError, AttributeError, OverflowError):
                known[name] = read(choices[name])
    return Preferences(default=default, **known)
