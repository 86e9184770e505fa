"""Zulip's people, ready to be matched: read again within a minute, the last known while Zulip is away or slow."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from lms_bot.core.cache import ExpiringCache
from lms_bot.core.errors import LMSBotError
from lms_bot.people.matching import Matcher
from lms_bot.settings.settings import UserMapRow
from lms_bot.zulip.gateway import Gateway, ZulipUser

ZULIP_USERS_SECONDS = 50.0  # a minute at most, and asking takes time too
ZULIP_AWAY_SECONDS = 5.0  # before Zulip's list is asked for again
ZULIP_PATIENCE_SECONDS = 1.0  # with a slow Zulip, where its last list can serve meanwhile
LATEST = "latest"

ZULIP_UNREAD = "Zulip's list of people could not be read yet"
NO_ZULIP = "the bot runs without Zulip"


class ZulipPeople:
    """Gives the matcher of now. Threads may share it."""

    def __init__(self, zulip: Gateway | None, map_rows: Sequence[UserMapRow]) -> None:
        self._zulip = zulip
        self._map_rows = map_rows
        self._matchers: ExpiringCache[str, Matcher] = ExpiringCache()
        self._last_users: list[ZulipUser] = []
        self._reading: threading.Thread | None = None
        self._begins_to_read = threading.Lock()

    @property
    def is_known(self) -> bool:
        """Whether Zulip's people could be read at least once; where there is no Zulip, there is nothing to read."""
        return bool(self._last_users) or self._zulip is None

    def get_matcher(self) -> Matcher:
        """Never raises: `Matcher.problem` says why people may be missing."""
        cached = self._matchers.get(LATEST)
        if cached is not None:
            return cached
        if not self._last_users:
            return self._read()
        with self._begins_to_read:
            if self._reading is None or not self._reading.is_alive():
                self._reading = threading.Thread(target=self._read, name="people", daemon=True)
                self._reading.start()
                patience = ZULIP_PATIENCE_SECONDS
            else:  # somebody has waited for it already
                patience = 0.0
            self._reading.join(patience)
            return self._matchers.get(LATEST) or self._put(ZULIP_UNREAD, ZULIP_AWAY_SECONDS)

    def forget(self) -> None:
        """The next matcher is made of what Zulip says then."""
        self._matchers.clear()

    def _read(self) -> Matcher:
        problem, seconds = None, ZULIP_USERS_SECONDS
        try:
            if self._zulip is None:
                problem = NO_ZULIP
            else:
                self._last_users = self._zulip.fetch_users()
        except LMSBotError:
            problem, seconds = ZULIP_UNREAD, ZULIP_AWAY_SECONDS
        return self._put(problem, seconds)

    def _put(self, problem: str | None, seconds: float) -> Matcher:
        return self._matchers.put(LATEST, Matcher(self._last_users, self._map_rows, problem), seconds)
