"""Event queues of the sandbox Zulip: registered by a person, filled by what happens, emptied by polling."""

from __future__ import annotations

import random
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from lms_bot.sandbox.zulip.refusals import ConnectionLost, Refusal, bad_event_queue

Event = dict[str, Any]
# Real heartbeats come after 45 to 55 seconds, never twice at the same distance.
HEARTBEAT_SPREAD = 10 / 45


class EventQueue:
    """One queue. All of it is guarded by the lock of the realm, which `arrived` shares."""

    def __init__(
        self,
        user_id: int,
        *,
        arrived: threading.Condition,
        event_types: Iterable[str] | None,
        lifespan_seconds: float,
        wants_message: Callable[..., bool],
        all_public_streams: bool,
        apply_markdown: bool,
    ) -> None:
        self.queue_id = str(uuid.uuid4())
        self.user_id = user_id
        self.arrived = arrived
        self.event_types = None if event_types is None else frozenset(event_types)
        self.lifespan_seconds = lifespan_seconds
        self.wants_message = wants_message
        self.all_public_streams = all_public_streams
        self.apply_markdown = apply_markdown
        self.events: deque[Event] = deque()
        self.is_gone = False
        self.poll: object | None = None  # whoever waits here now; a later poll takes the place of an earlier
        self.last_polled_at = 0.0
        self._next_event_id = 0
        self._newest_pruned_id = -1

    def wants(self, event_type: str) -> bool:
        return self.event_types is None or event_type in self.event_types

    def append(self, event: Event) -> None:
        self.events.append({**event, "id": self._next_event_id})
        self._next_event_id += 1
        self.arrived.notify_all()

    def prune(self, last_event_id: int) -> None:
        """Forget what the client says it has seen. What was forgotten cannot be asked for again."""
        if last_event_id < self._newest_pruned_id:
            raise Refusal(f"An event newer than {last_event_id} has already been pruned!")
        if last_event_id >= self._next_event_id:
            raise Refusal(f"Event {last_event_id} was not in this queue")
        while self.events and self.events[0]["id"] <= last_event_id:
            self.events.popleft()
        self._newest_pruned_id = last_event_id


class EventQueues:
    """Every queue of a realm."""

    def __init__(
        self,
        lock: threading.RLock,
        *,
        now: Callable[[], float],
        heartbeat_seconds: float,
        lifespan_seconds: float,
    ) -> None:
        self._lock = lock
        self._now = now
        self._heartbeat_seconds = heartbeat_seconds
        self._lifespan_seconds = lifespan_seconds
        self._queues: dict[str, EventQueue] = {}
        self._is_interrupted = False

    def register(self, user_id: int, *, lifespan_seconds: float | None = None, **wishes: Any) -> EventQueue:
        """A new queue for this person. It dies when nobody has polled it for `lifespan_seconds`."""
        with self._lock:
            lifespan = self._lifespan_seconds if lifespan_seconds is None else lifespan_seconds
            arrived = threading.Condition(self._lock)
            queue = EventQueue(user_id, arrived=arrived, lifespan_seconds=lifespan, **wishes)
            queue.last_polled_at = self._now()
            self._queues[queue.queue_id] = queue
            return queue

    def get(self, queue_id: str, user_id: int) -> EventQueue:
        """The person's own living queue of this id, else a refusal."""
        with self._lock:
            self._remove_expired()
            queue = self._queues.get(queue_id)
            if queue is None or queue.user_id != user_id:
                raise bad_event_queue(queue_id)
            return queue

    def delete(self, queue_id: str, user_id: int) -> None:
        with self._lock:
            self._remove(self.get(queue_id, user_id))

    def drop_all(self) -> None:
        """As after the event server was killed: whoever polls is told that the queue is unknown."""
        with self._lock:
            for queue in list(self._queues.values()):
                self._remove(queue)

    def interrupt(self, is_interrupted: bool) -> None:
        """End all long polls without an answer, and let none begin, until called with False."""
        with self._lock:
            self._is_interrupted = is_interrupted
            for queue in self._queues.values():
                queue.arrived.notify_all()

    def listening(self, event_type: str) -> list[EventQueue]:
        with self._lock:
            self._remove_expired()
            return [queue for queue in self._queues.values() if queue.wants(event_type)]

    def publish(self, user_ids: Iterable[int], event: Event) -> None:
        """Append the event to the queues of these people that asked for its type."""
        wanted = frozenset(user_ids)
        for queue in self.listening(event["type"]):
            if queue.user_id in wanted:
                queue.append(event)

    def poll(self, queue: EventQueue, last_event_id: int, *, is_patient: bool) -> tuple[list[Event], bool]:
        """
        Events after `last_event_id`, and whether they had to be waited for.

        A patient poll with nothing to hand over waits until there is something, at last a heartbeat.
        """
        with self._lock:
            queue.prune(last_event_id)
            queue.poll = me = object()
            queue.arrived.notify_all()
            try:
                has_waited = is_patient and not queue.events
                if has_waited:
                    self._wait(queue, me)
                return list(queue.events) if queue.poll is me else [], has_waited
            finally:
                queue.last_polled_at = self._now()
                if queue.poll is me:
                    queue.poll = None

    def _wait(self, queue: EventQueue, me: object) -> None:
        deadline = time.monotonic() + self._heartbeat_seconds * (1 + random.random() * HEARTBEAT_SPREAD)
        while not queue.events and queue.poll is me:
            if self._is_interrupted:
                raise ConnectionLost
            if queue.is_gone:
                raise bad_event_queue(queue.queue_id)
            seconds_left = deadline - time.monotonic()
            if seconds_left <= 0:
                queue.append({"type": "heartbeat"})
            else:
                queue.arrived.wait(seconds_left)

    def _remove(self, queue: EventQueue) -> None:
        del self._queues[queue.queue_id]
        queue.is_gone = True
        queue.arrived.notify_all()

    def _remove_expired(self) -> None:
        now = self._now()
        for queue in list(self._queues.values()):
            if queue.poll is None and now - queue.last_polled_at > queue.lifespan_seconds:
                self._remove(queue)
