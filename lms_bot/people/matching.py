"""Which Zulip user an LMS person is: by the map file, then by `delivery_email`, then by `email`, in any case.

An address two people share matches nobody. `Matcher` is pure: it is given both lists. `ZulipPeople` makes it of what
Zulip says now: read again within a minute, the last known while Zulip is away or slow.
"""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lms_bot.core.cache import ExpiringCache
from lms_bot.core.errors import LMSBotError
from lms_bot.settings.settings import UserMapRow
from lms_bot.zulip.gateway import Gateway, ZulipUser

MENTOR, STUDENT = "mentor", "student"
ZULIP_USERS_SECONDS = 50.0  # a minute at most, and asking takes time too
ZULIP_AWAY_SECONDS = 5.0  # before Zulip's list is asked for again
ZULIP_PATIENCE_SECONDS = 1.0  # with a slow Zulip, where its last list can serve meanwhile
LATEST = "latest"

ZULIP_UNREAD = "Zulip's list of people could not be read yet"
NO_ZULIP = "the bot runs without Zulip"


@dataclass(frozen=True)
class Match:
    """The user found, else None and the reason in plain words."""

    user: ZulipUser | None
    reason: str = ""


class Matcher:
    """Finds people among `users`. `problem` is why `users` may be incomplete, if they are."""

    def __init__(
        self, users: Iterable[ZulipUser], map_rows: Iterable[UserMapRow] = (), problem: str | None = None
    ) -> None:
        self.by_id = {user.user_id: user for user in users}
        self.problem = problem
        people = [user for user in self.by_id.values() if not user.is_bot]
        self._by_delivery_email = _index((user.delivery_email, user) for user in people)
        self._by_email = _index((user.email, user) for user in people)
        self._mapped = {(row.lms_kind, normalize_address(row.lms_username)): row.zulip_user for row in map_rows}

    def find(self, kind: str, username: str, email: str | None, shared: Iterable[str] = ()) -> Match:
        """`shared` are the addresses (normalized) more than one person of this kind has in the LMS."""
        if self.problem is not None and not self.by_id:
            return Match(None, self.problem)
        mapped = self._mapped.get((kind, normalize_address(username)))
        if mapped is not None:
            return self._find_mapped(kind, username, mapped)
        if not normalize_address(email):
            return Match(None, f"{kind} {username} has no e-mail address in the LMS")
        if normalize_address(email) in shared:
            return Match(None, f"{kind} {username} shares the e-mail address with another {kind} of the LMS")
        return self._find_by_address(kind, username, normalize_address(email))

    def find_person(self, name: int | str) -> ZulipUser | None:
        """By Zulip user id or e-mail address."""
        if isinstance(name, int):
            return self.by_id.get(name)
        return self._find_by_address("person", "", normalize_address(name)).user

    def is_mapped_by_hand(self, kind: str, username: str) -> bool:
        return (kind, normalize_address(username)) in self._mapped

    def get_mapped_usernames(self, kind: str, user: ZulipUser) -> list[str]:
        """The LMS usernames (normalized) that the map file gives this person."""
        names = {user.user_id, normalize_address(user.email), normalize_address(user.delivery_email)}
        return [
            username
            for (row_kind, username), mapped in self._mapped.items()
            if row_kind == kind and (normalize_address(mapped) if isinstance(mapped, str) else mapped) in names
        ]

    def _find_mapped(self, kind: str, username: str, mapped: int | str) -> Match:
        if isinstance(mapped, str):
            return self._find_by_address(kind, username, normalize_address(mapped))
        user = self.by_id.get(mapped)
        return Match(user) if user else Match(None, f"the user map names no Zulip user for {kind} {username}")

    def _find_by_address(self, kind: str, username: str, address: str) -> Match:
        for index in (self._by_delivery_email, self._by_email):
            found = index.get(address, [])
            if len(found) == 1:
                return Match(found[0])
            if found:
                return Match(None, f"several Zulip users have the e-mail address of {kind} {username}")
        return Match(None, f"no Zulip user has the e-mail address of {kind} {username}")


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


def normalize_address(address: str | None) -> str:
    return (address or "").strip().casefold()


def shared_addresses(addresses: Iterable[str | None]) -> frozenset[str]:
    """Addresses (normalized) that occur more than once."""
    counts = Counter(map(normalize_address, addresses))
    return frozenset(address for address, count in counts.items() if count > 1 and address)


def _index(addresses: Iterable[tuple[str | None, ZulipUser]]) -> dict[str, list[ZulipUser]]:
    index: dict[str, list[ZulipUser]] = defaultdict(list)
    for address, user in addresses:
        if normalize_address(address):
            index[normalize_address(address)].append(user)
    return index
