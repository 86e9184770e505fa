"""Whose turn it is: what waits to be answered, person by person, so that nobody waits for somebody else's flood."""

from __future__ import annotations

import threading
from bisect import insort
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from time import monotonic

from lms_bot.chat.inbox.incoming import IncomingMessage

IDLE_PEOPLE = 1000  # kept in mind; who has used up none of their answers need not be


@dataclass
class _Person:
    """`answers` is how many they may have at once by now, counted at `counted_at`; none before `not_before`."""

    answers: float
    counted_at: float
    not_before: float = 0.0
    waiting: list[IncomingMessage] = field(default_factory=list)
    in_hand: IncomingMessage | None = None


class FairQueue:
    """Incoming messages by person: one of each person is answered at a time, in order, and people take turns.

    A person has `at_once` answers in hand and gets new ones at `per_minute()`; what comes faster waits. The first
    beyond `most_waiting` is answered with a word that it is too much, and what comes until then is left out.
    Threads may share it.
    """

    def __init__(
        self,
        *,
        per_minute: Callable[[], float],
        at_once: int,
        most_waiting: int,
        now: Callable[[], float] = monotonic,
    ) -> None:
        self._per_minute = per_minute
        self._at_once = at_once
        self._most_waiting = most_waiting
        self._now = now
        self._people: dict[int, _Person] = {}
        self._changed = threading.Condition()

    def put(self, incoming: IncomingMessage) -> bool:
        """It waits for its turn; once, however often it is put. False where it is left out."""
        with self._changed:
            person = self._people.setdefault(incoming.sender_id, _Person(self._at_once, self._now()))
            if incoming.key in _keys(person):
                return True
            if any(each.is_too_much for each in person.waiting):
                return False
            if len(person.waiting) >= self._most_waiting:
                incoming = replace(incoming, is_too_much=True)
            insort(person.waiting, incoming, key=lambda each: each.order)
            return True

    def reread(self, message_id: int) -> bool:
        """The message has changed: if it still waits, its text is asked for when its turn comes. Else False."""
        with self._changed:
            for person in self._people.values():
                for index, incoming in enumerate(person.waiting):
                    if incoming.message_id == message_id:
                        person.waiting[index] = replace(incoming, text=None)
                        return True
            return False

    def take(self) -> IncomingMessage | float | None:
        """The message whose turn it is, which is `done` with afterwards; or in how many seconds there may be one;
        None where nobody waits for a turn."""
        with self._changed:
            soonest: float | None = None
            for zulip_user_id, person in self._people.items():
                if not person.waiting or person.in_hand is not None:
                    continue
                seconds = self._seconds_until_free(person)
                if seconds <= 0:
                    person.answers -= 1
                    person.in_hand = person.waiting.pop(0)
                    self._people[zulip_user_id] = self._people.pop(zulip_user_id)  # next time, others come first
                    return person.in_hand
                soonest = seconds if soonest is None else min(soonest, seconds)
            return soonest

    def done(self, incoming: IncomingMessage, *, again_in_seconds: float | None = None) -> None:
        """It is answered, and the person's next may be taken; or it is to be taken again, before the next, later."""
        with self._changed:
            person = self._people[incoming.sender_id]
            person.in_hand = None
            if again_in_seconds is not None:
                insort(person.waiting, incoming, key=lambda each: each.order)
                person.not_before = self._now() + again_in_seconds
            self._forget_idle()
            self._changed.notify_all()

    def get_keys(self) -> set[str]:
        """Of all messages that wait or are in hand."""
        with self._changed:
            return {key for person in self._people.values() for key in _keys(person)}

    def drop_waiting(self) -> None:
        """Somebody else answers them."""
        with self._changed:
            for person in self._people.values():
                person.waiting.clear()
            self._changed.notify_all()

    def wait_until_empty(self, timeout_seconds: float) -> bool:
        """Until nothing waits and nothing is in hand."""
        with self._changed:
            return self._changed.wait_for(lambda: not any(map(_keys, self._people.values())), timeout_seconds)

    def _seconds_until_free(self, person: _Person) -> float:
        now, per_second = self._now(), self._per_minute() / 60.0
        person.answers = min(float(self._at_once), person.answers + (now - person.counted_at) * per_second)
        person.counted_at = now
        return max(0.0, person.not_before - now, (1.0 - person.answers) / per_second)

    def _forget_idle(self) -> None:
        if len(self._people) <= IDLE_PEOPLE:
            return
        for zulip_user_id, person in list(self._people.items()):
            if not _keys(person) and self._seconds_until_free(person) == 0 and person.answers >= self._at_once:
                del self._people[zulip_user_id]


def _keys(person: _Person) -> set[str]:
    in_hand = [person.in_hand] if person.in_hand is not None else []
    return {incoming.key for incoming in (*person.waiting, *in_hand)}
